/* parity predict|verify: a package's predictions, and whether it is the one that was exported. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "predict.h"
#include "replay.h"

static const char USAGE[] =
    "usage: parity predict [--certified] [--bits] [--digest ID] PACKAGE ROW...\n"
    "       parity verify [--digest ID] PACKAGE\n"
    "\n"
    "predict  predicts rows (0.1,0.9), or - for rows on stdin, one a line; an empty cell is a missing one\n"
    "verify   checks every file against the manifest and replays the test vectors\n"
    "\n"
    "--certified   run the certified graph, and say what it certifies\n"
    "--bits        print every output, its floats as their bits in hexadecimal\n"
    "--digest ID   take this package or none\n"
    "\n"
    "Exits with 0; 1 after an error; 2 where it was called wrongly; 3 where a check failed.\n";

struct options {
    bool verify, certified, bits;
    const char *digest, *package;
    struct lines rows;
};

/* A package that has been opened; `parity` works with one. */
struct opened {
    struct runtime runtime;
    struct package package;
    struct contract contract;
};

static bool parse_options(struct options *options, int count, char **arguments)
{
    int next = 2;
    if (count < 3 || (strcmp(arguments[1], "predict") != 0 && strcmp(arguments[1], "verify") != 0))
        return false;
    options->verify = strcmp(arguments[1], "verify") == 0;
    /* Options end at the package, so that a row may begin with a minus. */
    for (; next < count && strncmp(arguments[next], "--", 2) == 0; next++) {
        if (strcmp(arguments[next], "--digest") == 0 && next + 1 < count)
            options->digest = arguments[++next];
        else if (strcmp(arguments[next], "--certified") == 0 && !options->verify)
            options->certified = true;
        else if (strcmp(arguments[next], "--bits") == 0 && !options->verify)
            options->bits = true;
        else
            return false;
    }
    if (next == count)
        return false;
    options->package = arguments[next++];
    options->rows = (struct lines){arguments + next, (size_t)(count - next)};
    return options->verify == (options->rows.count == 0);
}

static bool open_package(struct opened *opened, const struct options *options, struct failure *failure)
{
    return package_open(&opened->package, options->package, options->digest, failure) &&
           contract_read(&opened->contract, &opened->package, failure) && runtime_open(&opened->runtime, failure);
}

static void close_package(struct opened *opened)
{
    runtime_close(&opened->runtime);
    contract_free(&opened->contract);
    package_close(&opened->package);
}

static bool run_predict(const struct opened *opened, const struct options *options, struct failure *failure)
{
    struct session session;
    struct lines typed = {0};
    const bool piped = options->rows.count == 1 && strcmp(options->rows.items[0], "-") == 0;
    if (!rows_supported(&opened->contract, failure) ||
        !session_open(&session, &opened->runtime, &opened->package, &opened->contract,
                      options->certified ? CERTIFIED : DEFAULT, failure))
        return false;
    bool done = (!piped || lines_read(&typed, stdin, failure)) &&
                predict(&session, &opened->contract, piped ? &typed : &options->rows, options->bits, failure);
    lines_free(&typed);
    session_close(&session);
    return done;
}

static bool replay_graph(const struct opened *opened, const struct test_vectors *vectors, enum graph graph,
                         struct tally *tally, struct failure *failure)
{
    struct session session;
    static const char *const NAMES[] = {"default", "certified"};
    if (!session_open(&session, &opened->runtime, &opened->package, &opened->contract, graph, failure))
        return false;
    printf("  %-9s  has the inputs and outputs of contract.json\n", NAMES[graph]);
    bool done = replay(vectors, &session, NAMES[graph], tally, failure);
    session_close(&session);
    return done;
}

static bool run_verify(const struct opened *opened, struct failure *failure)
{
    struct test_vectors vectors;
    struct tally tally = {0};
    if (!package_check(&opened->package, failure))
        return false;
    printf("%s: %zu files are as they were packaged\n", opened->package.folder,
           json_object_size(opened->package.files));
    if (!test_vectors_read(&vectors, &opened->package, &opened->contract, failure))
        return false;
    bool done = replay_graph(opened, &vectors, DEFAULT, &tally, failure) &&
                (opened->contract.files[CERTIFIED] == NULL ||
                 replay_graph(opened, &vectors, CERTIFIED, &tally, failure));
    test_vectors_free(&vectors);
    if (done && (tally.failed > 0 || tally.compared == 0))
        done = fail(failure, EXIT_REFUSED, "%s does not pass its test vectors here: %zu of %zu values differ",
                    opened->package.folder, tally.failed, tally.compared);
    if (done)
        printf("package %s\n", opened->package.id);
    return done;
}

int main(int count, char **arguments)
{
    struct options options = {0};
    struct opened opened = {0};
    struct failure failure = {0};
    if (!parse_options(&options, count, arguments)) {
        fputs(USAGE, stderr);
        return EXIT_USAGE;
    }
    bool done = open_package(&opened, &options, &failure) &&
                (options.verify ? run_verify(&opened, &failure) : run_predict(&opened, &options, &failure));
    close_package(&opened);
    if (fflush(stdout) != 0 && done)
        done = fail(&failure, EXIT_ERROR, "the predictions cannot be written: %s", strerror(errno));
    if (!done)
        fprintf(stderr, "parity: %s\n", failure.text);
    return done ? EXIT_SUCCESS : failure.exit_code;
}
