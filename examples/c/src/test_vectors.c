#include "test_vectors.h"

#include <stdlib.h>
#include <string.h>

static const char CONFORMANCE[] = "conformance.json";

/* Reads tensors by name. Every name must be one of the specs; with `all`, every spec must be there. */
static bool parse_tensors(const struct place *place, json_t *json, const struct specs *specs, bool all,
                          struct tensor *tensors)
{
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value) {
        size_t i = find_spec(specs, name);
        if (i == specs->count)
            return malformed(place, "it holds the tensor %s, which the contract does not name", name);
        if (!tensor_parse(place, name, value, &tensors[i]))
            return false;
    }
    for (size_t i = 0; all && i < specs->count; i++)
        if (tensors[i].data == NULL)
            return malformed(place, "it does not hold the tensor %s", specs->items[i].name);
    return true;
}

static bool allocate(const struct contract *contract, struct vectors *vectors, struct failure *failure)
{
    vectors->inputs = calloc(contract->inputs.count, sizeof(struct tensor));
    vectors->outputs = calloc(contract->outputs[DEFAULT].count, sizeof(struct tensor));
    vectors->tolerance = calloc(contract->outputs[DEFAULT].count, sizeof(struct tensor));
    return (vectors->inputs != NULL && vectors->outputs != NULL && vectors->tolerance != NULL) || fail_memory(failure);
}

static bool parse_batch(const struct place *place, const json_t *json, const struct contract *contract, bool all,
                        struct vectors *vectors)
{
    json_t *inputs = get_object(place, json, "inputs");
    json_t *outputs = inputs == NULL ? NULL : get_object(place, json, "outputs");
    return outputs != NULL && allocate(contract, vectors, place->failure) &&
           parse_tensors(place, inputs, &contract->inputs, true, vectors->inputs) &&
           parse_tensors(place, outputs, &contract->outputs[DEFAULT], all, vectors->outputs);
}

static bool parse_ordinary(const struct place *place, const json_t *json, struct test_vectors *test_vectors)
{
    struct vectors *vectors = &test_vectors->ordinary;
    return parse_batch(place, json, test_vectors->contract, true, vectors) &&
           get_number(place, json, "rtol", &vectors->rtol) && get_number(place, json, "atol", &vectors->atol);
}

static bool same_shape(const struct tensor *left, const struct tensor *right)
{
    return left->rank == right->rank && memcmp(left->shape, right->shape, left->rank * sizeof *left->shape) == 0;
}

/* What passes here may be compared element by element. */
static bool check_hard(const struct place *place, const struct specs *specs, const struct vectors *hard)
{
    for (size_t i = 0; i < specs->count; i++) {
        const struct tensor *tolerance = &hard->tolerance[i];
        if (tolerance->data == NULL)
            continue;
        if (tolerance->dtype->kind != FLOATING || hard->outputs[i].data == NULL ||
            !same_shape(tolerance, &hard->outputs[i]))
            return malformed(place, "the tolerance of %s has another shape than the output", specs->items[i].name);
    }
    size_t label = find_spec(specs, "label");
    const struct tensor *labels = label < specs->count ? &hard->outputs[label] : NULL;
    if (hard->label_checked.dtype->kind != BOOLEAN ||
        (labels != NULL && labels->data != NULL && !same_shape(labels, &hard->label_checked)))
        return malformed(place, "'label_checked' does not fit the labels");
    return true;
}

static bool parse_hard(const struct place *place, const json_t *json, struct test_vectors *test_vectors)
{
    const struct specs *outputs = &test_vectors->contract->outputs[DEFAULT];
    struct vectors *vectors = &test_vectors->hard;
    if (json_is_null(json))
        return true;
    test_vectors->has_hard = true;
    json_t *tolerance = get_object(place, json, "tolerance");
    const json_t *checked = tolerance == NULL ? NULL : get_object(place, json, "label_checked");
    return checked != NULL && parse_batch(place, json, test_vectors->contract, false, vectors) &&
           parse_tensors(place, tolerance, outputs, false, vectors->tolerance) &&
           tensor_parse(place, "label_checked", checked, &vectors->label_checked) &&
           check_hard(place, outputs, vectors);
}

bool test_vectors_read(struct test_vectors *test_vectors, const struct package *package,
                       const struct contract *contract, struct failure *failure)
{
    const struct place place = {package->folder, CONFORMANCE, failure};
    *test_vectors = (struct test_vectors){.contract = contract};
    json_t *json = package_read_json(package, &place);
    bool done = json != NULL && parse_ordinary(&place, json_object_get(json, "ordinary"), test_vectors) &&
                parse_hard(&place, json_object_get(json, "hard"), test_vectors);
    json_decref(json);
    if (!done)
        test_vectors_free(test_vectors);
    return done;
}

static void free_all(struct tensor *tensors, size_t count)
{
    for (size_t i = 0; tensors != NULL && i < count; i++)
        tensor_free(&tensors[i]);
    free(tensors);
}

static void free_vectors(struct vectors *vectors, const struct contract *contract)
{
    free_all(vectors->inputs, contract->inputs.count);
    free_all(vectors->outputs, contract->outputs[DEFAULT].count);
    free_all(vectors->tolerance, contract->outputs[DEFAULT].count);
    tensor_free(&vectors->label_checked);
}

void test_vectors_free(struct test_vectors *test_vectors)
{
    if (test_vectors->contract != NULL) {
        free_vectors(&test_vectors->ordinary, test_vectors->contract);
        free_vectors(&test_vectors->hard, test_vectors->contract);
    }
    *test_vectors = (struct test_vectors){0};
}
