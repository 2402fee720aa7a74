/* The load or store itself. The address is always base + index: the check is only a control dependence. */
#include "emit/access.h"

#include "emit/number.h"

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

/* A base of 0 takes no number. */
static LLVMValueRef emit_base_address(const ir *ir, const emit_site *site) {
    if (site->options->base_address == 0)
        return ir_const(ir->t_i64, 0);
    return emit_number(ir, site, ir->t_i64, NULL, PLAN_NUMBER_BASE_ADDRESS);
}

LLVMValueRef emit_access_host(const ir *ir, const emit_site *site, LLVMValueRef v_base,
                              LLVMValueRef v_index) {
    if (site->options->base == MF_BASE_CONSTANT) {
        LLVMValueRef v_start = emit_base_address(ir, site);
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

/*
 * With order = guest what faults is volatile, and LLVM does not see that it may leave. So those accesses are
 * volatile too that cannot fault, or were checked before: of two stores to one place LLVM would drop the
 * first, although one between them faults, and the guest's memory would not be exact then. What policy none
 * leaves unchecked is plain, so that it can be vectorised.
 */
static bool keeps_order(const mf_accessor_options *options) {
    return options->backend == MF_BACKEND_X86_PAGED && options->on_fault == MF_ON_FAULT_TRAP &&
           options->order == MF_ORDER_GUEST && options->policy != MF_POLICY_NONE;
}

LLVMValueRef emit_access_plain(const ir *ir, const emit_site *site, LLVMValueRef v_host,
                               LLVMValueRef v_value) {
    bool is_volatile = keeps_order(site->options);
    if (site->plan->operation == MF_LOAD) {
        LLVMValueRef v_raw = ir_load_bytes(ir, site->t_raw, v_host, IR_BYTES_GUEST, "raw");
        LLVMSetVolatile(v_raw, is_volatile);
        return emit_access_extend(ir, site, v_raw);
    }
    LLVMValueRef v_raw = emit_access_narrow(ir, site, v_value);
    LLVMValueRef v_store = ir_store_bytes(ir, v_raw, v_host, IR_BYTES_GUEST);
    LLVMSetVolatile(v_store, is_volatile);
    return NULL;
}
