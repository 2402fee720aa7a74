/*
 * One machine instruction as data. libcapstone says which instruction it is, how long, and what its operands
 * are; what it does is said by the model (model.h) alone. What is not on the list, or has a prefix that
 * changes its meaning, is not decoded.
 */
#ifndef MEMFOLD_GEN_VERIFY_DECODE_H
#define MEMFOLD_GEN_VERIFY_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The instructions that the model knows. X(ID, name) */
#define INSTRUCTIONS(X)                                                                                      \
    X(MOV, "mov")                                                                                            \
    X(MOVZX, "movzx")                                                                                        \
    X(MOVSX, "movsx")                                                                                        \
    X(LEA, "lea")                                                                                            \
    X(XCHG, "xchg")                                                                                          \
    X(MOVBE, "movbe")                                                                                        \
    X(BSWAP, "bswap")                                                                                        \
    X(CWDE, "cwde")                                                                                          \
    X(CDQE, "cdqe")                                                                                          \
    X(ADD, "add")                                                                                            \
    X(ADC, "adc")                                                                                            \
    X(SUB, "sub")                                                                                            \
    X(SBB, "sbb")                                                                                            \
    X(CMP, "cmp")                                                                                            \
    X(INC, "inc")                                                                                            \
    X(DEC, "dec")                                                                                            \
    X(NEG, "neg")                                                                                            \
    X(AND, "and")                                                                                            \
    X(OR, "or")                                                                                              \
    X(XOR, "xor")                                                                                            \
    X(TEST, "test")                                                                                          \
    X(NOT, "not")                                                                                            \
    X(SHL, "shl")                                                                                            \
    X(SHR, "shr")                                                                                            \
    X(SAR, "sar")                                                                                            \
    X(ROL, "rol")                                                                                            \
    X(ROR, "ror")                                                                                            \
    X(SHLX, "shlx")                                                                                          \
    X(SHRX, "shrx")                                                                                          \
    X(SARX, "sarx")                                                                                          \
    X(RORX, "rorx")                                                                                          \
    X(ANDN, "andn")                                                                                          \
    X(BZHI, "bzhi")                                                                                          \
    X(BT, "bt")                                                                                              \
    X(SETCC, "setcc")                                                                                        \
    X(CMOVCC, "cmovcc")                                                                                      \
    X(JCC, "jcc")                                                                                            \
    X(JMP, "jmp")                                                                                            \
    X(CALL, "call")                                                                                          \
    X(RET, "ret")                                                                                            \
    X(PUSH, "push")                                                                                          \
    X(POP, "pop")                                                                                            \
    X(STD, "std")                                                                                            \
    X(CLD, "cld")                                                                                            \
    X(NOP, "nop")                                                                                            \
    X(ENDBR64, "endbr64")                                                                                    \
    X(UD2, "ud2")                                                                                            \
    X(INT3, "int3")                                                                                          \
    VECTOR_INSTRUCTIONS(X)

/*
 * Those of vector registers, which accessors do not touch: what only moves data. Behind one name stand all
 * that do the same, movups, movupd, movdqu.
 */
#define VECTOR_INSTRUCTIONS(X)                                                                               \
    X(MOVUPS, "movups")                                                                                      \
    X(MOVAPS, "movaps")                                                                                      \
    X(MOVSS, "movss")                                                                                        \
    X(MOVSD, "movsd")                                                                                        \
    X(MOVD, "movd")                                                                                          \
    X(MOVQ, "movq")                                                                                          \
    X(MOVLPS, "movlps")                                                                                      \
    X(MOVHPS, "movhps")                                                                                      \
    X(MOVLHPS, "movlhps")                                                                                    \
    X(MOVHLPS, "movhlps")                                                                                    \
    X(PUNPCKLBW, "punpcklbw")                                                                                \
    X(PUNPCKLWD, "punpcklwd")                                                                                \
    X(PUNPCKLDQ, "punpckldq")                                                                                \
    X(PUNPCKLQDQ, "punpcklqdq")                                                                              \
    X(PUNPCKHBW, "punpckhbw")                                                                                \
    X(PUNPCKHWD, "punpckhwd")                                                                                \
    X(PUNPCKHDQ, "punpckhdq")                                                                                \
    X(PUNPCKHQDQ, "punpckhqdq")                                                                              \
    X(PSHUFD, "pshufd")                                                                                      \
    X(SHUFPS, "shufps")                                                                                      \
    X(SHUFPD, "shufpd")                                                                                      \
    X(PINSRB, "pinsrb")                                                                                      \
    X(PINSRW, "pinsrw")                                                                                      \
    X(PINSRD, "pinsrd")                                                                                      \
    X(PINSRQ, "pinsrq")                                                                                      \
    X(PEXTRB, "pextrb")                                                                                      \
    X(PEXTRW, "pextrw")                                                                                      \
    X(PEXTRD, "pextrd")                                                                                      \
    X(PEXTRQ, "pextrq")                                                                                      \
    X(PXOR, "pxor")                                                                                          \
    X(VINSERTF128, "vinsertf128")                                                                            \
    X(VEXTRACTF128, "vextractf128")                                                                          \
    X(VZEROUPPER, "vzeroupper")

/* The numbers of the instructions, in the order of the list. */
typedef enum instruction_id {
#define X(ID, name) INSTRUCTION_##ID,
    INSTRUCTIONS(X)
#undef X
        INSTRUCTION_COUNT
} instruction_id;

/* Registers by the CPU's number, 0 (rax) to 15 (r15), and these. */
#define REGISTER_NONE 0xff
#define REGISTER_RIP 0x10

/* xmm0, ymm0, zmm0 are the lowest 16, 32 and 64 bytes of vector register 0. */
#define VECTOR_REGISTERS 32
#define VECTOR_BYTES 64

typedef enum operand_kind {
    OPERAND_REGISTER,
    OPERAND_IMMEDIATE,
    OPERAND_MEMORY,
    OPERAND_VECTOR
} operand_kind;

typedef struct operand {
    operand_kind kind;
    uint8_t bytes;         /* of a register, or of memory: 1, 2, 4, 8; of vectors 16, 32, 64 */
    uint8_t number;        /* of a register */
    bool is_high;          /* bits 8 to 15 of it: ah, ch, dh, bh */
    uint8_t base;          /* of memory: REGISTER_NONE, REGISTER_RIP, or a number */
    uint8_t index;         /* REGISTER_NONE or a number */
    uint8_t scale;         /* 1, 2, 4, 8 */
    uint8_t address_bytes; /* 8; 4: the address is cut to 32 bits */
    uint64_t value;        /* of an immediate, sign-extended; the displacement of memory, sign-extended */
} operand;

/* Conditions by the CPU's number: o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g. */
typedef struct instruction {
    uint64_t address;
    uint8_t bytes[15];
    uint8_t byte_count;
    instruction_id id;
    uint8_t condition; /* of JCC, SETCC, CMOVCC */
    bool is_vex;       /* of vector registers: clears what is above its operand, where others leave it */
    uint8_t operand_count;
    operand operands[4]; /* in the order of the manual: the destination first */
    char text[80];       /* for messages */
} instruction;

typedef struct decoder decoder;

/* NULL if there is no memory, or if the library that decodes cannot be used. */
decoder *decoder_create(void);
void decoder_destroy(decoder *d);

/*
 * Writes the instruction whose `count` or fewer bytes are `bytes`, at `address`. False if it is not on the
 * list; `i` then holds the address, bytes and length as far as they are known (length 0: no instruction), and
 * its text.
 */
bool decoder_decode(decoder *d, uint64_t address, const uint8_t *bytes, size_t count, instruction *i);

const char *instruction_name(instruction_id id);

/* True for those of VECTOR_INSTRUCTIONS. */
bool instruction_is_of_vectors(instruction_id id);

#endif
