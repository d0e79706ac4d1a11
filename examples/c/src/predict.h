/* Predictions, as a table on stdout. */
#ifndef PARITY_PREDICT_H
#define PARITY_PREDICT_H

#include "rows.h"
#include "session.h"

/* Prints the predictions of rows with a header: a classifier's label and probabilities, a regression's values, and of
 * the certified graph what it certifies. With `bits` every output instead, its floats as hexadecimal bits. */
bool predict(const struct session *session, const struct contract *contract, const struct lines *lines, bool bits,
             struct failure *failure);

#endif
