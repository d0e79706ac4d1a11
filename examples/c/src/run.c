/* One batch through a session. */
#include <stdlib.h>
#include <string.h>

#include "session.h"

/* The size that the inputs give a named dimension, or -1. */
static int64_t named_size(const struct specs *specs, const struct tensor *inputs, const char *name)
{
    for (size_t i = 0; i < specs->count; i++)
        for (size_t axis = 0; axis < specs->items[i].rank; axis++)
            if (specs->items[i].dimensions[axis] != NULL && strcmp(specs->items[i].dimensions[axis], name) == 0)
                return inputs[i].shape[axis];
    return -1;
}

/* Whether tensors fit their specs, a named dimension being one size in the whole call. A name that no input has is an
 * expression such as 2*time, whose size only onnxruntime knows. */
static bool all_fit(const struct session *session, const struct specs *specs, const struct tensor *tensors,
                    const struct tensor *inputs, struct failure *failure)
{
    for (size_t i = 0; i < specs->count; i++) {
        const struct spec *spec = &specs->items[i];
        if (!spec_fits(spec, &tensors[i]))
            return fail(failure, EXIT_ERROR, "the tensor %s has another dtype or shape than the contract says",
                        spec->name);
        for (size_t axis = 0; axis < spec->rank; axis++) {
            const char *name = spec->dimensions[axis];
            int64_t size = name == NULL ? -1 : named_size(session->inputs, inputs, name);
            if (size >= 0 && tensors[i].shape[axis] != size)
                return fail(failure, EXIT_ERROR, "the tensor %s has another size of %s than the inputs have",
                            spec->name, name);
        }
    }
    return true;
}

/* Copies the texts of an output into a tensor that has room for them. */
static bool copy_texts(const struct runtime *runtime, const OrtValue *value, const char *name, struct tensor *tensor,
                       struct failure *failure)
{
    const OrtApi *api = runtime->api;
    size_t length = 0;
    if (!runtime_done(runtime, api->GetStringTensorDataLength(value, &length), "read an output", failure))
        return false;
    char *buffer = malloc(length + 1);
    size_t *starts = calloc(tensor->count + 1, sizeof *starts);
    bool done = (buffer != NULL && starts != NULL) || fail_memory(failure);
    done = done && (tensor->count == 0 ||
                    runtime_done(runtime, api->GetStringTensorContent(value, buffer, length, starts, tensor->count),
                                 "read an output", failure));
    if (done)
        starts[tensor->count] = length;
    for (size_t i = 0; done && i < tensor->count; i++) {
        const size_t size = starts[i + 1] - starts[i];
        done = tensor_store_text(tensor, i, buffer + starts[i], size) || fail_memory(failure);
        if (done && strlen(tensor_text(tensor, i)) != size)
            done = fail(failure, EXIT_ERROR, "the output %s holds a zero byte, where this program cuts text", name);
    }
    free(starts);
    free(buffer);
    return done;
}

/* Copies an output of onnxruntime. */
static bool copy_output(const struct runtime *runtime, const OrtValue *value, const struct spec *spec,
                        struct tensor *tensor, struct failure *failure)
{
    const OrtApi *api = runtime->api;
    OrtTensorTypeAndShapeInfo *info = NULL;
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    void *data = NULL;
    *tensor = (struct tensor){.dtype = spec->dtype};
    bool done = runtime_done(runtime, api->GetTensorTypeAndShape(value, &info), "read an output", failure) &&
                runtime_done(runtime, api->GetTensorElementType(info, &type), "read an output", failure) &&
                runtime_done(runtime, api->GetDimensionsCount(info, &tensor->rank), "read an output", failure);
    if (done && (type != spec->dtype->onnx || tensor->rank != spec->rank))
        done = fail(failure, EXIT_ERROR, "the output %s has another dtype or rank than the contract says", spec->name);
    done = done &&
           runtime_done(runtime, api->GetDimensions(info, tensor->shape, tensor->rank), "read an output", failure) &&
           (tensor_allocate(tensor) || fail_memory(failure));
    if (done && tensor->dtype->kind == TEXT)
        done = copy_texts(runtime, value, spec->name, tensor, failure);
    else if (done)
        done = runtime_done(runtime, api->GetTensorMutableData((OrtValue *)value, &data), "read an output", failure);
    if (done && data != NULL && tensor->count > 0)
        memcpy(tensor->data, data, tensor->count * tensor->dtype->size);
    if (info != NULL)
        api->ReleaseTensorTypeAndShapeInfo(info);
    return done;
}

/* onnxruntime copies texts; numbers it reads where they stand. */
static bool create_input(const struct runtime *runtime, const struct tensor *input, OrtValue **value,
                         struct failure *failure)
{
    const OrtApi *api = runtime->api;
    OrtAllocator *allocator = NULL; /* onnxruntime's own, which is not released */
    if (input->dtype->kind != TEXT)
        return runtime_done(runtime,
                            api->CreateTensorWithDataAsOrtValue(runtime->memory, input->data,
                                                                input->count * input->dtype->size, input->shape,
                                                                input->rank, input->dtype->onnx, value),
                            "take the rows", failure);
    return runtime_done(runtime, api->GetAllocatorWithDefaultOptions(&allocator), "take the rows", failure) &&
           runtime_done(runtime,
                        api->CreateTensorAsOrtValue(allocator, input->shape, input->rank, input->dtype->onnx, value),
                        "take the rows", failure) &&
           runtime_done(runtime, api->FillStringTensor(*value, (const char *const *)input->data, input->count),
                        "take the rows", failure);
}

static bool create_inputs(const struct session *session, const struct tensor *inputs, OrtValue **values,
                          struct failure *failure)
{
    bool done = true;
    for (size_t i = 0; done && i < session->inputs->count; i++)
        done = create_input(session->runtime, &inputs[i], &values[i], failure);
    return done;
}

/* `values` are the inputs, then the outputs; `names` likewise. */
static bool run_session(const struct session *session, const struct tensor *inputs, OrtValue **values,
                        const char **names, struct failure *failure)
{
    const size_t count = session->inputs->count;
    for (size_t i = 0; i < count; i++)
        names[i] = session->inputs->items[i].name;
    for (size_t i = 0; i < session->outputs->count; i++)
        names[count + i] = session->outputs->items[i].name;
    return create_inputs(session, inputs, values, failure) &&
           runtime_done(session->runtime,
                        session->runtime->api->Run(session->session, NULL, names, (const OrtValue *const *)values,
                                                   count, names + count, session->outputs->count, values + count),
                        "run the model", failure);
}

/* onnxruntime's kernels for sequences abort the process on an empty tensor. */
static bool none_empty(const struct session *session, const struct tensor *inputs, struct failure *failure)
{
    for (size_t i = 0; i < session->inputs->count; i++)
        if (inputs[i].count == 0)
            return fail(failure, EXIT_ERROR, "the input %s is empty; give at least one row",
                        session->inputs->items[i].name);
    return true;
}

bool session_run(const struct session *session, const struct tensor *inputs, struct tensor *outputs,
                 struct failure *failure)
{
    const size_t first = session->inputs->count, count = session->outputs->count;
    OrtValue **values = calloc(first + count, sizeof *values);
    const char **names = calloc(first + count, sizeof *names);
    for (size_t i = 0; i < count; i++)
        outputs[i] = (struct tensor){0};
    bool done = (values != NULL && names != NULL) || fail_memory(failure);
    done = done && all_fit(session, session->inputs, inputs, inputs, failure) &&
           none_empty(session, inputs, failure) && run_session(session, inputs, values, names, failure);
    for (size_t i = 0; done && i < count; i++)
        done = copy_output(session->runtime, values[first + i], &session->outputs->items[i], &outputs[i], failure);
    done = done && all_fit(session, session->outputs, outputs, inputs, failure);
    for (size_t i = 0; values != NULL && i < first + count; i++)
        if (values[i] != NULL)
            session->runtime->api->ReleaseValue(values[i]);
    free(names);
    free(values);
    for (size_t i = 0; !done && i < count; i++)
        tensor_free(&outputs[i]);
    return done;
}
