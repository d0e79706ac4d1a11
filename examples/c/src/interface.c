/* Whether a session has the inputs and outputs of the contract. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

/* The contract travels inside the graph, too. */
static const char METADATA_KEY[] = "parity.contract";

/* One side of a graph, as onnxruntime tells it. */
struct side {
    const char *name;
    const struct specs *specs;
    OrtStatus *(*count)(const OrtSession *, size_t *);
    OrtStatus *(*tensor_name)(const OrtSession *, size_t, OrtAllocator *, char **);
    OrtStatus *(*tensor_type)(const OrtSession *, size_t, OrtTypeInfo **);
};

static bool same_shape(const struct runtime *runtime, const OrtTensorTypeAndShapeInfo *info, const struct spec *spec,
                       bool *same, struct failure *failure)
{
    const OrtApi *api = runtime->api;
    int64_t sizes[MAX_RANK];
    const char *names[MAX_RANK];
    size_t rank = 0;
    if (!runtime_done(runtime, api->GetDimensionsCount(info, &rank), "tell its shapes", failure))
        return false;
    *same = rank == spec->rank;
    if (!*same)
        return true;
    if (!runtime_done(runtime, api->GetDimensions(info, sizes, rank), "tell its shapes", failure) ||
        !runtime_done(runtime, api->GetSymbolicDimensions(info, names, rank), "tell its shapes", failure))
        return false;
    for (size_t i = 0; i < rank; i++)
        *same = *same && (spec->dimensions[i] == NULL ? sizes[i] == spec->sizes[i]
                                                      : sizes[i] < 0 && strcmp(names[i], spec->dimensions[i]) == 0);
    return true;
}

static bool same_type(const struct session *session, const OrtTypeInfo *type, const struct spec *spec, bool *same,
                      struct failure *failure)
{
    const struct runtime *runtime = session->runtime;
    const OrtTensorTypeAndShapeInfo *info = NULL; /* belongs to the type; NULL where it is no tensor */
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    *same = false;
    if (!runtime_done(runtime, runtime->api->CastTypeInfoToTensorInfo(type, &info), "tell its types", failure))
        return false;
    if (info == NULL)
        return true;
    return runtime_done(runtime, runtime->api->GetTensorElementType(info, &element), "tell its types", failure) &&
           (element != spec->dtype->onnx || same_shape(runtime, info, spec, same, failure));
}

static bool check_tensor(const struct session *session, const struct side *side, size_t index, OrtAllocator *allocator,
                         const struct place *place)
{
    const struct runtime *runtime = session->runtime;
    const struct spec *spec = &side->specs->items[index];
    char *name = NULL;
    OrtTypeInfo *type = NULL;
    bool same = false;
    bool done = runtime_done(runtime, side->tensor_name(session->session, index, allocator, &name), "tell its names",
                             place->failure) &&
                runtime_done(runtime, side->tensor_type(session->session, index, &type), "tell its types",
                             place->failure);
    if (done && strcmp(name, spec->name) != 0)
        done = malformed(place, "the graph and the contract disagree: one of its %s is %s, not %s", side->name, name,
                         spec->name);
    done = done && same_type(session, type, spec, &same, place->failure) &&
           (same || malformed(place, "the graph and the contract disagree on the dtype or the shape of %s",
                              spec->name));
    if (type != NULL)
        runtime->api->ReleaseTypeInfo(type);
    if (name != NULL) /* freeing what this allocator gave cannot fail */
        allocator->Free(allocator, name);
    return done;
}

static bool check_side(const struct session *session, const struct side *side, OrtAllocator *allocator,
                       const struct place *place)
{
    size_t count = 0;
    bool done = runtime_done(session->runtime, side->count(session->session, &count), "tell its names",
                             place->failure);
    if (done && count != side->specs->count)
        return malformed(place, "the graph and the contract disagree: it has %zu %s, not %zu", count, side->name,
                         side->specs->count);
    for (size_t i = 0; done && i < count; i++)
        done = check_tensor(session, side, i, allocator, place);
    return done;
}

/* Takes what the metadata holds over. */
static bool same_contract(const struct contract *contract, const char *text, const struct place *place)
{
    json_t *inside = text == NULL ? NULL : json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    bool same = inside != NULL && json_equal(inside, contract->json);
    json_decref(inside);
    if (same)
        return true;
    return fail(place->failure, EXIT_REFUSED, "%s: contract.json and the contract inside %s disagree; export it again",
                place->folder, place->file);
}

static bool check_metadata(const struct session *session, const struct contract *contract, OrtAllocator *allocator,
                           const struct place *place)
{
    const struct runtime *runtime = session->runtime;
    const OrtApi *api = runtime->api;
    OrtModelMetadata *metadata = NULL;
    char *text = NULL;
    bool done = runtime_done(runtime, api->SessionGetModelMetadata(session->session, &metadata), "tell its metadata",
                             place->failure) &&
                runtime_done(runtime,
                             api->ModelMetadataLookupCustomMetadataMap(metadata, allocator, METADATA_KEY, &text),
                             "tell its metadata", place->failure) &&
                same_contract(contract, text, place);
    if (text != NULL)
        allocator->Free(allocator, text);
    if (metadata != NULL)
        api->ReleaseModelMetadata(metadata);
    return done;
}

bool session_check(const struct session *session, const struct contract *contract, const struct place *place)
{
    const OrtApi *api = session->runtime->api;
    const struct side inputs = {"inputs", session->inputs, api->SessionGetInputCount, api->SessionGetInputName,
                                api->SessionGetInputTypeInfo};
    const struct side outputs = {"outputs", session->outputs, api->SessionGetOutputCount, api->SessionGetOutputName,
                                 api->SessionGetOutputTypeInfo};
    OrtAllocator *allocator = NULL; /* onnxruntime's own, which is not released */
    return runtime_done(session->runtime, api->GetAllocatorWithDefaultOptions(&allocator), "start", place->failure) &&
           check_side(session, &inputs, allocator, place) && check_side(session, &outputs, allocator, place) &&
           check_metadata(session, contract, allocator, place);
}
