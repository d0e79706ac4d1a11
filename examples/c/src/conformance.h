/* The questions and answers that a package recorded: conformance.json. */
#ifndef PARITY_CONFORMANCE_H
#define PARITY_CONFORMANCE_H

#include "contract.h"

/* One batch. All are in the contract's order; a tensor without data is one that the file does not hold. */
struct vectors {
    struct tensor *inputs, *outputs, *tolerance;
    struct tensor label_checked;
    double rtol, atol; /* of the ordinary vectors */
};

struct conformance {
    const struct contract *contract;
    bool has_hard;
    struct vectors ordinary, hard;
};

bool conformance_read(struct conformance *conformance, const struct package *package, const struct contract *contract,
                      struct failure *failure);
void conformance_free(struct conformance *conformance);

#endif
