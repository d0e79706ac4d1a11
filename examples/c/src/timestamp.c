#include "timestamp.h"

#include <string.h>

static const int DAY = 86400;

int read_digits(const char *text, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = 10 * number + (text[i] - '0');
    }
    return number;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool is_date(const struct moment *moment)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (moment->year < 1 || moment->month < 1 || moment->month > 12 || moment->day < 1)
        return false;
    const int days = DAYS[moment->month - 1] + (moment->month == 2 && is_leap(moment->year));
    return moment->day <= days && moment->hour >= 0 && moment->hour < 24 && moment->minute >= 0 &&
           moment->minute < 60 && moment->second >= 0 && moment->second < 60;
}

/* Days since 1970-01-01. Years begin in March here, so that a leap day is a year's last. */
static int64_t days_of(const struct moment *moment)
{
    const int years = moment->year - (moment->month < 3);
    const int days = (153 * ((moment->month + 9) % 12) + 2) / 5 + moment->day - 1;
    return 365 * (int64_t)years + years / 4 - years / 100 + years / 400 + days - 719468;
}

static bool in_years(int64_t seconds)
{
    static const int64_t FIRST = -62135596800, LAST = 253402300799;
    return seconds >= FIRST && seconds <= LAST;
}

/* Z, +hh:mm, +hhmm or +hh after a time, and a space before it. */
static bool read_zone(const char *at, const char *end, int *zone)
{
    at += at < end && *at == ' ';
    if (end - at == 1 && (*at == 'Z' || *at == 'z'))
        return true;
    if (end - at < 3 || (*at != '+' && *at != '-'))
        return false;
    const int hours = read_digits(at + 1, 2), sign = *at == '-' ? -1 : 1;
    at += 3;
    at += end - at == 3 && *at == ':';
    const int minutes = end - at == 2 ? read_digits(at, 2) : at == end ? 0 : -1;
    *zone = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

static bool read_iso(const char *at, const char *end, struct moment *moment)
{
    if (end - at < 10 || at[4] != '-' || at[7] != '-')
        return false;
    *moment = (struct moment){read_digits(at, 4), read_digits(at + 5, 2), read_digits(at + 8, 2), 0, 0, 0, 0};
    at += 10;
    if (at == end)
        return true; /* a date alone, which has no zone */
    if (end - at < 6 || strchr("Tt ", *at) == NULL || at[3] != ':')
        return false;
    moment->hour = read_digits(at + 1, 2);
    moment->minute = read_digits(at + 4, 2);
    at += 6;
    if (end - at >= 3 && *at == ':') {
        moment->second = read_digits(at + 1, 2);
        at += 3;
        if (end - at >= 2 && (*at == '.' || *at == ',') && read_digits(at + 1, 1) >= 0)
            for (at++; at < end && read_digits(at, 1) >= 0; at++)
                continue;
    }
    return at == end || read_zone(at, end, &moment->zone);
}

bool timestamp_read(const char *start, const char *end, const char *format, int64_t *seconds)
{
    struct moment moment;
    const bool read = format == NULL ? read_iso(start, end, &moment) : date_format_read(format, start, end, &moment);
    if (!read || !is_date(&moment))
        return false;
    *seconds = days_of(&moment) * DAY + moment.hour * 3600 + moment.minute * 60 + moment.second - moment.zone;
    return in_years(*seconds);
}
