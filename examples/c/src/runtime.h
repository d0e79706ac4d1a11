/* onnxruntime's C API, with its telemetry off. */
#ifndef PARITY_RUNTIME_H
#define PARITY_RUNTIME_H

#include <onnxruntime_c_api.h>

#include "failure.h"

struct runtime {
    const OrtApi *api;
    const char *version;
    OrtEnv *env;
    OrtMemoryInfo *memory; /* the processor's */
};

bool runtime_open(struct runtime *runtime, struct failure *failure);
void runtime_close(struct runtime *runtime);

/* Takes a status over: true where it is no error, else a failure with its first line. */
bool runtime_done(const struct runtime *runtime, OrtStatus *status, const char *what, struct failure *failure);

#endif
