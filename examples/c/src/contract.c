#include "contract.h"

#include <stdlib.h>
#include <string.h>

static const char CONTRACT[] = "contract.json";

bool contract_classifies(const struct contract *contract)
{
    return contract->task == BINARY || contract->task == MULTICLASS;
}

static bool parse_graphs(const struct place *place, struct contract *contract)
{
    const json_t *graphs = get_object(place, contract->json, "graphs");
    if (graphs == NULL)
        return false;
    contract->files[DEFAULT] = get_text(place, graphs, "default");
    if (contract->files[DEFAULT] != NULL && json_object_get(graphs, "certified") != NULL)
        contract->files[CERTIFIED] = get_text(place, graphs, "certified");
    return contract->files[DEFAULT] != NULL &&
           (contract->files[CERTIFIED] != NULL || json_object_get(graphs, "certified") == NULL);
}

static bool parse_task(const struct place *place, struct contract *contract)
{
    static const char *const TASKS[] = {"binary",    "multiclass",     "regression", "multilabel", "tagging",
                                        "embedding", "language_model", "tensors"};
    const char *task = get_text(place, contract->json, "task");
    if (task == NULL)
        return false;
    for (enum task known = BINARY; known <= TENSORS; known++)
        if (strcmp(task, TASKS[known]) == 0) {
            contract->task = known;
            return true;
        }
    return malformed(place, "unknown task '%s'; update this program", task);
}

/* The certified graph gives the default graph's outputs, error_bound, and for a classifier certified. */
static bool add_certified_outputs(const struct place *place, struct contract *contract)
{
    const struct specs *plain = &contract->outputs[DEFAULT];
    struct specs *certified = &contract->outputs[CERTIFIED];
    size_t bounded = find_spec(plain, contract_classifies(contract) ? "logits" : "value");
    if (contract->task > REGRESSION)
        return malformed(place, "it names a certified graph, which its task cannot have");
    certified->items = calloc(plain->count + 2, sizeof *certified->items);
    if (certified->items == NULL)
        return fail_memory(place->failure);
    memcpy(certified->items, plain->items, plain->count * sizeof *plain->items);
    certified->count = plain->count;
    certified->items[certified->count] = plain->items[bounded];
    certified->items[certified->count++].name = "error_bound";
    if (contract_classifies(contract)) {
        struct spec *flag = &certified->items[certified->count++];
        *flag = plain->items[bounded];
        flag->name = "certified";
        flag->dtype = dtype_named("bool");
        flag->rank = 1;
    }
    return true;
}

static bool parse_contract(const struct place *place, struct contract *contract)
{
    contract->name = get_text(place, contract->json, "name");
    if (contract->name == NULL || !parse_task(place, contract) ||
        !specs_parse(place, contract->json, "inputs", &contract->inputs) ||
        !specs_parse(place, contract->json, "outputs", &contract->outputs[DEFAULT]) ||
        !features_parse(place, contract->json, &contract->features) ||
        !missing_read(place, contract->json, &contract->missing) || !parse_graphs(place, contract))
        return false;
    if (json_array_size(json_object_get(contract->json, "operators")) > 0)
        return malformed(place, "it uses operators outside the ONNX standard, which this program does not allow");
    contract->classes = get_array(place, contract->json, "classes");
    contract->targets = contract->classes == NULL ? NULL : get_array(place, contract->json, "targets");
    return contract->targets != NULL && contract_check(contract, place) &&
           (contract->files[CERTIFIED] == NULL || add_certified_outputs(place, contract));
}

bool contract_read(struct contract *contract, const struct package *package, struct failure *failure)
{
    const struct place place = {package->folder, CONTRACT, failure};
    *contract = (struct contract){.json = package_read_json(package, &place)};
    if (contract->json != NULL && parse_contract(&place, contract))
        return true;
    contract_free(contract);
    return false;
}

void contract_free(struct contract *contract)
{
    free(contract->inputs.items);
    free(contract->outputs[DEFAULT].items);
    free(contract->outputs[CERTIFIED].items);
    features_free(&contract->features);
    missing_free(&contract->missing);
    json_decref(contract->json);
    *contract = (struct contract){0};
}
