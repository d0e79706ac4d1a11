#include "package.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "folder.h"

const char WEIGHTS[] = "weights.bin";
static const char MANIFEST[] = "manifest.json";
static const size_t LARGEST_MANIFEST = (size_t)1 << 24;
static const json_int_t LARGEST_SIZE = (json_int_t)1 << 53; /* numbers up to it are exact in every language */
static const json_int_t ALIGNMENT = 4096;

/* Whether a name is a relative path with '/' that has no part "", "." or "..". */
static bool stays_inside(const char *name)
{
    for (const char *part = name;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.') || (length == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += length;
        if (*part == '\0')
            break;
    }
    for (const char *at = name; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f || *at == '\\')
            return false;
    return true;
}

static bool is_size(const json_t *size, json_int_t largest)
{
    return json_is_integer(size) && json_integer_value(size) >= 0 && json_integer_value(size) <= largest;
}

static bool has_digest(const json_t *entry)
{
    const char *digest = json_string_value(json_object_get(entry, "sha256"));
    return digest != NULL && strlen(digest) == SHA256_TEXT - 1 &&
           strspn(digest, "0123456789abcdef") == SHA256_TEXT - 1;
}

static bool is_entry(const json_t *entry)
{
    return has_digest(entry) && is_size(json_object_get(entry, "size"), LARGEST_SIZE);
}

static bool is_tensor(const json_t *entry, json_int_t file)
{
    const json_t *offset = json_object_get(entry, "offset"), *length = json_object_get(entry, "length");
    return has_digest(entry) && is_size(offset, file) && is_size(length, file - json_integer_value(offset)) &&
           json_integer_value(offset) % ALIGNMENT == 0;
}

/* What lies where in weights.bin: the object is there if the file is. */
static bool read_tensors(struct package *package, const struct place *place)
{
    const json_t *file = json_object_get(package->files, WEIGHTS);
    const char *name;
    json_t *entry;
    package->tensors = json_object_get(package->manifest, "tensors");
    if ((package->tensors != NULL) != (file != NULL) || (file != NULL && !json_is_object(package->tensors)))
        return malformed(place, "it has only one of 'tensors' and %s", WEIGHTS);
    json_object_foreach(package->tensors, name, entry) {
        if (!is_tensor(entry, json_integer_value(json_object_get(file, "size"))))
            return malformed(place, "the tensor %s does not fit into %s", name, WEIGHTS);
    }
    return true;
}

static bool read_manifest(struct package *package, const struct bytes *bytes, struct failure *failure)
{
    const struct place place = {package->folder, MANIFEST, failure};
    const char *name;
    json_t *entry;
    if (bytes->size > LARGEST_MANIFEST)
        return malformed(&place, "it is larger than %zu bytes", LARGEST_MANIFEST);
    if (!sha256_text(bytes, package->id, failure) || (package->manifest = parse_object(&place, bytes)) == NULL)
        return false;
    package->files = get_object(&place, package->manifest, "files");
    if (package->files == NULL)
        return false;
    json_object_foreach(package->files, name, entry) {
        if (!stays_inside(name))
            return malformed(&place, "it lists '%s', which is not a path inside the package", name);
        if (!is_entry(entry))
            return malformed(&place, "the entry of %s is not written as {sha256, size}", name);
    }
    return read_tensors(package, &place);
}

static bool check_id(const struct package *package, const char *digest, struct failure *failure)
{
    static const char PREFIX[] = "sha256:";
    const char *wanted = strncmp(digest, PREFIX, strlen(PREFIX)) == 0 ? digest + strlen(PREFIX) : digest;
    if (strcasecmp(wanted, package->id) == 0)
        return true;
    return fail(failure, EXIT_REFUSED, "%s is the package %s, not %s; take the one that was meant", package->folder,
                package->id, digest);
}

static bool has_manifest(const char *folder)
{
    size_t length = strlen(folder) + sizeof MANIFEST + 1;
    char *path = malloc(length);
    bool found = path != NULL && snprintf(path, length, "%s/%s", folder, MANIFEST) > 0 && access(path, F_OK) == 0;
    free(path);
    return found;
}

bool package_open(struct package *package, const char *folder, const char *digest, struct failure *failure)
{
    *package = (struct package){.folder = folder};
    struct bytes bytes = {0};
    if (!has_manifest(folder))
        return fail(failure, EXIT_ERROR, "%s is not a package: it has no %s; write one with parity export", folder,
                    MANIFEST);
    bool opened = read_inside(folder, MANIFEST, LARGEST_MANIFEST, &bytes, failure) &&
                  read_manifest(package, &bytes, failure) &&
                  (digest == NULL || check_id(package, digest, failure));
    free(bytes.data);
    if (!opened)
        package_close(package);
    return opened;
}

void package_close(struct package *package)
{
    json_decref(package->manifest);
    *package = (struct package){0};
}

bool package_read(const struct package *package, const char *name, struct bytes *bytes, struct failure *failure)
{
    char digest[SHA256_TEXT];
    const json_t *entry = json_object_get(package->files, name);
    if (entry == NULL)
        return fail(failure, EXIT_ERROR, "%s/%s does not list %s; export the package again", package->folder, MANIFEST,
                    name);
    size_t size = (size_t)json_integer_value(json_object_get(entry, "size"));
    const char *wanted = json_string_value(json_object_get(entry, "sha256"));
    if (!read_inside(package->folder, name, size, bytes, failure))
        return false;
    bool same = bytes->size == size && sha256_text(bytes, digest, failure) && strcmp(digest, wanted) == 0;
    if (same)
        return true;
    free(bytes->data);
    *bytes = (struct bytes){0};
    return fail(failure, EXIT_REFUSED, "%s/%s is not the file that was packaged (its sha256 differs); copy it again",
                package->folder, name);
}

json_t *package_read_json(const struct package *package, const struct place *place)
{
    struct bytes bytes;
    if (!package_read(package, place->file, &bytes, place->failure))
        return NULL;
    json_t *value = parse_object(place, &bytes);
    free(bytes.data);
    return value;
}

bool package_check(const struct package *package, struct failure *failure)
{
    const char *name;
    json_t *entry;
    struct bytes bytes;
    json_object_foreach(package->files, name, entry) {
        if (!package_read(package, name, &bytes, failure))
            return false;
        free(bytes.data);
    }
    return refuse_unlisted(package->folder, package->files, failure);
}
