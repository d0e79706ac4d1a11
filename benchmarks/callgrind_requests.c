/* What a program asks of callgrind, for Python's ctypes: valgrind/callgrind.h offers it as macros of C alone. */

#include <valgrind/callgrind.h>

void begin_instrumentation(void) { CALLGRIND_START_INSTRUMENTATION; }

void begin_count(void) { CALLGRIND_ZERO_STATS; }

/* Write what was counted since begin_count into a file of its own, under a name. */
void end_count(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
