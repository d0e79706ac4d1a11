/* The test vectors of a package: conformance.json. */
#ifndef PARITY_TEST_VECTORS_H
#define PARITY_TEST_VECTORS_H

#include "contract.h"

/* One batch. All are in the contract's order; a tensor without data is one that the file does not hold. */
struct vectors {
    struct tensor *inputs, *outputs, *tolerance;
    struct tensor label_checked;
    double rtol, atol; /* of the ordinary vectors */
};

struct test_vectors {
    const struct contract *contract;
    bool has_hard;
    struct vectors ordinary, hard;
};

bool test_vectors_read(struct test_vectors *test_vectors, const struct package *package,
                       const struct contract *contract, struct failure *failure);
void test_vectors_free(struct test_vectors *test_vectors);

#endif
