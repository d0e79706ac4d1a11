/* Whether a serialized ONNX model keeps all its data itself. */
#ifndef PARITY_MODEL_SCAN_H
#define PARITY_MODEL_SCAN_H

#include "file.h"
#include "json.h"

/* Refuses a model with a tensor outside its file: onnxruntime would read a file there that no digest covers. */
bool model_scan(const struct bytes *model, const struct place *place);

#endif
