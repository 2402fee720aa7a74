/*
 * The guest's registers are in stack slots, which LLVM's passes turn into values; the state in memory is read
 * on entry and written at exits. Within a block `current` holds the registers' values, so that the builder
 * folds lui and addi to the constant address that they make, and memfold decides the access when it is built.
 */
#include "translate.h"

#include <stdlib.h>

typedef struct translation {
    const guest *guest;
    const region *region;
    LLVMContextRef context;
    LLVMBuilderRef builder;
    mf_embed *embed;
    LLVMTypeRef t_i32, t_i64, t_state;
    LLVMValueRef function, v_state, v_view;
    LLVMValueRef slots[GUEST_REGISTERS];
    LLVMValueRef current[GUEST_REGISTERS]; /* NULL: only in its slot */
    LLVMBasicBlockRef *b_blocks;           /* as in the region */
    LLVMBasicBlockRef b_leave;             /* the way out, with its phis */
    LLVMValueRef v_leave_reason, v_leave_pc;
    LLVMBasicBlockRef b_fault; /* the way out of accesses, with its phi: which one it was */
    LLVMValueRef v_fault_pc;
} translation;

/* ---- State and registers ---- */

static LLVMValueRef constant(const translation *t, uint32_t value) {
    return LLVMConstInt(t->t_i32, value, false);
}

static LLVMValueRef register_in_state(const translation *t, unsigned number) {
    LLVMValueRef indices[] = {constant(t, 0), constant(t, 0), constant(t, number)};
    return LLVMBuildGEP2(t->builder, t->t_state, t->v_state, indices, 3, "");
}

static LLVMValueRef pc_in_state(const translation *t) {
    return LLVMBuildStructGEP2(t->builder, t->t_state, t->v_state, 1, "pc");
}

static LLVMValueRef read_register(translation *t, unsigned number) {
    if (number == 0)
        return constant(t, 0);
    if (t->current[number] == NULL)
        t->current[number] = LLVMBuildLoad2(t->builder, t->t_i32, t->slots[number], "");
    return t->current[number];
}

static void write_register(translation *t, unsigned number, LLVMValueRef v_value) {
    if (number == 0)
        return;
    t->current[number] = v_value;
    LLVMBuildStore(t->builder, v_value, t->slots[number]);
}

static void load_registers(translation *t) {
    for (unsigned i = 1; i < GUEST_REGISTERS; i++) {
        if ((t->region->uses >> i & 1) == 0)
            continue;
        t->slots[i] = LLVMBuildAlloca(t->builder, t->t_i32, "x");
        LLVMValueRef v_field = register_in_state(t, i);
        LLVMValueRef v_value = LLVMBuildLoad2(t->builder, t->t_i32, v_field, "");
        LLVMBuildStore(t->builder, v_value, t->slots[i]);
    }
}

static void store_registers(translation *t) {
    for (unsigned i = 1; i < GUEST_REGISTERS; i++) {
        if ((t->region->writes >> i & 1) == 0)
            continue;
        LLVMValueRef v_value = LLVMBuildLoad2(t->builder, t->t_i32, t->slots[i], "");
        LLVMValueRef v_field = register_in_state(t, i);
        LLVMBuildStore(t->builder, v_value, v_field);
    }
}

/* ---- Ways out ---- */

static void leave(translation *t, guest_exit reason, LLVMValueRef v_pc) {
    LLVMBasicBlockRef b_from = LLVMGetInsertBlock(t->builder);
    LLVMValueRef v_reason = constant(t, reason);
    LLVMAddIncoming(t->v_leave_reason, &v_reason, &b_from, 1);
    LLVMAddIncoming(t->v_leave_pc, &v_pc, &b_from, 1);
    LLVMBuildBr(t->builder, t->b_leave);
}

static void go_to(translation *t, uint32_t pc) {
    size_t number = region_find(t->region, pc);
    if (number < t->region->block_count)
        LLVMBuildBr(t->builder, t->b_blocks[number]);
    else
        leave(t, GUEST_GOES_ON, constant(t, pc));
}

/* ---- Loads and stores ---- */

/* RISC-V reduces the sum modulo 2^32, so the offset is not left to memfold, which would let it pass 2^32. */
static mf_embed_access make_access(translation *t, const instruction *i) {
    LLVMValueRef v_base = read_register(t, i->rs1);
    LLVMValueRef v_address = LLVMBuildAdd(t->builder, v_base, constant(t, i->immediate), "address");
    return (mf_embed_access){.view = t->v_view, .address = v_address, .fault_block = t->b_fault};
}

/* If it faults it is the instruction at `pc` that did. */
static void note_fault(translation *t, LLVMBasicBlockRef fault_from, uint32_t pc) {
    LLVMValueRef v_pc = constant(t, pc);
    if (fault_from != NULL)
        LLVMAddIncoming(t->v_fault_pc, &v_pc, &fault_from, 1);
}

static void build_load(translation *t, const instruction *i, uint32_t pc) {
    LLVMTypeRef type = LLVMIntTypeInContext(t->context, 8 * i->width_bytes);
    mf_embed_access access = make_access(t, i);
    LLVMBasicBlockRef fault_from;
    LLVMValueRef v_loaded = mf_embed_load(t->embed, t->builder, &access, type, &fault_from);
    note_fault(t, fault_from, pc);
    write_register(t, i->rd, LLVMBuildIntCast2(t->builder, v_loaded, t->t_i32, i->sign_extends, ""));
}

static void build_store(translation *t, const instruction *i, uint32_t pc) {
    LLVMTypeRef type = LLVMIntTypeInContext(t->context, 8 * i->width_bytes);
    LLVMValueRef v_register = read_register(t, i->rs2);
    LLVMValueRef v_stored = LLVMBuildIntCast2(t->builder, v_register, type, false, "");
    mf_embed_access access = make_access(t, i);
    LLVMBasicBlockRef fault_from;
    mf_embed_store(t->embed, t->builder, &access, v_stored, &fault_from);
    note_fault(t, fault_from, pc);
}

/* ---- Arithmetic ---- */

/* The upper half of a product of 33-bit factors. */
static LLVMValueRef upper_product(translation *t, LLVMValueRef v_a, bool a_signed, LLVMValueRef v_b,
                                  bool b_signed) {
    LLVMValueRef v_wide_a = LLVMBuildIntCast2(t->builder, v_a, t->t_i64, a_signed, "");
    LLVMValueRef v_wide_b = LLVMBuildIntCast2(t->builder, v_b, t->t_i64, b_signed, "");
    LLVMValueRef v_product = LLVMBuildMul(t->builder, v_wide_a, v_wide_b, "");
    LLVMValueRef v_upper = LLVMBuildLShr(t->builder, v_product, LLVMConstInt(t->t_i64, 32, false), "");
    return LLVMBuildTrunc(t->builder, v_upper, t->t_i32, "");
}

/* INT32_MIN / -1 overflows; RISC-V has the quotient INT32_MIN and the remainder 0, as for division by 1. */
static LLVMValueRef overflows(translation *t, LLVMValueRef v_a, LLVMValueRef v_b) {
    LLVMValueRef v_least = LLVMBuildICmp(t->builder, LLVMIntEQ, v_a, constant(t, UINT32_C(1) << 31), "");
    LLVMValueRef v_minus_one = LLVMBuildICmp(t->builder, LLVMIntEQ, v_b, constant(t, UINT32_MAX), "");
    return LLVMBuildAnd(t->builder, v_least, v_minus_one, "");
}

/* By 0 RISC-V has the quotient -1, all ones, and the remainder a. LLVM's division is undefined there. */
static LLVMValueRef divide(translation *t, arithmetic operation, LLVMValueRef v_a, LLVMValueRef v_b) {
    bool is_signed = operation == DIV || operation == REM;
    bool is_quotient = operation == DIV || operation == DIVU;
    LLVMOpcode opcode = is_quotient ? (is_signed ? LLVMSDiv : LLVMUDiv) : (is_signed ? LLVMSRem : LLVMURem);
    LLVMValueRef v_by_zero = LLVMBuildICmp(t->builder, LLVMIntEQ, v_b, constant(t, 0), "");
    LLVMValueRef v_special = v_by_zero;
    if (is_signed) {
        LLVMValueRef v_overflows = overflows(t, v_a, v_b);
        v_special = LLVMBuildOr(t->builder, v_by_zero, v_overflows, "");
    }
    LLVMValueRef v_divisor = LLVMBuildSelect(t->builder, v_special, constant(t, 1), v_b, "");
    LLVMValueRef v_result = LLVMBuildBinOp(t->builder, opcode, v_a, v_divisor, "");
    return LLVMBuildSelect(t->builder, v_by_zero, is_quotient ? constant(t, UINT32_MAX) : v_a, v_result, "");
}

static LLVMValueRef shift(translation *t, LLVMOpcode opcode, LLVMValueRef v_a, LLVMValueRef v_b) {
    LLVMValueRef v_count = LLVMBuildAnd(t->builder, v_b, constant(t, 31), "");
    return LLVMBuildBinOp(t->builder, opcode, v_a, v_count, "");
}

static LLVMValueRef compare(translation *t, LLVMIntPredicate predicate, LLVMValueRef v_a, LLVMValueRef v_b) {
    LLVMValueRef v_holds = LLVMBuildICmp(t->builder, predicate, v_a, v_b, "");
    return LLVMBuildZExt(t->builder, v_holds, t->t_i32, "");
}

static LLVMValueRef compute(translation *t, arithmetic operation, LLVMValueRef v_a, LLVMValueRef v_b) {
    switch (operation) {
    case ADD:
        return LLVMBuildAdd(t->builder, v_a, v_b, "");
    case SUB:
        return LLVMBuildSub(t->builder, v_a, v_b, "");
    case XOR:
        return LLVMBuildXor(t->builder, v_a, v_b, "");
    case OR:
        return LLVMBuildOr(t->builder, v_a, v_b, "");
    case AND:
        return LLVMBuildAnd(t->builder, v_a, v_b, "");
    case SLL:
        return shift(t, LLVMShl, v_a, v_b);
    case SRL:
        return shift(t, LLVMLShr, v_a, v_b);
    case SRA:
        return shift(t, LLVMAShr, v_a, v_b);
    case SLT:
        return compare(t, LLVMIntSLT, v_a, v_b);
    case SLTU:
        return compare(t, LLVMIntULT, v_a, v_b);
    case MUL:
        return LLVMBuildMul(t->builder, v_a, v_b, "");
    case MULH:
        return upper_product(t, v_a, true, v_b, true);
    case MULHSU:
        return upper_product(t, v_a, true, v_b, false);
    case MULHU:
        return upper_product(t, v_a, false, v_b, false);
    case DIV:
    case DIVU:
    case REM:
    case REMU:
        return divide(t, operation, v_a, v_b);
    }
    abort();
}

static void build_arithmetic(translation *t, const instruction *i) {
    LLVMValueRef v_a = read_register(t, i->rs1);
    LLVMValueRef v_b = i->has_immediate ? constant(t, i->immediate) : read_register(t, i->rs2);
    write_register(t, i->rd, compute(t, i->arithmetic, v_a, v_b));
}

/* ---- Control ---- */

static void build_branch(translation *t, const instruction *i, uint32_t pc) {
    static const LLVMIntPredicate PREDICATES[] = {
        [EQ] = LLVMIntEQ,  [NE] = LLVMIntNE,   [LT] = LLVMIntSLT,
        [GE] = LLVMIntSGE, [LTU] = LLVMIntULT, [GEU] = LLVMIntUGE,
    };
    LLVMValueRef v_a = read_register(t, i->rs1);
    LLVMValueRef v_b = read_register(t, i->rs2);
    LLVMValueRef v_holds = LLVMBuildICmp(t->builder, PREDICATES[i->condition], v_a, v_b, "");
    size_t taken = region_find(t->region, pc + i->immediate);
    size_t other = region_find(t->region, pc + INSTRUCTION_BYTES);
    LLVMBuildCondBr(t->builder, v_holds, t->b_blocks[taken], t->b_blocks[other]);
}

/* A jump that links is a call: the callee is other code, and comes back to the block behind. */
static void build_jump(translation *t, const instruction *i, uint32_t pc) {
    write_register(t, i->rd, constant(t, pc + INSTRUCTION_BYTES));
    if (returns_behind(i))
        leave(t, GUEST_GOES_ON, constant(t, pc + i->immediate));
    else
        go_to(t, pc + i->immediate);
}

static void build_jump_indirect(translation *t, const instruction *i, uint32_t pc) {
    LLVMValueRef v_base = read_register(t, i->rs1);
    LLVMValueRef v_sum = LLVMBuildAdd(t->builder, v_base, constant(t, i->immediate), "");
    LLVMValueRef v_target = LLVMBuildAnd(t->builder, v_sum, constant(t, ~UINT32_C(1)), "target");
    write_register(t, i->rd, constant(t, pc + INSTRUCTION_BYTES));
    leave(t, GUEST_GOES_ON, v_target);
}

static void build_instruction(translation *t, const instruction *i, uint32_t pc) {
    switch (i->kind) {
    case CONSTANT:
        write_register(t, i->rd, constant(t, i->immediate));
        break;
    case PC_RELATIVE:
        write_register(t, i->rd, constant(t, pc + i->immediate));
        break;
    case ARITHMETIC:
        build_arithmetic(t, i);
        break;
    case LOAD:
        build_load(t, i, pc);
        break;
    case STORE:
        build_store(t, i, pc);
        break;
    case BRANCH:
        build_branch(t, i, pc);
        break;
    case JUMP:
        build_jump(t, i, pc);
        break;
    case JUMP_INDIRECT:
        build_jump_indirect(t, i, pc);
        break;
    case SYSTEM_CALL:
        leave(t, GUEST_CALLS, constant(t, pc));
        break;
    case STOP:
        leave(t, GUEST_STOPS, constant(t, pc));
        break;
    case FENCE:
        break;
    }
}

/* ---- Blocks ---- */

static void build_block(translation *t, size_t number) {
    const region_block *block = &t->region->blocks[number];
    LLVMPositionBuilderAtEnd(t->builder, t->b_blocks[number]);
    for (unsigned i = 0; i < GUEST_REGISTERS; i++)
        t->current[i] = NULL;
    uint32_t pc = block->pc;
    uint32_t word;
    while (pc < block->end && guest_fetch(t->guest, pc, &word)) {
        instruction i = decode(word);
        build_instruction(t, &i, pc);
        if (ends_block(&i))
            return;
        pc += INSTRUCTION_BYTES;
        if (region_find(t->region, pc) < t->region->block_count)
            break;
    }
    /* A block of nothing is where code cannot be read: whoever runs the guest finds out. */
    if (pc == block->pc)
        leave(t, GUEST_GOES_ON, constant(t, pc));
    else
        go_to(t, pc);
}

/* Reads the registers and goes to the entry at which the caller wants to begin. */
static void build_entry(translation *t) {
    load_registers(t);
    LLVMValueRef v_field = pc_in_state(t);
    LLVMValueRef v_pc = LLVMBuildLoad2(t->builder, t->t_i32, v_field, "entry.pc");
    LLVMBasicBlockRef b_other = LLVMAppendBasicBlockInContext(t->context, t->function, "no.entry");
    unsigned count = (unsigned)t->region->block_count;
    LLVMValueRef v_switch = LLVMBuildSwitch(t->builder, v_pc, b_other, count);
    for (unsigned i = 0; i < count; i++)
        if (t->region->blocks[i].is_entry)
            LLVMAddCase(v_switch, constant(t, t->region->blocks[i].pc), t->b_blocks[i]);
    LLVMPositionBuilderAtEnd(t->builder, b_other);
    LLVMBuildUnreachable(t->builder);
}

static void begin_exits(translation *t) {
    t->b_leave = LLVMAppendBasicBlockInContext(t->context, t->function, "leave");
    t->b_fault = LLVMAppendBasicBlockInContext(t->context, t->function, "guest.fault");
    LLVMPositionBuilderAtEnd(t->builder, t->b_leave);
    t->v_leave_reason = LLVMBuildPhi(t->builder, t->t_i32, "reason");
    t->v_leave_pc = LLVMBuildPhi(t->builder, t->t_i32, "pc");
    LLVMPositionBuilderAtEnd(t->builder, t->b_fault);
    t->v_fault_pc = LLVMBuildPhi(t->builder, t->t_i32, "fault.pc");
}

static void end_exit(translation *t, LLVMValueRef v_reason, LLVMValueRef v_pc) {
    LLVMValueRef v_field = pc_in_state(t);
    LLVMBuildStore(t->builder, v_pc, v_field);
    LLVMBuildRet(t->builder, v_reason);
}

/* The guest is not resumed after a fault, so nobody asks for its registers. A block without a way in goes. */
static void end_exits(translation *t) {
    if (LLVMCountIncoming(t->v_leave_pc) > 0) {
        LLVMPositionBuilderAtEnd(t->builder, t->b_leave);
        store_registers(t);
        end_exit(t, t->v_leave_reason, t->v_leave_pc);
    } else {
        LLVMDeleteBasicBlock(t->b_leave);
    }
    if (LLVMCountIncoming(t->v_fault_pc) > 0) {
        LLVMPositionBuilderAtEnd(t->builder, t->b_fault);
        end_exit(t, constant(t, GUEST_FAULTS), t->v_fault_pc);
    } else {
        LLVMDeleteBasicBlock(t->b_fault);
    }
}

/* ---- The function ---- */

static void begin_function(translation *t, LLVMModuleRef module, const char *name) {
    LLVMTypeRef t_ptr = LLVMPointerTypeInContext(t->context, 0);
    LLVMTypeRef parameters[] = {t_ptr, t_ptr};
    LLVMTypeRef fields[] = {LLVMArrayType2(t->t_i32, GUEST_REGISTERS), t->t_i32};
    t->t_state = LLVMStructTypeInContext(t->context, fields, 2, false);
    t->function = LLVMAddFunction(module, name, LLVMFunctionType(t->t_i32, parameters, 2, false));
    t->v_state = LLVMGetParam(t->function, 0);
    t->v_view = LLVMGetParam(t->function, 1);
}

static void build_function(translation *t) {
    LLVMBasicBlockRef b_entry = LLVMAppendBasicBlockInContext(t->context, t->function, "entry");
    for (size_t i = 0; i < t->region->block_count; i++)
        t->b_blocks[i] = LLVMAppendBasicBlockInContext(t->context, t->function, "block");
    begin_exits(t);
    LLVMPositionBuilderAtEnd(t->builder, b_entry);
    build_entry(t);
    for (size_t i = 0; i < t->region->block_count; i++)
        build_block(t, i);
    end_exits(t);
}

mf_status translate(LLVMModuleRef module, const char *name, const guest *g, const region *r,
                    const mf_accessor_options *options, mf_diag *diag) {
    translation t = {.guest = g, .region = r, .context = LLVMGetModuleContext(module)};
    mf_status status = mf_embed_create(module, g->layout, options, &t.embed, diag);
    if (status != MF_OK)
        return status;
    t.b_blocks = calloc(r->block_count, sizeof t.b_blocks[0]);
    if (t.b_blocks == NULL) {
        mf_embed_destroy(t.embed);
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, r->block_count, "no memory for a region");
    }
    t.builder = LLVMCreateBuilderInContext(t.context);
    t.t_i32 = LLVMInt32TypeInContext(t.context);
    t.t_i64 = LLVMInt64TypeInContext(t.context);
    begin_function(&t, module, name);
    build_function(&t);
    LLVMDisposeBuilder(t.builder);
    mf_embed_destroy(t.embed);
    free(t.b_blocks);
    return MF_OK;
}
