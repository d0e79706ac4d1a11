#include "session.h"

#include <stdlib.h>

#include "model_scan.h"

static bool set_options(const OrtApi *api, OrtSessionOptions *options, const struct runtime *runtime,
                        struct failure *failure)
{
    /* These are the Python runtime's. One thread is fastest for small models; a spinning pool would burn a core. */
    OrtStatus *(*const set[])(OrtSessionOptions *, int) = {api->SetIntraOpNumThreads, api->SetInterOpNumThreads};
    bool done = runtime_done(runtime, api->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL), "start", failure);
    for (size_t i = 0; done && i < sizeof set / sizeof *set; i++)
        done = runtime_done(runtime, set[i](options, 1), "start", failure);
    return done &&
           runtime_done(runtime, api->AddSessionConfigEntry(options, "session.intra_op.allow_spinning", "0"), "start",
                        failure) &&
           runtime_done(runtime, api->SetSessionLogSeverityLevel(options, ORT_LOGGING_LEVEL_FATAL), "start", failure);
}

/* Hands weights.bin over from memory; onnxruntime copies what it needs, and opens no file. */
static bool set_weights(const struct runtime *runtime, OrtSessionOptions *options, const struct bytes *weights,
                        struct failure *failure)
{
    const ORTCHAR_T *names[] = {WEIGHTS};
    char *buffers[] = {(char *)weights->data};
    return weights->data == NULL ||
           runtime_done(runtime,
                        runtime->api->AddExternalInitializersFromFilesInMemory(options, names, buffers,
                                                                               &weights->size, 1),
                        "take the weights", failure);
}

static bool create(struct session *session, const struct bytes *model, const struct bytes *weights,
                   struct failure *failure)
{
    const struct runtime *runtime = session->runtime;
    const OrtApi *api = runtime->api;
    OrtSessionOptions *options = NULL;
    bool created = runtime_done(runtime, api->CreateSessionOptions(&options), "start", failure) &&
                   set_options(api, options, runtime, failure) &&
                   set_weights(runtime, options, weights, failure) &&
                   runtime_done(runtime,
                                api->CreateSessionFromArray(runtime->env, model->data, model->size, options,
                                                            &session->session),
                                "load the model", failure);
    if (options != NULL)
        api->ReleaseSessionOptions(options);
    return created;
}

bool session_open(struct session *session, const struct runtime *runtime, const struct package *package,
                  const struct contract *contract, enum graph graph, struct failure *failure)
{
    struct bytes model, weights = {0};
    bool external;
    const char *file = contract->files[graph];
    *session = (struct session){runtime, &contract->inputs, &contract->outputs[graph], NULL};
    if (file == NULL)
        return fail(failure, EXIT_ERROR,
                    "%s has no certified graph; binary, multiclass and regression may be exported with --certified",
                    package->folder);
    if (!package_read(package, file, &model, failure))
        return false;
    const struct place place = {package->folder, file, failure};
    bool opened = model_scan(&model, package->tensors, &external, &place) &&
                  (!external || package_read(package, WEIGHTS, &weights, failure)) &&
                  create(session, &model, &weights, failure) && session_check(session, contract, &place);
    free(weights.data);
    free(model.data);
    if (!opened)
        session_close(session);
    return opened;
}

void session_close(struct session *session)
{
    if (session->session != NULL)
        session->runtime->api->ReleaseSession(session->session);
    *session = (struct session){0};
}
