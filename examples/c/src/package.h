/* A package folder: its manifest, and its files, each checked before it is used. */
#ifndef PARITY_PACKAGE_H
#define PARITY_PACKAGE_H

#include "file.h"
#include "json.h"

/* The file of large tensors; a graph's tensor that lies in it has exactly this text as its location. */
extern const char WEIGHTS[];

struct package {
    const char *folder;
    char id[SHA256_TEXT]; /* sha256 of manifest.json: it names every byte of the package */
    json_t *manifest;
    json_t *files; /* name -> {sha256, size}; every entry has been checked for its form */
    json_t *tensors; /* name -> {offset, length, sha256} in weights.bin; NULL where there is no such file */
};

/* `digest` is the package id that is expected; NULL takes any. */
bool package_open(struct package *package, const char *folder, const char *digest, struct failure *failure);
void package_close(struct package *package);

/* Reads a file and checks it against the manifest; the bytes that were checked are the ones to use. */
bool package_read(const struct package *package, const char *name, struct bytes *bytes, struct failure *failure);

/* The same for a JSON file; NULL on failure. */
json_t *package_read_json(const struct package *package, const struct place *place);

/* Checks every file, and that the folder holds no other. */
bool package_check(const struct package *package, struct failure *failure);

#endif
