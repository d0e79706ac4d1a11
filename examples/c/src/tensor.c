#include "tensor.h"

#include <stdlib.h>
#include <string.h>

static const struct dtype DTYPES[] = {
    {"float32", ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, sizeof(float), FLOATING, 0, 0},
    {"float64", ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, sizeof(double), FLOATING, 0, 0},
    {"int64", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, sizeof(int64_t), INTEGER, INT64_MIN, INT64_MAX},
    {"int32", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, sizeof(int32_t), INTEGER, INT32_MIN, INT32_MAX},
    {"int16", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, sizeof(int16_t), INTEGER, INT16_MIN, INT16_MAX},
    {"int8", ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, sizeof(int8_t), INTEGER, INT8_MIN, INT8_MAX},
    {"uint8", ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, sizeof(uint8_t), INTEGER, 0, UINT8_MAX},
    {"string", ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, sizeof(char *), TEXT, 0, 0},
    {"bool", ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, sizeof(uint8_t), BOOLEAN, 0, 1},
};

const struct dtype *dtype_named(const char *name)
{
    for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES; i++)
        if (strcmp(DTYPES[i].name, name) == 0)
            return &DTYPES[i];
    return NULL;
}

/* Counts a shape's elements. Each product is checked before it is taken, so that huge sizes cannot wrap into a small
 * one. */
static bool count_elements(const struct tensor *tensor, size_t *count)
{
    const size_t most = SIZE_MAX / tensor->dtype->size;
    *count = 1;
    for (size_t i = 0; i < tensor->rank; i++) {
        uint64_t size = (uint64_t)tensor->shape[i];
        if (tensor->shape[i] < 0 || size > most || (size > 0 && *count > most / size))
            return false;
        *count *= (size_t)size;
    }
    return true;
}

bool tensor_allocate(struct tensor *tensor)
{
    if (!count_elements(tensor, &tensor->count))
        return false;
    tensor->data = calloc(tensor->count > 0 ? tensor->count : 1, tensor->dtype->size);
    return tensor->data != NULL;
}

bool tensor_has(const struct tensor *tensor, size_t elements)
{
    size_t count;
    return count_elements(tensor, &count) && count == elements;
}

void tensor_free(struct tensor *tensor)
{
    char **texts = tensor->data;
    for (size_t i = 0; texts != NULL && tensor->dtype->kind == TEXT && i < tensor->count; i++)
        free(texts[i]);
    free(tensor->data);
    *tensor = (struct tensor){0};
}
