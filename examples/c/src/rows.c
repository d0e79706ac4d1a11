#include "rows.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool grow(struct lines *lines, size_t *room)
{
    const size_t wanted = *room > 0 ? 2 * *room : 64;
    char **grown = wanted > SIZE_MAX / sizeof *grown ? NULL : realloc(lines->items, wanted * sizeof *grown);
    if (grown == NULL)
        return false;
    lines->items = grown;
    *room = wanted;
    return true;
}

/* Appends a line without its end; takes its memory over, also where it fails. */
static bool append(struct lines *lines, size_t *room, char *line, size_t length, struct failure *failure)
{
    if (strlen(line) != length || (lines->count == *room && !grow(lines, room))) {
        bool zero = strlen(line) != length;
        free(line);
        return zero ? fail(failure, EXIT_ERROR, "row %zu holds a zero byte", lines->count) : fail_memory(failure);
    }
    while (length > 0 && strchr("\r\n", line[length - 1]) != NULL)
        line[--length] = '\0';
    lines->items[lines->count++] = line;
    return true;
}

bool lines_read(struct lines *lines, FILE *stream, struct failure *failure)
{
    bool done = true;
    size_t room = 0;
    *lines = (struct lines){0};
    while (done && !feof(stream)) {
        char *line = NULL;
        size_t size = 0;
        ssize_t length = getline(&line, &size, stream);
        if (length >= 0)
            done = append(lines, &room, line, (size_t)length, failure);
        else
            free(line);
        if (length < 0 && !feof(stream))
            done = fail(failure, EXIT_ERROR, "the rows cannot be read: %s", strerror(errno));
    }
    if (!done)
        lines_free(lines);
    return done;
}

void lines_free(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->items[i]);
    free(lines->items);
    *lines = (struct lines){0};
}

bool rows_supported(const struct contract *contract, struct failure *failure)
{
    const struct spec *input = &contract->inputs.items[0];
    const struct features *features = &contract->features;
    bool table = contract->task != TENSORS && contract->inputs.count == 1 && input->rank == 2 &&
                 features->count > 0 && input->dimensions[1] == NULL &&
                 features->count == (uint64_t)input->sizes[1] && input->dtype->kind != BOOLEAN;
    return table || fail(failure, EXIT_ERROR, "the input of %s is not rows of a table; its contract says what it is",
                         contract->name);
}

/* Reads the number before `end`. Nothing at all is a missing cell. */
static bool parse_number(char *text, const char *end, double *number)
{
    char *rest;
    while (text < end && isspace((unsigned char)*text))
        text++;
    if (text == end) {
        *number = NAN;
        return true;
    }
    for (const char *at = text; at < end; at++)
        if (strchr("xXpP(", *at) != NULL) /* hexadecimal, and a NaN's payload, are not for tables */
            return false;
    *number = strtod(text, &rest); /* it stops at the comma at the latest */
    while (rest < end && isspace((unsigned char)*rest))
        rest++;
    return rest == end;
}

static bool parse_cell(const struct feature *feature, size_t row, char *text, const char *end, struct tensor *batch,
                       size_t at, struct failure *failure)
{
    double number;
    const int length = (int)(end - text < 40 ? end - text : 40);
    if (!parse_number(text, end, &number))
        return fail(failure, EXIT_ERROR, "row %zu: %s is '%.*s', which is no number", row, feature->name, length, text);
    if (isinf(number) || (isnan(number) && !(feature->impute && batch->dtype->kind == FLOATING)))
        return fail(failure, EXIT_ERROR, "row %zu: %s is %s; this model takes finite numbers there", row,
                    feature->name, isnan(number) ? "nan" : number > 0 ? "inf" : "-inf");
    return tensor_store(batch, at, number) || fail(failure, EXIT_ERROR, "row %zu: %s is %.*s, which %s cannot hold",
                                                   row, feature->name, length, text, batch->dtype->name);
}

static bool parse_row(const struct features *features, size_t row, char *line, struct tensor *batch,
                      struct failure *failure)
{
    char *text = line;
    for (size_t i = 0; i < features->count; i++) {
        char *end = text + strcspn(text, ",");
        if ((*end == ',') != (i + 1 < features->count))
            return fail(failure, EXIT_ERROR, "row %zu has %s than %zu numbers; it takes %zu, from %s to %s", row,
                        *end == ',' ? "more" : "fewer", features->count, features->count, features->items[0].name,
                        features->items[features->count - 1].name);
        if (!parse_cell(&features->items[i], row, text, end, batch, row * features->count + i, failure))
            return false;
        text = end + 1;
    }
    return true;
}

bool rows_parse(const struct contract *contract, const struct lines *lines, struct tensor *batch,
                struct failure *failure)
{
    const struct features *features = &contract->features;
    *batch = (struct tensor){.dtype = contract->inputs.items[0].dtype, .rank = 2};
    batch->shape[0] = (int64_t)lines->count;
    batch->shape[1] = (int64_t)features->count;
    bool done = tensor_allocate(batch) || fail_memory(failure);
    for (size_t row = 0; done && row < lines->count; row++)
        done = parse_row(features, row, lines->items[row], batch, failure);
    if (!done)
        tensor_free(batch);
    return done;
}
