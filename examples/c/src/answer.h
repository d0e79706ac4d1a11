/* Answers, as a table on stdout. */
#ifndef PARITY_ANSWER_H
#define PARITY_ANSWER_H

#include "rows.h"
#include "session.h"

/* Answers rows and prints them with a header: a classifier's label and probabilities, a regression's values, and what
 * is proven. With `bits` every output of the graph instead, its floats as hexadecimal bits. */
bool answer(const struct session *session, const struct contract *contract, const struct lines *lines, bool bits,
            struct failure *failure);

#endif
