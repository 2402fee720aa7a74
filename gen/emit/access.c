/* The load or store itself. The address is always base + index: the check is only a control dependence. */
#include "emit/access.h"

/* Of a constant base it is known whether base + index, which is below 2^33 + 8, is ever 0. */
static bool may_be_null(const mf_accessor_options *options) {
    if (options->base != MF_BASE_CONSTANT)
        return options->base == MF_BASE_ARGUMENT;
    return options->base_address == 0 || options->base_address > UINT64_MAX - 2 * MF_SPACE_BYTES - 8;
}

void emit_null_is_valid(const ir *ir, LLVMValueRef f, const mf_accessor_options *options) {
    static const ir_attribute NULL_IS_VALID[] = {{"null_pointer_is_valid", 0}, {NULL, 0}};
    if (may_be_null(options))
        ir_add_function_attributes(ir, f, NULL_IS_VALID);
}

LLVMValueRef emit_access_base(const ir *ir, const emit_site *site) {
    bool is_read = site->options->base == MF_BASE_VIEW && site->v_base == NULL;
    return is_read ? ir_load_view_field(ir, site->v_view, IR_VIEW_BASE) : site->v_base;
}

LLVMValueRef emit_access_host(const ir *ir, const emit_site *site, LLVMValueRef v_base,
                              LLVMValueRef v_index) {
    if (site->options->base == MF_BASE_CONSTANT) {
        LLVMValueRef v_start = ir_const(ir->t_i64, site->options->base_address);
        LLVMValueRef v_host = LLVMBuildAdd(ir->builder, v_index, v_start, "host");
        return LLVMBuildIntToPtr(ir->builder, v_host, ir->t_ptr, "host");
    }
    return LLVMBuildGEP2(ir->builder, ir->t_i8, v_base, &v_index, 1, "host");
}

/* The bytes of an integer in the guest's order. */
static LLVMValueRef swap(const ir *ir, const emit_site *site, LLVMValueRef v_bits) {
    if (site->options->endian == MF_LITTLE_ENDIAN || site->plan->width_bytes == 1)
        return v_bits;
    return ir_call_intrinsic(ir, "llvm.bswap", LLVMTypeOf(v_bits), &v_bits, 1, "swapped");
}

LLVMValueRef emit_access_extend(const ir *ir, const emit_site *site, LLVMValueRef v_raw) {
    LLVMValueRef v_bits = swap(ir, site, v_raw);
    if (site->t_raw == ir->t_i64 || !emit_site_is_word(ir, site))
        return v_bits;
    return site->sign_extends ? LLVMBuildSExt(ir->builder, v_bits, ir->t_i64, "value")
                              : LLVMBuildZExt(ir->builder, v_bits, ir->t_i64, "value");
}

LLVMValueRef emit_access_narrow(const ir *ir, const emit_site *site, LLVMValueRef v_value) {
    bool is_wide = LLVMTypeOf(v_value) != site->t_raw;
    LLVMValueRef v_bits = is_wide ? LLVMBuildTrunc(ir->builder, v_value, site->t_raw, "bits") : v_value;
    return swap(ir, site, v_bits);
}

LLVMValueRef emit_access_plain(const ir *ir, const emit_site *site, LLVMValueRef v_host,
                               LLVMValueRef v_value) {
    if (site->plan->operation == MF_LOAD) {
        LLVMValueRef v_raw = ir_load_bytes(ir, site->t_raw, v_host, IR_BYTES_GUEST, "raw");
        return emit_access_extend(ir, site, v_raw);
    }
    LLVMValueRef v_raw = emit_access_narrow(ir, site, v_value);
    ir_store_bytes(ir, v_raw, v_host, IR_BYTES_GUEST);
    return NULL;
}
