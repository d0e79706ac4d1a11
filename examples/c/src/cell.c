#include "cell.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "timestamp.h"

static const size_t LONGEST = 40; /* bytes of a cell that a message shows */

bool is_utf8(const char *text)
{
    json_t *value = json_string(text); /* jansson checks it */
    const bool valid = value != NULL;
    json_decref(value);
    return valid;
}

/* How many bytes of a cell are shown: no character is cut. */
static int shown(const char *cell)
{
    size_t length = strnlen(cell, LONGEST);
    while (length > 0 && ((unsigned char)cell[length] & 0xc0) == 0x80)
        length--;
    return (int)length;
}

static bool refuse_missing(const struct feature *feature, size_t row, struct failure *failure)
{
    return fail(failure, EXIT_ERROR, "row %zu: %s is missing, which this model does not allow; fill it or "
                "leave the row out", row, feature->name);
}

static bool refuse(const struct feature *feature, size_t row, const char *cell, const char *why,
                   struct failure *failure)
{
    return fail(failure, EXIT_ERROR, "row %zu: %s is '%.*s', %s", row, feature->name, shown(cell), cell, why);
}

/* The digits of a whole number that is written as its shortest decimal, .0 behind it or not; 0 for anything else. */
static size_t code_length(const char *start, const char *end)
{
    const char *digits = start + (*start == '-');
    const size_t count = strspn(digits, "0123456789");
    const char *rest = digits + count;
    if (count == 0 || (count > 1 && *digits == '0'))
        return 0;
    if (rest < end && *rest == '.')
        rest += 1 + strspn(rest + 1, "0");
    return rest == end ? (size_t)(digits - start) + count : 0;
}

/* Text as it stands; of a code its shortest decimal, and anything else as its own text. */
static bool store_category(const struct contract *contract, const struct feature *feature, size_t row,
                           const char *cell, struct tensor *input, size_t at, struct failure *failure)
{
    enum { SMALL = 20 }; /* digits; a larger code is no number that stands for a missing cell */
    const char *start = cell, *end = cell + strlen(cell), *first, *last;
    strip(cell, &first, &last);
    const size_t length = feature->kind == CODE ? code_length(first, last) : 0;
    if (length > 0) {
        start = first;
        end = first + length;
        if (length == 2 && memcmp(start, "-0", 2) == 0)
            start++;
    }
    if (is_missing(&contract->missing, cell, feature->kind == CODE) ||
        (length > 0 && length < SMALL && is_missing_number(&contract->missing, strtod(start, NULL))))
        start = end = cell;
    if (start == end && !feature->impute)
        return refuse_missing(feature, row, failure);
    return tensor_store_text(input, at, start, (size_t)(end - start)) || fail_memory(failure);
}

static bool store_moment(const struct contract *contract, const struct feature *feature, size_t row, const char *cell,
                         struct tensor *input, size_t at, struct failure *failure)
{
    const char *start, *end;
    int64_t seconds = MISSING_TIMESTAMP;
    strip(cell, &start, &end);
    if (!is_missing(&contract->missing, cell, false) && !timestamp_read(start, end, feature->format, &seconds))
        return refuse(feature, row, cell,
                      feature->format == NULL ? "not a date of the years 1 to 9999 in ISO 8601; write it as "
                                                "2024-12-31 or 2024-12-31T23:59:59Z"
                                              : "not a date in the format of the training data; write it in that "
                                                "format",
                      failure);
    if (seconds == MISSING_TIMESTAMP && !feature->impute)
        return refuse_missing(feature, row, failure);
    return tensor_store_integer(input, at, seconds);
}

/* Reads true and false in any case; false where a cell is neither. */
static bool truth(const char *cell, double *number)
{
    const char *start, *end;
    strip(cell, &start, &end);
    *number = end - start == 4;
    return (end - start == 4 && strncasecmp(start, "true", 4) == 0) ||
           (end - start == 5 && strncasecmp(start, "false", 5) == 0);
}

static bool store_number(const struct contract *contract, const struct feature *feature, size_t row, const char *cell,
                         struct tensor *input, size_t at, struct failure *failure)
{
    double number;
    const bool is_truth = feature->kind == TRUTH_VALUE && truth(cell, &number);
    if (!is_truth && !cell_number(&contract->missing, cell, &number))
        return refuse(feature, row, cell,
                      feature->kind == TRUTH_VALUE ? "neither true nor false (nor 1 or 0)" : "not a number",
                      failure);
    if (feature->kind == TRUTH_VALUE && !isnan(number) && number != 0 && number != 1)
        return refuse(feature, row, cell, "neither true nor false (nor 1 or 0)", failure);
    if (isnan(number) && !(feature->impute && input->dtype->kind == FLOATING))
        return refuse_missing(feature, row, failure);
    if (isinf(number))
        return fail(failure, EXIT_ERROR, "row %zu: %s is %s; this model needs a finite number there", row,
                    feature->name, number > 0 ? "inf" : "-inf");
    return tensor_store(input, at, number) ||
           fail(failure, EXIT_ERROR, "row %zu: %s is %.*s, which %s cannot hold", row, feature->name, shown(cell),
                cell, input->dtype->name);
}

bool cell_parse(const struct contract *contract, const struct feature *feature, size_t row, const char *cell,
                struct tensor *inputs, struct failure *failure)
{
    struct tensor *input = &inputs[find_spec(&contract->inputs, feature->input)];
    const size_t at = row * (size_t)input->shape[1] + (size_t)feature->index;
    if (feature->kind == CATEGORICAL || feature->kind == CODE)
        return store_category(contract, feature, row, cell, input, at, failure);
    if (feature->kind == DATETIME)
        return store_moment(contract, feature, row, cell, input, at, failure);
    return store_number(contract, feature, row, cell, input, at, failure);
}
