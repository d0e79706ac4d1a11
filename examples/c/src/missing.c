#include "missing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const WORDS[] = {"NA", "#N/A", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>"};
static const char *const IN_NUMBERS[] = {"-", "?", "."};

static bool ascii_space(char character)
{
    return (character >= '\t' && character <= '\r') || (character >= 0x1c && character <= ' ');
}

size_t white_space(const char *text)
{
    static const char *const OTHERS[] = {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9",
                                         "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};
    if (ascii_space(*text))
        return 1;
    if (strncmp(text, "\xe2\x80", 2) == 0 && (unsigned char)text[2] >= 0x80 && (unsigned char)text[2] <= 0x8a)
        return 3; /* U+2000 to U+200A */
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        if (strncmp(text, OTHERS[i], strlen(OTHERS[i])) == 0)
            return strlen(OTHERS[i]);
    return 0;
}

void strip(const char *text, const char **start, const char **end)
{
    while (white_space(text) > 0)
        text += white_space(text);
    *start = *end = text;
    while (*text != '\0') {
        const size_t space = white_space(text);
        text += space > 0 ? space : 1;
        if (space == 0)
            *end = text;
    }
}

static bool is_word(const char *start, const char *end, const char *word)
{
    const size_t length = (size_t)(end - start);
    return strlen(word) == length && memcmp(word, start, length) == 0;
}

bool is_missing(const struct missing *missing, const char *cell, bool in_numbers)
{
    const char *start, *end;
    strip(cell, &start, &end);
    bool found = start == end;
    for (size_t i = 0; !found && i < missing->words_count; i++)
        found = is_word(start, end, missing->words[i]);
    for (size_t i = 0; !found && in_numbers && i < sizeof IN_NUMBERS / sizeof *IN_NUMBERS; i++)
        found = is_word(start, end, IN_NUMBERS[i]);
    return found;
}

bool is_missing_number(const struct missing *missing, double number)
{
    for (size_t i = 0; i < missing->numbers_count; i++)
        if (missing->numbers[i] == number)
            return true;
    return false;
}

static bool plain_number(const char *cell, double *number)
{
    char *rest;
    while (ascii_space(*cell))
        cell++;
    if (strpbrk(cell, "xXpP(") != NULL) /* hexadecimal, and a NaN's payload, are not for tables */
        return false;
    *number = strtod(cell, &rest);
    if (rest == cell || isnan(*number)) /* a word for a missing cell, if it is one of them */
        return false;
    while (ascii_space(*rest))
        rest++;
    return *rest == '\0';
}

bool cell_number(const struct missing *missing, const char *cell, double *number)
{
    if (plain_number(cell, number)) {
        *number = is_missing_number(missing, *number) ? NAN : *number;
        return true;
    }
    *number = NAN;
    return is_missing(missing, cell, true);
}

static bool read_words(const struct place *place, const json_t *told, struct missing *missing)
{
    missing->words_count = told == NULL ? sizeof WORDS / sizeof *WORDS : json_array_size(told);
    const size_t count = missing->words_count;
    missing->words = calloc(count > 0 ? count : 1, sizeof *missing->words);
    missing->numbers = calloc(count > 0 ? count : 1, sizeof *missing->numbers);
    if (missing->words == NULL || missing->numbers == NULL)
        return fail_memory(place->failure);
    for (size_t i = 0; i < count; i++) {
        double number;
        missing->words[i] = told == NULL ? WORDS[i] : json_string_value(json_array_get(told, i));
        if (missing->words[i] == NULL)
            return malformed(place, "'missing_values' holds something that is not text");
        if (plain_number(missing->words[i], &number))
            missing->numbers[missing->numbers_count++] = number;
    }
    return true;
}

bool missing_read(const struct place *place, const json_t *json, struct missing *missing)
{
    const json_t *told = json_object_get(json, "missing_values");
    if (told == NULL || json_is_null(told))
        return read_words(place, NULL, missing);
    return json_is_array(told) ? read_words(place, told, missing)
                               : malformed(place, "'missing_values' is not a list");
}

void missing_free(struct missing *missing)
{
    free(missing->words);
    free(missing->numbers);
    *missing = (struct missing){0};
}
