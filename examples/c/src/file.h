/* Files of a folder that somebody else wrote, read whole, and their SHA-256. */
#ifndef PARITY_FILE_H
#define PARITY_FILE_H

#include <stddef.h>

#include "failure.h"

enum { SHA256_TEXT = 65 }; /* 64 hexadecimal digits and the end */

struct bytes {
    unsigned char *data; /* to be freed */
    size_t size;
};

/* Reads a regular file that lies inside `folder`, also after symbolic links are followed. Of one that is larger
 * than `limit` bytes it reads one byte more than that, which shows that it is. */
bool read_inside(const char *folder, const char *name, size_t limit, struct bytes *bytes, struct failure *failure);

/* Writes lower-case hexadecimal. */
bool sha256_text(const struct bytes *bytes, char text[SHA256_TEXT], struct failure *failure);

#endif
