#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const size_t LARGEST_FILE = (size_t)256 << 20; /* the vectors of an image model take a few megabytes */
static const long FORMAT = 2;

bool malformed(const struct place *place, const char *format, ...)
{
    char text[sizeof place->failure->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return fail(place->failure, EXIT_ERROR, "%s/%s: %s", place->folder, place->file, text);
}

/* "parity/2"; a larger number is a newer format, a smaller one Parity 0.1.0's. */
static bool check_format(const struct place *place, const json_t *object)
{
    static const char PREFIX[] = "parity/";
    const char *found = json_string_value(json_object_get(object, "format"));
    const char *number = found != NULL && strncmp(found, PREFIX, strlen(PREFIX)) == 0 ? found + strlen(PREFIX) : "";
    size_t digits = strspn(number, "0123456789");
    if (digits == 0 || digits > 6 || number[0] == '0' || number[digits] != '\0')
        return malformed(place, "it does not say \"format\": \"parity/2\"; it was not written by Parity");
    if (strtol(number, NULL, 10) > FORMAT)
        return malformed(place, "its format is %s, and this program reads up to parity/%ld; update it", found,
                         FORMAT);
    if (strtol(number, NULL, 10) < FORMAT)
        return malformed(place, "its format is %s, which an earlier Parity wrote; export the model again", found);
    return true;
}

json_t *parse_object(const struct place *place, const struct bytes *bytes)
{
    json_error_t error;
    if (bytes->size > LARGEST_FILE) {
        malformed(place, "it has %zu bytes; such a file is never larger than %zu", bytes->size, LARGEST_FILE);
        return NULL;
    }
    /* jansson refuses invalid UTF-8, nesting beyond 2048, and numbers that no double or 64-bit integer holds. */
    json_t *value = json_loadb((const char *)bytes->data, bytes->size, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL) {
        malformed(place, "it is not valid JSON: %s (line %d)", error.text, error.line);
        return NULL;
    }
    bool fits = json_is_object(value) ? check_format(place, value) : malformed(place, "it does not hold a JSON object");
    if (!fits) {
        json_decref(value);
        return NULL;
    }
    return value;
}

static json_t *get(const struct place *place, const json_t *object, const char *key, json_type type)
{
    static const char *const NAMES[] = {"an object", "a list", "text"};
    json_t *value = json_object_get(object, key);
    if (value != NULL && json_typeof(value) == type)
        return value;
    malformed(place, "'%s' is %s, not %s", key, value == NULL ? "missing" : "something else", NAMES[type]);
    return NULL;
}

json_t *get_object(const struct place *place, const json_t *object, const char *key)
{
    return get(place, object, key, JSON_OBJECT);
}

json_t *get_array(const struct place *place, const json_t *object, const char *key)
{
    return get(place, object, key, JSON_ARRAY);
}

const char *get_text(const struct place *place, const json_t *object, const char *key)
{
    return json_string_value(get(place, object, key, JSON_STRING));
}

bool get_number(const struct place *place, const json_t *object, const char *key, double *number)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        return malformed(place, "'%s' is %s, not a number", key, value == NULL ? "missing" : "something else");
    *number = json_number_value(value);
    return true;
}
