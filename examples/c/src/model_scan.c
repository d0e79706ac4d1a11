#include "model_scan.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "package.h"

/* A model is protocol-buffer messages within messages. The walk goes through those that can hold a tensor; the numbers
 * are those of onnx.proto. */
enum kind { MODEL, TRAINING, GRAPH, FUNCTION, NODE, ATTRIBUTE, SPARSE, TENSOR, NO_MESSAGE };
enum location { INSIDE, OUTSIDE, BROKEN };
enum { VARINT, FIXED64, BYTES, FIXED32 = 5 }; /* wire types */
enum { NAME = 8, EXTERNAL_DATA = 13, DATA_LOCATION = 14 }; /* of a TensorProto */
enum { KEY = 1, VALUE = 2 };                               /* of an entry of its external_data */
enum { OF_MAIN_GRAPH = 2 };                                /* how deep a tensor lies there */
enum { DEEPEST = 100 };                          /* protobuf's own limit */

static const struct {
    enum kind parent;
    uint64_t field;
    enum kind child;
} CHILDREN[] = {
    {MODEL, 7, GRAPH},       {MODEL, 20, TRAINING},   {MODEL, 25, FUNCTION},    {TRAINING, 1, GRAPH},
    {TRAINING, 2, GRAPH},    {GRAPH, 1, NODE},        {GRAPH, 5, TENSOR},       {GRAPH, 15, SPARSE},
    {FUNCTION, 7, NODE},     {FUNCTION, 11, ATTRIBUTE}, {NODE, 5, ATTRIBUTE},   {ATTRIBUTE, 5, TENSOR},
    {ATTRIBUTE, 6, GRAPH},   {ATTRIBUTE, 10, TENSOR}, {ATTRIBUTE, 11, GRAPH},   {ATTRIBUTE, 22, SPARSE},
    {ATTRIBUTE, 23, SPARSE}, {SPARSE, 1, TENSOR},     {SPARSE, 2, TENSOR},
};

struct scan {
    const json_t *tensors; /* of the manifest */
    bool *external;
};

struct message {
    const unsigned char *at, *end;
};

struct field {
    uint64_t number, value; /* of a varint */
    unsigned int wire;
    struct message content; /* of bytes */
};

static enum kind child_of(enum kind parent, uint64_t field)
{
    for (size_t i = 0; i < sizeof CHILDREN / sizeof *CHILDREN; i++)
        if (CHILDREN[i].parent == parent && CHILDREN[i].field == field)
            return CHILDREN[i].child;
    return NO_MESSAGE;
}

static bool take_varint(struct message *message, uint64_t *value)
{
    *value = 0;
    for (unsigned int shift = 0; shift < 70 && message->at < message->end; shift += 7) {
        const unsigned char byte = *message->at++;
        *value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool take_field(struct message *message, struct field *field)
{
    uint64_t key, size;
    if (!take_varint(message, &key))
        return false;
    *field = (struct field){.number = key >> 3, .wire = (unsigned int)(key & 7)};
    /* Other readers cut off the upper bits of a large number, and would find another field. */
    if (field->number == 0 || field->number >= (uint64_t)1 << 29)
        return false;
    if (field->wire == VARINT)
        return take_varint(message, &field->value);
    size = field->wire == FIXED64 ? 8 : 4;
    if (field->wire == BYTES ? !take_varint(message, &size) : field->wire != FIXED64 && field->wire != FIXED32)
        return false;
    if (size > (size_t)(message->end - message->at))
        return false;
    field->content = (struct message){message->at, message->at + size};
    message->at += size;
    return true;
}

static bool is_text(struct message message, const char *text)
{
    const size_t length = (size_t)(message.end - message.at);
    return length == strlen(text) && memcmp(message.at, text, length) == 0;
}

/* The bit of the key of an external_data entry that says what the manifest says of the tensor; 0 of any other. */
static unsigned int agrees(struct message entry, const json_t *tensor)
{
    struct message key = {0}, value = {0};
    struct field field;
    while (entry.at < entry.end) {
        if (!take_field(&entry, &field) || field.wire != BYTES)
            return 0;
        *(field.number == KEY ? &key : &value) = field.content;
    }
    if (key.at == NULL || value.at == NULL)
        return 0;
    if (is_text(key, "location"))
        return is_text(value, WEIGHTS) ? 1 : 0;
    const char *const name = is_text(key, "offset") ? "offset" : is_text(key, "length") ? "length" : NULL;
    char number[24];
    if (name == NULL)
        return 0;
    snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(tensor, name)));
    return !is_text(value, number) ? 0 : *name == 'o' ? 2 : 4;
}

static const json_t *tensor_named(const json_t *tensors, struct message name)
{
    const size_t length = (size_t)(name.end - name.at);
    char *text = name.at == NULL ? NULL : malloc(length + 1);
    if (text == NULL)
        return NULL;
    memcpy(text, name.at, length);
    text[length] = '\0';
    const json_t *found = strlen(text) == length ? json_object_get(tensors, text) : NULL;
    free(text);
    return found;
}

static enum location scan_tensor(const struct message whole, int depth, const struct scan *known)
{
    struct message message = whole, name = {0};
    struct field field;
    uint64_t location = 0;
    unsigned int entries = 0, said = 0;
    while (message.at < message.end) {
        if (!take_field(&message, &field))
            return BROKEN;
        if (field.number == NAME && field.wire == BYTES)
            name = field.content;
        location = field.number == DATA_LOCATION && (field.wire != VARINT || field.value != 0) ? 1 : location;
        entries += field.number == EXTERNAL_DATA;
    }
    if (location == 0 && entries == 0)
        return INSIDE;
    const json_t *const tensor = depth == OF_MAIN_GRAPH ? tensor_named(known->tensors, name) : NULL;
    if (tensor == NULL || location == 0 || entries != 3) /* location, offset, length */
        return OUTSIDE;
    for (message = whole; message.at < message.end;) {
        take_field(&message, &field);
        if (field.number == EXTERNAL_DATA && field.wire == BYTES)
            said |= agrees(field.content, tensor);
    }
    if (said != 7) /* each of the three, once */
        return OUTSIDE;
    *known->external = true;
    return INSIDE;
}

static enum location scan(struct message message, enum kind kind, int depth, const struct scan *known)
{
    struct field field;
    if (depth > DEEPEST)
        return BROKEN;
    if (kind == TENSOR)
        return scan_tensor(message, depth, known);
    while (message.at < message.end) {
        if (!take_field(&message, &field))
            return BROKEN;
        const enum kind child = field.wire == BYTES ? child_of(kind, field.number) : NO_MESSAGE;
        const enum location location = child == NO_MESSAGE ? INSIDE : scan(field.content, child, depth + 1, known);
        if (location != INSIDE)
            return location;
    }
    return INSIDE;
}

bool model_scan(const struct bytes *model, const json_t *tensors, bool *external, const struct place *place)
{
    const struct scan known = {tensors, external};
    *external = false;
    /* At byte 4 this marks a flatbuffer, which onnxruntime would read in place of the ModelProto that is scanned. */
    static const char ORT_FORMAT[] = {'O', 'R', 'T', 'M'};
    if (model->size >= 8 && memcmp(model->data + 4, ORT_FORMAT, sizeof ORT_FORMAT) == 0)
        return malformed(place, "it is in onnxruntime's own format; a package holds an ONNX model");
    switch (scan((struct message){model->data, model->data + model->size}, MODEL, 0, &known)) {
    case INSIDE:
        return true;
    case OUTSIDE:
        return malformed(place, "it keeps a tensor outside the file that the manifest does not list; export it again");
    default:
        return malformed(place, "it is not an ONNX model; copy the package again");
    }
}
