#include "feature.h"

#include <stdlib.h>
#include <string.h>

static const char *const KINDS[] = {"numeric", "boolean", "categorical", "code", "datetime"};

const char *kind_name(enum kind kind)
{
    return KINDS[kind];
}

/* A feature without a kind is numeric. */
static bool parse_kind(const struct place *place, const json_t *value, struct feature *feature)
{
    const json_t *kind = json_object_get(value, "kind"), *format = json_object_get(value, "format");
    const char *text = kind == NULL ? KINDS[NUMERIC] : json_string_value(kind);
    feature->format = json_string_value(format);
    if (feature->format == NULL && format != NULL && !json_is_null(format))
        return malformed(place, "the format of the feature %s is not text", feature->name);
    for (feature->kind = NUMERIC; text != NULL && feature->kind <= DATETIME; feature->kind++)
        if (strcmp(text, KINDS[feature->kind]) == 0)
            return true;
    return malformed(place, "the feature %s is of a kind that this program does not know", feature->name);
}

static bool parse_feature(const struct place *place, const json_t *value, struct feature *feature)
{
    const json_t *index = json_object_get(value, "index");
    feature->name = get_text(place, value, "name");
    feature->input = feature->name == NULL ? NULL : get_text(place, value, "input");
    const char *missing = feature->input == NULL ? NULL : get_text(place, value, "missing");
    if (missing == NULL)
        return false;
    if (!json_is_integer(index))
        return malformed(place, "the index of the feature %s is not a whole number", feature->name);
    feature->index = json_integer_value(index);
    feature->impute = strcmp(missing, "impute") == 0;
    return parse_kind(place, value, feature) &&
           (feature->impute || strcmp(missing, "refuse") == 0 ||
            malformed(place, "'missing' of the feature %s is neither impute nor refuse", feature->name));
}

static int by_column(const void *left, const void *right)
{
    const struct feature *a = left, *b = right;
    int order = strcmp(a->input, b->input);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

bool features_parse(const struct place *place, const json_t *json, struct features *features)
{
    const json_t *list = get_array(place, json, "features");
    size_t count = json_array_size(list);
    if (list == NULL)
        return false;
    features->items = calloc(count > 0 ? count : 1, sizeof *features->items);
    features->sorted = calloc(count > 0 ? count : 1, sizeof *features->sorted);
    if (features->items == NULL || features->sorted == NULL)
        return fail_memory(place->failure);
    for (; features->count < count; features->count++)
        if (!parse_feature(place, json_array_get(list, features->count), &features->items[features->count]))
            return false;
    memcpy(features->sorted, features->items, count * sizeof *features->items);
    qsort(features->sorted, count, sizeof *features->sorted, by_column);
    return true;
}

void features_free(struct features *features)
{
    free(features->items);
    free(features->sorted);
    *features = (struct features){0};
}
