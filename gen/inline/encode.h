/*
 * Instructions of x86-64 as bytes: what checks and accesses are made of, and no more. Each function appends
 * one instruction in its shortest encoding. Opcodes and forms: Intel SDM volume 2, chapters 2 and 3 to 5.
 */
#ifndef MEMFOLD_GEN_INLINE_ENCODE_H
#define MEMFOLD_GEN_INLINE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A general register by the number that instructions have for it: rax 0, ..., r15 15. */
typedef uint32_t x86_register;
#define X86_RAX 0u
#define X86_RSP 4u
#define X86_RBP 5u
#define X86_REGISTER_COUNT 16u
#define X86_NONE UINT32_MAX

/* Bytes of an operand. */
typedef enum x86_size { X86_8 = 1, X86_16 = 2, X86_32 = 4, X86_64 = 8 } x86_size;

/* [base + index * 2^scale_log2 + displacement]; each of the registers may be X86_NONE, the index is not rsp.
 */
typedef struct x86_memory {
    x86_register base;
    x86_register index;
    uint32_t scale_log2;
    int32_t displacement;
    bool is_32bit; /* the address is computed modulo 2^32, from the lower halves of the registers */
} x86_memory;

/* Conditions by their numbers in instructions; the other one of a pair is its negation. */
typedef enum x86_condition {
    X86_BELOW = 0x2, /* also: carry */
    X86_NOT_BELOW = 0x3,
    X86_EQUAL = 0x4,
    X86_NOT_EQUAL = 0x5,
    X86_NOT_ABOVE = 0x6,
    X86_ABOVE = 0x7,
    X86_NEGATIVE = 0x8,
    X86_NOT_NEGATIVE = 0x9,
    X86_NOT_GREATER = 0xe, /* signed */
    X86_GREATER = 0xf
} x86_condition;

static inline x86_condition x86_negate(x86_condition condition) {
    return (x86_condition)(condition ^ 1);
}

/* Where instructions go. What has no room is counted and not written. */
typedef struct x86_code {
    uint8_t *bytes; /* NULL if there is no room */
    size_t room_bytes;
    size_t byte_count;
    uint32_t instruction_count;
    bool writes_flags;
} x86_code;

/* ---- Registers and constants. With X86_32 the upper half of the destination becomes 0. ---- */

void x86_move(x86_code *code, x86_size size, x86_register to, x86_register from); /* X86_32, X86_64 */
void x86_move_constant(x86_code *code, x86_register to, uint64_t value);
void x86_sign_extend(x86_code *code, x86_size from_size, x86_register to, x86_register from); /* to 64 bits */
void x86_move_if(x86_code *code, x86_size size, x86_condition condition, x86_register to, x86_register from);
void x86_swap_bytes(x86_code *code, x86_size size, x86_register reg); /* X86_32, X86_64 */
void x86_rotate_word(x86_code *code, x86_register reg);               /* swaps the two low bytes */

/* ---- Arithmetic, X86_32 or X86_64 ---- */

void x86_address(x86_code *code, x86_size size, x86_register to, x86_register from, int32_t more); /* lea */
void x86_add(x86_code *code, x86_size size, x86_register reg, int32_t value);
void x86_add_carry(x86_code *code, x86_size size, x86_register reg, int32_t value);
void x86_and(x86_code *code, x86_size size, x86_register reg, int32_t value);
void x86_subtract(x86_code *code, x86_size size, x86_register reg, int32_t value);
void x86_compare(x86_code *code, x86_size size, x86_register reg, int32_t value);
void x86_compare_registers(x86_code *code, x86_size size, x86_register left, x86_register right);
void x86_spread_carry(x86_code *code, x86_register reg); /* all 32 bits become the carry: sbb reg, reg */
void x86_set_carry(x86_code *code);
void x86_shift_right(x86_code *code, x86_size size, x86_register reg, uint32_t bits);
void x86_rotate_right(x86_code *code, x86_register reg, uint32_t bits);                   /* 64 bits */
void x86_rotate_left(x86_code *code, x86_register reg, uint32_t bits);                    /* 64 bits */
void x86_test_bit(x86_code *code, x86_size size, x86_register bits, x86_register number); /* into the carry */

/* ---- With memory ---- */

void x86_add_memory(x86_code *code, x86_register reg, x86_memory memory);     /* 64 bits */
void x86_compare_memory(x86_code *code, x86_register reg, x86_memory memory); /* 64 bits, reg on the left */
void x86_compare_byte(x86_code *code, x86_memory memory, int8_t value);
void x86_test_byte(x86_code *code, x86_memory memory, int8_t bits);
void x86_test_memory_bit(x86_code *code, x86_memory memory, x86_register number); /* number: 32 bits */
void x86_load(x86_code *code, x86_size size, bool sign_extends, x86_register to, x86_memory memory);
void x86_store(x86_code *code, x86_size size, x86_memory memory, x86_register from);
void x86_load_swapped(x86_code *code, x86_size size, x86_register to, x86_memory memory); /* X86_32, X86_64 */
void x86_store_swapped(x86_code *code, x86_size size, x86_memory memory, x86_register from); /* not X86_8 */

/* ---- Jumps; `distance` counts from behind the instruction ---- */

#define X86_JUMP_NEAR_BYTES 2
#define X86_JUMP_FAR_BYTES 5
#define X86_BRANCH_FAR_BYTES 6

void x86_jump(x86_code *code, bool is_far, int32_t distance);
void x86_branch(x86_code *code, x86_condition condition, bool is_far, int32_t distance);

#endif
