/* The prover: tries what the contract may be ruled by, asks the solver, and says what came out. */
#include "verify/code.h"

#include "verify/oblige.h"
#include "verify/refute.h"
#include "verify/solve.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verify_prover {
    spec spec;
    decoder *decoder;
    solver *solver;
    uint8_t *pages[2]; /* by mf_operation: which pages permit it; NULL: not asked yet */
};

static const mf_accessor_options DEFAULT_OPTIONS;

#define DEFAULT_MILLISECONDS 10000
#define DEFAULT_MEMORY_MIB 1024

/* ---- Options ---- */

static mf_status check_options(const mf_accessor_options *options, mf_diag *diag) {
#define MF_X(ID, type, field, largest)                                                                       \
    if ((uint64_t)options->field > (uint64_t)(largest))                                                      \
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)options->field,                              \
                           "there is no " #field " %llu", (unsigned long long)options->field);
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    if (options->on_fault == MF_ON_FAULT_BRANCH)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)options->on_fault,
                           "accessors have no block to branch to");
    return MF_OK;
}

mf_status verify_prover_create(const mf_layout *layout, const mf_accessor_options *options,
                               const mf_verify_limits *limits, verify_prover **prover, mf_diag *diag) {
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    mf_status status = check_options(options, diag);
    if (status != MF_OK)
        return status;
    verify_prover *v = calloc(1, sizeof *v);
    mf_verify_limits set = limits == NULL ? (mf_verify_limits){0} : *limits;
    if (set.milliseconds == 0)
        set.milliseconds = DEFAULT_MILLISECONDS;
    if (set.memory_mib == 0)
        set.memory_mib = DEFAULT_MEMORY_MIB;
    if (v != NULL) {
        v->decoder = decoder_create();
        v->solver = solver_create(&set);
    }
    if (v == NULL || v->decoder == NULL || v->solver == NULL) {
        verify_prover_destroy(v);
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a prover");
    }
    v->spec = spec_make(layout, options);
    *prover = v;
    return MF_OK;
}

void verify_prover_destroy(verify_prover *v) {
    if (v == NULL)
        return;
    decoder_destroy(v->decoder);
    solver_destroy(v->solver);
    free(v->pages[MF_LOAD]);
    free(v->pages[MF_STORE]);
    free(v);
}

/* ---- One proof ---- */

/* One accessor. */
typedef struct proof {
    verify_prover *v;
    const verify_code *code;
    const verify_function *function;
    verify_state *state; /* of a counterexample; may be NULL */
    terms t;
    paths paths;
    duty *duties; /* by path, and those on wrong ways */
    duty *wrong_ways;
    uint64_t *values;
    uint64_t *variables;
    mf_verify_result *result;
    bool has_failed; /* the host has no memory */
} proof;

static void set_reason(proof *p, const char *reason) {
    p->result->verdict = MF_VERDICT_NOT_PROVED;
    snprintf(p->result->reason, sizeof p->result->reason, "%s", reason);
}

static bool looks_up(const proof *p, term_space space) {
    for (uint32_t i = 0; i < p->paths.count; i++)
        for (uint32_t n = 0; n < p->paths.paths[i].lookup_count; n++)
            if (p->paths.paths[i].lookups[n].space == space)
                return true;
    return false;
}

static bool asks_runtime(const proof *p) {
    for (uint32_t i = 0; i < p->paths.count; i++)
        if (p->paths.paths[i].question.count > 0)
            return true;
    return false;
}

static bool asks_mmu(const proof *p) {
    for (uint32_t i = 0; i < p->paths.count; i++)
        if (p->paths.paths[i].mmu != PATH_MMU_NOT_ASKED)
            return true;
    return false;
}

static contract make_duties(proof *p, const attempt *a) {
    contract c = contract_make(&p->v->spec, &p->t, &p->paths.inputs, p->function, a);
    bool looks = looks_up(p, TERM_PERMS) || looks_up(p, TERM_TABLE);
    for (uint32_t i = 0; i < p->paths.count; i++) {
        const path *way = &p->paths.paths[i];
        duty_make(&p->duties[i], &p->t, &p->paths, way, &c);
        duty_make_on_wrong_ways(&p->wrong_ways[i], &p->t, &p->paths, way, &c, a, looks);
    }
    return c;
}

/* ---- Questions ---- */

static bool make_room_for_values(proof *p) {
    uint64_t *values = realloc(p->values, p->t.count * sizeof *values);
    if (values != NULL)
        p->values = values;
    uint64_t *variables = realloc(p->variables, (p->t.variable_count + 1) * sizeof *variables);
    if (variables != NULL)
        p->variables = variables;
    p->has_failed = p->has_failed || values == NULL || variables == NULL;
    return !p->has_failed;
}

/* That a duty is taken and not kept. */
static term is_broken(proof *p, const duty *d) {
    return term_and(&p->t, d->taken, term_not(&p->t, duty_kept(&p->t, d)));
}

/* Whether any of all duties is ever broken: one question. */
static answer ask_all(proof *p) {
    term any = term_const(&p->t, 1, 0);
    for (uint32_t i = 0; i < p->paths.count; i++) {
        any = term_or(&p->t, any, is_broken(p, &p->duties[i]));
        any = term_or(&p->t, any, is_broken(p, &p->wrong_ways[i]));
    }
    solver_begin(p->v->solver);
    solver_require(p->v->solver, any);
    return solver_ask(p->v->solver);
}

/* ---- Attempts ---- */

static void note_counterexample(proof *p, const contract *c, bool names_pages) {
    const state_values at = {p->values, p->variables};
    finding f;
    if (!find_broken(&p->paths, p->duties, p->wrong_ways, &at, &f)) {
        set_reason(p, "the solver's counterexample is none");
        return;
    }
    p->result->verdict = MF_VERDICT_REFUTED;
    counterexample_make(&p->result->counterexample, &p->t, &p->paths, c, &f, &at, names_pages);
    if (p->state != NULL)
        state_make(p->state, &p->t, &p->paths.inputs, c, &at);
}

/*
 * A counterexample for an arbitrary table, or an MMU that says what it likes, is one only if it is one for
 * what is there: it and the layout's edges are tried.
 */
static void seek_counterexample(proof *p, const attempt *a, const uint64_t *indices, uint32_t count,
                                const char *otherwise) {
    attempt any = *a;
    any.ruling = RULING_BY_ANYTHING;
    contract c = make_duties(p, &any);
    if (try_states(p->code, &p->t, &p->paths, &c, p->duties, p->wrong_ways, indices, count,
                   &p->result->counterexample, p->state))
        p->result->verdict = MF_VERDICT_REFUTED;
    else
        set_reason(p, otherwise);
}

/* True if it is proved; else the result says what is known. */
static bool try_attempt(proof *p, const attempt *a) {
    contract c = make_duties(p, a);
    *p->result = (mf_verify_result){.id = p->function->id, .verdict = MF_VERDICT_PROVED};
    solver_set_table_most(p->v->solver, a->form.is_bits ? UINT8_MAX : 1);
    answer answered = ask_all(p);
    if (p->has_failed || answered == ANSWER_NEVER)
        return true;
    uint64_t index = 0;
    if (answered == ANSWER_VALUES) {
        if (!make_room_for_values(p))
            return true;
        solver_values(p->v->solver, p->values, p->variables);
        index = p->values[c.index];
    }
    bool is_direct =
        a->ruling == RULING_BY_LAYOUT || a->ruling == RULING_BY_PERMS || a->ruling == RULING_BY_ANSWER;
    if (answered == ANSWER_VALUES && is_direct)
        note_counterexample(p, &c, a->ruling == RULING_BY_PERMS);
    else
        seek_counterexample(p, a, &index, 1,
                            answered == ANSWER_UNKNOWN ? "the solver does not answer within its limits"
                                                       : "what is looked up does not decide as it ought to");
    return false;
}

/* ---- Tables ---- */

static const uint8_t *pages_of(proof *p) {
    uint8_t **pages = &p->v->pages[p->function->access.operation];
    if (*pages == NULL) {
        *pages = malloc(MF_SPACE_PAGES);
        if (*pages != NULL)
            spec_fill_pages(&p->v->spec, p->function->access.operation, *pages);
    }
    p->has_failed = p->has_failed || *pages == NULL;
    return *pages;
}

static void note_table(const proof *p, table_form form) {
    const verify_observer *o = &p->code->observer;
    if (o->read_data != NULL)
        o->read_data(o->context, p->function->id, p->paths.table, table_bytes(form));
}

#define FORMS_MAX 16

/* A granule that no table has is left out, and so is a form that is there. */
static void add_form(table_form *forms, uint32_t *count, uint64_t granule_log2, bool is_bits) {
    if (granule_log2 < MF_PAGE_LOG2 || granule_log2 > (is_bits ? 29 : 32) || *count == FORMS_MAX)
        return;
    for (uint32_t i = 0; i < *count; i++)
        if (forms[i].granule_log2 == granule_log2 && forms[i].is_bits == is_bits)
            return;
    forms[(*count)++] = (table_form){(uint32_t)granule_log2, is_bits};
}

/* The forms that the table may have: a word is read for all its bits, a byte for its bits or as an entry. */
static uint32_t list_forms(const proof *p, table_form *forms) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->paths.count; i++)
        for (uint32_t n = 0; n < p->paths.paths[i].lookup_count; n++) {
            const path_lookup *l = &p->paths.paths[i].lookups[n];
            uint64_t shift = path_lookup_shift(&p->t, l->offset);
            uint64_t bits_log2 = l->bytes == 8 ? 6 : l->bytes == 4 ? 5 : l->bytes == 2 ? 4 : 3;
            if (l->bytes == 1)
                add_form(forms, &count, shift, false);
            if (shift > bits_log2)
                add_form(forms, &count, shift - bits_log2, true);
        }
    return count;
}

/* By each form in which the table agrees with the layout; where there is none, its mismatches are tried. */
static void prove_by_table(proof *p, bool knows_hot) {
    table_form forms[FORMS_MAX];
    uint64_t wrong[2 * FORMS_MAX];
    uint32_t wrong_count = 0;
    uint32_t count = list_forms(p, forms);
    const uint8_t *pages = pages_of(p);
    if (pages == NULL)
        return;
    attempt a = {.ruling = RULING_BY_TABLE, .knows_hot = knows_hot};
    bool is_tried = false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t page;
        a.form = forms[i];
        if (!table_agrees(p->code, p->paths.table, forms[i], pages, &page)) {
            wrong[wrong_count++] = page * MF_PAGE_SIZE;
            continue;
        }
        is_tried = true;
        if (try_attempt(p, &a)) {
            note_table(p, forms[i]);
            return;
        }
    }
    if (!is_tried)
        seek_counterexample(p, &a, wrong, wrong_count, "the constant table is none of the layout's");
}

/* ---- Which attempts ---- */

static void prove_by_perms(proof *p, bool has_hot) {
    attempt alone = {.ruling = RULING_BY_PERMS, .memory_alone = true};
    attempt with_hot = {.ruling = RULING_BY_PERMS, .knows_hot = true};
    if (!try_attempt(p, &alone) && has_hot)
        try_attempt(p, &with_hot);
}

/* What the layout allows anyhow needs no answer of the MMU, and compares the layout. */
static void prove_by_mmu(proof *p) {
    attempt by_mmu = {.ruling = RULING_BY_ANYTHING, .memory_alone = true};
    attempt by_layout = {.ruling = RULING_BY_LAYOUT};
    if (try_attempt(p, &by_mmu) || p->v->spec.layout == NULL)
        return;
    mf_verify_result found = *p->result;
    if (!try_attempt(p, &by_layout))
        *p->result = found;
}

static void choose_attempts(proof *p) {
    const mf_accessor_options *options = &p->v->spec.options;
    attempt plain = {.ruling = RULING_BY_LAYOUT};
    attempt by_answer = {.ruling = RULING_BY_ANSWER};
    bool has_hot = options->hot_percent > 0 && p->v->spec.layout != NULL;
    bool by_perms = looks_up(p, TERM_PERMS);
    bool by_table = looks_up(p, TERM_TABLE);
    bool is_checked = options->policy == MF_POLICY_PERMS && !asks_mmu(p);
    bool is_asked = asks_runtime(p);
    if ((by_perms || by_table) && (!is_checked || is_asked || (by_perms && by_table)))
        set_reason(p, "looks up a table where something else decides");
    else if (is_asked && !is_checked)
        set_reason(p, "asks the runtime where something else decides");
    else if (is_asked)
        try_attempt(p, &by_answer);
    else if (asks_mmu(p))
        prove_by_mmu(p);
    else if (by_perms)
        prove_by_perms(p, has_hot);
    else if (p->v->spec.layout == NULL)
        set_reason(p, "does not ask the memory, and so is not exact for every layout");
    else if (by_table)
        prove_by_table(p, has_hot);
    else
        try_attempt(p, &plain);
}

/* ---- From the code to a result ---- */

static void prove(proof *p) {
    paths_find(&p->paths, &p->t, p->v->decoder, p->code, &p->v->spec.options, p->function);
    p->has_failed = p->paths.has_failed;
    if (p->has_failed)
        return;
    if (p->paths.reason[0] != '\0') {
        set_reason(p, p->paths.reason);
        return;
    }
    solver_use(p->v->solver, &p->t);
    p->duties = calloc(p->paths.count, sizeof *p->duties);
    p->wrong_ways = calloc(p->paths.count, sizeof *p->wrong_ways);
    p->has_failed = p->duties == NULL || p->wrong_ways == NULL;
    if (!p->has_failed)
        choose_attempts(p);
}

mf_status verify_prover_prove_function(verify_prover *prover, const verify_code *code,
                                       const verify_function *function, mf_verify_result *result,
                                       verify_state *state, mf_diag *diag) {
    mf_verify_result found = {.id = function->id, .verdict = MF_VERDICT_NOT_PROVED};
    verify_state found_state = {0};
    assert(function->is_embedded || function->value != VERIFY_VALUE_VECTORS);
    proof p = {.v = prover,
               .code = code,
               .function = function,
               .result = &found,
               .state = function->is_embedded ? &found_state : NULL};
    p.has_failed = !terms_init(&p.t);
    if (!p.has_failed)
        prove(&p);
    bool has_failed = p.has_failed || p.t.has_failed;
    paths_fini(&p.paths);
    free(p.duties);
    free(p.wrong_ways);
    free(p.values);
    free(p.variables);
    terms_fini(&p.t);
    if (has_failed)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a proof");
    *result = found;
    if (state != NULL)
        *state = found_state;
    return MF_OK;
}

mf_status verify_prover_prove(verify_prover *prover, const verify_code *code, mf_accessor_id id,
                              mf_verify_result *result, mf_diag *diag) {
    const mf_accessor_info *info = mf_accessor_info_get(id);
    const verify_function accessor = {
        .id = id,
        .entry = code->accessors[id],
        .access = {info->operation, info->width_bytes, 8 * info->width_bytes, info->sign_extends},
        .value = VERIFY_VALUE_WORD};
    return verify_prover_prove_function(prover, code, &accessor, result, NULL, diag);
}

mf_status verify_prover_prove_all(verify_prover *prover, const verify_code *code, mf_verify_report *report,
                                  mf_diag *diag) {
    mf_verify_report found = {.all_proved = true};
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        mf_status status = verify_prover_prove(prover, code, id, &found.results[id], diag);
        if (status != MF_OK)
            return status;
        found.all_proved = found.all_proved && found.results[id].verdict == MF_VERDICT_PROVED;
    }
    *report = found;
    return MF_OK;
}
