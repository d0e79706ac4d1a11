#include "spec.h"

#include <stdlib.h>
#include <string.h>

static const size_t MOST_TENSORS = 256;

size_t find_spec(const struct specs *specs, const char *name)
{
    size_t i = 0;
    while (i < specs->count && strcmp(specs->items[i].name, name) != 0)
        i++;
    return i;
}

bool spec_fits(const struct spec *spec, const struct tensor *tensor)
{
    bool fits = tensor->dtype == spec->dtype && tensor->rank == spec->rank;
    for (size_t i = 0; fits && i < spec->rank; i++)
        fits = spec->dimensions[i] != NULL || tensor->shape[i] == spec->sizes[i];
    return fits;
}

static bool parse_spec(const struct place *place, const json_t *value, struct spec *spec)
{
    spec->name = get_text(place, value, "name");
    const char *dtype = spec->name == NULL ? NULL : get_text(place, value, "dtype");
    const json_t *shape = dtype == NULL ? NULL : get_array(place, value, "shape");
    if (shape == NULL)
        return false;
    spec->dtype = dtype_named(dtype);
    spec->rank = json_array_size(shape);
    if (spec->dtype == NULL)
        return malformed(place, "%s has the dtype %s, which this program does not know", spec->name, dtype);
    if (spec->rank > MAX_RANK)
        return malformed(place, "%s has more than %d dimensions", spec->name, MAX_RANK);
    for (size_t i = 0; i < spec->rank; i++) {
        const json_t *size = json_array_get(shape, i);
        spec->dimensions[i] = json_string_value(size);
        spec->sizes[i] = json_integer_value(size);
        if (spec->dimensions[i] == NULL ? spec->sizes[i] < 1 : spec->dimensions[i][0] == '\0')
            return malformed(place, "%s has a dimension that is neither a size nor a name", spec->name);
    }
    return true;
}

bool specs_parse(const struct place *place, const json_t *json, const char *key, struct specs *specs)
{
    const json_t *list = get_array(place, json, key);
    size_t count = json_array_size(list);
    if (list == NULL)
        return false;
    if (count < 1 || count > MOST_TENSORS)
        return malformed(place, "it has %zu %s; a model has 1 to %zu", count, key, MOST_TENSORS);
    specs->items = calloc(count, sizeof *specs->items);
    if (specs->items == NULL)
        return fail_memory(place->failure);
    for (size_t i = 0; i < count; i++) {
        if (!parse_spec(place, json_array_get(list, i), &specs->items[i]))
            return false;
        if (find_spec(specs, specs->items[i].name) < specs->count)
            return malformed(place, "two %s are called %s", key, specs->items[i].name);
        specs->count++;
    }
    return true;
}
