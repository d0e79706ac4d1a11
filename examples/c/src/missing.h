/* Which cells of a table are missing, and the numbers and the white space of its cells. */
#ifndef PARITY_MISSING_H
#define PARITY_MISSING_H

#include "json.h"

struct missing {
    const char **words; /* beside the empty cell; they belong to the contract's JSON */
    double *numbers;    /* the words that are numbers: a number is missing by its value */
    size_t words_count, numbers_count;
};

/* Reads the contract's words, or takes those that hold where it tells none. To be freed. */
bool missing_read(const struct place *place, const json_t *json, struct missing *missing);
void missing_free(struct missing *missing);

/* The bytes of the white space that a text begins with: one character, or 0. */
size_t white_space(const char *text);

/* Sets where a text begins and ends without the white space around it. */
void strip(const char *text, const char **start, const char **end);

/* Whether a cell is missing; in columns of numbers and codes a few signs are as well. */
bool is_missing(const struct missing *missing, const char *cell, bool in_numbers);

/* Whether a number stands for a missing cell. */
bool is_missing_number(const struct missing *missing, double number);

/* Reads a cell as a number, NaN where it is missing; false where it is neither. */
bool cell_number(const struct missing *missing, const char *cell, double *number);

#endif
