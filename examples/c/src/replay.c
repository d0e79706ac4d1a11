#include "replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labels.h"

struct deviation {
    size_t compared, failed;
    double largest;
};

static bool same_shape(const struct tensor *left, const struct tensor *right)
{
    return left->dtype == right->dtype && left->rank == right->rank && left->count == right->count &&
           memcmp(left->shape, right->shape, left->rank * sizeof *left->shape) == 0;
}

static double allowed(const struct vectors *vectors, size_t output, size_t index, double expected)
{
    const struct tensor *tolerance = &vectors->tolerance[output];
    return tolerance->data != NULL ? tensor_number(tolerance, index)
                                   : vectors->atol + vectors->rtol * fabs(expected);
}

/* Compares one element. Written so that NaN fails. */
static void compare_element(const struct vectors *vectors, size_t output, const struct tensor *found, size_t index,
                            struct deviation *deviation)
{
    const struct tensor *expected = &vectors->outputs[output];
    double distance;
    bool passes;
    if (expected->dtype->kind == FLOATING) {
        double wanted = tensor_number(expected, index);
        distance = fabs(tensor_number(found, index) - wanted);
        passes = distance <= allowed(vectors, output, index, wanted);
    } else if (expected->dtype->kind == TEXT) {
        passes = strcmp(tensor_text(found, index), tensor_text(expected, index)) == 0;
        distance = passes ? 0 : 1;
    } else {
        passes = tensor_integer(found, index) == tensor_integer(expected, index);
        distance = passes ? 0 : 1;
    }
    deviation->compared++;
    deviation->failed += !passes;
    if (!(distance <= deviation->largest))
        deviation->largest = distance;
}

static struct deviation compare(const struct vectors *vectors, size_t output, const struct tensor *found,
                                const struct tensor *checked)
{
    const struct tensor *expected = &vectors->outputs[output];
    struct deviation deviation = {0, 0, 0};
    if (!same_shape(found, expected))
        return (struct deviation){expected->count, expected->count > 0 ? expected->count : 1, INFINITY};
    for (size_t i = 0; i < expected->count; i++)
        if (checked == NULL || tensor_integer(checked, i) != 0)
            compare_element(vectors, output, found, i, &deviation);
    return deviation;
}

/* One batch, for one graph. */
struct batch {
    const char *graph, *kind;
    const struct vectors *vectors;
    bool hard;
};

/* Compares an output where the file says something of it. Of the hard rows that is what has a tolerance, and the
 * labels that are checked. */
static void compare_output(const struct batch *batch, const struct specs *outputs, size_t output,
                           const struct tensor *found, struct tally *tally)
{
    const struct vectors *vectors = batch->vectors;
    const char *name = outputs->items[output].name;
    const bool checked_label = batch->hard && strcmp(name, "label") == 0;
    if (vectors->outputs[output].data == NULL ||
        (batch->hard && !checked_label && vectors->tolerance[output].data == NULL))
        return;
    const struct deviation deviation = compare(vectors, output, found, checked_label ? &vectors->label_checked : NULL);
    tally->compared += deviation.compared;
    tally->failed += deviation.failed;
    if (deviation.failed == 0)
        printf("  %-9s  %-8s  %-13s  %5zu values agree, largest deviation %.3g\n", batch->graph, batch->kind, name,
               deviation.compared, deviation.largest);
    else
        printf("  %-9s  %-8s  %-13s  %5zu of %zu values DIFFER, by up to %.3g\n", batch->graph, batch->kind, name,
               deviation.failed, deviation.compared, deviation.largest);
}

static bool run_batch(const struct batch *batch, const struct contract *contract, const struct session *session,
                      struct tally *tally, struct failure *failure)
{
    struct tensor *outputs = calloc(session->outputs->count, sizeof *outputs);
    if (outputs == NULL)
        return fail_memory(failure);
    bool done = session_run(session, batch->vectors->inputs, outputs, failure) &&
                labels_check(contract, session->outputs, outputs, failure);
    /* A certified graph gives the default graph's outputs first. */
    for (size_t i = 0; done && i < contract->outputs[DEFAULT].count; i++)
        compare_output(batch, &contract->outputs[DEFAULT], i, &outputs[i], tally);
    for (size_t i = 0; i < session->outputs->count; i++)
        tensor_free(&outputs[i]);
    free(outputs);
    return done;
}

bool replay(const struct test_vectors *vectors, const struct session *session, const char *graph,
            struct tally *tally, struct failure *failure)
{
    const struct batch ordinary = {graph, "ordinary", &vectors->ordinary, false};
    const struct batch hard = {graph, "hard", &vectors->hard, true};
    return run_batch(&ordinary, vectors->contract, session, tally, failure) &&
           (!vectors->has_hard || run_batch(&hard, vectors->contract, session, tally, failure));
}
