/* Rows of a table as text, made into what a graph takes. */
#ifndef PARITY_ROWS_H
#define PARITY_ROWS_H

#include "contract.h"

/* Lines of text; each is one row of numbers with commas between. */
struct lines {
    char **items;
    size_t count;
};

/* Reads lines from a stream up to its end; to be freed with lines_free. */
bool lines_read(struct lines *lines, FILE *stream, struct failure *failure);
void lines_free(struct lines *lines);

/* Refuses a model whose input is not rows of a table. */
bool rows_supported(const struct contract *contract, struct failure *failure);

/* Fills one batch, [rows, features]; to be freed. A cell that is no number, infinite, or missing where the contract
 * refuses that, is a failure that names the row (from 0) and the feature. */
bool rows_parse(const struct contract *contract, const struct lines *lines, struct tensor *batch,
                struct failure *failure);

#endif
