/* Whether a session answers as a package recorded. */
#ifndef PARITY_REPLAY_H
#define PARITY_REPLAY_H

#include "conformance.h"
#include "session.h"

/* What has been compared so far. */
struct tally {
    size_t compared, failed;
};

/* Asks every recorded question; prints a verdict a line for each output, and counts. False where it cannot ask. */
bool replay(const struct conformance *conformance, const struct session *session, const char *graph,
            struct tally *tally, struct failure *failure);

#endif
