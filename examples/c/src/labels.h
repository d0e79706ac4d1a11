/* The labels that a graph gives: indices into the contract's classes, or nothing that it gives can be trusted. */
#ifndef PARITY_LABELS_H
#define PARITY_LABELS_H

#include "contract.h"

/* Refuses a label that is no class. `outputs` has a tensor for each of the specs; a contract without classes passes. */
bool labels_check(const struct contract *contract, const struct specs *specs, const struct tensor *outputs,
                  struct failure *failure);

#endif
