/* Whether a contract's parts fit one another. What passes here may be indexed without another look. */
#include <string.h>

#include "contract.h"

/* Refuses repeated names: they could not be told apart. */
static bool check_unique(const struct contract *contract, const struct place *place)
{
    json_t *seen = json_object();
    bool unique = seen != NULL;
    for (size_t i = 0; unique && i < contract->features.count; i++) {
        const char *name = contract->features.items[i].name;
        unique = json_object_get(seen, name) == NULL && json_object_set_new(seen, name, json_true()) == 0;
        if (!unique)
            malformed(place, "two features are called %s", name);
    }
    json_decref(seen);
    return unique;
}

/* Text goes into an input of text, dates into one of whole numbers, and numbers into neither. */
static bool check_kind(const struct contract *contract, const struct feature *feature, const struct spec *spec,
                       const struct place *place)
{
    const bool is_text = feature->kind == CATEGORICAL || feature->kind == CODE;
    bool fits = (spec->dtype->kind == TEXT) == is_text;
    if (feature->kind == DATETIME)
        fits = spec->dtype == dtype_named("int64");
    for (size_t i = 0; i < contract->features.count; i++) {
        const struct feature *other = &contract->features.items[i];
        if (strcmp(other->input, feature->input) == 0)
            fits = fits && (other->kind == DATETIME) == (feature->kind == DATETIME);
    }
    return fits || malformed(place, "the feature %s is %s, which its input of dtype %s cannot hold", feature->name,
                             kind_name(feature->kind), spec->dtype->name);
}

static bool check_features(const struct contract *contract, const struct place *place)
{
    for (size_t i = 0; i < contract->features.count; i++) {
        const struct feature *feature = &contract->features.sorted[i], *before = i > 0 ? feature - 1 : NULL;
        size_t input = find_spec(&contract->inputs, feature->input);
        const struct spec *spec = input < contract->inputs.count ? &contract->inputs.items[input] : NULL;
        if (spec == NULL || spec->rank == 0 || feature->index < 0 || feature->index >= spec->sizes[spec->rank - 1])
            return malformed(place, "the feature %s has a column that its input does not have", feature->name);
        if (before != NULL && before->index == feature->index && strcmp(before->input, feature->input) == 0)
            return malformed(place, "the features %s and %s have the same column", before->name, feature->name);
        if (!check_kind(contract, feature, spec, place))
            return false;
    }
    return check_unique(contract, place);
}

/* Whether an output is there, of the dtype, and of the shape [batch, width], or [batch] where the width is 0. */
static bool gives(const struct contract *contract, const char *name, const char *dtype, size_t width)
{
    size_t output = find_spec(&contract->outputs[DEFAULT], name);
    if (output == contract->outputs[DEFAULT].count)
        return false;
    const struct spec *spec = &contract->outputs[DEFAULT].items[output];
    return spec->dtype == dtype_named(dtype) && spec->rank == (width > 0 ? 2u : 1u) &&
           (width == 0 || (spec->dimensions[1] == NULL && (uint64_t)spec->sizes[1] == width));
}

static const struct spec *output_of(const struct contract *contract, const char *name, const char *dtype, size_t rank)
{
    size_t output = find_spec(&contract->outputs[DEFAULT], name);
    const struct spec *spec = &contract->outputs[DEFAULT].items[output];
    return output < contract->outputs[DEFAULT].count && spec->dtype == dtype_named(dtype) && spec->rank == rank ? spec
                                                                                                                : NULL;
}

/* Whether two outputs are equally long along an axis, which may be dynamic. */
static bool same_size(const struct spec *one, const struct spec *other, size_t axis)
{
    if (one->dimensions[axis] == NULL || other->dimensions[axis] == NULL)
        return one->dimensions[axis] == other->dimensions[axis] && one->sizes[axis] == other->sizes[axis];
    return strcmp(one->dimensions[axis], other->dimensions[axis]) == 0;
}

/* Whether an index for each position stands beside the logits of each: [batch, time] and [batch, time, width]. */
static bool gives_sequence(const struct contract *contract, const char *name, size_t classes)
{
    const struct spec *indices = output_of(contract, name, "int64", 2);
    const struct spec *logits = output_of(contract, "logits", "float32", 3);
    const struct spec *probabilities = output_of(contract, "probabilities", "float32", 3);
    if (indices == NULL || logits == NULL || logits->dimensions[2] != NULL || !same_size(indices, logits, 1))
        return false;
    return contract->task == LANGUAGE_MODEL ||
           (probabilities != NULL && same_size(probabilities, logits, 1) && same_size(probabilities, logits, 2) &&
            (uint64_t)logits->sizes[2] == classes);
}

static bool check_outputs(const struct contract *contract, const struct place *place)
{
    size_t classes = json_array_size(contract->classes), targets = json_array_size(contract->targets);
    bool fits = true;
    if (contract_classifies(contract))
        fits = gives(contract, "label", "int64", 0) && gives(contract, "probabilities", "float32", classes) &&
               ((classes == 2 && gives(contract, "logits", "float32", 1)) ||
                gives(contract, "logits", "float32", classes));
    else if (contract->task == REGRESSION)
        fits = targets > 0 && gives(contract, "value", "float32", targets);
    else if (contract->task == MULTILABEL)
        fits = gives(contract, "labels", "bool", classes) && gives(contract, "probabilities", "float32", classes) &&
               gives(contract, "logits", "float32", classes);
    else if (contract->task == TAGGING || contract->task == LANGUAGE_MODEL)
        fits = gives_sequence(contract, contract->task == TAGGING ? "tags" : "tokens", classes);
    else if (contract->task == EMBEDDING)
        fits = output_of(contract, "embedding", "float32", 2) != NULL;
    return fits || malformed(place, "its outputs are not those of its task");
}

static bool check_classes(const struct contract *contract, const struct place *place)
{
    const json_t *classes = contract->classes, *first = json_array_get(classes, 0);
    size_t count = json_array_size(classes);
    for (size_t i = 0; i < count; i++)
        if (json_typeof(json_array_get(classes, i)) != json_typeof(first) ||
            !(json_is_string(first) || json_is_integer(first)))
            return malformed(place, "its classes are neither all text nor all integers");
    const size_t fewest = contract_classifies(contract) || contract->task == TAGGING ? 2 : contract->task == MULTILABEL;
    if (fewest > 0 ? count < fewest || (contract->task == BINARY && count != 2) : count != 0)
        return malformed(place, "it has %zu classes, which does not fit its task", count);
    for (size_t i = 0; i < json_array_size(contract->targets); i++)
        if (!json_is_string(json_array_get(contract->targets, i)))
            return malformed(place, "its targets are not all text");
    return true;
}

/* A row is positive iff its logit is at least logit_threshold: the graph says so itself, in its output label. */
static bool check_binary(const struct contract *contract, const struct place *place)
{
    double threshold, logit_threshold;
    if (contract->task != BINARY)
        return true;
    if (!get_number(place, contract->json, "threshold", &threshold) ||
        !get_number(place, contract->json, "logit_threshold", &logit_threshold))
        return false;
    if (!(threshold > 0 && threshold < 1))
        return malformed(place, "its threshold is not strictly between 0 and 1");
    return json_equal(json_object_get(contract->json, "positive"), json_array_get(contract->classes, 1)) ||
           malformed(place, "'positive' is not its second class");
}

bool contract_check(const struct contract *contract, const struct place *place)
{
    return check_classes(contract, place) && check_outputs(contract, place) && check_binary(contract, place) &&
           check_features(contract, place);
}
