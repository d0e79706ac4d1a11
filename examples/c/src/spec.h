/* What a contract says of a graph's inputs and outputs. */
#ifndef PARITY_SPEC_H
#define PARITY_SPEC_H

#include "tensor.h"

struct spec {
    const char *name;
    const struct dtype *dtype;
    size_t rank;
    int64_t sizes[MAX_RANK];          /* where there is no name */
    const char *dimensions[MAX_RANK]; /* a dynamic dimension's name, else NULL */
};

struct specs {
    struct spec *items; /* to be freed; their names belong to the JSON */
    size_t count;
};

/* Reads a list of {name, dtype, shape}. */
bool specs_parse(const struct place *place, const json_t *json, const char *key, struct specs *specs);

/* The position of a name; the count where there is none. */
size_t find_spec(const struct specs *specs, const char *name);

/* Whether a tensor has the dtype, the rank, and the sizes that are no names. */
bool spec_fits(const struct spec *spec, const struct tensor *tensor);

#endif
