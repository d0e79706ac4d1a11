#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

bool fail(struct failure *failure, int exit_code, const char *format, ...)
{
    va_list arguments;
    failure->exit_code = exit_code;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    /* The texts quote file names and JSON that somebody else wrote: they stay one line, and move no cursor. */
    for (char *at = failure->text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    return false;
}

bool fail_memory(struct failure *failure)
{
    return fail(failure, EXIT_ERROR, "there is not enough memory");
}
