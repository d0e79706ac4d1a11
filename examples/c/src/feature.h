/* The columns of a table, as a contract names them. */
#ifndef PARITY_FEATURE_H
#define PARITY_FEATURE_H

#include <stdint.h>

#include "json.h"

struct feature {
    const char *name, *input;
    int64_t index; /* its column of that input */
    bool impute;   /* a NaN is a missing cell, which the graph fills; else it is refused */
};

struct features {
    struct feature *items; /* in the order of their columns; to be freed */
    size_t count;
};

bool features_parse(const struct place *place, const json_t *json, struct features *features);

#endif
