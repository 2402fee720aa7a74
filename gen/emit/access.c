/* The load or store itself. The address is always base + index: the check is only a control dependence. */
#include "emit/emit.h"

LLVMValueRef emit_access_base(const ir *ir, const emit_site *site) {
    return site->options->base == MF_BASE_VIEW ? ir_load_view_field(ir, site->v_view, IR_VIEW_BASE)
                                               : site->v_base;
}

static LLVMValueRef host_pointer(const ir *ir, const emit_site *site) {
    LLVMValueRef v_index = site->v_index;
    if (site->options->base == MF_BASE_CONSTANT) {
        LLVMValueRef v_base = ir_const(ir->t_i64, site->options->base_address);
        LLVMValueRef v_host = LLVMBuildAdd(ir->builder, v_index, v_base, "host");
        return LLVMBuildIntToPtr(ir->builder, v_host, ir->t_ptr, "host");
    }
    return LLVMBuildGEP2(ir->builder, ir->t_i8, site->v_base, &v_index, 1, "host");
}

static LLVMValueRef in_guest_order(const ir *ir, const emit_site *site, LLVMValueRef v_bits) {
    if (site->options->endian == MF_LITTLE_ENDIAN || site->info->width_bytes == 1)
        return v_bits;
    return ir_call_intrinsic(ir, "llvm.bswap", LLVMTypeOf(v_bits), &v_bits, 1, "swapped");
}

LLVMValueRef emit_access_load(const ir *ir, const emit_site *site) {
    LLVMTypeRef type = ir_int_type(ir, site->info->width_bytes);
    LLVMValueRef v_host = host_pointer(ir, site);
    LLVMValueRef v_raw = ir_load_bytes(ir, type, v_host, IR_BYTES_GUEST, "raw");
    LLVMValueRef v_bits = in_guest_order(ir, site, v_raw);
    if (site->info->width_bytes == 8)
        return v_bits;
    return site->info->sign_extends ? LLVMBuildSExt(ir->builder, v_bits, ir->t_i64, "value")
                                    : LLVMBuildZExt(ir->builder, v_bits, ir->t_i64, "value");
}

void emit_access_store(const ir *ir, const emit_site *site, LLVMValueRef v_value) {
    LLVMTypeRef type = ir_int_type(ir, site->info->width_bytes);
    LLVMValueRef v_bits =
        site->info->width_bytes == 8 ? v_value : LLVMBuildTrunc(ir->builder, v_value, type, "bits");
    LLVMValueRef v_raw = in_guest_order(ir, site, v_bits);
    LLVMValueRef v_host = host_pointer(ir, site);
    ir_store_bytes(ir, v_raw, v_host, IR_BYTES_GUEST);
}
