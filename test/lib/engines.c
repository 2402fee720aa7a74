#include "engines.h"

#include <memfold/guard.h>

#include <stdio.h>
#include <stdlib.h>

/*
 * UBSan's function sanitizer looks for a type hash in front of the callee; code made at run time has none
 * there, and may begin where a page begins.
 */
#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

void engines_must(mf_status status, const mf_diag *diag, const char *doing) {
    if (status == MF_OK)
        return;
    printf("%s: %s: %s\n", doing, mf_status_name(status), diag->message);
    exit(1);
}

/* ---- Calls: one of four signatures by (base, index), for each way of reporting ---- */

typedef struct call {
    mf_accessor_fn *function;
    const mf_accessor_options *options;
    mf_operation operation;
    uint64_t index;
    uint64_t value; /* to store, or loaded */
} call;

CALLS_MADE_CODE static mf_load_result call_load(const call *c, mf_view *view) {
    bool at = c->options->base == MF_BASE_ARGUMENT;
    bool u33 = c->options->index == MF_INDEX_U33;
    if (at && u33)
        return ((mf_load_at_u33_fn *)c->function)(view, view->base, c->index);
    if (at)
        return ((mf_load_at_fn *)c->function)(view, view->base, (uint32_t)c->index);
    if (u33)
        return ((mf_load_u33_fn *)c->function)(view, c->index);
    return ((mf_load_fn *)c->function)(view, (uint32_t)c->index);
}

CALLS_MADE_CODE static uint64_t call_load_trap(const call *c, mf_view *view) {
    bool at = c->options->base == MF_BASE_ARGUMENT;
    bool u33 = c->options->index == MF_INDEX_U33;
    if (at && u33)
        return ((mf_load_trap_at_u33_fn *)c->function)(view, view->base, c->index);
    if (at)
        return ((mf_load_trap_at_fn *)c->function)(view, view->base, (uint32_t)c->index);
    if (u33)
        return ((mf_load_trap_u33_fn *)c->function)(view, c->index);
    return ((mf_load_trap_fn *)c->function)(view, (uint32_t)c->index);
}

CALLS_MADE_CODE static uint32_t call_store(const call *c, mf_view *view) {
    bool at = c->options->base == MF_BASE_ARGUMENT;
    bool u33 = c->options->index == MF_INDEX_U33;
    if (at && u33)
        return ((mf_store_at_u33_fn *)c->function)(view, view->base, c->index, c->value);
    if (at)
        return ((mf_store_at_fn *)c->function)(view, view->base, (uint32_t)c->index, c->value);
    if (u33)
        return ((mf_store_u33_fn *)c->function)(view, c->index, c->value);
    return ((mf_store_fn *)c->function)(view, (uint32_t)c->index, c->value);
}

CALLS_MADE_CODE static void call_store_trap(const call *c, mf_view *view) {
    bool at = c->options->base == MF_BASE_ARGUMENT;
    bool u33 = c->options->index == MF_INDEX_U33;
    if (at && u33)
        ((mf_store_trap_at_u33_fn *)c->function)(view, view->base, c->index, c->value);
    else if (at)
        ((mf_store_trap_at_fn *)c->function)(view, view->base, (uint32_t)c->index, c->value);
    else if (u33)
        ((mf_store_trap_u33_fn *)c->function)(view, c->index, c->value);
    else
        ((mf_store_trap_fn *)c->function)(view, (uint32_t)c->index, c->value);
}

static void guarded_body(mf_view *view, void *context) {
    call *c = context;
    if (c->operation == MF_LOAD)
        c->value = call_load_trap(c, view);
    else
        call_store_trap(c, view);
}

static engine_result access_trapping(call *c, mf_view *view) {
    engine_result result = {0};
    if (!mf_guard_run(view, guarded_body, c, &result.caught))
        result.status = result.caught.kind;
    else if (c->operation == MF_LOAD)
        result.value = c->value;
    return result;
}

engine_result subject_access(subject *s, mf_accessor_id id, uint64_t index, uint64_t value) {
    mf_operation operation = mf_accessor_info_get(id)->operation;
    call c = {mf_accessors_member(s->code.set, id), &s->options, operation, index, value};
    if (s->options.on_fault == MF_ON_FAULT_TRAP)
        return access_trapping(&c, s->view);
    if (operation == MF_STORE)
        return (engine_result){.status = call_store(&c, s->view)};
    mf_load_result loaded = call_load(&c, s->view);
    return (engine_result){.value = loaded.value, .status = loaded.status};
}

/* ---- Life ---- */

static void view_open(subject *s) {
    if (s->view == &s->further)
        mf_view_attach(&s->further, s->memory);
    else
        s->view = mf_memory_view(s->memory);
}

void subject_init(subject *s, const engine *engine, mf_memory *memory, const mf_accessor_options *options,
                  bool use_further_view) {
    *s = (subject){.engine = engine, .memory = memory, .options = *options};
    s->options.backend = engine->backend;
    s->view = use_further_view ? &s->further : NULL;
    view_open(s);
    subject_renew(s);
}

void subject_fini(subject *s) {
    if (s->code.set != NULL)
        s->engine->release(s->code);
    if (s->view == &s->further)
        mf_view_detach(s->view);
    mf_memory_destroy(s->memory);
    *s = (subject){0};
}

/* The new accessors are taken before the old ones go, so that the same code may be found again. */
void subject_renew(subject *s) {
    engine_code old = s->code;
    if (s->options.base == MF_BASE_CONSTANT)
        s->options.base_address = (uint64_t)(uintptr_t)mf_memory_view(s->memory)->base;
    s->code = s->engine->acquire(s->memory, &s->options);
    if (old.set != NULL)
        s->engine->release(old);
}

mf_memory *subject_move(subject *s, mf_memory *memory) {
    mf_memory *old = s->memory;
    if (s->view == &s->further)
        mf_view_detach(s->view);
    s->memory = memory;
    view_open(s);
    if (s->options.base == MF_BASE_CONSTANT)
        subject_renew(s);
    return old;
}
