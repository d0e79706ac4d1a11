/* Cells of text as moments: seconds since 1970-01-01T00:00:00 UTC, rounded down; one without a zone is in UTC. */
#ifndef PARITY_TIMESTAMP_H
#define PARITY_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

#define MISSING_TIMESTAMP INT64_MIN

/* The fields of a date and its time; `zone` is how many seconds it is ahead of UTC. */
struct moment {
    int year, month, day, hour, minute, second, zone;
};

/* Reads what stands between two places: in ISO 8601, or in a format as for strptime. False where it is no date of the
 * years 1 to 9999. */
bool timestamp_read(const char *start, const char *end, const char *format, int64_t *seconds);

/* Reads a date in a format; false where it is none. */
bool date_format_read(const char *format, const char *start, const char *end, struct moment *moment);

/* The first directive of a format that date_format_read does not know, or that contradicts another; NULL where it
 * knows all. */
const char *date_format_unknown(const char *format);

/* Reads that many digits; -1 where something else stands there. */
int read_digits(const char *text, int count);

#endif
