/* What went wrong, as one line: what, where, and the way out. */
#ifndef PARITY_FAILURE_H
#define PARITY_FAILURE_H

#include <stdbool.h>

enum { EXIT_ERROR = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 }; /* 3: a check said no */

struct failure {
    int exit_code;
    char text[1024];
};

/* Records a failure; returns false, so that a caller can return it on. What breaks a line, moves a cursor or turns the direction
 * of writing becomes '?'. */
bool fail(struct failure *failure, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool fail_memory(struct failure *failure);

#endif
