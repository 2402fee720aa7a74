/*
 * Accesses that the MMU checks, for x86-64. LLVM does not count a fault as an effect: it would delete an
 * unused load and the stores before it. So there are three forms.
 *
 * With an edge in the code (on_fault = return or branch) the access is a callbr, whose second way out is the
 * fault edge: LLVM sees both ways and may do with the client's memory what it likes. The access touches the
 * guest bytes of its operand, and nothing else.
 *
 * With a trap the way out is not in the code. The access is a volatile load or store, with order = all
 * between two fences for the compiler, so that each effect on memory stays on its side of it. Only at base 0
 * it is assembly that may touch all memory, for the sake of its address register.
 */
#include "emit/paged.h"

#include "emit/access.h"

#include <memfold/exception_table.h>

#include <stdio.h>
#include <string.h>

#define INSTRUCTION_CHARS_MAX 64

/* ---- Instructions ---- */

/* %s is where the guest bytes are: a load's $1, a store's $0. The other operand is the value. */
static const char *load_word_format(const emit_site *site) {
    bool sign_extends = site->sign_extends && site->options->endian == MF_LITTLE_ENDIAN;
    switch (site->plan->width_bytes) {
    case 1:
        return site->sign_extends ? "movsbq %s, $0" : "movzbl %s, ${0:k}";
    case 2:
        return sign_extends ? "movswq %s, $0" : "movzwl %s, ${0:k}";
    case 4:
        return sign_extends ? "movslq %s, $0" : "movl %s, ${0:k}";
    default:
        return "movq %s, $0";
    }
}

static const char *store_word_format(const emit_site *site) {
    switch (site->plan->width_bytes) {
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

/* The instruction that moves so many bytes to or from a vector register. */
static const char *vector_mnemonic(const emit_site *site) {
    switch (site->plan->width_bytes) {
    case 4:
        return site->has_avx ? "vmovss" : "movss";
    case 8:
        return site->has_avx ? "vmovsd" : "movsd";
    default:
        return site->has_avx ? "vmovups" : "movups";
    }
}

/* What one instruction moves: the type of its register, and the constraint that names it. */
typedef struct operand {
    LLVMTypeRef t_value;
    const char *constraint;
} operand;

static operand operand_of(const ir *ir, const emit_site *site) {
    unsigned words = site->plan->width_bytes / 8;
    if (emit_site_is_word(ir, site))
        return (operand){ir->t_i64, "r"};
    if (site->plan->width_bytes <= 8)
        return (operand){site->t_raw, "x"};
    return (operand){LLVMVectorType(ir->t_i64, words), words == 8 ? "v" : "x"};
}

bool emit_paged_is_one_access(const ir *ir, const emit_site *site, bool has_avx512) {
    if (emit_site_is_word(ir, site))
        return true;
    LLVMTypeKind kind = LLVMGetTypeKind(site->t_raw);
    if (kind == LLVMFloatTypeKind || kind == LLVMDoubleTypeKind)
        return true;
    if (kind != LLVMVectorTypeKind)
        return false;
    switch (site->plan->width_bytes) {
    case 16:
        return true;
    case 32:
        return site->has_avx;
    case 64:
        return has_avx512;
    default:
        return false;
    }
}

/* ---- Operands ---- */

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
    LLVMAddCallSiteAttribute(v_call, 1, LLVMCreateTypeAttribute(ir->context, kind, site->t_raw));
}

/* ---- Assembly ---- */

static LLVMValueRef inline_asm(LLVMTypeRef t_asm, const char *text, const char *constraints) {
    return LLVMGetInlineAsm(t_asm, text, strlen(text), constraints, strlen(constraints), true, false,
                            LLVMInlineAsmDialectATT, false);
}

/* One access as assembly: its type, its instruction, and what that reads and writes. */
typedef struct assembly {
    LLVMTypeRef t_asm;
    char instruction[INSTRUCTION_CHARS_MAX];
    char constraints[INSTRUCTION_CHARS_MAX];
    LLVMValueRef arguments[2];
    unsigned argument_count;
} assembly;

/* A client that has forgotten the table of its module gets no object. */
#define ASK_FOR_TABLE                                                                                        \
    ".ifndef " EMIT_TABLE_MARK "\n.error \"a module with paged accesses has no exception table: call "       \
    "mf_embed_define_exception_table\"\n.endif\n"

/* The instruction, and its entry: two addresses, each relative to its own place. */
static LLVMValueRef build_recoverable(const ir *ir, const emit_site *site, assembly *a,
                                      LLVMBasicBlockRef b_fault) {
    char text[512];
    snprintf(text, sizeof text,
             "1: %s\n%s.pushsection " MF_EXCEPTION_SECTION ",\"aR\",@progbits\n.balign 4\n"
             ".long 1b - .\n.long ${2:l} - .\n.popsection",
             a->instruction, site->asks_for_table ? ASK_FOR_TABLE : "");
    LLVMBasicBlockRef b_done = ir_block_follow(ir, "access.done");
    LLVMValueRef v_asm = inline_asm(a->t_asm, text, a->constraints);
    LLVMValueRef v_call = LLVMBuildCallBr(ir->builder, a->t_asm, v_asm, b_done, &b_fault, 1, a->arguments,
                                          a->argument_count, NULL, 0, "");
    set_guest_type(ir, site, v_call);
    if (!takes_address_register(site))
        ir_set_argument_memory(ir, v_call, site->plan->operation == MF_STORE);
    ir_block_enter(ir, b_done);
    return v_call;
}

static LLVMValueRef build_trapping(const ir *ir, const emit_site *site, assembly *a) {
    LLVMValueRef v_asm = inline_asm(a->t_asm, a->instruction, a->constraints);
    LLVMValueRef v_call = LLVMBuildCall2(ir->builder, a->t_asm, v_asm, a->arguments, a->argument_count, "");
    set_guest_type(ir, site, v_call);
    return v_call;
}

static LLVMValueRef build(const ir *ir, const emit_site *site, assembly *a, LLVMBasicBlockRef b_fault) {
    return b_fault == NULL ? build_trapping(ir, site, a) : build_recoverable(ir, site, a, b_fault);
}

/*
 * What is behind the operands: the label of the fault edge, and the clobber of all memory where the way out
 * is not in the code, or where the guest bytes are no operand that LLVM could know.
 */
static const char *constraint_tail(const emit_site *site, LLVMBasicBlockRef b_fault) {
    if (b_fault == NULL)
        return ",~{memory}";
    return takes_address_register(site) ? ",!i,~{memory}" : ",!i";
}

/* The instruction has cleared the upper bits, but what assembly delivers LLVM would clear once more. */
static void tell_upper_bits(const ir *ir, const emit_site *site, LLVMValueRef v_raw) {
    uint32_t width = site->plan->width_bytes;
    if (width == 8 || site->sign_extends)
        return;
    LLVMValueRef v_limit = ir_const(ir->t_i64, UINT64_C(1) << 8 * width);
    LLVMValueRef v_is_below = LLVMBuildICmp(ir->builder, LLVMIntULT, v_raw, v_limit, "is.extended");
    ir_assume(ir, v_is_below);
}

/* What the instruction has delivered as the value of a load. */
static LLVMValueRef loaded_value(const ir *ir, const emit_site *site, LLVMValueRef v_register) {
    if (!emit_site_is_word(ir, site))
        return LLVMBuildBitCast(ir->builder, v_register, site->t_raw, "raw");
    if (site->options->endian == MF_LITTLE_ENDIAN || site->plan->width_bytes == 1) {
        tell_upper_bits(ir, site, v_register);
        return v_register;
    }
    LLVMValueRef v_bits = LLVMBuildTrunc(ir->builder, v_register, site->t_raw, "bits");
    return emit_access_extend(ir, site, v_bits);
}

static LLVMValueRef load_by_assembly(const ir *ir, const emit_site *site, LLVMValueRef v_guest,
                                     LLVMBasicBlockRef b_fault) {
    bool by_register = takes_address_register(site);
    operand value = operand_of(ir, site);
    LLVMTypeRef t_guest = LLVMTypeOf(v_guest);
    assembly a = {.t_asm = LLVMFunctionType(value.t_value, &t_guest, 1, false),
                  .arguments = {v_guest},
                  .argument_count = 1};
    const char *guest = by_register ? "(${1:k})" : "$1";
    if (emit_site_is_word(ir, site))
        snprintf(a.instruction, sizeof a.instruction, load_word_format(site), guest);
    else
        snprintf(a.instruction, sizeof a.instruction, "%s %s, $0", vector_mnemonic(site), guest);
    snprintf(a.constraints, sizeof a.constraints, "=%s,%s%s", value.constraint, by_register ? "r" : "*m",
             constraint_tail(site, b_fault));
    return loaded_value(ir, site, build(ir, site, &a, b_fault));
}

static void store_by_assembly(const ir *ir, const emit_site *site, LLVMValueRef v_guest, LLVMValueRef v_value,
                              LLVMBasicBlockRef b_fault) {
    bool by_register = takes_address_register(site);
    bool is_word = emit_site_is_word(ir, site);
    operand value = operand_of(ir, site);
    LLVMValueRef v_raw = emit_access_narrow(ir, site, v_value);
    if (!is_word)
        v_raw = LLVMBuildBitCast(ir->builder, v_raw, value.t_value, "");
    LLVMTypeRef parameters[] = {LLVMTypeOf(v_guest), LLVMTypeOf(v_raw)};
    assembly a = {.t_asm = LLVMFunctionType(ir->t_void, parameters, 2, false),
                  .arguments = {v_guest, v_raw},
                  .argument_count = 2};
    const char *guest = by_register ? "(${0:k})" : "$0";
    if (is_word)
        snprintf(a.instruction, sizeof a.instruction, store_word_format(site), guest);
    else
        snprintf(a.instruction, sizeof a.instruction, "%s $1, %s", vector_mnemonic(site), guest);
    snprintf(a.constraints, sizeof a.constraints, "%s,%s%s", by_register ? "r" : "=*m", value.constraint,
             constraint_tail(site, b_fault));
    build(ir, site, &a, b_fault);
}

/* ---- Volatile accesses ---- */

/*
 * LLVM drops a volatile load in front of what it takes for unreachable, but not one in front of something
 * that may not come back (a volatile store counts as that itself).
 */
static LLVMValueRef move_volatile(const ir *ir, const emit_site *site, LLVMValueRef v_host,
                                  LLVMValueRef v_value) {
    if (site->plan->operation == MF_LOAD) {
        LLVMValueRef v_raw = ir_load_bytes(ir, site->t_raw, v_host, IR_BYTES_GUEST, "raw");
        LLVMSetVolatile(v_raw, true);
        ir_may_not_return(ir);
        return v_raw;
    }
    LLVMValueRef v_store = ir_store_bytes(ir, emit_access_narrow(ir, site, v_value), v_host, IR_BYTES_GUEST);
    LLVMSetVolatile(v_store, true);
    return NULL;
}

/*
 * A volatile access keeps its place among volatile ones only. Between two fences it also keeps it among all
 * other loads and stores, and still is an operand, and no obstacle to unrolling, which assembly is. Without
 * fences LLVM would make one instruction of a load, a sum and a store, whose fault is always a store's.
 */
static LLVMValueRef emit_volatile(const ir *ir, const emit_site *site, LLVMValueRef v_base,
                                  LLVMValueRef v_index, LLVMValueRef v_value) {
    bool is_fenced = site->options->order == MF_ORDER_ALL;
    LLVMValueRef v_host = emit_access_host(ir, site, v_base, v_index);
    if (is_fenced)
        ir_fence(ir);
    LLVMValueRef v_raw = move_volatile(ir, site, v_host, v_value);
    if (is_fenced)
        ir_fence(ir);
    else if (v_raw != NULL)
        ir_keep_apart(ir);
    return v_raw == NULL ? NULL : emit_access_extend(ir, site, v_raw);
}

LLVMValueRef emit_access_paged(const ir *ir, const emit_site *site, LLVMValueRef v_base, LLVMValueRef v_index,
                               LLVMValueRef v_value, LLVMBasicBlockRef b_fault) {
    bool by_register = takes_address_register(site) && site->options->order == MF_ORDER_ALL;
    if (b_fault == NULL && !by_register)
        return emit_volatile(ir, site, v_base, v_index, v_value);
    LLVMValueRef v_guest = guest_operand(ir, site, v_base, v_index);
    if (site->plan->operation == MF_LOAD)
        return load_by_assembly(ir, site, v_guest, b_fault);
    store_by_assembly(ir, site, v_guest, v_value, b_fault);
    return NULL;
}
