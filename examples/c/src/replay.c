#include "replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labels.h"

struct verdict {
    size_t compared, failed;
    double largest; /* deviation */
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
                            struct verdict *verdict)
{
    const struct tensor *expected = &vectors->outputs[output];
    double distance;
    bool passes;
    if (expected->dtype->kind == FLOATING) {
        double wanted = tensor_number(expected, index);
        distance = fabs(tensor_number(found, index) - wanted);
        passes = distance <= allowed(vectors, output, index, wanted);
    } else {
        passes = tensor_integer(found, index) == tensor_integer(expected, index);
        distance = passes ? 0 : 1;
    }
    verdict->compared++;
    verdict->failed += !passes;
    if (!(distance <= verdict->largest))
        verdict->largest = distance;
}

static struct verdict compare(const struct vectors *vectors, size_t output, const struct tensor *found,
                              const struct tensor *checked)
{
    const struct tensor *expected = &vectors->outputs[output];
    struct verdict verdict = {0, 0, 0};
    if (!same_shape(found, expected))
        return (struct verdict){expected->count, expected->count > 0 ? expected->count : 1, INFINITY};
    for (size_t i = 0; i < expected->count; i++)
        if (checked == NULL || tensor_integer(checked, i) != 0)
            compare_element(vectors, output, found, i, &verdict);
    return verdict;
}

/* One batch, asked of one graph. */
struct question {
    const char *graph, *kind;
    const struct vectors *vectors;
    bool hard;
};

/* Compares an output where the file says something of it. Of the hard rows that is what has a tolerance, and the
 * labels that are checked. */
static void judge(const struct question *question, const struct specs *outputs, size_t output,
                  const struct tensor *found, struct tally *tally)
{
    const struct vectors *vectors = question->vectors;
    const char *name = outputs->items[output].name;
    const bool checked_label = question->hard && strcmp(name, "label") == 0;
    if (vectors->outputs[output].data == NULL ||
        (question->hard && !checked_label && vectors->tolerance[output].data == NULL))
        return;
    const struct verdict verdict = compare(vectors, output, found, checked_label ? &vectors->label_checked : NULL);
    tally->compared += verdict.compared;
    tally->failed += verdict.failed;
    if (verdict.failed == 0)
        printf("  %-9s  %-8s  %-13s  %5zu values agree, largest deviation %.3g\n", question->graph, question->kind, name,
               verdict.compared, verdict.largest);
    else
        printf("  %-9s  %-8s  %-13s  %5zu of %zu values DIFFER, by up to %.3g\n", question->graph, question->kind, name,
               verdict.failed, verdict.compared, verdict.largest);
}

static bool ask(const struct question *question, const struct contract *contract, const struct session *session,
                struct tally *tally, struct failure *failure)
{
    struct tensor *answers = calloc(session->outputs->count, sizeof *answers);
    if (answers == NULL)
        return fail_memory(failure);
    bool done = session_run(session, question->vectors->inputs, answers, failure) &&
                labels_check(contract, session->outputs, answers, failure);
    /* A certified graph gives the default graph's outputs first. */
    for (size_t i = 0; done && i < contract->outputs[DEFAULT].count; i++)
        judge(question, &contract->outputs[DEFAULT], i, &answers[i], tally);
    for (size_t i = 0; i < session->outputs->count; i++)
        tensor_free(&answers[i]);
    free(answers);
    return done;
}

bool replay(const struct conformance *conformance, const struct session *session, const char *graph,
            struct tally *tally, struct failure *failure)
{
    const struct question ordinary = {graph, "ordinary", &conformance->ordinary, false};
    const struct question hard = {graph, "hard", &conformance->hard, true};
    return ask(&ordinary, conformance->contract, session, tally, failure) &&
           (!conformance->has_hard || ask(&hard, conformance->contract, session, tally, failure));
}
