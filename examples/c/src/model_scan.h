/* Whether a serialized ONNX model keeps its data itself, or where the manifest has them. */
#ifndef PARITY_MODEL_SCAN_H
#define PARITY_MODEL_SCAN_H

#include "file.h"
#include "json.h"

/* Refuses a model with a tensor outside its file: onnxruntime would read a file there that no digest covers. Those of
 * its main graph may lie in weights.bin, where `tensors` has them; `external` says whether some do. */
bool model_scan(const struct bytes *model, const json_t *tensors, bool *external, const struct place *place);

#endif
