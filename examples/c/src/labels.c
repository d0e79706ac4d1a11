#include "labels.h"

#include <inttypes.h>

bool labels_check(const struct contract *contract, const struct specs *specs, const struct tensor *outputs,
                  struct failure *failure)
{
    const bool tags = contract->task == TAGGING;
    const size_t found = find_spec(specs, tags ? "tags" : "label"), classes = json_array_size(contract->classes);
    if (!(contract_classifies(contract) || tags) || found == specs->count)
        return true;
    for (size_t i = 0; i < outputs[found].count; i++) {
        const int64_t label = tensor_integer(&outputs[found], i);
        if (label < 0 || (uint64_t)label >= classes)
            return fail(failure, EXIT_REFUSED,
                        "%s predicts the %s %" PRId64 ", but its contract has %zu classes, 0 to %zu: none of its "
                        "predictions can be trusted; export the model again",
                        contract->name, tags ? "tag" : "label", label, classes, classes - 1);
    }
    return true;
}
