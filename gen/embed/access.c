/* One access where the client's builder stands. */
#include "embed/embed.h"

#include "emit/access.h"
#include "emit/checked.h"

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

/* The accessor that moves a value of `width_bytes` bits and all. */
static mf_accessor_id accessor_of(mf_operation operation, uint64_t width_bytes) {
    mf_accessor_id id = 0;
    while (mf_accessor_info_get(id)->operation != operation ||
           mf_accessor_info_get(id)->width_bytes != width_bytes)
        id++;
    return id;
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
static LLVMValueRef go_on(const ir *ir, const emit_checked *checked) {
    if (checked->is_reached)
        return checked->v_loaded;
    ir_block_enter(ir, ir_block_follow(ir, "access"));
    return LLVMGetPoison(ir->t_i64);
}

/* Emits the site with its cold block; the builder goes on along the good path. */
static LLVMValueRef emit_at_builder(const ir *ir, const emit_site *site, const mf_embed_access *access,
                                    LLVMValueRef v_value, LLVMBasicBlockRef *fault_from) {
    LLVMBasicBlockRef b_fault = NULL;
    LLVMValueRef f = LLVMGetBasicBlockParent(LLVMGetInsertBlock(ir->builder));
    emit_null_is_valid(ir, f, site->options);
    if (mf_plan_has_fault_edge(site->plan))
        b_fault = ir_block_append(ir, f, "fault");
    emit_checked checked = emit_checked_access(ir, site, v_value, b_fault);
    LLVMValueRef v_loaded = go_on(ir, &checked);
    if (b_fault != NULL) {
        LLVMBasicBlockRef b_good = LLVMGetInsertBlock(ir->builder);
        emit_cold cold = emit_checked_enter_fault(ir, site, &checked, b_fault);
        embed_leave(ir, site, &cold, access->fault_block);
        ir_block_enter(ir, b_good);
    }
    embed_tell_edge(site, b_fault, fault_from);
    return v_loaded;
}

static LLVMValueRef emit_access(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                                mf_operation operation, uint64_t width_bytes, LLVMValueRef v_value,
                                LLVMBasicBlockRef *fault_from) {
    ir ir = embed->ir;
    ir.builder = builder;
    LLVMValueRef v_index = embed_index(&ir, access);
    mf_index index = v_index == NULL ? MF_INDEX_U32 : MF_INDEX_U33;
    mf_accessor_id id = accessor_of(operation, width_bytes);
    mf_accessor_options options = embed->options;
    options.index = index;
    emit_site site = {.plan = &embed->plans[index][id],
                      .info = mf_accessor_info_get(id),
                      .options = &options,
                      .v_view = access->view,
                      .v_base = access->base,
                      .v_address = v_index == NULL ? access->address : NULL,
                      .v_index = v_index};
    mf_plan decided;
    plan_constant(embed, &site, &decided);
    if (mf_plan_table_bytes(site.plan) > 0)
        site.v_table = emit_table_place(&ir, &embed->tables[operation]);
    return emit_at_builder(&ir, &site, access, v_value, fault_from);
}

/* ---- Types: every value moves as the integer of its width ---------------------------------- */

static uint64_t width_of(const mf_embed *embed, LLVMTypeRef type) {
    return LLVMStoreSizeOfType(LLVMGetModuleDataLayout(embed->ir.module), type);
}

static LLVMValueRef value_from_i64(const mf_embed *embed, LLVMBuilderRef builder, LLVMValueRef v_loaded,
                                   LLVMTypeRef type) {
    LLVMTypeRef t_bits = ir_int_type(&embed->ir, (uint32_t)width_of(embed, type));
    LLVMValueRef v_bits =
        t_bits == embed->ir.t_i64 ? v_loaded : LLVMBuildTrunc(builder, v_loaded, t_bits, "");
    switch (LLVMGetTypeKind(type)) {
    case LLVMIntegerTypeKind:
        return v_bits;
    case LLVMPointerTypeKind:
        return LLVMBuildIntToPtr(builder, v_bits, type, "");
    default:
        return LLVMBuildBitCast(builder, v_bits, type, "");
    }
}

static LLVMValueRef value_to_i64(const mf_embed *embed, LLVMBuilderRef builder, LLVMValueRef v_value) {
    LLVMTypeRef type = LLVMTypeOf(v_value);
    LLVMTypeRef t_bits = ir_int_type(&embed->ir, (uint32_t)width_of(embed, type));
    LLVMValueRef v_bits = v_value;
    if (LLVMGetTypeKind(type) == LLVMPointerTypeKind)
        v_bits = LLVMBuildPtrToInt(builder, v_value, t_bits, "");
    else if (LLVMGetTypeKind(type) != LLVMIntegerTypeKind)
        v_bits = LLVMBuildBitCast(builder, v_value, t_bits, "");
    return t_bits == embed->ir.t_i64 ? v_bits : LLVMBuildZExt(builder, v_bits, embed->ir.t_i64, "");
}

LLVMValueRef mf_embed_load(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                           LLVMTypeRef type, LLVMBasicBlockRef *fault_from) {
    LLVMValueRef v_loaded =
        emit_access(embed, builder, access, MF_LOAD, width_of(embed, type), NULL, fault_from);
    return value_from_i64(embed, builder, v_loaded, type);
}

void mf_embed_store(const mf_embed *embed, LLVMBuilderRef builder, const mf_embed_access *access,
                    LLVMValueRef value, LLVMBasicBlockRef *fault_from) {
    LLVMValueRef v_value = value_to_i64(embed, builder, value);
    emit_access(embed, builder, access, MF_STORE, width_of(embed, LLVMTypeOf(value)), v_value, fault_from);
}
