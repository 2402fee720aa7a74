/* memfold verify: proves the machine code of every accessor, and calls it. */
#include "command.h"
#include "options.h"
#include "verify_object.h"
#include "verify_sweep.h"

#include <memfold/llvm_maker.h>
#include <memfold/verify.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct verify_request {
    command_operands operands;
    mf_layout_format format;
    given_accessors accessors;
    int engine; /* place in verify_engines, or -1 while not given */
    const char *object_path;
    sweep_options sweep;
} verify_request;

enum { KEY_ENGINE = 0x200, KEY_OBJECT };

static const char verify_engines[] = "jit|stencil";
enum { ENGINE_JIT, ENGINE_STENCIL };

static const struct argp_option verify_options[] = {
    {"engine", KEY_ENGINE, verify_engines, 0, "Who makes the code: LLVM (jit, the default), or the stencils",
     0},
    {"object", KEY_OBJECT, "FILE", 0,
     "Prove the accessors of this object instead, and that it has nothing else", 0},
    {0}};

/* An object says with which options it was made. */
static void check_request(const verify_request *request) {
    sweep_options_check(&request->sweep);
    if (request->object_path == NULL)
        accessor_options_check(&request->accessors.options);
    else if (request->engine >= 0)
        usage_error("--engine makes the code that --object brings");
    else if (strcmp(request->object_path, STANDARD_STREAM) == 0 &&
             strcmp(request->operands.values[0], STANDARD_STREAM) == 0)
        usage_error("LAYOUT and --object are both standard input");
    else if (request->sweep.is_exhaustive || request->sweep.accessors != 0)
        usage_error("--object is proved, and not called");
}

static error_t verify_parse(int key, char *word, struct argp_state *state) {
    verify_request *request = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        command_init(state);
        state->child_inputs[0] = &request->accessors;
        state->child_inputs[1] = &request->format;
        state->child_inputs[2] = &request->sweep;
        return 0;
    case KEY_ENGINE:
        request->engine = choice_take("engine", verify_engines, word);
        return 0;
    case KEY_OBJECT:
        request->object_path = word;
        return 0;
    default:
        return operands_take(&request->operands, key, word, state);
    }
}

static const char *const verify_operands[] = {"LAYOUT"};
static const struct argp_child verify_children[] = {{&given_accessor_argp, 0, NULL, 0},
                                                    {&format_argp, 0, NULL, 0},
                                                    {&sweep_argp, 0, NULL, 0},
                                                    {&help_argp, 0, NULL, 0},
                                                    {0}};
static const struct argp verify_argp = {
    verify_options,
    verify_parse,
    "LAYOUT",
    "Makes the accessors of a layout, proves their machine code against the contract, and calls them at "
    "addresses, one line each.",
    verify_children,
    NULL,
    NULL};

static void print_result(const mf_verify_result *result) {
    size_t bytes = mf_verify_print(result, NULL, 0) + 1;
    char *text = malloc(bytes);
    if (text == NULL)
        abort();
    mf_verify_print(result, text, bytes);
    puts(text);
    free(text);
}

/* Whatever has been found out is printed; only proofs of all accessors are a success. */
static int print_report(const mf_verify_report *report) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        print_result(&report->results[id]);
    return report->all_proved ? 0 : EXIT_BAD_INPUT;
}

static int verify_code(const mf_layout *layout, const verify_request *request, const mf_code *code) {
    const mf_verify_subject subject = {.accessors = mf_code_accessors(code)};
    mf_verify_report report;
    mf_diag diag = {0};
    if (mf_verify_accessors(layout, &request->accessors.options, &subject, NULL, &report, &diag) != MF_OK)
        return fail_diag(&diag, request->operands.values[0]);
    return print_report(&report);
}

static const mf_code_maker *maker_of(const verify_request *request) {
    return request->engine == ENGINE_STENCIL ? NULL : mf_llvm_maker();
}

/* Writes the exit code of the proofs. False if there is no code to prove, which has been said. */
static bool prove_layout(const mf_layout *layout, const verify_request *request, int *result) {
    const mf_jit_config config = {.maker = maker_of(request)};
    mf_jit *jit = NULL;
    mf_code *code = NULL;
    mf_diag diag = {0};
    mf_status status = mf_jit_create(&config, &jit, &diag);
    if (status == MF_OK)
        status = mf_jit_get(jit, layout, &request->accessors.options, &code, &diag);
    *result =
        status == MF_OK ? verify_code(layout, request, code) : fail_diag(&diag, request->operands.values[0]);
    mf_code_release(code);
    mf_jit_destroy(jit);
    return status == MF_OK;
}

/* What is found out by calls is printed whatever was proved. */
static int verify_layout(const mf_layout *layout, const verify_request *request) {
    int proved;
    if (!prove_layout(layout, request, &proved))
        return proved;
    fflush(stdout);
    int swept = verify_sweep(layout, &request->accessors.options, maker_of(request), &request->sweep,
                             request->operands.values[0]);
    return proved != 0 ? proved : swept;
}

int verify_main(int argc, char **argv) {
    verify_request request = {.operands = {.names = verify_operands, .count = 1}, .engine = -1};
    command_parse(&verify_argp, "memfold verify", 0, argc, argv, &request);
    check_request(&request);
    mf_layout_file file = {0};
    int code = layout_read(request.operands.values[0], request.format, &file);
    if (code == 0)
        code = request.object_path == NULL
                   ? verify_layout(file.layout, &request)
                   : verify_object_file(file.layout, request.object_path, &request.accessors, NULL);
    mf_layout_file_fini(&file);
    return code;
}
