/* Rows of a table as text, made into what a graph takes. */
#ifndef PARITY_ROWS_H
#define PARITY_ROWS_H

#include "contract.h"

/* Lines of text; each is one row of cells with commas between, quoted as CSV where they hold a comma or a quote. */
struct lines {
    char **items;
    size_t count;
};

/* Reads lines from a stream up to its end; to be freed with lines_free. */
bool lines_read(struct lines *lines, FILE *stream, struct failure *failure);
void lines_free(struct lines *lines);

/* Refuses a model whose inputs are not rows of a table, or whose dates are in a format that is not known. */
bool rows_supported(const struct contract *contract, struct failure *failure);

/* Fills one batch, a tensor for each of the contract's inputs; to be freed. The cells stand in the order of the
 * contract's features, of a model with one input in that of its columns. A cell that is none of its column's kind,
 * infinite, or missing where the contract refuses that, is a failure that names the row (from 0) and the feature. */
bool rows_parse(const struct contract *contract, const struct lines *lines, struct tensor *inputs,
                struct failure *failure);

#endif
