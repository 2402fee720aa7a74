/* memfold plan: the check of every accessor as text. */
#include "command.h"
#include "options.h"

#include <memfold/plan.h>

#include <stdio.h>
#include <stdlib.h>

typedef struct plan_request {
    command_operands operands;
    mf_layout_format format;
    mf_accessor_options accessors;
} plan_request;

static error_t plan_parse(int key, char *word, struct argp_state *state) {
    plan_request *request = state->input;
    if (key == ARGP_KEY_INIT) {
        command_init(state);
        state->child_inputs[0] = &request->accessors;
        state->child_inputs[1] = &request->format;
        return 0;
    }
    return operands_take(&request->operands, key, word, state);
}

static const char *const plan_operands[] = {"LAYOUT"};
static const struct argp_child plan_children[] = {
    {&placed_accessor_argp, 0, NULL, 0}, {&format_argp, 0, NULL, 0}, {&help_argp, 0, NULL, 0}, {0}};
static const struct argp plan_argp = {
    NULL,          plan_parse,
    "LAYOUT",      "Prints the check of every accessor and its constants, one line each.",
    plan_children, NULL,
    NULL};

static void print_line(const mf_plan *plan) {
    char text[512];
    if (mf_plan_print(plan, text, sizeof text) >= sizeof text)
        abort();
    puts(text);
}

/* All plans come before the first line, so that a refused strategy prints none. */
static int print_plans(const mf_layout *layout, const plan_request *request) {
    mf_plan plans[MF_ACCESSOR_COUNT];
    mf_diag diag = {0};
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (mf_plan_make(layout, id, &request->accessors, &plans[id], &diag) != MF_OK)
            return fail_diag(&diag, request->operands.values[0]);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        print_line(&plans[id]);
    return 0;
}

int plan_main(int argc, char **argv) {
    plan_request request = {.operands = {.names = plan_operands, .count = 1}};
    command_parse(&plan_argp, "memfold plan", 0, argc, argv, &request);
    mf_layout_file file = {0};
    int code = layout_read(request.operands.values[0], request.format, &file);
    if (code == 0)
        code = print_plans(file.layout, &request);
    mf_layout_file_fini(&file);
    return code;
}
