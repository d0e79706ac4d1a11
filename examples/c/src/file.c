#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool unreadable(const char *folder, const char *name, int reason, struct failure *failure)
{
    if (reason == ENOMEM)
        return fail_memory(failure);
    return fail(failure, EXIT_REFUSED, "%s/%s cannot be read: %s; copy the whole package again", folder, name,
                reason == EXDEV    ? "it leads out of the package"
                : reason == EINVAL ? "it is not a regular file"
                                   : strerror(reason));
}

/* Returns the file's path without links, or NULL where it does not lie in the folder. */
static char *path_inside(const char *folder, const char *name)
{
    char *root = realpath(folder, NULL), *found = NULL;
    size_t length = strlen(folder) + strlen(name) + 2;
    char *joined = malloc(length);
    if (root != NULL && joined != NULL) {
        snprintf(joined, length, "%s/%s", folder, name);
        found = realpath(joined, NULL);
    }
    size_t prefix = root == NULL || strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (found != NULL && (strncmp(found, root, prefix) != 0 || found[prefix] != '/')) {
        free(found);
        found = NULL;
        errno = EXDEV;
    }
    int reason = errno;
    free(joined);
    free(root);
    errno = reason;
    return found;
}

static bool read_all(int descriptor, size_t limit, struct bytes *bytes)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return false;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return false;
    }
    size_t size = (unsigned long long)status.st_size > limit ? limit + 1 : (size_t)status.st_size;
    bytes->data = malloc(size + 1);
    if (bytes->data == NULL)
        return false;
    while (bytes->size < size) {
        ssize_t got = read(descriptor, bytes->data + bytes->size, size - bytes->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0; /* shorter than it was: the digest will tell */
        bytes->size += (size_t)got;
    }
    return true;
}

bool read_inside(const char *folder, const char *name, size_t limit, struct bytes *bytes, struct failure *failure)
{
    *bytes = (struct bytes){0};
    char *path = path_inside(folder, name);
    if (path == NULL)
        return unreadable(folder, name, errno, failure);
    /* Without O_NONBLOCK the opening of a pipe would wait for a writer. */
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    free(path);
    bool done = descriptor >= 0 && read_all(descriptor, limit, bytes);
    int reason = errno;
    if (descriptor >= 0)
        close(descriptor);
    if (done)
        return true;
    free(bytes->data);
    *bytes = (struct bytes){0};
    return unreadable(folder, name, reason, failure);
}

bool sha256_text(const struct bytes *bytes, char text[SHA256_TEXT], struct failure *failure)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (EVP_Digest(bytes->data, bytes->size, digest, &size, EVP_sha256(), NULL) != 1 || size != 32)
        return fail(failure, EXIT_ERROR, "OpenSSL has no SHA-256 here; install a libcrypto that has it");
    for (unsigned int i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return true;
}
