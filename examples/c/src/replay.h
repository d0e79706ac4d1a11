/* Whether a session computes what a package's test vectors expect. */
#ifndef PARITY_REPLAY_H
#define PARITY_REPLAY_H

#include "session.h"
#include "test_vectors.h"

/* What has been compared so far. */
struct tally {
    size_t compared, failed;
};

/* Runs every test vector; prints a line for each output, and counts. False where it cannot run. */
bool replay(const struct test_vectors *vectors, const struct session *session, const char *graph,
            struct tally *tally, struct failure *failure);

#endif
