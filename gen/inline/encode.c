#include "inline/encode.h"

#include <assert.h>

/* ---- Bytes ---- */

static void put_byte(x86_code *code, uint32_t byte) {
    if (code->byte_count < code->room_bytes)
        code->bytes[code->byte_count] = (uint8_t)byte;
    code->byte_count++;
}

static void put_bytes(x86_code *code, uint64_t value, uint32_t byte_count) {
    for (uint32_t i = 0; i < byte_count; i++)
        put_byte(code, (uint32_t)(value >> 8 * i) & 0xff);
}

static bool fits_byte(int64_t value) {
    return INT8_MIN <= value && value <= INT8_MAX;
}

/* ---- Prefixes, opcode, ModRM and SIB ---- */

/* An opcode with what it says about its operands. */
typedef struct form {
    uint32_t opcode; /* up to three bytes, the escape first: 0x0fb6 is 0F B6 */
    x86_size size;   /* of the operation: X86_64 takes REX.W, X86_16 the prefix 66 */
    bool is_byte;    /* `reg` is a byte register: 4 to 7 need a REX prefix, or they are ah to bh */
} form;

static void check_size(x86_size size) {
    assert(size == X86_32 || size == X86_64);
    (void)size;
}

static void begin(x86_code *code, bool writes_flags) {
    code->instruction_count++;
    code->writes_flags = code->writes_flags || writes_flags;
}

/* REX is 0100WRXB: the fourth bits of reg, index and base. It stands right before the opcode. */
static void put_opcode(x86_code *code, form f, x86_register reg, x86_register index, x86_register base) {
    uint32_t rex = (f.size == X86_64 ? 8u : 0) | reg >> 3 << 2 | index >> 3 << 1 | base >> 3;
    assert(reg < X86_REGISTER_COUNT && index < X86_REGISTER_COUNT && base < X86_REGISTER_COUNT);
    if (f.size == X86_16)
        put_byte(code, 0x66);
    if (rex != 0 || (f.is_byte && reg >= X86_RSP))
        put_byte(code, 0x40 | rex);
    if (f.opcode > 0xffff)
        put_byte(code, f.opcode >> 16);
    if (f.opcode > 0xff)
        put_byte(code, f.opcode >> 8 & 0xff);
    put_byte(code, f.opcode & 0xff);
}

static void put_modrm(x86_code *code, uint32_t mod, uint32_t reg, uint32_t rm) {
    put_byte(code, mod << 6 | (reg & 7) << 3 | (rm & 7));
}

static void put_registers(x86_code *code, form f, x86_register reg, x86_register rm) {
    put_opcode(code, f, reg, 0, rm);
    put_modrm(code, 3, reg, rm);
}

/* Low bits 101 as a base without a displacement mean another thing: rbp and r13 take one of 0. */
static bool needs_displacement(x86_register base) {
    return (base & 7) == X86_RBP;
}

/* Base and index of an unscaled address are alike, but the index cannot be rsp, and some bases are longer. */
static x86_memory choose_base(x86_memory m) {
    bool may_swap = m.base != X86_NONE && m.index != X86_NONE && m.scale_log2 == 0 && m.base != X86_RSP;
    if (may_swap && m.displacement == 0 && needs_displacement(m.base) && !needs_displacement(m.index)) {
        x86_register base = m.base;
        m.base = m.index;
        m.index = base;
    }
    return m;
}

/*
 * rm = 100 stands for a SIB byte, so rsp and r12 as bases need one; in it index 100 stands for none (r12 has
 * a fourth bit in REX.X and is an index like others), and base 101 with mod 0 for none, with 32 bits of
 * displacement.
 */
static void put_memory(x86_code *code, form f, x86_register reg, x86_memory memory) {
    x86_memory m = choose_base(memory);
    bool has_base = m.base != X86_NONE;
    bool has_index = m.index != X86_NONE;
    assert(m.index != X86_RSP && m.scale_log2 <= 3);
    uint32_t base = has_base ? m.base : X86_RBP;
    uint32_t index = has_index ? m.index : X86_RSP;
    uint32_t mod = 2;
    if (!has_base || (m.displacement == 0 && !needs_displacement(m.base)))
        mod = 0;
    else if (fits_byte(m.displacement))
        mod = 1;
    if (m.is_32bit)
        put_byte(code, 0x67);
    put_opcode(code, f, reg, index, base);
    if (has_index || !has_base || (base & 7) == X86_RSP) {
        put_modrm(code, mod, reg, X86_RSP);
        put_modrm(code, m.scale_log2, index, base);
    } else {
        put_modrm(code, mod, reg, base);
    }
    if (mod == 1)
        put_byte(code, (uint32_t)m.displacement & 0xff);
    else if (mod == 2 || !has_base)
        put_bytes(code, (uint32_t)m.displacement, 4);
}

/* ---- Registers and constants ---- */

void x86_move(x86_code *code, x86_size size, x86_register to, x86_register from) {
    check_size(size);
    begin(code, false);
    put_registers(code, (form){.opcode = 0x8b, .size = size}, to, from);
}

/* A 32-bit constant fills the upper half with zeros; one that is negative is extended by its sign. */
void x86_move_constant(x86_code *code, x86_register to, uint64_t value) {
    bool is_negative = (int64_t)value < 0 && (int64_t)value >= INT32_MIN;
    assert(to < X86_REGISTER_COUNT);
    begin(code, false);
    if (is_negative) {
        put_registers(code, (form){.opcode = 0xc7, .size = X86_64}, 0, to);
        put_bytes(code, value, 4);
        return;
    }
    x86_size size = value <= UINT32_MAX ? X86_32 : X86_64;
    put_opcode(code, (form){.opcode = 0xb8 | (to & 7), .size = size}, 0, 0, to);
    put_bytes(code, value, size);
}

void x86_sign_extend(x86_code *code, x86_size from_size, x86_register to, x86_register from) {
    assert(from_size == X86_16 || from_size == X86_32);
    begin(code, false);
    put_registers(code, (form){.opcode = from_size == X86_16 ? 0x0fbf : 0x63, .size = X86_64}, to, from);
}

void x86_move_if(x86_code *code, x86_size size, x86_condition condition, x86_register to, x86_register from) {
    check_size(size);
    begin(code, false);
    put_registers(code, (form){.opcode = 0x0f40 | (uint32_t)condition, .size = size}, to, from);
}

void x86_swap_bytes(x86_code *code, x86_size size, x86_register reg) {
    check_size(size);
    assert(reg < X86_REGISTER_COUNT);
    begin(code, false);
    put_opcode(code, (form){.opcode = 0x0fc8 | (reg & 7), .size = size}, 0, 0, reg);
}

void x86_rotate_word(x86_code *code, x86_register reg) {
    begin(code, true);
    put_registers(code, (form){.opcode = 0xc1, .size = X86_16}, 0, reg);
    put_byte(code, 8);
}

/* ---- Arithmetic ---- */

void x86_address(x86_code *code, x86_size size, x86_register to, x86_register from, int32_t more) {
    x86_memory memory = {.base = from, .index = X86_NONE, .displacement = more};
    check_size(size);
    begin(code, false);
    put_memory(code, (form){.opcode = 0x8d, .size = size}, to, memory);
}

/* The operations that share opcodes: `number` is 0 add, 2 adc, 4 and, 5 sub, 7 cmp. rax has a form without
 * ModRM. */
static void arithmetic(x86_code *code, uint32_t number, x86_size size, x86_register reg, int32_t value) {
    check_size(size);
    begin(code, true);
    if (fits_byte(value)) {
        put_registers(code, (form){.opcode = 0x83, .size = size}, number, reg);
        put_byte(code, (uint32_t)value & 0xff);
        return;
    }
    if (reg == X86_RAX)
        put_opcode(code, (form){.opcode = number << 3 | 5, .size = size}, 0, 0, 0);
    else
        put_registers(code, (form){.opcode = 0x81, .size = size}, number, reg);
    put_bytes(code, (uint32_t)value, 4);
}

void x86_add(x86_code *code, x86_size size, x86_register reg, int32_t value) {
    arithmetic(code, 0, size, reg, value);
}

void x86_add_carry(x86_code *code, x86_size size, x86_register reg, int32_t value) {
    arithmetic(code, 2, size, reg, value);
}

void x86_and(x86_code *code, x86_size size, x86_register reg, int32_t value) {
    arithmetic(code, 4, size, reg, value);
}

void x86_subtract(x86_code *code, x86_size size, x86_register reg, int32_t value) {
    arithmetic(code, 5, size, reg, value);
}

void x86_compare(x86_code *code, x86_size size, x86_register reg, int32_t value) {
    arithmetic(code, 7, size, reg, value);
}

void x86_compare_registers(x86_code *code, x86_size size, x86_register left, x86_register right) {
    check_size(size);
    begin(code, true);
    put_registers(code, (form){.opcode = 0x3b, .size = size}, left, right);
}

void x86_spread_carry(x86_code *code, x86_register reg) {
    begin(code, true);
    put_registers(code, (form){.opcode = 0x1b, .size = X86_32}, reg, reg);
}

void x86_set_carry(x86_code *code) {
    begin(code, true);
    put_byte(code, 0xf9);
}

/* Those that share opcodes: `number` is 0 rol, 1 ror, 5 shr. By one there is a form without an immediate. */
static void shift(x86_code *code, uint32_t number, x86_size size, x86_register reg, uint32_t bits) {
    check_size(size);
    assert(0 < bits && bits < 8 * (uint32_t)size);
    begin(code, true);
    put_registers(code, (form){.opcode = bits == 1 ? 0xd1 : 0xc1, .size = size}, number, reg);
    if (bits != 1)
        put_byte(code, bits);
}

void x86_shift_right(x86_code *code, x86_size size, x86_register reg, uint32_t bits) {
    shift(code, 5, size, reg, bits);
}

void x86_rotate_right(x86_code *code, x86_register reg, uint32_t bits) {
    shift(code, 1, X86_64, reg, bits);
}

void x86_rotate_left(x86_code *code, x86_register reg, uint32_t bits) {
    shift(code, 0, X86_64, reg, bits);
}

void x86_test_bit(x86_code *code, x86_size size, x86_register bits, x86_register number) {
    check_size(size);
    begin(code, true);
    put_registers(code, (form){.opcode = 0x0fa3, .size = size}, number, bits);
}

/* ---- With memory ---- */

void x86_add_memory(x86_code *code, x86_register reg, x86_memory memory) {
    begin(code, true);
    put_memory(code, (form){.opcode = 0x03, .size = X86_64}, reg, memory);
}

void x86_compare_memory(x86_code *code, x86_register reg, x86_memory memory) {
    begin(code, true);
    put_memory(code, (form){.opcode = 0x3b, .size = X86_64}, reg, memory);
}

void x86_compare_byte(x86_code *code, x86_memory memory, int8_t value) {
    begin(code, true);
    put_memory(code, (form){.opcode = 0x80, .size = X86_8}, 7, memory);
    put_byte(code, (uint8_t)value);
}

void x86_test_byte(x86_code *code, x86_memory memory, int8_t bits) {
    begin(code, true);
    put_memory(code, (form){.opcode = 0xf6, .size = X86_8}, 0, memory);
    put_byte(code, (uint8_t)bits);
}

void x86_test_memory_bit(x86_code *code, x86_memory memory, x86_register number) {
    begin(code, true);
    put_memory(code, (form){.opcode = 0x0fa3, .size = X86_32}, number, memory);
}

/* Loads of 32 bits clear the upper half by themselves; narrower ones are movzx into 32 bits or movsx into 64.
 */
static form load_form(x86_size size, bool sign_extends) {
    switch (size) {
    case X86_8:
        return sign_extends ? (form){.opcode = 0x0fbe, .size = X86_64}
                            : (form){.opcode = 0x0fb6, .size = X86_32};
    case X86_16:
        return sign_extends ? (form){.opcode = 0x0fbf, .size = X86_64}
                            : (form){.opcode = 0x0fb7, .size = X86_32};
    case X86_32:
        return sign_extends ? (form){.opcode = 0x63, .size = X86_64} : (form){.opcode = 0x8b, .size = X86_32};
    case X86_64:
        break;
    }
    return (form){.opcode = 0x8b, .size = X86_64};
}

void x86_load(x86_code *code, x86_size size, bool sign_extends, x86_register to, x86_memory memory) {
    begin(code, false);
    put_memory(code, load_form(size, sign_extends), to, memory);
}

void x86_store(x86_code *code, x86_size size, x86_memory memory, x86_register from) {
    form f = {.opcode = size == X86_8 ? 0x88 : 0x89, .size = size, .is_byte = size == X86_8};
    begin(code, false);
    put_memory(code, f, from, memory);
}

void x86_load_swapped(x86_code *code, x86_size size, x86_register to, x86_memory memory) {
    check_size(size);
    begin(code, false);
    put_memory(code, (form){.opcode = 0x0f38f0, .size = size}, to, memory);
}

void x86_store_swapped(x86_code *code, x86_size size, x86_memory memory, x86_register from) {
    assert(size != X86_8);
    begin(code, false);
    put_memory(code, (form){.opcode = 0x0f38f1, .size = size}, from, memory);
}

/* ---- Jumps ---- */

static void put_distance(x86_code *code, bool is_far, int32_t distance) {
    assert(is_far || fits_byte(distance));
    put_bytes(code, (uint32_t)distance, is_far ? 4 : 1);
}

void x86_jump(x86_code *code, bool is_far, int32_t distance) {
    begin(code, false);
    put_byte(code, is_far ? 0xe9 : 0xeb);
    put_distance(code, is_far, distance);
}

void x86_branch(x86_code *code, x86_condition condition, bool is_far, int32_t distance) {
    begin(code, false);
    if (is_far)
        put_byte(code, 0x0f);
    put_byte(code, (is_far ? 0x80u : 0x70u) | (uint32_t)condition);
    put_distance(code, is_far, distance);
}
