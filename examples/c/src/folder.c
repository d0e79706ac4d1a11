#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk {
    const char *folder;
    json_t *known; /* a set: the listed files, and the folders that they lie in */
    struct failure *failure;
};

static bool add_known(json_t *known, const char *name)
{
    bool added = json_object_set_new(known, name, json_true()) == 0;
    char *parent = strdup(name), *slash = parent;
    while (added && parent != NULL && (slash = strrchr(parent, '/')) != NULL) {
        *slash = '\0';
        added = json_object_set_new(known, parent, json_true()) == 0;
    }
    added = added && parent != NULL;
    free(parent);
    return added;
}

static char *join(const char *within, const char *name)
{
    size_t length = strlen(within) + strlen(name) + 2;
    char *joined = malloc(length);
    if (joined != NULL)
        snprintf(joined, length, "%s%s%s", within, within[0] == '\0' ? "" : "/", name);
    return joined;
}

static bool walk_folder(const struct walk *walk, int descriptor, const char *within);

/* Goes into one folder; `parent` stays open. */
static bool walk_into(const struct walk *walk, int parent, const char *name, const char *path)
{
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor >= 0)
        return walk_folder(walk, descriptor, path);
    return fail(walk->failure, EXIT_ERROR, "%s/%s cannot be read: %s", walk->folder, path, strerror(errno));
}

static bool walk_entry(const struct walk *walk, int parent, const char *name, const char *within)
{
    struct stat status;
    char *path = join(within, name);
    if (path == NULL)
        return fail_memory(walk->failure);
    bool listed = json_object_get(walk->known, path) != NULL;
    bool folder = fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
    bool done = !listed ? fail(walk->failure, EXIT_REFUSED,
                               "%s holds %s, which its manifest does not list; remove it", walk->folder, path)
                        : !folder || walk_into(walk, parent, name, path);
    free(path);
    return done;
}

/* Takes the descriptor over. */
static bool walk_folder(const struct walk *walk, int descriptor, const char *within)
{
    DIR *stream = fdopendir(descriptor);
    if (stream == NULL) {
        close(descriptor);
        return fail(walk->failure, EXIT_ERROR, "%s cannot be read: %s", walk->folder, strerror(errno));
    }
    bool done = true;
    for (struct dirent *entry; done && (entry = readdir(stream)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            done = walk_entry(walk, dirfd(stream), entry->d_name, within);
    closedir(stream);
    return done;
}

bool refuse_unlisted(const char *folder, json_t *files, struct failure *failure)
{
    const char *name;
    json_t *entry;
    struct walk walk = {folder, json_object(), failure};
    bool done = walk.known != NULL && add_known(walk.known, "manifest.json");
    json_object_foreach(files, name, entry)
        done = done && add_known(walk.known, name);
    int descriptor = done ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (!done)
        fail_memory(failure);
    else if (descriptor < 0)
        done = fail(failure, EXIT_ERROR, "%s cannot be read: %s", folder, strerror(errno));
    else
        done = walk_folder(&walk, descriptor, "");
    json_decref(walk.known);
    return done;
}
