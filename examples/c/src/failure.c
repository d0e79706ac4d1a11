#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How many bytes of a text are a character that breaks a line, moves a cursor or turns the direction of writing. */
static size_t unprintable(const char *text)
{
    static const char *const BIDI_AND_LINES[] = {"\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9",
                                                 "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad",
                                                 "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8",
                                                 "\xe2\x81\xa9"};
    const unsigned char first = (unsigned char)text[0];
    if (first < ' ' || first == 0x7f)
        return 1;
    if (first == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0)
        return 2;
    for (size_t i = 0; i < sizeof BIDI_AND_LINES / sizeof *BIDI_AND_LINES; i++)
        if (strncmp(text, BIDI_AND_LINES[i], 3) == 0)
            return 3;
    return 0;
}

bool fail(struct failure *failure, int exit_code, const char *format, ...)
{
    va_list arguments;
    failure->exit_code = exit_code;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    /* The texts quote file names and JSON that somebody else wrote: they stay one line, and move no cursor. */
    for (char *at = failure->text; *at != '\0'; at++)
        memset(at, '?', unprintable(at));
    return false;
}

bool fail_memory(struct failure *failure)
{
    return fail(failure, EXIT_ERROR, "there is not enough memory");
}
