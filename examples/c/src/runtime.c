#include "runtime.h"

#include <stdlib.h>
#include <string.h>

/* That of onnxruntime 1.18, the oldest that reads Parity's graphs: any newer library still gives it. */
static const uint32_t API_VERSION = 18;

bool runtime_done(const struct runtime *runtime, OrtStatus *status, const char *what, struct failure *failure)
{
    if (status == NULL)
        return true;
    const char *message = runtime->api->GetErrorMessage(status);
    fail(failure, EXIT_ERROR, "onnxruntime %s cannot %s: %.*s", runtime->version, what, (int)strcspn(message, "\n"),
         message);
    runtime->api->ReleaseStatus(status);
    return false;
}

bool runtime_open(struct runtime *runtime, struct failure *failure)
{
    /* onnxruntime 1.29 and later start a thread and write below HOME with the first environment, unless it is set. */
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
    const OrtApiBase *base = OrtGetApiBase();
    *runtime = (struct runtime){.api = base->GetApi(API_VERSION), .version = base->GetVersionString()};
    if (runtime->api == NULL)
        return fail(failure, EXIT_ERROR, "onnxruntime %s is too old; install 1.%u or later", runtime->version,
                    (unsigned)API_VERSION);
    /* What goes wrong comes back as a status; onnxruntime would print it on stderr as well. */
    if (runtime_done(runtime, runtime->api->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "parity", &runtime->env), "start",
                     failure) &&
        runtime_done(runtime,
                     runtime->api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &runtime->memory),
                     "start", failure))
        return true;
    runtime_close(runtime);
    return false;
}

void runtime_close(struct runtime *runtime)
{
    if (runtime->memory != NULL)
        runtime->api->ReleaseMemoryInfo(runtime->memory);
    if (runtime->env != NULL)
        runtime->api->ReleaseEnv(runtime->env);
    *runtime = (struct runtime){0};
}
