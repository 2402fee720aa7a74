// Code that is wrong in one way is refuted, and its counterexample is one: executed, the code does something
// else than the contract says. A sweep refutes it as well, but for what no call shows. Without a change the
// same maker's code is proved.
//
// RUN: %cc -I%source/gen -I%S/lib -I%llvm-include %s %S/lib/mutants.c %S/lib/mutant_maker.c %S/lib/rerun.c %S/lib/sample_layouts.c %source/test/lib/reference.c -o %t %verify %gen && %t | FileCheck %s
//
// What destroys its process on purpose, dozens of times, ends otherwise under a sanitizer; what is made
// stays.
//
// UNSUPPORTED: sanitizer
//
// CHECK: limit one too high: refuted, seen, swept
// CHECK: second page dropped: refuted, seen, swept
// CHECK: permissions of a former layout: refuted, seen, swept
// CHECK: mask dropped: refuted, not seen, not swept
// CHECK: store before the check, and too wide: refuted, seen, swept
// CHECK: fault call lost: refuted, seen, swept
// CHECK: zero extension dropped: refuted, seen, swept
// CHECK: direction flag set: refuted, seen, swept
// CHECK: entry of the exception table one byte off: refuted, seen, swept
// CHECK: patch of the wrong hole: refuted, seen, swept
// CHECK: {{^(7[0-9]|8[0-9])}} mutants, 0 not as they should be
#include "mutants.h"
#include "rerun.h"

#include <memfold/sweep.h>
#include <memfold/verify.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(mf_status status, const mf_diag *diag, const char *doing) {
    if (status == MF_OK)
        return;
    printf("%s: %s: %s\n", doing, mf_status_name(status), diag->message);
    exit(1);
}

/* A mutant's code for a memory. */
typedef struct trial {
    mf_layout *layout;
    mf_accessor_options options;
    mf_memory *memory;
    mf_jit *jit;
    mf_code *code;
} trial;

static void trial_init(trial *t, sample sample, const mf_accessor_options *options) {
    const mf_memory_config memory = {.backend = options->backend, .huge_pages = MF_HUGE_PAGES_NEVER};
    const mf_jit_config jit = {.maker = &mutant_maker};
    mf_diag diag;
    *t = (trial){.layout = sample_layout(sample), .options = *options};
    must(mf_memory_create_with(t->layout, NULL, &memory, &t->memory, &diag), &diag, "memory");
    must(mf_jit_create(&jit, &t->jit, &diag), &diag, "jit");
    must(mf_jit_get_for(t->jit, t->memory, options, &t->code, &diag), &diag, "get");
}

static void trial_fini(trial *t) {
    mf_code_release(t->code);
    mf_jit_destroy(t->jit);
    mf_memory_destroy(t->memory);
    mf_layout_release(t->layout);
}

static mf_verify_report *prove(const trial *t) {
    static mf_verify_report report;
    const mf_verify_subject subject = {.accessors = mf_code_accessors(t->code)};
    mf_diag diag;
    must(mf_verify_accessors(t->layout, &t->options, &subject, NULL, &report, &diag), &diag, "verify");
    return &report;
}

/* The first accessor with another verdict than that it is proved: refuted if there is one. */
static const mf_verify_result *find_result(const mf_verify_report *report) {
    const mf_verify_result *found = NULL;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        const mf_verify_result *r = &report->results[id];
        if (r->verdict == MF_VERDICT_REFUTED && (found == NULL || found->verdict != MF_VERDICT_REFUTED))
            found = r;
        if (r->verdict == MF_VERDICT_NOT_PROVED && found == NULL)
            found = r;
    }
    return found;
}

static void print_results(const mf_verify_report *report) {
    char text[4096];
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        mf_verify_print(&report->results[id], text, sizeof text);
        if (report->results[id].verdict != MF_VERDICT_PROVED)
            printf("    %s\n", text);
    }
}

static bool is_swept(const trial *t, mf_accessor_id id) {
    const mf_sweep_request request = {.samples = 200, .seconds = 1, .accessors = UINT32_C(1) << id};
    mf_sweep_report report;
    mf_diag diag;
    must(mf_sweep_run(t->memory, mf_code_accessors(t->code), &t->options, &request, &report, &diag), &diag,
         "sweep");
    return report.flaw != MF_SWEEP_NO_FLAW;
}

/* Everything as it should be: true. */
static bool try_mutant(const mutant *m) {
    trial t;
    mutant_choose(m);
    trial_init(&t, m->sample, &m->options);
    const mf_verify_report *report = prove(&t);
    const mf_verify_result *result = find_result(report);
    mf_verdict verdict = result == NULL ? MF_VERDICT_PROVED : result->verdict;
    bool is_seen = verdict == MF_VERDICT_REFUTED &&
                   rerun_differs(mf_accessors_member(mf_code_accessors(t.code), result->id), t.layout,
                                 &t.options, result);
    bool swept = result != NULL && is_swept(&t, result->id);
    printf("%s: %s, %s, %s\n", m->name, mf_verdict_name(verdict), is_seen ? "seen" : "not seen",
           swept ? "swept" : "not swept");
    bool is_right = verdict == (m->is_unknown ? MF_VERDICT_NOT_PROVED : MF_VERDICT_REFUTED) &&
                    is_seen == !m->is_unseen && swept == !m->is_unswept;
    if (!is_right)
        print_results(report);
    trial_fini(&t);
    return is_right;
}

/* Of the mutants, each sample with its options, without the change. */
static bool try_unchanged(const mutant *m) {
    mutant same = {.name = m->name, .by_stencils = m->by_stencils};
    trial t;
    mutant_choose(&same);
    trial_init(&t, m->sample, &m->options);
    const mf_verify_report *report = prove(&t);
    bool is_proved = report->all_proved;
    if (!is_proved) {
        printf("%s, unchanged:\n", m->name);
        print_results(report);
    }
    trial_fini(&t);
    return is_proved;
}

/* Whether an earlier one has the same code without its change. */
static bool is_repeated(size_t n) {
    const mutant *m = &MUTANTS[n];
    for (size_t i = 0; i < n; i++)
        if (MUTANTS[i].sample == m->sample && MUTANTS[i].by_stencils == m->by_stencils &&
            mf_accessor_options_equal(&MUTANTS[i].options, &m->options))
            return true;
    return false;
}

int main(int argc, char **argv) {
    size_t bad = 0;
    size_t count = 0;
    for (size_t i = 0; i < MUTANT_COUNT; i++) {
        if (argc > 1 && strcmp(argv[1], MUTANTS[i].name) != 0)
            continue;
        bad += !try_mutant(&MUTANTS[i]);
        if (!is_repeated(i))
            bad += !try_unchanged(&MUTANTS[i]);
        count++;
    }
    printf("%zu mutants, %zu not as they should be\n", count, bad);
    return bad != 0;
}
