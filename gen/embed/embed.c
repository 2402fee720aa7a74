/* The emitter of single accesses: its plans and its life. */
#include "embed/embed.h"

#include "plan/growth.h"
#include "plan/make.h"

#include <stdlib.h>

/*
 * The plan of a byte that is checked in software, without a hint, has the table that all plans of the
 * operation have that need one. It is placed in the module by the first access that reads it.
 */
static mf_status make_table(mf_embed *embed, mf_operation operation, mf_diag *diag) {
    mf_plan_access access = {.operation = operation, .width_bytes = 1, .in_software = true};
    mf_accessor_options options = embed->options;
    mf_plan plan;
    plan_table table;
    options.hot_address = 0;
    options.hot_percent = 0;
    mf_status status =
        plan_make_access_within(embed->layout, &embed->reaches[operation], &access, &options, &plan, diag);
    if (status == MF_OK)
        status = plan_table_make(embed->layout, &plan, &table, diag);
    if (status != MF_OK)
        return status;
    embed->tables[operation] = emit_table_make(&embed->ir, &table);
    free(table.bytes);
    return MF_OK;
}

/* What the plan of a byte says is what those of all widths and both indices say. */
static void limit_heap_end(ir *ir, const mf_plan *plan) {
    uint64_t most = plan_heap_end_most(plan);
    ir->heap_end_most = most < ir->heap_end_most ? most : ir->heap_end_most;
}

static mf_status make_reaches(mf_embed *embed, mf_diag *diag) {
    static const mf_accessor_id FIRST[] = {MF_LOAD_U8, MF_STORE_U8};
    mf_status status = mf_accessor_options_validate(&embed->options, diag);
    for (mf_operation operation = MF_LOAD; status == MF_OK && operation <= MF_STORE; operation++) {
        plan_reach *reach = &embed->reaches[operation];
        mf_plan plan; /* where one can be made, all can */
        *reach = plan_reach_make(embed->layout, operation);
        status = plan_make_within(embed->layout, reach, FIRST[operation], &embed->options, &plan, diag);
        if (status == MF_OK)
            limit_heap_end(&embed->ir, &plan);
        if (status == MF_OK)
            status = make_table(embed, operation, diag);
    }
    return status;
}

static mf_status make_range_plans(mf_embed *embed, mf_diag *diag) {
    mf_status status = MF_OK;
    for (mf_operation operation = MF_LOAD; status == MF_OK && operation <= MF_STORE; operation++)
        status = mf_plan_make_range(embed->layout, operation, &embed->options, &embed->range_plans[operation],
                                    diag);
    return status;
}

static mf_status embed_start(mf_embed *embed, LLVMModuleRef module, mf_diag *diag) {
    if (embed->options.stale == MF_STALE_CHECK)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, MF_STALE_CHECK, "stale checks are for whole accessors");
    mf_status status = embed_begin(&embed->ir, module, embed->options.backend, NULL, diag);
    if (status == MF_OK)
        status = make_reaches(embed, diag);
    return status == MF_OK ? make_range_plans(embed, diag) : status;
}

mf_status(mf_embed_create)(LLVMModuleRef module, const mf_layout *layout, const mf_accessor_options *options,
                           mf_embed **embed, mf_diag *diag) {
    mf_embed *made = calloc(1, sizeof *made);
    if (made == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *made, "no memory for an emitter");
    made->layout = mf_layout_retain(layout);
    made->options = options == NULL ? (mf_accessor_options){0} : *options;
    mf_status status = embed_start(made, module, diag);
    if (status != MF_OK) {
        mf_embed_destroy(made);
        return status;
    }
    *embed = made;
    return MF_OK;
}

mf_status mf_embed_create_checked(unsigned version_major, LLVMContextRef (*get_global_context)(void),
                                  LLVMModuleRef module, const mf_layout *layout,
                                  const mf_accessor_options *options, mf_embed **embed, mf_diag *diag) {
    mf_status status = mf_embed_check_llvm(version_major, get_global_context, diag);
    return status != MF_OK ? status : (mf_embed_create)(module, layout, options, embed, diag);
}

void mf_embed_destroy(mf_embed *embed) {
    if (embed == NULL)
        return;
    mf_layout_release(embed->layout);
    free(embed);
}
