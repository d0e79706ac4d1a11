/* Tensors: their element types, their values, and how JSON writes them. */
#ifndef PARITY_TENSOR_H
#define PARITY_TENSOR_H

#include <onnxruntime_c_api.h>
#include <stdint.h>

#include "json.h"

enum { MAX_RANK = 16 };

struct dtype {
    const char *name; /* numpy's */
    ONNXTensorElementDataType onnx;
    size_t size;
    enum { FLOATING, INTEGER, BOOLEAN, TEXT } kind;
    int64_t low, high; /* of an integer */
};

/* NULL where this program does not know the type. */
const struct dtype *dtype_named(const char *name);

struct tensor {
    const struct dtype *dtype;
    size_t rank;
    int64_t shape[MAX_RANK];
    size_t count; /* of elements */
    void *data;   /* row-major; of text a pointer for each element, which is freed with it; to be freed */
};

/* Takes memory for a tensor whose dtype, rank and shape are filled in. False where its size overflows, or there is no
 * memory. */
bool tensor_allocate(struct tensor *tensor);
void tensor_free(struct tensor *tensor);

/* Whether the shape has that many elements. */
bool tensor_has(const struct tensor *tensor, size_t elements);

/* An element of a float tensor, and of one that holds integers or booleans. */
double tensor_number(const struct tensor *tensor, size_t index);
int64_t tensor_integer(const struct tensor *tensor, size_t index);

/* An element of a tensor of text. */
const char *tensor_text(const struct tensor *tensor, size_t index);

/* Stores a copy of a text, in place of what is there; false where there is no memory. */
bool tensor_store_text(struct tensor *tensor, size_t index, const char *text, size_t length);

/* Stores a number, rounded to a float; false where the element type cannot hold it. */
bool tensor_store(struct tensor *tensor, size_t index, double number);
bool tensor_store_integer(struct tensor *tensor, size_t index, int64_t number);

/* Reads {dtype, shape, data}. */
bool tensor_parse(const struct place *place, const char *name, const json_t *value, struct tensor *tensor);

#endif
