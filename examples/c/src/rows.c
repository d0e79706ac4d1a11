#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cell.h"
#include "timestamp.h"

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

/* Whether a contract's features are all the columns of an input. */
static bool is_table(const struct contract *contract, const struct spec *input)
{
    uint64_t count = 0;
    for (size_t i = 0; i < contract->features.count; i++)
        count += strcmp(contract->features.items[i].input, input->name) == 0;
    return input->rank == 2 && input->dimensions[1] == NULL && count == (uint64_t)input->sizes[1] &&
           input->dtype->kind != BOOLEAN;
}

bool rows_supported(const struct contract *contract, struct failure *failure)
{
    bool table = true;
    if (contract->task > REGRESSION)
        return fail(failure, EXIT_ERROR, "%s predicts neither one class nor numbers for a row, so that this program cannot "
                    "print predictions; parity verify works for it", contract->name);
    for (size_t i = 0; i < contract->inputs.count; i++)
        table = table && is_table(contract, &contract->inputs.items[i]);
    if (!table)
        return fail(failure, EXIT_ERROR, "the inputs of %s are not rows of a table; its contract says what they are",
                    contract->name);
    for (size_t i = 0; i < contract->features.count; i++) {
        const struct feature *feature = &contract->features.items[i];
        const char *unknown = feature->format == NULL ? NULL : date_format_unknown(feature->format);
        if (unknown != NULL)
            return fail(failure, EXIT_ERROR, "the column %s holds dates in the format '%s', whose '%.2s' this program "
                        "does not know; use parity predict, or train with dates in ISO 8601", feature->name,
                        feature->format, unknown);
    }
    return true;
}

/* Cuts the next cell off a line, which it changes, and takes the quotes away; NULL where it is not written as CSV. */
static char *cut_cell(char **line, bool *is_last)
{
    char *cell = *line, *out = cell, *at = cell;
    if (*at != '"') {
        at += strcspn(at, ",\"");
        out = at;
    } else {
        for (at++; *at != '\0' && (*at != '"' || at[1] == '"'); at++) {
            at += *at == '"';
            *out++ = *at;
        }
        if (*at++ == '\0')
            return NULL; /* a quote is left open */
    }
    if (*at != ',' && *at != '\0')
        return NULL;
    *is_last = *at == '\0';
    *line = at + 1;
    *out = '\0';
    return cell;
}

static bool parse_row(const struct contract *contract, size_t row, char *line, struct tensor *inputs,
                      struct failure *failure)
{
    const struct features *features = &contract->features;
    const struct feature *order = contract->inputs.count == 1 ? features->sorted : features->items;
    bool is_last = false;
    if (!is_utf8(line))
        return fail(failure, EXIT_ERROR, "row %zu is not UTF-8; convert it to UTF-8", row);
    for (size_t i = 0; i < features->count; i++) {
        char *cell = is_last ? NULL : cut_cell(&line, &is_last);
        if (cell == NULL && !is_last)
            return fail(failure, EXIT_ERROR, "row %zu: %s has a quote too many; write the row as CSV", row,
                        order[i].name);
        if (cell == NULL || is_last != (i + 1 == features->count))
            return fail(failure, EXIT_ERROR, "row %zu has %s than %zu cells; it takes %zu, from %s to %s", row,
                        is_last ? "fewer" : "more", features->count, features->count, order[0].name,
                        order[features->count - 1].name);
        if (!cell_parse(contract, &order[i], row, cell, inputs, failure))
            return false;
    }
    return true;
}

bool rows_parse(const struct contract *contract, const struct lines *lines, struct tensor *inputs,
                struct failure *failure)
{
    bool done = true;
    for (size_t i = 0; done && i < contract->inputs.count; i++) {
        const struct spec *spec = &contract->inputs.items[i];
        inputs[i] = (struct tensor){.dtype = spec->dtype, .rank = 2};
        inputs[i].shape[0] = (int64_t)lines->count;
        inputs[i].shape[1] = spec->sizes[1];
        done = tensor_allocate(&inputs[i]) || fail_memory(failure);
    }
    for (size_t row = 0; done && row < lines->count; row++)
        done = parse_row(contract, row, lines->items[row], inputs, failure);
    return done;
}
