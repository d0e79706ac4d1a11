/* What a folder holds besides the files that a manifest lists. */
#ifndef PARITY_FOLDER_H
#define PARITY_FOLDER_H

#include <jansson.h>

#include "failure.h"

/* Refuses a folder with a file, a link or a folder that `files` does not name; manifest.json names itself. */
bool refuse_unlisted(const char *folder, json_t *files, struct failure *failure);

#endif
