/*
 * Accesses that the MMU checks, for x86-64. LLVM does not count a fault as an effect: it would delete an
 * unused load and the stores before it. So the access is assembly with side effects that may touch all
 * memory, and for on_fault = return a callbr, whose second way out is the fault edge.
 */
#include "emit/emit.h"

#include <memfold/exception_table.h>

#include <stdio.h>
#include <string.h>

/* Operands of the templates: a load's $0 is the result and $1 the guest bytes; a store's $0 the bytes, $1 the
 * value. */
static const char *load_template(const emit_site *site) {
    bool sign_extends = site->info->sign_extends && site->options->endian == MF_LITTLE_ENDIAN;
    switch (site->info->width_bytes) {
    case 1:
        return site->info->sign_extends ? "movsbq $1, $0" : "movzbl $1, ${0:k}";
    case 2:
        return sign_extends ? "movswq $1, $0" : "movzwl $1, ${0:k}";
    case 4:
        return sign_extends ? "movslq $1, $0" : "movl $1, ${0:k}";
    default:
        return "movq $1, $0";
    }
}

static const char *store_template(const emit_site *site) {
    switch (site->info->width_bytes) {
    case 1:
        return "movb ${1:b}, $0";
    case 2:
        return "movw ${1:w}, $0";
    case 4:
        return "movl ${1:k}, $0";
    default:
        return "movq $1, $0";
    }
}

/* The bytes are an indirect memory operand, so that LLVM can fold any address into it. */
static void set_guest_type(const ir *ir, const emit_site *site, LLVMValueRef call) {
    unsigned kind = LLVMGetEnumAttributeKindForName("elementtype", strlen("elementtype"));
    LLVMTypeRef type = ir_int_type(ir, site->info->width_bytes);
    LLVMAddCallSiteAttribute(call, 1, LLVMCreateTypeAttribute(ir->context, kind, type));
}

static LLVMValueRef inline_asm(LLVMTypeRef type, const char *text, const char *constraints) {
    return LLVMGetInlineAsm(type, text, strlen(text), constraints, strlen(constraints), true, false,
                            LLVMInlineAsmDialectATT, false);
}

/* The instruction, and its entry: two addresses, each relative to its own place. */
static LLVMValueRef build_recoverable(const ir *ir, const emit_site *site, LLVMTypeRef type,
                                      const char *instruction, const char *constraints,
                                      LLVMValueRef *arguments, unsigned count, LLVMBasicBlockRef b_fault) {
    char text[256];
    snprintf(text, sizeof text,
             "1: %s\n.pushsection " MF_EXCEPTION_SECTION ",\"aR\",@progbits\n.balign 4\n"
             ".long 1b - .\n.long ${2:l} - .\n.popsection",
             instruction);
    LLVMBasicBlockRef b_done = ir_block_follow(ir, "access.done");
    LLVMValueRef access = inline_asm(type, text, constraints);
    LLVMValueRef call =
        LLVMBuildCallBr(ir->builder, type, access, b_done, &b_fault, 1, arguments, count, NULL, 0, "");
    set_guest_type(ir, site, call);
    ir_block_enter(ir, b_done);
    return call;
}

static LLVMValueRef build_plain(const ir *ir, const emit_site *site, LLVMTypeRef type,
                                const char *instruction, const char *constraints, LLVMValueRef *arguments,
                                unsigned count) {
    LLVMValueRef access = inline_asm(type, instruction, constraints);
    LLVMValueRef call = LLVMBuildCall2(ir->builder, type, access, arguments, count, "");
    set_guest_type(ir, site, call);
    return call;
}

/* The instruction has cleared the upper bits, but what assembly delivers LLVM would clear once more. */
static void tell_upper_bits(const ir *ir, const emit_site *site, LLVMValueRef v_raw) {
    uint32_t width = site->info->width_bytes;
    if (width == 8 || site->info->sign_extends)
        return;
    LLVMValueRef v_limit = ir_const(ir->t_i64, UINT64_C(1) << 8 * width);
    LLVMValueRef v_is_below = LLVMBuildICmp(ir->builder, LLVMIntULT, v_raw, v_limit, "is.extended");
    ir_assume(ir, v_is_below);
}

LLVMValueRef emit_paged_load(const ir *ir, const emit_site *site, LLVMBasicBlockRef b_fault) {
    LLVMValueRef v_host = emit_access_host(ir, site);
    LLVMTypeRef t_ptr = ir->t_ptr;
    LLVMTypeRef type = LLVMFunctionType(ir->t_i64, &t_ptr, 1, false);
    const char *instruction = load_template(site);
    LLVMValueRef v_raw =
        b_fault == NULL
            ? build_plain(ir, site, type, instruction, "=r,*m,~{memory}", &v_host, 1)
            : build_recoverable(ir, site, type, instruction, "=r,*m,!i,~{memory}", &v_host, 1, b_fault);
    if (site->options->endian == MF_LITTLE_ENDIAN || site->info->width_bytes == 1) {
        tell_upper_bits(ir, site, v_raw);
        return v_raw;
    }
    return emit_access_extend(
        ir, site, LLVMBuildTrunc(ir->builder, v_raw, ir_int_type(ir, site->info->width_bytes), "bits"));
}

void emit_paged_store(const ir *ir, const emit_site *site, LLVMValueRef v_value, LLVMBasicBlockRef b_fault) {
    LLVMValueRef v_host = emit_access_host(ir, site);
    LLVMValueRef v_raw = emit_access_narrow(ir, site, v_value);
    LLVMTypeRef parameters[] = {ir->t_ptr, LLVMTypeOf(v_raw)};
    LLVMTypeRef type = LLVMFunctionType(ir->t_void, parameters, 2, false);
    const char *instruction = store_template(site);
    LLVMValueRef arguments[] = {v_host, v_raw};
    if (b_fault == NULL)
        build_plain(ir, site, type, instruction, "*m,r,~{memory}", arguments, 2);
    else
        build_recoverable(ir, site, type, instruction, "*m,r,!i,~{memory}", arguments, 2, b_fault);
}
