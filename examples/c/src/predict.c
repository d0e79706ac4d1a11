#include "predict.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labels.h"

/* Quotes a text as RFC 4180 says, where it needs it. */
static void print_text(const char *prefix, const char *text)
{
    const bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    printf("%s%s", quoted ? "\"" : "", prefix);
    for (const char *at = text; *at != '\0'; at++)
        printf(*at == '"' ? "\"\"" : "%c", *at);
    printf("%s", quoted ? "\"" : "");
}

/* A class or a target: text, or an integer. */
static void print_name(const char *prefix, const json_t *name)
{
    char number[32];
    snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(name));
    print_text(prefix, json_is_string(name) ? json_string_value(name) : number);
}

static void print_names(const char *prefix, const json_t *names)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        putchar(',');
        print_name(prefix, json_array_get(names, i));
    }
}

static void print_bits(const struct tensor *tensor, size_t index)
{
    uint32_t single;
    uint64_t wide;
    if (tensor->dtype->kind != FLOATING) {
        printf("%" PRId64, tensor_integer(tensor, index));
    } else if (tensor->dtype->size == sizeof single) {
        memcpy(&single, (const char *)tensor->data + index * sizeof single, sizeof single);
        printf("%08" PRIx32, single);
    } else {
        memcpy(&wide, (const char *)tensor->data + index * sizeof wide, sizeof wide);
        printf("%016" PRIx64, wide);
    }
}

/* One row of an output; 9 digits tell every float32 from its neighbours. */
static void print_values(const struct tensor *tensor, size_t row, bool bits)
{
    const size_t width = tensor->shape[0] > 0 ? tensor->count / (size_t)tensor->shape[0] : 0;
    for (size_t i = row * width; i < (row + 1) * width; i++) {
        putchar(',');
        if (tensor->dtype->kind == TEXT)
            print_text("", tensor_text(tensor, i));
        else if (bits)
            print_bits(tensor, i);
        else if (tensor->dtype->kind == FLOATING)
            printf("%.9g", tensor_number(tensor, i));
        else
            printf("%s", tensor_integer(tensor, i) != 0 ? "true" : "false");
    }
}

/* A label beside what is no number means nothing. */
static bool finite_row(const struct tensor *tensor, size_t row)
{
    const size_t width = tensor->shape[0] > 0 ? tensor->count / (size_t)tensor->shape[0] : 0;
    for (size_t i = row * width; i < (row + 1) * width; i++)
        if (tensor->dtype->kind == FLOATING && !isfinite(tensor_number(tensor, i)))
            return false;
    return true;
}

static const struct tensor *output(const struct session *session, const struct tensor *outputs, const char *name)
{
    const size_t i = find_spec(session->outputs, name);
    return i < session->outputs->count ? &outputs[i] : NULL;
}

static void print_header(const struct session *session, const struct contract *contract)
{
    const bool bounded = find_spec(session->outputs, "error_bound") < session->outputs->count;
    if (contract_classifies(contract)) {
        printf("row,label");
        print_names("probability_", contract->classes);
        printf("%s\n", bounded ? ",certified" : "");
        return;
    }
    printf("row");
    print_names("", contract->targets);
    if (bounded)
        print_names("error_bound_", contract->targets);
    putchar('\n');
}

static bool print_row(const struct session *session, const struct contract *contract, const struct tensor *outputs,
                      size_t row, struct failure *failure)
{
    const struct tensor *label = output(session, outputs, "label");
    const char *const columns[][2] = {{"value", "error_bound"}, {"probabilities", "certified"}};
    const struct tensor *numbers = output(session, outputs, columns[contract_classifies(contract)][0]);
    if (numbers != NULL && !finite_row(numbers, row))
        return fail(failure, EXIT_ERROR, "row %zu: the model computes no finite output for these numbers", row);
    printf("%zu", row);
    if (contract_classifies(contract)) {
        putchar(',');
        print_name("", json_array_get(contract->classes, (size_t)tensor_integer(label, row)));
    }
    for (size_t i = 0; i < 2; i++) {
        const struct tensor *tensor = output(session, outputs, columns[contract_classifies(contract)][i]);
        if (tensor != NULL)
            print_values(tensor, row, false);
    }
    putchar('\n');
    return true;
}

/* Every output, an element a column. */
static void print_all_bits(const struct session *session, const struct tensor *outputs, size_t rows)
{
    printf("row");
    for (size_t i = 0; i < session->outputs->count; i++)
        for (size_t column = 0; column < outputs[i].count / rows; column++)
            printf(",%s_%zu", session->outputs->items[i].name, column);
    putchar('\n');
    for (size_t row = 0; row < rows; row++) {
        printf("%zu", row);
        for (size_t i = 0; i < session->outputs->count; i++)
            print_values(&outputs[i], row, true);
        putchar('\n');
    }
}

static bool print_all(const struct session *session, const struct contract *contract, const struct tensor *outputs,
                      size_t rows, struct failure *failure)
{
    bool done = true;
    print_header(session, contract);
    for (size_t row = 0; done && row < rows; row++)
        done = print_row(session, contract, outputs, row, failure);
    return done;
}

bool predict(const struct session *session, const struct contract *contract, const struct lines *lines, bool bits,
             struct failure *failure)
{
    struct tensor *inputs = calloc(contract->inputs.count, sizeof *inputs);
    struct tensor *outputs = calloc(session->outputs->count, sizeof *outputs);
    bool done = (inputs != NULL && outputs != NULL) || fail_memory(failure);
    done = done && rows_parse(contract, lines, inputs, failure) && session_run(session, inputs, outputs, failure) &&
           labels_check(contract, session->outputs, outputs, failure);
    if (done && bits)
        print_all_bits(session, outputs, lines->count);
    else if (done)
        done = print_all(session, contract, outputs, lines->count, failure);
    for (size_t i = 0; outputs != NULL && i < session->outputs->count; i++)
        tensor_free(&outputs[i]);
    for (size_t i = 0; inputs != NULL && i < contract->inputs.count; i++)
        tensor_free(&inputs[i]);
    free(outputs);
    free(inputs);
    return done;
}
