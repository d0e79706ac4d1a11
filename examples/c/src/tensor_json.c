#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor.h"

/* An integer beyond 2^53 is the text of its decimal, since many readers of JSON have doubles alone. */
static bool parse_decimal(struct tensor *tensor, size_t index, const char *text)
{
    char decimal[32];
    errno = 0;
    const long long number = strtoll(text, NULL, 10);
    snprintf(decimal, sizeof decimal, "%lld", number);
    return errno == 0 && strcmp(decimal, text) == 0 && tensor_store_integer(tensor, index, number);
}

static bool parse_element(struct tensor *tensor, size_t index, const json_t *value)
{
    switch (tensor->dtype->kind) {
    case FLOATING:
        return json_is_number(value) && tensor_store(tensor, index, json_number_value(value));
    case TEXT:
        return json_is_string(value) &&
               tensor_store_text(tensor, index, json_string_value(value), json_string_length(value));
    case INTEGER:
        if (json_is_string(value))
            return parse_decimal(tensor, index, json_string_value(value));
        return json_is_integer(value) && tensor_store_integer(tensor, index, json_integer_value(value));
    default:
        return json_is_boolean(value) && tensor_store_integer(tensor, index, json_is_true(value));
    }
}

static bool parse_shape(const struct place *place, const char *name, const json_t *shape, struct tensor *tensor)
{
    tensor->rank = json_array_size(shape);
    if (tensor->rank > MAX_RANK)
        return malformed(place, "the tensor %s has more than %d dimensions", name, MAX_RANK);
    for (size_t i = 0; i < tensor->rank; i++) {
        const json_t *size = json_array_get(shape, i);
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return malformed(place, "the tensor %s has a size that is not a whole number", name);
        tensor->shape[i] = json_integer_value(size);
    }
    return true;
}

bool tensor_parse(const struct place *place, const char *name, const json_t *value, struct tensor *tensor)
{
    const char *dtype = get_text(place, value, "dtype");
    const json_t *shape = dtype == NULL ? NULL : get_array(place, value, "shape");
    const json_t *data = shape == NULL ? NULL : get_array(place, value, "data");
    *tensor = (struct tensor){.dtype = dtype == NULL ? NULL : dtype_named(dtype)};
    if (data == NULL)
        return false;
    if (tensor->dtype == NULL)
        return malformed(place, "the tensor %s has the dtype %s, which this program does not know", name, dtype);
    if (!parse_shape(place, name, shape, tensor))
        return false;
    size_t count = json_array_size(data);
    bool filled = tensor_has(tensor, count); /* counted before memory is taken */
    if (filled && !tensor_allocate(tensor))
        return fail_memory(place->failure);
    for (size_t i = 0; filled && i < count; i++)
        filled = parse_element(tensor, i, json_array_get(data, i));
    if (!filled)
        tensor_free(tensor);
    return filled || malformed(place, "the data of %s does not fit its dtype and shape", name);
}
