/* The inputs and outputs of a model, its features and classes: contract.json. */
#ifndef PARITY_CONTRACT_H
#define PARITY_CONTRACT_H

#include "feature.h"
#include "missing.h"
#include "package.h"
#include "spec.h"

enum task { BINARY, MULTICLASS, REGRESSION, MULTILABEL, TAGGING, EMBEDDING, LANGUAGE_MODEL, TENSORS };
enum graph { DEFAULT, CERTIFIED, GRAPHS };

/* Names and texts belong to `json`. */
struct contract {
    json_t *json;
    const char *name;
    enum task task;
    struct specs inputs, outputs[GRAPHS]; /* the certified graph gives more outputs */
    struct features features;
    struct missing missing;
    const json_t *classes; /* texts or integers by label; empty unless a classifier */
    const json_t *targets;
    const char *files[GRAPHS]; /* NULL where there is no such graph */
};

bool contract_read(struct contract *contract, const struct package *package, struct failure *failure);
void contract_free(struct contract *contract);

bool contract_classifies(const struct contract *contract);

/* Refuses what contradicts itself; contract_read calls it. */
bool contract_check(const struct contract *contract, const struct place *place);

#endif
