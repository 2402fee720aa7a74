/* The proof of an object as a whole. */
#include "verify/object_cover.h"

#include <string.h>

/* ---- What the note says and what was asked ---- */

static mf_status check_layout(const object *o, const mf_layout *layout) {
    uint64_t fingerprint = mf_layout_fingerprint(layout);
    if (o->note.fingerprint != fingerprint)
        return mf_diag_set(o->diag, MF_BAD_INPUT, o->note.fingerprint,
                           "the object was made for another layout: the note says fingerprint 0x%016llx, the "
                           "layout's is 0x%016llx",
                           (unsigned long long)o->note.fingerprint, (unsigned long long)fingerprint);
    return MF_OK;
}

static mf_status check_options(const object *o, const mf_accessor_options *options) {
    if (options == NULL)
        return MF_OK;
#define MF_X(ID, type, field, largest)                                                                       \
    if (o->note.options.field != options->field)                                                             \
        return mf_diag_set(o->diag, MF_BAD_INPUT, (uint64_t)o->note.options.field,                           \
                           "the note says " #field " = %llu, and %llu was asked for",                        \
                           (unsigned long long)o->note.options.field, (unsigned long long)options->field);
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    return MF_OK;
}

/* ---- Proofs ---- */

/* `layout` is NULL for what has to hold for every layout. */
static mf_status prove_for(object_cover *c, const mf_layout *layout, const mf_verify_limits *limits,
                           uint32_t accessors, mf_verify_report *report) {
    verify_prover *prover = NULL;
    mf_status status = verify_prover_create(layout, &c->o->note.options, limits, &prover, c->o->diag);
    if (status != MF_OK)
        return status;
    verify_observer observer = object_cover_observer(c);
    verify_code code = object_code(c->o, layout == NULL ? NULL : &observer);
    report->all_proved = true;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT && status == MF_OK; id++) {
        mf_verify_result *result = &report->results[id];
        *result = (mf_verify_result){.id = id, .verdict = MF_VERDICT_PROVED};
        if ((accessors >> id & 1) != 0)
            status = verify_prover_prove(prover, &code, id, result, c->o->diag);
        report->all_proved = report->all_proved && result->verdict == MF_VERDICT_PROVED;
    }
    verify_prover_destroy(prover);
    return status;
}

/*
 * A set without a stamp passes for exact on every memory of its backend. Where nothing is asked of a layout,
 * neither by a check nor by a comparison of stamps, the contract is the same for all of them.
 */
static mf_status check_claim(object_cover *c, const mf_verify_limits *limits, uint32_t accessors) {
    const mf_accessor_options *options = &c->o->note.options;
    mf_accessors set;
    mf_verify_report report;
    memcpy(&set, c->o->images[OBJECT_SET].bytes, sizeof set);
    if (set.layout_stamp != 0 || (options->policy == MF_POLICY_NONE && options->stale == MF_STALE_TRUST))
        return MF_OK;
    mf_status status = prove_for(c, NULL, limits, accessors, &report);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT && status == MF_OK; id++)
        if (report.results[id].verdict != MF_VERDICT_PROVED)
            status = object_refuse(c->o, OBJECT_SET, 0,
                                   "layout_stamp of the set is 0, and '%s' is not proved for every layout",
                                   mf_accessor_info_get(id)->name);
    return status;
}

mf_status object_prove(object_cover *c, const mf_layout *layout, const mf_accessor_options *options,
                       const mf_verify_limits *limits, uint32_t accessors, mf_verify_report *report) {
    mf_status status = check_layout(c->o, layout);
    if (status == MF_OK)
        status = check_options(c->o, options);
    if (status == MF_OK)
        status = prove_for(c, layout, limits, accessors, report);
    if (status == MF_OK && report->all_proved)
        status = object_cover_check(c);
    return status == MF_OK && report->all_proved ? check_claim(c, limits, accessors) : status;
}

mf_status mf_verify_object(const void *bytes, size_t byte_count, const mf_layout *layout,
                           const mf_accessor_options *options, const mf_verify_limits *limits,
                           mf_object_note *note, mf_verify_report *report, mf_diag *diag) {
    object o;
    object_cover cover = {0};
    mf_verify_report found;
    mf_status status = object_init(&o, bytes, byte_count, diag);
    if (status == MF_OK)
        status = object_cover_init(&cover, &o);
    if (status == MF_OK)
        status = object_prove(&cover, layout, options, limits, UINT32_MAX, &found);
    if (status == MF_OK) {
        *report = found;
        if (note != NULL)
            *note = o.note;
    }
    object_cover_fini(&cover);
    object_fini(&o);
    return status;
}
