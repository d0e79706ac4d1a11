/* The columns of a table, as a contract names them. */
#ifndef PARITY_FEATURE_H
#define PARITY_FEATURE_H

#include <stdint.h>

#include "json.h"

enum kind { NUMERIC, TRUTH_VALUE, CATEGORICAL, CODE, DATETIME };

struct feature {
    const char *name, *input;
    int64_t index; /* its column of that input */
    enum kind kind;
    bool impute;        /* a NaN is a missing cell, which the graph fills; else it is refused */
    const char *format; /* of dates, as for strptime; NULL for ISO 8601 */
};

struct features {
    struct feature *items; /* in the order of the table; to be freed */
    struct feature *sorted; /* in the order of their inputs' names and their columns; to be freed */
    size_t count;
};

bool features_parse(const struct place *place, const json_t *json, struct features *features);
void features_free(struct features *features);

const char *kind_name(enum kind kind);

#endif
