/* client [--backend=copy|paged] [--unchecked] [--stack-top=ADDRESS] [--stats] PROGRAM */
#include "jit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The exit status when it is not the guest's own. */
enum { STATUS_CLIENT = 1, STATUS_USAGE = 2, STATUS_FAULT = 3, STATUS_STOPPED = 4 };

typedef struct arguments {
    const char *program;
    mf_accessor_options options;
    uint64_t stack_top;
    bool wants_stats;
} arguments;

static int complain_usage(void) {
    fprintf(stderr,
            "usage: client [--backend=copy|paged] [--unchecked] [--stack-top=ADDRESS] [--stats] PROGRAM\n");
    return STATUS_USAGE;
}

static bool parse_argument(arguments *a, const char *text) {
    static const char STACK_TOP[] = "--stack-top=";
    if (strcmp(text, "--backend=copy") == 0)
        a->options.backend = MF_BACKEND_COPY;
    else if (strcmp(text, "--backend=paged") == 0)
        a->options.backend = MF_BACKEND_X86_PAGED;
    else if (strcmp(text, "--unchecked") == 0)
        a->options.policy = MF_POLICY_NONE;
    else if (strcmp(text, "--stats") == 0)
        a->wants_stats = true;
    else if (strncmp(text, STACK_TOP, strlen(STACK_TOP)) == 0)
        a->stack_top = strtoull(text + strlen(STACK_TOP), NULL, 0);
    else if (text[0] == '-' || a->program != NULL)
        return false;
    else
        a->program = text;
    return true;
}

/* ---- Running ---- */

static int report_fault(const guest *g) {
    static const char *const KINDS[] = {
        [MF_PAGE_FAULT] = "page fault", [MF_WRITE_PROTECTED] = "write protected"};
    const mf_fault *fault = &g->view->fault;
    printf("%s: %s of %" PRIu64 " bytes at 0x%08" PRIx64 ", page 0x%08" PRIx64 ", pc 0x%08" PRIx32 "\n",
           KINDS[fault->kind], fault->operation == MF_STORE ? "store" : "load", fault->length, fault->address,
           fault->page, g->state.pc);
    return STATUS_FAULT;
}

static int report_stop(const guest *g) {
    printf("stopped at pc 0x%08" PRIx32 "\n", g->state.pc);
    return STATUS_STOPPED;
}

/* UBSan's function sanitizer looks for a type hash in front of the callee; code made at run time has none. */
#ifdef __clang__
__attribute__((no_sanitize("function")))
#endif
static guest_exit
run_code(guest_code *code, guest *g) {
    return (guest_exit)code(&g->state, g->view);
}

/* Runs the guest to its end and returns the exit status. */
static int run(guest *g, jit *j) {
    for (;;) {
        guest_code *code = jit_lookup(j, g->state.pc);
        if (code == NULL)
            return report_stop(g);
        int status;
        switch (run_code(code, g)) {
        case GUEST_GOES_ON:
            break;
        case GUEST_CALLS:
            if (!guest_system_call(g, &status))
                return status;
            g->state.pc += INSTRUCTION_BYTES;
            break;
        case GUEST_FAULTS:
            return report_fault(g);
        case GUEST_STOPS:
            return report_stop(g);
        }
    }
}

static int run_with_stats(guest *g, jit *j) {
    double start = jit_clock_seconds();
    int status = run(g, j);
    double seconds = jit_clock_seconds() - start;
    jit_figures figures = jit_get_figures(j);
    fflush(stdout);
    fprintf(stderr, "regions %u, translate %.2f ms, compile %.2f ms, run %.2f ms\n", figures.regions,
            1e3 * figures.translate_seconds, 1e3 * figures.compile_seconds,
            1e3 * (seconds - figures.translate_seconds - figures.compile_seconds));
    return status;
}

int main(int count, char **texts) {
    arguments a = {.stack_top = GUEST_STACK_TOP};
    guest g;
    for (int i = 1; i < count; i++)
        if (!parse_argument(&a, texts[i]))
            return complain_usage();
    if (a.program == NULL)
        return complain_usage();
    if (!guest_load(&g, a.program, a.options.backend, a.stack_top))
        return STATUS_CLIENT;
    jit *j = jit_create(&g, &a.options);
    int status = j == NULL ? STATUS_CLIENT : a.wants_stats ? run_with_stats(&g, j) : run(&g, j);
    jit_destroy(j);
    guest_unload(&g);
    return status;
}
