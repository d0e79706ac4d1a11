/* Dates in a format of their own, as for Python's strptime, which takes the first way to read a text, and refuses it
 * where something is left over. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "missing.h"
#include "timestamp.h"

static const char DIRECTIVES[] = "YymdbHIMSfp%";
static const char *const CLASHES[] = {"Yy", "mb", "HI"}; /* two of these say one thing */
static const size_t LONGEST = 200;
static const char MONTHS[] = "janfebmaraprmayjunjulaugsepoctnovdec";

struct fields {
    int year, month, day, hour, minute, second;
    bool is_half, is_afternoon; /* an hour of twelve */
};

/* A directive's digits: how many at least and at most, and between which numbers. */
struct number {
    char letter;
    int fewest, most, low, high;
};

static const struct number NUMBERS[] = {{'Y', 4, 4, 0, 9999}, {'y', 2, 2, 0, 99}, {'m', 1, 2, 1, 12},
                                        {'d', 1, 2, 1, 31},   {'H', 1, 2, 0, 23}, {'I', 1, 2, 1, 12},
                                        {'M', 1, 2, 0, 59},   {'S', 1, 2, 0, 61}, {'f', 1, 6, 0, 999999}};

static void set_field(struct fields *fields, char letter, int number)
{
    if (letter == 'Y')
        fields->year = number;
    else if (letter == 'y')
        fields->year = number + (number < 69 ? 2000 : 1900); /* as POSIX has it */
    else if (letter == 'm')
        fields->month = number;
    else if (letter == 'd')
        fields->day = number;
    else if (letter == 'H' || letter == 'I')
        fields->hour = number;
    else if (letter == 'M')
        fields->minute = number;
    else if (letter == 'S')
        fields->second = number;
    fields->is_half = fields->is_half || letter == 'I';
}

static const char *match(const char *format, const char *text, struct fields *fields);

static const char *try_number(const struct number *number, const char *format, const char *text,
                              struct fields *fields)
{
    for (int count = number->most; count >= number->fewest; count--) {
        const int found = read_digits(text, count);
        if (found < number->low || found > number->high)
            continue;
        struct fields tried = *fields;
        set_field(&tried, number->letter, found);
        const char *end = match(format, text + count, &tried);
        if (end != NULL) {
            *fields = tried;
            return end;
        }
    }
    return NULL;
}

static const char *match_number(const struct number *number, const char *format, const char *text,
                                struct fields *fields)
{
    static const struct number DIGIT = {'d', 1, 1, 1, 9}; /* behind a space in place of a day's first digit */
    const char *end = try_number(number, format, text, fields);
    return end == NULL && number->letter == 'd' && *text == ' ' ? try_number(&DIGIT, format, text + 1, fields) : end;
}

static const char *match_word(char letter, const char *format, const char *text, struct fields *fields)
{
    if (letter == 'p') {
        fields->is_afternoon = strncasecmp(text, "pm", 2) == 0;
        return fields->is_afternoon || strncasecmp(text, "am", 2) == 0 ? match(format, text + 2, fields) : NULL;
    }
    for (int month = 0; letter == 'b' && month < 12; month++)
        if (strncasecmp(text, MONTHS + 3 * month, 3) == 0) {
            fields->month = month + 1;
            return match(format, text + 3, fields);
        }
    return letter == '%' && *text == '%' ? match(format, text + 1, fields) : NULL;
}

static const char *behind_spaces(const char *text)
{
    while (white_space(text) > 0)
        text += white_space(text);
    return text;
}

/* The end of the first way to read a text, NULL where there is none. */
static const char *match(const char *format, const char *text, struct fields *fields)
{
    if (*format == '\0')
        return text;
    if (white_space(format) > 0)
        return white_space(text) > 0 ? match(behind_spaces(format), behind_spaces(text), fields) : NULL;
    if (*format != '%')
        return tolower((unsigned char)*format) == tolower((unsigned char)*text) ? match(format + 1, text + 1, fields)
                                                                                : NULL;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        if (NUMBERS[i].letter == format[1])
            return match_number(&NUMBERS[i], format + 2, text, fields);
    return match_word(format[1], format + 2, text, fields);
}

bool date_format_read(const char *format, const char *start, const char *end, struct moment *moment)
{
    struct fields fields = {1900, 1, 1, 0, 0, 0, false, false};
    char *text = strndup(start, (size_t)(end - start));
    const char *rest = text == NULL ? NULL : match(format, text, &fields);
    const bool read = rest != NULL && *rest == '\0';
    const int hour = fields.is_half ? fields.hour % 12 + (fields.is_afternoon ? 12 : 0) : fields.hour;
    free(text);
    *moment = (struct moment){fields.year, fields.month, fields.day, hour, fields.minute, fields.second, 0};
    return read;
}

const char *date_format_unknown(const char *format)
{
    char seen[sizeof DIRECTIVES] = "";
    if (strlen(format) > LONGEST) /* match calls itself for each of its characters */
        return format + LONGEST;
    for (const char *at = strchr(format, '%'); at != NULL; at = strchr(at + 2, '%')) {
        if (at[1] == '\0' || strchr(DIRECTIVES, at[1]) == NULL || (at[1] != '%' && strchr(seen, at[1]) != NULL))
            return at;
        for (size_t i = 0; i < sizeof CLASHES / sizeof *CLASHES; i++)
            if (strchr(CLASHES[i], at[1]) != NULL && strpbrk(seen, CLASHES[i]) != NULL)
                return at;
        if (at[1] != '%')
            strncat(seen, at + 1, 1);
    }
    return NULL;
}
