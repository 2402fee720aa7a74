/* Instructions of RV32IM (The RISC-V Instruction Set Manual, volume I). */
#ifndef CLIENT_DECODE_H
#define CLIENT_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#define INSTRUCTION_BYTES 4

typedef enum instruction_kind {
    STOP,          /* ebreak, and everything that is no instruction of RV32IM */
    CONSTANT,      /* lui:   rd = immediate */
    PC_RELATIVE,   /* auipc: rd = pc + immediate */
    ARITHMETIC,    /* rd = rs1 (arithmetic) rs2, or immediate */
    LOAD,          /* rd = memory[rs1 + immediate] */
    STORE,         /* memory[rs1 + immediate] = rs2 */
    BRANCH,        /* if (rs1 (condition) rs2) goto pc + immediate */
    JUMP,          /* jal:   rd = pc + 4, goto pc + immediate */
    JUMP_INDIRECT, /* jalr:  rd = pc + 4, goto (rs1 + immediate) & ~1 */
    SYSTEM_CALL,   /* ecall */
    FENCE          /* nothing: there is one hart and no device */
} instruction_kind;

/* The first eight by funct3, the next eight by funct3 under funct7 = 1, then those under funct7 = 0x20. */
typedef enum arithmetic {
    ADD,
    SLL,
    SLT,
    SLTU,
    XOR,
    SRL,
    OR,
    AND,
    MUL,
    MULH,
    MULHSU,
    MULHU,
    DIV,
    DIVU,
    REM,
    REMU,
    SUB,
    SRA
} arithmetic;

/* By funct3; 2 and 3 are no conditions. */
typedef enum condition { EQ = 0, NE = 1, LT = 4, GE = 5, LTU = 6, GEU = 7 } condition;

typedef struct instruction {
    instruction_kind kind;
    arithmetic arithmetic;
    condition condition;
    bool has_immediate; /* of ARITHMETIC: instead of rs2 */
    uint32_t width_bytes;
    bool sign_extends;
    unsigned rd, rs1, rs2;
    uint32_t immediate; /* sign-extended */
} instruction;

instruction decode(uint32_t word);

/* True if execution never goes on at the next instruction, or not within the same region. */
bool ends_block(const instruction *i);

/* True if the instruction leaves for other code that comes back behind it. */
bool returns_behind(const instruction *i);

#endif
