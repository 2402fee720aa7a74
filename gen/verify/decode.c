#include "verify/decode.h"

#include "verify/decode_vector.h"

#include <capstone/capstone.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct decoder {
    csh handle;
    cs_insn *scratch;
};

decoder *decoder_create(void) {
    decoder *d = calloc(1, sizeof *d);
    if (d == NULL)
        return NULL;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &d->handle) != CS_ERR_OK) {
        free(d);
        return NULL;
    }
    cs_option(d->handle, CS_OPT_DETAIL, CS_OPT_ON);
    d->scratch = cs_malloc(d->handle);
    if (d->scratch == NULL) {
        decoder_destroy(d);
        return NULL;
    }
    return d;
}

void decoder_destroy(decoder *d) {
    if (d == NULL)
        return;
    if (d->scratch != NULL)
        cs_free(d->scratch, 1);
    cs_close(&d->handle);
    free(d);
}

const char *instruction_name(instruction_id id) {
    static const char *const NAMES[] = {
#define X(ID, name) name,
        INSTRUCTIONS(X)
#undef X
    };
    return (size_t)id < INSTRUCTION_COUNT ? NAMES[id] : "unknown";
}

bool instruction_is_of_vectors(instruction_id id) {
    return id >= INSTRUCTION_MOVUPS && id < INSTRUCTION_COUNT;
}

/* ---- Which instruction ---- */

typedef struct known {
    unsigned theirs; /* x86_insn */
    instruction_id ours;
} known;

static const known KNOWN[] = {{X86_INS_MOV, INSTRUCTION_MOV},      {X86_INS_MOVABS, INSTRUCTION_MOV},
                              {X86_INS_MOVZX, INSTRUCTION_MOVZX},  {X86_INS_MOVSX, INSTRUCTION_MOVSX},
                              {X86_INS_MOVSXD, INSTRUCTION_MOVSX}, {X86_INS_LEA, INSTRUCTION_LEA},
                              {X86_INS_XCHG, INSTRUCTION_XCHG},    {X86_INS_BSWAP, INSTRUCTION_BSWAP},
                              {X86_INS_CWDE, INSTRUCTION_CWDE},    {X86_INS_CDQE, INSTRUCTION_CDQE},
                              {X86_INS_ADD, INSTRUCTION_ADD},      {X86_INS_ADC, INSTRUCTION_ADC},
                              {X86_INS_SUB, INSTRUCTION_SUB},      {X86_INS_SBB, INSTRUCTION_SBB},
                              {X86_INS_CMP, INSTRUCTION_CMP},      {X86_INS_INC, INSTRUCTION_INC},
                              {X86_INS_DEC, INSTRUCTION_DEC},      {X86_INS_NEG, INSTRUCTION_NEG},
                              {X86_INS_AND, INSTRUCTION_AND},      {X86_INS_OR, INSTRUCTION_OR},
                              {X86_INS_XOR, INSTRUCTION_XOR},      {X86_INS_TEST, INSTRUCTION_TEST},
                              {X86_INS_NOT, INSTRUCTION_NOT},      {X86_INS_SHL, INSTRUCTION_SHL},
                              {X86_INS_SAL, INSTRUCTION_SHL},      {X86_INS_SHR, INSTRUCTION_SHR},
                              {X86_INS_SAR, INSTRUCTION_SAR},      {X86_INS_ROL, INSTRUCTION_ROL},
                              {X86_INS_ROR, INSTRUCTION_ROR},      {X86_INS_BT, INSTRUCTION_BT},
                              {X86_INS_JMP, INSTRUCTION_JMP},      {X86_INS_CALL, INSTRUCTION_CALL},
                              {X86_INS_RET, INSTRUCTION_RET},      {X86_INS_PUSH, INSTRUCTION_PUSH},
                              {X86_INS_POP, INSTRUCTION_POP},      {X86_INS_NOP, INSTRUCTION_NOP},
                              {X86_INS_MOVBE, INSTRUCTION_MOVBE},  {X86_INS_SHLX, INSTRUCTION_SHLX},
                              {X86_INS_SHRX, INSTRUCTION_SHRX},    {X86_INS_SARX, INSTRUCTION_SARX},
                              {X86_INS_RORX, INSTRUCTION_RORX},    {X86_INS_ANDN, INSTRUCTION_ANDN},
                              {X86_INS_BZHI, INSTRUCTION_BZHI},    {X86_INS_UD2, INSTRUCTION_UD2},
                              {X86_INS_INT3, INSTRUCTION_INT3},    {X86_INS_STD, INSTRUCTION_STD},
                              {X86_INS_CLD, INSTRUCTION_CLD},      {X86_INS_ENDBR64, INSTRUCTION_ENDBR64}};

/* Of each condition, in the order of their numbers: jump, set, move. */
static const unsigned CONDITIONAL[16][3] = {
    {X86_INS_JO, X86_INS_SETO, X86_INS_CMOVO},    {X86_INS_JNO, X86_INS_SETNO, X86_INS_CMOVNO},
    {X86_INS_JB, X86_INS_SETB, X86_INS_CMOVB},    {X86_INS_JAE, X86_INS_SETAE, X86_INS_CMOVAE},
    {X86_INS_JE, X86_INS_SETE, X86_INS_CMOVE},    {X86_INS_JNE, X86_INS_SETNE, X86_INS_CMOVNE},
    {X86_INS_JBE, X86_INS_SETBE, X86_INS_CMOVBE}, {X86_INS_JA, X86_INS_SETA, X86_INS_CMOVA},
    {X86_INS_JS, X86_INS_SETS, X86_INS_CMOVS},    {X86_INS_JNS, X86_INS_SETNS, X86_INS_CMOVNS},
    {X86_INS_JP, X86_INS_SETP, X86_INS_CMOVP},    {X86_INS_JNP, X86_INS_SETNP, X86_INS_CMOVNP},
    {X86_INS_JL, X86_INS_SETL, X86_INS_CMOVL},    {X86_INS_JGE, X86_INS_SETGE, X86_INS_CMOVGE},
    {X86_INS_JLE, X86_INS_SETLE, X86_INS_CMOVLE}, {X86_INS_JG, X86_INS_SETG, X86_INS_CMOVG}};

static bool find_conditional(unsigned theirs, instruction *i) {
    static const instruction_id OURS[] = {INSTRUCTION_JCC, INSTRUCTION_SETCC, INSTRUCTION_CMOVCC};
    for (uint8_t condition = 0; condition < 16; condition++)
        for (size_t form = 0; form < 3; form++)
            if (CONDITIONAL[condition][form] == theirs) {
                i->id = OURS[form];
                i->condition = condition;
                return true;
            }
    return false;
}

static bool find_instruction(unsigned theirs, instruction *i) {
    for (size_t n = 0; n < sizeof KNOWN / sizeof KNOWN[0]; n++)
        if (KNOWN[n].theirs == theirs) {
            i->id = KNOWN[n].ours;
            return true;
        }
    return find_conditional(theirs, i) || decode_vector_find(theirs, i);
}

/* ---- Operands ---- */

#define REGISTERS(X)                                                                                         \
    X(0, RAX, EAX, AX, AL)                                                                                   \
    X(1, RCX, ECX, CX, CL)                                                                                   \
    X(2, RDX, EDX, DX, DL)                                                                                   \
    X(3, RBX, EBX, BX, BL)                                                                                   \
    X(4, RSP, ESP, SP, SPL)                                                                                  \
    X(5, RBP, EBP, BP, BPL)                                                                                  \
    X(6, RSI, ESI, SI, SIL)                                                                                  \
    X(7, RDI, EDI, DI, DIL)                                                                                  \
    X(8, R8, R8D, R8W, R8B)                                                                                  \
    X(9, R9, R9D, R9W, R9B)                                                                                  \
    X(10, R10, R10D, R10W, R10B)                                                                             \
    X(11, R11, R11D, R11W, R11B)                                                                             \
    X(12, R12, R12D, R12W, R12B)                                                                             \
    X(13, R13, R13D, R13W, R13B)                                                                             \
    X(14, R14, R14D, R14W, R14B)                                                                             \
    X(15, R15, R15D, R15W, R15B)

static bool set_register(operand *o, unsigned theirs) {
    static const struct {
        unsigned theirs;
        uint8_t number;
        uint8_t bytes;
        bool is_high;
    } NAMES[] = {
#define X(n, r64, r32, r16, r8)                                                                              \
    {X86_REG_##r64, n, 8, false}, {X86_REG_##r32, n, 4, false}, {X86_REG_##r16, n, 2, false},                \
        {X86_REG_##r8, n, 1, false},
        REGISTERS(X)
#undef X
            {X86_REG_AH, 0, 1, true},
        {X86_REG_CH, 1, 1, true},
        {X86_REG_DH, 2, 1, true},
        {X86_REG_BH, 3, 1, true}};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (NAMES[i].theirs == theirs) {
            o->number = NAMES[i].number;
            o->bytes = NAMES[i].bytes;
            o->is_high = NAMES[i].is_high;
            return true;
        }
    return false;
}

/* A register of an address, which has all of the address's bytes. */
static bool set_address_register(uint8_t *number, unsigned theirs, uint8_t address_bytes) {
    operand o = {0};
    *number = REGISTER_NONE;
    if (theirs == X86_REG_INVALID)
        return true;
    *number = REGISTER_RIP;
    if (theirs == X86_REG_RIP)
        return address_bytes == 8;
    if (!set_register(&o, theirs) || o.bytes != address_bytes)
        return false;
    *number = o.number;
    return true;
}

static bool set_memory(operand *o, const cs_x86 *detail, const cs_x86_op *theirs) {
    const x86_op_mem *mem = &theirs->mem;
    o->kind = OPERAND_MEMORY;
    o->bytes = theirs->size;
    o->address_bytes = detail->addr_size;
    o->scale = (uint8_t)mem->scale;
    o->value = (uint64_t)mem->disp;
    return mem->segment == X86_REG_INVALID && (o->address_bytes == 8 || o->address_bytes == 4) &&
           set_address_register(&o->base, mem->base, o->address_bytes) &&
           set_address_register(&o->index, mem->index, o->address_bytes);
}

static bool set_operand(operand *o, const cs_x86 *detail, const cs_x86_op *theirs) {
    *o = (operand){.base = REGISTER_NONE, .index = REGISTER_NONE};
    switch (theirs->type) {
    case X86_OP_REG:
        o->kind = OPERAND_REGISTER;
        return set_register(o, theirs->reg) || decode_vector_register(theirs->reg, o);
    case X86_OP_IMM:
        o->kind = OPERAND_IMMEDIATE;
        o->bytes = theirs->size;
        o->value = (uint64_t)theirs->imm;
        return true;
    case X86_OP_MEM:
        return set_memory(o, detail, theirs);
    default:
        return false;
    }
}

static bool is_rex(uint8_t byte) {
    return (byte & 0xf0) == 0x40;
}

/*
 * A lock, a repetition and a segment change what the instruction does, or where; and where they change
 * nothing today, the manuals reserve them. A REX that is not the last prefix is ignored, and what is behind
 * it is not. The library does not tell of all of them.
 */
static bool has_strange_prefix(const instruction *i, const cs_x86 *detail) {
    static const uint8_t STRANGE[] = {0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65};
    static const uint8_t SIZES[] = {0x66, 0x67};
    size_t at = 0;
    while (at < i->byte_count && memchr(SIZES, i->bytes[at], sizeof SIZES) != NULL)
        at++;
    bool has_rex = at < i->byte_count && is_rex(i->bytes[at]);
    uint8_t next = at + has_rex < i->byte_count ? i->bytes[at + has_rex] : 0;
    bool hides_rex = has_rex && (is_rex(next) || memchr(SIZES, next, sizeof SIZES) != NULL);
    return detail->prefix[0] != 0 || detail->prefix[1] != 0 || hides_rex ||
           memchr(STRANGE, next, sizeof STRANGE) != NULL;
}

/*
 * 90 and 0f 1f, behind 66 and 2e as assemblers fill up. The library knows more by this name: hints that do
 * something on CPUs that have MPX or CET, and lock, which the CPU refuses.
 */
static bool is_plain_nop(const instruction *i) {
    size_t at = 0;
    while (at < i->byte_count && (i->bytes[at] == 0x66 || i->bytes[at] == 0x2e))
        at++;
    bool is_short = at + 1 == i->byte_count && i->bytes[at] == 0x90;
    return is_short || (at + 2 < i->byte_count && i->bytes[at] == 0x0f && i->bytes[at + 1] == 0x1f);
}

/* In one encoding: with more prefixes its F3 might be none of the instruction's. */
static bool is_plain_endbr64(const instruction *i) {
    static const uint8_t BYTES[] = {0xf3, 0x0f, 0x1e, 0xfa};
    return i->byte_count == sizeof BYTES && memcmp(i->bytes, BYTES, sizeof BYTES) == 0;
}

static bool set_operands(instruction *i, const cs_x86 *detail) {
    if (i->id == INSTRUCTION_NOP)
        return is_plain_nop(i);
    if (i->id == INSTRUCTION_ENDBR64)
        return is_plain_endbr64(i);
    bool is_of_vectors = instruction_is_of_vectors(i->id);
    if ((!is_of_vectors && has_strange_prefix(i, detail)) ||
        detail->op_count > sizeof i->operands / sizeof i->operands[0])
        return false;
    i->operand_count = detail->op_count;
    for (uint8_t n = 0; n < detail->op_count; n++)
        if (!set_operand(&i->operands[n], detail, &detail->operands[n]))
            return false;
    return !is_of_vectors || decode_vector_means_what_it_says(i);
}

/* ff /3 and /5 load a code segment too; some versions of the library call them as the near ones. */
static bool is_far(const cs_x86 *detail) {
    uint8_t extension = detail->modrm >> 3 & 7;
    return detail->opcode[0] == 0xff && (extension == 3 || extension == 5);
}

/* Behind 66 the CPU refuses VEX, and the library does not (SDM volume 2, 2.3.2). */
static bool is_plain_vex(const instruction *i) {
    uint8_t first = i->bytes[i->bytes[0] == 0x67];
    return first == 0xc4 || first == 0xc5;
}

/*
 * Where CPUs, or the library and the CPU, differ. Before a jump 66 is ignored by some and cuts the target for
 * others, and with 67 the library finds another length; 66 makes push move 16 bits, of which the library says
 * nothing; behind 66 and 67 it takes cbw for cwde and xchg for nop; movsxd without REX.W moves 32 bits, and
 * the library says 64.
 */
static bool means_what_it_says(const cs_insn *theirs, const instruction *i) {
    const cs_x86 *detail = &theirs->detail->x86;
    if (instruction_is_of_vectors(i->id))
        return true;
    bool has_size_prefix = detail->prefix[2] != 0 || detail->prefix[3] != 0;
    if (detail->prefix[2] != 0 && detail->prefix[3] != 0)
        return i->id == INSTRUCTION_MOV || i->id == INSTRUCTION_MOVBE;
    switch (i->id) {
    case INSTRUCTION_JMP:
    case INSTRUCTION_CALL:
        return !has_size_prefix && !is_far(detail);
    case INSTRUCTION_JCC:
    case INSTRUCTION_RET:
    case INSTRUCTION_PUSH:
    case INSTRUCTION_POP:
        return !has_size_prefix;
    case INSTRUCTION_SHLX:
    case INSTRUCTION_SHRX:
    case INSTRUCTION_SARX:
    case INSTRUCTION_RORX:
    case INSTRUCTION_ANDN:
    case INSTRUCTION_BZHI:
        return is_plain_vex(i);
    default:
        return theirs->id != X86_INS_MOVSXD || (detail->rex & 8) != 0;
    }
}

/*
 * Linkers write 67 before the direct call that they make of one through the offset table, to fill its six
 * bytes. It changes addresses of operands in memory, and a near call has none (SDM volume 1, 3.6.1).
 */
static bool decode_filled_call(decoder *d, uint64_t address, const uint8_t *bytes, instruction *i) {
    bool is_known = decoder_decode(d, address + 1, bytes + 1, 5, i);
    i->address = address;
    i->byte_count++;
    memcpy(i->bytes, bytes, 6);
    return is_known;
}

bool decoder_decode(decoder *d, uint64_t address, const uint8_t *bytes, size_t count, instruction *i) {
    uint64_t at = address;
    if (count >= 6 && bytes[0] == 0x67 && bytes[1] == 0xe8)
        return decode_filled_call(d, address, bytes, i);
    *i = (instruction){.address = address, .id = INSTRUCTION_COUNT};
    size_t left = count < sizeof i->bytes ? count : sizeof i->bytes;
    memcpy(i->bytes, bytes, left);
    if (!cs_disasm_iter(d->handle, &bytes, &left, &at, d->scratch)) {
        snprintf(i->text, sizeof i->text, "no instruction");
        return false;
    }
    i->byte_count = (uint8_t)d->scratch->size;
    snprintf(i->text, sizeof i->text, "%.20s%s%.56s", d->scratch->mnemonic,
             d->scratch->op_str[0] == '\0' ? "" : " ", d->scratch->op_str);
    return find_instruction(d->scratch->id, i) && means_what_it_says(d->scratch, i) &&
           set_operands(i, &d->scratch->detail->x86);
}
