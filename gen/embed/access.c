/* One access where the client's builder stands. */
#include "embed/types.h"

#include "emit/access.h"
#include "emit/paged.h"
#include "plan/make.h"

#include <inttypes.h>
#include <string.h>

LLVMValueRef embed_index(const ir *ir, const mf_embed_access *access) {
    bool is_wide = LLVMGetIntTypeWidth(LLVMTypeOf(access->address)) == 64;
    if (!is_wide && access->offset == 0)
        return NULL;
    LLVMValueRef v_index =
        is_wide ? access->address : LLVMBuildZExt(ir->builder, access->address, ir->t_i64, "index");
    if (access->offset == 0)
        return v_index;
    return LLVMBuildNUWAdd(ir->builder, v_index, ir_const(ir->t_i64, access->offset), "index");
}

/* ---- The fault edge ---- */

void embed_leave(const ir *ir, const emit_site *site, const emit_cold *cold, LLVMBasicBlockRef b_client) {
    if (site->options->on_fault == MF_ON_FAULT_TRAP) {
        emit_cold_trap(ir, site, cold);
        return;
    }
    emit_cold_return(ir, site, cold);
    LLVMBuildBr(ir->builder, b_client);
}

void embed_tell_edge(const emit_site *site, LLVMBasicBlockRef b_fault, LLVMBasicBlockRef *fault_from) {
    if (fault_from != NULL)
        *fault_from = site->options->on_fault == MF_ON_FAULT_TRAP ? NULL : b_fault;
}

static unsigned count_fault_edges(const mf_plan *plan) {
    unsigned count = 0;
    for (uint32_t i = 0; i < plan->step_count; i++)
        count += plan->steps[i].on_pass == MF_EXIT_FAULT || plan->steps[i].on_fail == MF_EXIT_FAULT;
    return count;
}

/*
 * Where faults of the site go at first. With on_fault = branch that is the client's block if one comparison
 * leads there; more of them meet in a block of their own, so that the client's phis have one entry for each
 * access. The MMU's edge too has a block, without a phi: LLVM 19 puts what belongs to a callbr in front of a
 * phi that has no other edge, and without optimisation its code generation ends there.
 */
static LLVMBasicBlockRef fault_block_of(const ir *ir, const emit_site *site, const mf_embed_access *access) {
    LLVMValueRef f = LLVMGetBasicBlockParent(LLVMGetInsertBlock(ir->builder));
    if (!mf_plan_has_fault_edge(site->plan))
        return NULL;
    bool is_direct = site->options->on_fault == MF_ON_FAULT_BRANCH && count_fault_edges(site->plan) == 1 &&
                     !mf_plan_has_step(site->plan, MF_STEP_MMU);
    return is_direct ? access->fault_block : ir_block_append(ir, f, "fault");
}

/* Fills the fault block unless it is the client's. Returns the block from which the client's is reached. */
static LLVMBasicBlockRef fill_fault_block(const ir *ir, const emit_site *site, const mf_embed_access *access,
                                          const emit_checked *checked, LLVMBasicBlockRef b_fault) {
    LLVMBasicBlockRef b_good = LLVMGetInsertBlock(ir->builder);
    if (b_fault == NULL || b_fault == access->fault_block)
        return b_fault == NULL ? NULL : checked->b_fault_from;
    if (site->options->on_fault == MF_ON_FAULT_BRANCH) {
        ir_block_enter(ir, b_fault);
        LLVMBuildBr(ir->builder, access->fault_block);
    } else {
        emit_cold cold = emit_checked_enter_fault(ir, site, checked, b_fault);
        embed_leave(ir, site, &cold, access->fault_block);
    }
    ir_block_enter(ir, b_good);
    return b_fault;
}

/* ---- The site ---- */

/* What an access of the client's is, besides where its values come from. */
typedef struct wanted {
    mf_operation operation;
    uint32_t width_bytes;
    LLVMTypeRef t_raw;      /* NULL: the client makes the access, and wants its host address */
    const embed_type *type; /* of v_client */
    LLVMValueRef v_client;  /* of a store */
} wanted;

static bool has_feature(LLVMValueRef f, const char *attribute, const char *feature) {
    LLVMAttributeRef found = LLVMGetStringAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                                           attribute, (unsigned)strlen(attribute));
    unsigned length;
    return found != NULL && strstr(LLVMGetStringAttributeValue(found, &length), feature) != NULL;
}

/* The client's function says what its vector instructions are. Where it says nothing they are those of SSE2.
 */
static bool is_one_access(const ir *ir, const emit_site *site) {
    LLVMValueRef f = LLVMGetBasicBlockParent(LLVMGetInsertBlock(ir->builder));
    bool has_avx512 =
        has_feature(f, "target-features", "+avx512f") && has_feature(f, "prefer-vector-width", "512");
    return emit_paged_is_one_access(ir, site, has_avx512);
}

/* The MMU checks what one instruction of our own accesses, or any with a trap. */
static bool is_in_software(const mf_embed *embed, const ir *ir, const emit_site *site) {
    if (site->t_raw == NULL)
        return embed->options.on_fault != MF_ON_FAULT_TRAP;
    return !is_one_access(ir, site);
}

/* What is left to be asked at a constant address. */
static void plan_constant(const mf_embed *embed, emit_site *site, mf_plan *decided) {
    LLVMValueRef v_index = site->v_address != NULL ? site->v_address : site->v_index;
    if (!LLVMIsAConstantInt(v_index))
        return;
    mf_plan_make_at(embed->layout, site->plan, LLVMConstIntGetZExtValue(v_index), decided);
    site->plan = decided;
}

/* Where nothing is accessed the builder goes on in a block that is never reached. */
static LLVMValueRef go_on(const ir *ir, const emit_checked *checked, LLVMTypeRef t_delivered) {
    if (checked->is_reached)
        return checked->v_loaded;
    ir_block_enter(ir, ir_block_follow(ir, "access"));
    return LLVMGetPoison(t_delivered);
}

/* The type of what the site delivers. */
static LLVMTypeRef delivered_type(const ir *ir, const emit_site *site) {
    if (site->t_raw == NULL)
        return ir->t_ptr;
    return emit_site_is_word(ir, site) ? ir->t_i64 : site->t_raw;
}

/* Emits the site with its fault edge; the builder goes on along the good path. */
static LLVMValueRef emit_at_builder(const ir *ir, const emit_site *site, const mf_embed_access *access,
                                    LLVMValueRef v_value, LLVMBasicBlockRef *fault_from) {
    LLVMValueRef f = LLVMGetBasicBlockParent(LLVMGetInsertBlock(ir->builder));
    emit_null_is_valid(ir, f, site->options);
    LLVMBasicBlockRef b_fault = fault_block_of(ir, site, access);
    emit_checked checked = site->t_raw == NULL ? emit_checked_host(ir, site, b_fault)
                                               : emit_checked_access(ir, site, v_value, b_fault);
    LLVMValueRef v_delivered = go_on(ir, &checked, delivered_type(ir, site));
    LLVMBasicBlockRef b_from = fill_fault_block(ir, site, access, &checked, b_fault);
    embed_tell_edge(site, b_from, fault_from);
    return v_delivered;
}

/* A fault that goes to the client's block needs one, unless a constant address has been found to be allowed.
 */
static bool lacks_fault_block(const emit_site *site, const mf_embed_access *access) {
    bool lacks = site->options->on_fault != MF_ON_FAULT_TRAP && access->fault_block == NULL &&
                 mf_plan_has_fault_edge(site->plan);
    if (lacks)
        mf_diag_set(access->diag, MF_INVALID_ARGUMENT, 0, "the access may fault and has no fault block");
    return lacks;
}

/* Writes what a load delivers, or the host address. False and the diagnostic: refused, and nothing is
 * emitted. */
static bool emit_access(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                        const wanted *w, LLVMBasicBlockRef *fault_from, LLVMValueRef *v_delivered) {
    ir ir = embed->ir;
    ir.builder = builder;
    mf_accessor_options options = embed->options;
    if (access->hot_percent > 0) {
        options.hot_address = access->hot_address;
        options.hot_percent = access->hot_percent;
    }
    LLVMValueRef f = LLVMGetBasicBlockParent(LLVMGetInsertBlock(builder));
    emit_site site = {.options = &options,
                      .t_raw = w->t_raw,
                      .has_avx = has_feature(f, "target-features", "+avx"),
                      .asks_for_table = true,
                      .v_view = access->view,
                      .v_base = access->base,
                      .v_heap_end = access->heap_end};
    mf_plan plan = {.operation = w->operation, .width_bytes = w->width_bytes};
    site.plan = &plan;
    mf_plan_access planned = {w->operation, w->width_bytes, is_in_software(embed, &ir, &site)};
    bool is_wide = access->offset != 0 || LLVMGetIntTypeWidth(LLVMTypeOf(access->address)) == 64;
    options.index = is_wide ? MF_INDEX_U33 : MF_INDEX_U32;
    const plan_reach *reach = &embed->reaches[w->operation];
    if (plan_make_access_within(embed->layout, reach, &planned, &options, &plan, access->diag) != MF_OK)
        return false;
    if (!LLVMIsAConstantInt(access->address) && lacks_fault_block(&site, access))
        return false;
    mf_plan decided;
    site.v_index = embed_index(&ir, access);
    site.v_address = is_wide ? NULL : access->address;
    plan_constant(embed, &site, &decided);
    if (lacks_fault_block(&site, access))
        return false;
    if (mf_plan_table_bytes(site.plan) > 0)
        site.v_table = emit_table_place(&ir, &embed->tables[w->operation]);
    LLVMValueRef v_value = w->v_client == NULL ? NULL : embed_value_to_raw(builder, w->type, w->v_client);
    *v_delivered = emit_at_builder(&ir, &site, access, v_value, fault_from);
    return true;
}

/* ---- What clients call ---- */

/* What an access must have, whatever its plan. */
static mf_status check_access(const mf_embed *embed, const mf_embed_access *access) {
    LLVMTypeRef t_address = access->address == NULL ? NULL : LLVMTypeOf(access->address);
    if (access->hot_percent > 100)
        return mf_diag_set(access->diag, MF_INVALID_ARGUMENT, access->hot_percent,
                           "a hot window gets 1 to 100 percent, not %" PRIu32, access->hot_percent);
    if (t_address != embed->ir.t_i32 && t_address != embed->ir.t_i64)
        return mf_diag_set(access->diag, MF_INVALID_ARGUMENT, 0,
                           "an access has an address of type i32 or i64 of the module's context");
    if (embed->options.base == MF_BASE_ARGUMENT && access->base == NULL)
        return mf_diag_set(access->diag, MF_INVALID_ARGUMENT, 0,
                           "base = argument, and the access has no base");
    return MF_OK;
}

LLVMValueRef mf_embed_load(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                           LLVMTypeRef type, LLVMBasicBlockRef *fault_from) {
    embed_type t;
    if (embed_type_make(embed, type, &t, access->diag) != MF_OK || check_access(embed, access) != MF_OK)
        return NULL;
    wanted w = {.operation = MF_LOAD, .width_bytes = t.width_bytes, .t_raw = t.t_raw};
    LLVMValueRef v_loaded;
    bool is_emitted = emit_access(embed, builder, access, &w, fault_from, &v_loaded);
    return is_emitted ? embed_value_from_raw(embed, builder, &t, v_loaded) : NULL;
}

bool mf_embed_store(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                    LLVMValueRef value, LLVMBasicBlockRef *fault_from) {
    embed_type t;
    if (embed_type_make(embed, LLVMTypeOf(value), &t, access->diag) != MF_OK ||
        check_access(embed, access) != MF_OK)
        return false;
    wanted w = {
        .operation = MF_STORE, .width_bytes = t.width_bytes, .t_raw = t.t_raw, .type = &t, .v_client = value};
    LLVMValueRef v_nothing;
    return emit_access(embed, builder, access, &w, fault_from, &v_nothing);
}

LLVMValueRef mf_embed_address(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                              uint32_t width_bytes, mf_operation operation, LLVMBasicBlockRef *fault_from) {
    wanted w = {.operation = operation, .width_bytes = width_bytes};
    if (plan_access_validate(operation, width_bytes, access->diag) != MF_OK ||
        check_access(embed, access) != MF_OK)
        return NULL;
    LLVMValueRef v_host;
    return emit_access(embed, builder, access, &w, fault_from, &v_host) ? v_host : NULL;
}

/* ---- State that clients keep ---- */

LLVMValueRef mf_embed_load_base(const mf_embed *embed, LLVMBuilderRef builder, LLVMValueRef view) {
    ir ir = embed->ir;
    ir.builder = builder;
    if (embed->options.base != MF_BASE_CONSTANT)
        return ir_load_view_field(&ir, view, IR_VIEW_BASE);
    return LLVMConstIntToPtr(ir_const(ir.t_i64, embed->options.base_address), ir.t_ptr);
}

LLVMValueRef mf_embed_load_heap_end(const mf_embed *embed, LLVMBuilderRef builder, LLVMValueRef view) {
    ir ir = embed->ir;
    ir.builder = builder;
    return ir_load_heap_end(&ir, view);
}

/* ---- Fault blocks ---- */

void mf_embed_end_fault_block(LLVMBasicBlockRef block) {
    LLVMValueRef v_instruction = LLVMGetFirstInstruction(block);
    if (LLVMGetFirstUse(LLVMBasicBlockAsValue(block)) != NULL)
        return;
    while (v_instruction != NULL && LLVMIsAPHINode(v_instruction) != NULL) {
        LLVMValueRef v_next = LLVMGetNextInstruction(v_instruction);
        LLVMReplaceAllUsesWith(v_instruction, LLVMGetPoison(LLVMTypeOf(v_instruction)));
        LLVMInstructionEraseFromParent(v_instruction);
        v_instruction = v_next;
    }
}
