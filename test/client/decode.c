#include "decode.h"

/* The bits [high:low] of a word, as the manual writes them. */
static uint32_t bits(uint32_t word, unsigned high, unsigned low) {
    return (word >> low) & (uint32_t)((UINT64_C(1) << (high - low + 1)) - 1);
}

static uint32_t sign_extend(uint32_t value, unsigned width) {
    uint32_t sign = UINT32_C(1) << (width - 1);
    return (value ^ sign) - sign;
}

/* ---- Immediates, by format ---- */

static uint32_t immediate_i(uint32_t word) {
    return sign_extend(bits(word, 31, 20), 12);
}

static uint32_t immediate_s(uint32_t word) {
    return sign_extend(bits(word, 31, 25) << 5 | bits(word, 11, 7), 12);
}

static uint32_t immediate_b(uint32_t word) {
    return sign_extend(bits(word, 31, 31) << 12 | bits(word, 7, 7) << 11 | bits(word, 30, 25) << 5 |
                           bits(word, 11, 8) << 1,
                       13);
}

static uint32_t immediate_u(uint32_t word) {
    return word & 0xFFFFF000;
}

static uint32_t immediate_j(uint32_t word) {
    return sign_extend(bits(word, 31, 31) << 20 | bits(word, 19, 12) << 12 | bits(word, 20, 20) << 11 |
                           bits(word, 30, 21) << 1,
                       21);
}

/* ---- Opcodes ---- */

static void decode_register_arithmetic(instruction *i, uint32_t funct7, uint32_t funct3) {
    i->kind = ARITHMETIC;
    if (funct7 == 0)
        i->arithmetic = (arithmetic)funct3;
    else if (funct7 == 1)
        i->arithmetic = (arithmetic)(MUL + funct3);
    else if (funct7 == 0x20 && (funct3 == ADD || funct3 == SRL))
        i->arithmetic = funct3 == ADD ? SUB : SRA;
    else
        i->kind = STOP;
}

/* Shifts keep funct7 and have five bits of immediate. */
static void decode_immediate_arithmetic(instruction *i, uint32_t word, uint32_t funct7, uint32_t funct3) {
    bool shifts = funct3 == SLL || funct3 == SRL;
    if (shifts && funct7 != 0 && !(funct3 == SRL && funct7 == 0x20))
        return;
    i->kind = ARITHMETIC;
    i->has_immediate = true;
    i->immediate = shifts ? bits(word, 24, 20) : immediate_i(word);
    i->arithmetic = shifts && funct7 == 0x20 ? SRA : (arithmetic)funct3;
}

/* funct3 is log2 of the width, and 4 more for a load that does not extend the sign. */
static void decode_load(instruction *i, uint32_t word, uint32_t funct3) {
    if (funct3 == 3 || funct3 > 5)
        return;
    i->kind = LOAD;
    i->width_bytes = 1u << (funct3 & 3);
    i->sign_extends = funct3 < 4;
    i->immediate = immediate_i(word);
}

static void decode_store(instruction *i, uint32_t word, uint32_t funct3) {
    if (funct3 > 2)
        return;
    i->kind = STORE;
    i->width_bytes = 1u << funct3;
    i->immediate = immediate_s(word);
}

static void decode_with_immediate(instruction *i, instruction_kind kind, uint32_t immediate) {
    i->kind = kind;
    i->immediate = immediate;
}

instruction decode(uint32_t word) {
    uint32_t funct3 = bits(word, 14, 12);
    uint32_t funct7 = bits(word, 31, 25);
    instruction i = {
        .kind = STOP, .rd = bits(word, 11, 7), .rs1 = bits(word, 19, 15), .rs2 = bits(word, 24, 20)};
    switch (bits(word, 6, 0)) {
    case 0x37:
        decode_with_immediate(&i, CONSTANT, immediate_u(word));
        break;
    case 0x17:
        decode_with_immediate(&i, PC_RELATIVE, immediate_u(word));
        break;
    case 0x6F:
        decode_with_immediate(&i, JUMP, immediate_j(word));
        break;
    case 0x67:
        decode_with_immediate(&i, funct3 == 0 ? JUMP_INDIRECT : STOP, immediate_i(word));
        break;
    case 0x63:
        i.condition = (condition)funct3;
        decode_with_immediate(&i, funct3 == 2 || funct3 == 3 ? STOP : BRANCH, immediate_b(word));
        break;
    case 0x03:
        decode_load(&i, word, funct3);
        break;
    case 0x23:
        decode_store(&i, word, funct3);
        break;
    case 0x13:
        decode_immediate_arithmetic(&i, word, funct7, funct3);
        break;
    case 0x33:
        decode_register_arithmetic(&i, funct7, funct3);
        break;
    case 0x0F:
        i.kind = FENCE;
        break;
    case 0x73:
        i.kind = word == 0x73 ? SYSTEM_CALL : STOP;
        break;
    }
    return i;
}

bool ends_block(const instruction *i) {
    return i->kind == STOP || i->kind == BRANCH || i->kind == JUMP || i->kind == JUMP_INDIRECT ||
           i->kind == SYSTEM_CALL;
}

bool returns_behind(const instruction *i) {
    return i->kind == SYSTEM_CALL || ((i->kind == JUMP || i->kind == JUMP_INDIRECT) && i->rd != 0);
}
