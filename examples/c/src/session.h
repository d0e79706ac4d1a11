/* One graph of a package, loaded from bytes that were checked, and ready to run. */
#ifndef PARITY_SESSION_H
#define PARITY_SESSION_H

#include "contract.h"
#include "runtime.h"

struct session {
    const struct runtime *runtime;
    const struct specs *inputs, *outputs; /* the contract's */
    OrtSession *session;
};

/* Opens a graph, and refuses one that does not take and give what the contract says. */
bool session_open(struct session *session, const struct runtime *runtime, const struct package *package,
                  const struct contract *contract, enum graph graph, struct failure *failure);
void session_close(struct session *session);

/* Runs one batch. `inputs` and `outputs` are in the contract's order, one for each; the outputs are to be freed. */
bool session_run(const struct session *session, const struct tensor *inputs, struct tensor *outputs,
                 struct failure *failure);

/* Whether the graph's names, dtypes and shapes are the contract's, and the contract inside it is contract.json. */
bool session_check(const struct session *session, const struct contract *contract, const struct place *place);

#endif
