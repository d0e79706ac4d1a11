/* A cell of a table as an element of the graph's input, by the kind of its column. */
#ifndef PARITY_CELL_H
#define PARITY_CELL_H

#include "contract.h"

/* Stores a cell in its input; `inputs` has a tensor for each of the contract's. */
bool cell_parse(const struct contract *contract, const struct feature *feature, size_t row, const char *cell,
                struct tensor *inputs, struct failure *failure);

bool is_utf8(const char *text);

#endif
