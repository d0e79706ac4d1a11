#include "labels.h"

#include <inttypes.h>

/* What an output of indices is called, what one of them is, and what they point into. */
struct indices {
    const char *output, *one, *many;
    uint64_t count;
};

static struct indices indices_of(const struct contract *contract, const struct specs *specs)
{
    const uint64_t classes = json_array_size(contract->classes);
    const size_t logits = find_spec(specs, "logits");
    switch (contract->task) {
    case BINARY:
    case MULTICLASS:
        return (struct indices){"label", "label", "classes", classes};
    case TAGGING:
        return (struct indices){"tags", "tag", "classes", classes};
    case LANGUAGE_MODEL: /* the contract was checked: it has logits, and their last size is a number */
        return (struct indices){"tokens", "token", "tokens", (uint64_t)specs->items[logits].sizes[2]};
    default:
        return (struct indices){0};
    }
}

bool labels_check(const struct contract *contract, const struct specs *specs, const struct tensor *outputs,
                  struct failure *failure)
{
    const struct indices indices = indices_of(contract, specs);
    const size_t found = indices.output == NULL ? specs->count : find_spec(specs, indices.output);
    if (found == specs->count)
        return true;
    for (size_t i = 0; i < outputs[found].count; i++) {
        const int64_t index = tensor_integer(&outputs[found], i);
        if (index < 0 || (uint64_t)index >= indices.count)
            return fail(failure, EXIT_REFUSED,
                        "%s predicts the %s %" PRId64 ", but its contract has %" PRIu64 " %s, 0 to %" PRIu64 ": none of "
                        "its predictions can be trusted; export the model again",
                        contract->name, indices.one, index, indices.count, indices.many, indices.count - 1);
    }
    return true;
}
