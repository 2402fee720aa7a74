/* Sets in the client's own buffer. */
#include <memfold/stencil.h>

#include "stencil/write.h"

#include <assert.h>
#include <string.h>

static const mf_accessor_options DEFAULT_OPTIONS;

MF_STATIC_ASSERT(MF_STENCIL_ALIGNMENT == STENCIL_SET_ALIGNMENT, "one alignment");

/* A set that is ready to be written, and its plans. */
typedef struct prepared {
    plan_set plans;
    stencil_set set;
} prepared;

/* To be ended by plan_set_fini, unless it fails. */
static mf_status prepare(const mf_layout *layout, const mf_accessor_options *options, prepared *p,
                         mf_diag *diag) {
#ifndef __x86_64__
    return mf_diag_set(diag, MF_UNKNOWN_TARGET, 0, "there are stencils for x86-64 only");
#endif
    mf_status status = plan_set_make(layout, options, &p->plans, diag);
    if (status != MF_OK)
        return status;
    if (stencil_set_choose(&p->plans, options, &p->set))
        return MF_OK;
    plan_set_fini(&p->plans);
    return mf_diag_set(diag, MF_UNKNOWN_TARGET, 0, "there is no stencil for one of the checks");
}

mf_status mf_stencil_size(const mf_layout *layout, const mf_accessor_options *options, size_t *bytes,
                          mf_diag *diag) {
    prepared p;
    mf_status status = prepare(layout, options == NULL ? &DEFAULT_OPTIONS : options, &p, diag);
    if (status != MF_OK)
        return status;
    *bytes = p.set.code_bytes;
    plan_set_fini(&p.plans);
    return MF_OK;
}

static mf_stencil_set describe(const prepared *p, plan_fit fit) {
    mf_stencil_set set = {.entries = p->set.entries,
                          .entry_count = p->set.entry_count,
                          .bytes = p->set.code_bytes,
                          .policy = fit.policy,
                          .layout_stamp = fit.layout_stamp,
                          .backends = fit.backends};
    memcpy(set.functions, p->set.functions, sizeof set.functions);
    return set;
}

mf_status mf_stencil_emit(const mf_layout *layout, const mf_accessor_options *options, void *buffer,
                          size_t buffer_bytes, mf_stencil_set *set, mf_diag *diag) {
    prepared p;
    if (options == NULL)
        options = &DEFAULT_OPTIONS;
    mf_status status = prepare(layout, options, &p, diag);
    if (status != MF_OK)
        return status;
    if (buffer_bytes >= p.set.code_bytes) {
        stencil_set_write(&p.set, buffer);
        *set = describe(&p, plan_fit_make(layout, options, &p.plans));
    } else {
        status = mf_diag_set(diag, MF_INVALID_ARGUMENT, p.set.code_bytes,
                             "the accessors take %u bytes, and the buffer has %zu",
                             (unsigned)p.set.code_bytes, buffer_bytes);
    }
    plan_set_fini(&p.plans);
    return status;
}

void mf_stencil_accessors(const mf_stencil_set *set, const void *run, mf_accessors *accessors) {
    plan_fit fit = {set->layout_stamp, set->backends, set->policy};
    assert((uintptr_t)run % MF_STENCIL_ALIGNMENT == 0);
    *accessors = stencil_accessors(set->functions, fit, (uintptr_t)run);
}
