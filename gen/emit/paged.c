/*
 * Accesses that the MMU checks, for x86-64. LLVM does not count a fault as an effect: it would delete an
 * unused load and the stores before it. So the access is assembly with side effects that may touch all
 * memory, and for on_fault = return a callbr, whose second way out is the fault edge.
 */
#include "emit/paged.h"

#include "emit/access.h"

#include <memfold/exception_table.h>

#include <stdio.h>
#include <string.h>

#define INSTRUCTION_CHARS_MAX 64

/* %s is where the guest bytes are: a load's $1, a store's $0. The other operand is the value. */
static const char *load_format(const emit_site *site) {
    bool sign_extends = site->info->sign_extends && site->options->endian == MF_LITTLE_ENDIAN;
    switch (site->info->width_bytes) {
    case 1:
        return site->info->sign_extends ? "movsbq %s, $0" : "movzbl %s, ${0:k}";
    case 2:
        return sign_extends ? "movswq %s, $0" : "movzwl %s, ${0:k}";
    case 4:
        return sign_extends ? "movslq %s, $0" : "movl %s, ${0:k}";
    default:
        return "movq %s, $0";
    }
}

static const char *store_format(const emit_site *site) {
    switch (site->info->width_bytes) {
    case 1:
        return "movb ${1:b}, %s";
    case 2:
        return "movw ${1:w}, %s";
    case 4:
        return "movl ${1:k}, %s";
    default:
        return "movq $1, %s";
    }
}

/*
 * At base 0 the address is the guest's, and an instruction with a 32-bit address register takes it as it
 * comes: the CPU ignores the upper half (Intel SDM volume 1, 3.6.1), and bytes past 2^32 are not wrapped.
 */
static bool takes_address_register(const emit_site *site) {
    return site->options->base == MF_BASE_CONSTANT && site->options->base_address == 0 &&
           site->v_address != NULL && !LLVMIsConstant(site->v_address);
}

/* Elsewhere the bytes are an indirect memory operand, so that LLVM can fold any address into it. */
static LLVMValueRef guest_operand(const ir *ir, const emit_site *site, LLVMValueRef v_base,
                                  LLVMValueRef v_index) {
    return takes_address_register(site) ? site->v_address : emit_access_host(ir, site, v_base, v_index);
}

static void set_guest_type(const ir *ir, const emit_site *site, LLVMValueRef v_call) {
    if (takes_address_register(site))
        return;
    unsigned kind = LLVMGetEnumAttributeKindForName("elementtype", strlen("elementtype"));
    LLVMTypeRef t_bits = ir_int_type(ir, site->info->width_bytes);
    LLVMAddCallSiteAttribute(v_call, 1, LLVMCreateTypeAttribute(ir->context, kind, t_bits));
}

static LLVMValueRef inline_asm(LLVMTypeRef t_asm, const char *text, const char *constraints) {
    return LLVMGetInlineAsm(t_asm, text, strlen(text), constraints, strlen(constraints), true, false,
                            LLVMInlineAsmDialectATT, false);
}

/* The instruction, and its entry: two addresses, each relative to its own place. */
static LLVMValueRef build_recoverable(const ir *ir, const emit_site *site, LLVMTypeRef t_asm,
                                      const char *instruction, const char *constraints,
                                      LLVMValueRef *arguments, unsigned count, LLVMBasicBlockRef b_fault) {
    char text[256];
    snprintf(text, sizeof text,
             "1: %s\n.pushsection " MF_EXCEPTION_SECTION ",\"aR\",@progbits\n.balign 4\n"
             ".long 1b - .\n.long ${2:l} - .\n.popsection",
             instruction);
    LLVMBasicBlockRef b_done = ir_block_follow(ir, "access.done");
    LLVMValueRef v_asm = inline_asm(t_asm, text, constraints);
    LLVMValueRef v_call =
        LLVMBuildCallBr(ir->builder, t_asm, v_asm, b_done, &b_fault, 1, arguments, count, NULL, 0, "");
    set_guest_type(ir, site, v_call);
    ir_block_enter(ir, b_done);
    return v_call;
}

static LLVMValueRef build_plain(const ir *ir, const emit_site *site, LLVMTypeRef t_asm,
                                const char *instruction, const char *constraints, LLVMValueRef *arguments,
                                unsigned count) {
    LLVMValueRef v_asm = inline_asm(t_asm, instruction, constraints);
    LLVMValueRef v_call = LLVMBuildCall2(ir->builder, t_asm, v_asm, arguments, count, "");
    set_guest_type(ir, site, v_call);
    return v_call;
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

static LLVMValueRef emit_load(const ir *ir, const emit_site *site, LLVMValueRef v_guest,
                              LLVMBasicBlockRef b_fault) {
    bool by_register = takes_address_register(site);
    char instruction[INSTRUCTION_CHARS_MAX];
    snprintf(instruction, sizeof instruction, load_format(site), by_register ? "(${1:k})" : "$1");
    LLVMTypeRef t_guest = LLVMTypeOf(v_guest);
    LLVMTypeRef t_load = LLVMFunctionType(ir->t_i64, &t_guest, 1, false);
    LLVMValueRef v_raw;
    if (b_fault == NULL) {
        const char *constraints = by_register ? "=r,r,~{memory}" : "=r,*m,~{memory}";
        v_raw = build_plain(ir, site, t_load, instruction, constraints, &v_guest, 1);
    } else {
        const char *constraints = by_register ? "=r,r,!i,~{memory}" : "=r,*m,!i,~{memory}";
        v_raw = build_recoverable(ir, site, t_load, instruction, constraints, &v_guest, 1, b_fault);
    }
    if (site->options->endian == MF_LITTLE_ENDIAN || site->info->width_bytes == 1) {
        tell_upper_bits(ir, site, v_raw);
        return v_raw;
    }
    LLVMTypeRef t_bits = ir_int_type(ir, site->info->width_bytes);
    LLVMValueRef v_bits = LLVMBuildTrunc(ir->builder, v_raw, t_bits, "bits");
    return emit_access_extend(ir, site, v_bits);
}

static void emit_store(const ir *ir, const emit_site *site, LLVMValueRef v_guest, LLVMValueRef v_value,
                       LLVMBasicBlockRef b_fault) {
    bool by_register = takes_address_register(site);
    char instruction[INSTRUCTION_CHARS_MAX];
    snprintf(instruction, sizeof instruction, store_format(site), by_register ? "(${0:k})" : "$0");
    LLVMValueRef v_raw = emit_access_narrow(ir, site, v_value);
    LLVMTypeRef parameters[] = {LLVMTypeOf(v_guest), LLVMTypeOf(v_raw)};
    LLVMTypeRef t_store = LLVMFunctionType(ir->t_void, parameters, 2, false);
    LLVMValueRef arguments[] = {v_guest, v_raw};
    if (b_fault == NULL) {
        const char *constraints = by_register ? "r,r,~{memory}" : "*m,r,~{memory}";
        build_plain(ir, site, t_store, instruction, constraints, arguments, 2);
    } else {
        const char *constraints = by_register ? "r,r,!i,~{memory}" : "*m,r,!i,~{memory}";
        build_recoverable(ir, site, t_store, instruction, constraints, arguments, 2, b_fault);
    }
}

LLVMValueRef emit_access_paged(const ir *ir, const emit_site *site, LLVMValueRef v_base, LLVMValueRef v_index,
                               LLVMValueRef v_value, LLVMBasicBlockRef b_fault) {
    LLVMValueRef v_guest = guest_operand(ir, site, v_base, v_index);
    if (site->info->operation == MF_LOAD)
        return emit_load(ir, site, v_guest, b_fault);
    emit_store(ir, site, v_guest, v_value, b_fault);
    return NULL;
}
