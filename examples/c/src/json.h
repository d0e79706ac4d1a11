/* JSON that somebody else wrote: what is missing, or of another type, is a failure that names the file and the key. */
#ifndef PARITY_JSON_H
#define PARITY_JSON_H

#include <jansson.h>

#include "failure.h"
#include "file.h"

/* Where a value was read. */
struct place {
    const char *folder, *file;
    struct failure *failure;
};

/* Records "FOLDER/FILE: ..."; returns false. */
bool malformed(const struct place *place, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Parses one object of a format that this program reads; NULL on failure. To be released with json_decref. */
json_t *parse_object(const struct place *place, const struct bytes *bytes);

/* These look a key up and check its type; NULL on failure. What they return belongs to the object. */
json_t *get_object(const struct place *place, const json_t *object, const char *key);
json_t *get_array(const struct place *place, const json_t *object, const char *key);
const char *get_text(const struct place *place, const json_t *object, const char *key);

bool get_number(const struct place *place, const json_t *object, const char *key, double *number);

#endif
