#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor.h"

int64_t tensor_integer(const struct tensor *tensor, size_t index)
{
    const void *data = tensor->data;
    switch (tensor->dtype->onnx) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
        return ((const int64_t *)data)[index];
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
        return ((const int32_t *)data)[index];
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16:
        return ((const int16_t *)data)[index];
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
        return ((const int8_t *)data)[index];
    default:
        return ((const uint8_t *)data)[index];
    }
}

double tensor_number(const struct tensor *tensor, size_t index)
{
    return tensor->dtype->size == sizeof(float) ? (double)((const float *)tensor->data)[index]
                                                : ((const double *)tensor->data)[index];
}

const char *tensor_text(const struct tensor *tensor, size_t index)
{
    const char *text = ((char *const *)tensor->data)[index];
    return text == NULL ? "" : text;
}

bool tensor_store_text(struct tensor *tensor, size_t index, const char *text, size_t length)
{
    char *copy = strndup(text, length), **place = (char **)tensor->data + index;
    free(*place);
    *place = copy;
    return copy != NULL;
}

bool tensor_store_integer(struct tensor *tensor, size_t index, int64_t number)
{
    void *data = tensor->data;
    if (number < tensor->dtype->low || number > tensor->dtype->high)
        return false;
    switch (tensor->dtype->onnx) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
        ((int64_t *)data)[index] = number;
        break;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
        ((int32_t *)data)[index] = (int32_t)number;
        break;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16:
        ((int16_t *)data)[index] = (int16_t)number;
        break;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
        ((int8_t *)data)[index] = (int8_t)number;
        break;
    default:
        ((uint8_t *)data)[index] = (uint8_t)number;
    }
    return true;
}

bool tensor_store(struct tensor *tensor, size_t index, double number)
{
    static const double BEYOND_INT64 = 9223372036854775808.0; /* converting it or more is undefined in C */
    if (tensor->dtype->kind != FLOATING)
        return number >= -BEYOND_INT64 && number < BEYOND_INT64 && trunc(number) == number &&
               tensor_store_integer(tensor, index, (int64_t)number);
    if (tensor->dtype->size == sizeof(double)) {
        ((double *)tensor->data)[index] = number;
        return true;
    }
    float rounded = (float)number; /* IEC 60559: to nearest, and beyond the largest float to infinity */
    ((float *)tensor->data)[index] = rounded;
    return !isinf(rounded) || isinf(number);
}
