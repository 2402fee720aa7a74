#include "verify/decode_vector.h"

#include <capstone/capstone.h>

#include <string.h>

/* ---- Which instruction ---- */

typedef struct known {
    unsigned theirs; /* x86_insn */
    instruction_id ours;
    bool is_vex;
} known;

/* The legacy instruction, and the one behind a VEX or EVEX prefix. */
#define BOTH(name, ours)                                                                                     \
    {X86_INS_##name, INSTRUCTION_##ours, false}, {                                                           \
        X86_INS_V##name, INSTRUCTION_##ours, true                                                            \
    }
#define VEX_ONLY(name, ours) {X86_INS_##name, INSTRUCTION_##ours, true}

static const known KNOWN[] = {BOTH(MOVUPS, MOVUPS),
                              BOTH(MOVUPD, MOVUPS),
                              BOTH(MOVDQU, MOVUPS),
                              BOTH(LDDQU, MOVUPS),
                              VEX_ONLY(VMOVDQU32, MOVUPS),
                              VEX_ONLY(VMOVDQU64, MOVUPS),
                              BOTH(MOVAPS, MOVAPS),
                              BOTH(MOVAPD, MOVAPS),
                              BOTH(MOVDQA, MOVAPS),
                              VEX_ONLY(VMOVDQA32, MOVAPS),
                              VEX_ONLY(VMOVDQA64, MOVAPS),
                              BOTH(MOVSS, MOVSS),
                              BOTH(MOVSD, MOVSD),
                              BOTH(MOVD, MOVD),
                              BOTH(MOVQ, MOVQ),
                              BOTH(MOVLPS, MOVLPS),
                              BOTH(MOVLPD, MOVLPS),
                              BOTH(MOVHPS, MOVHPS),
                              BOTH(MOVHPD, MOVHPS),
                              BOTH(MOVLHPS, MOVLHPS),
                              BOTH(MOVHLPS, MOVHLPS),
                              BOTH(PUNPCKLBW, PUNPCKLBW),
                              BOTH(PUNPCKLWD, PUNPCKLWD),
                              BOTH(PUNPCKLDQ, PUNPCKLDQ),
                              BOTH(UNPCKLPS, PUNPCKLDQ),
                              BOTH(PUNPCKLQDQ, PUNPCKLQDQ),
                              BOTH(UNPCKLPD, PUNPCKLQDQ),
                              BOTH(PUNPCKHBW, PUNPCKHBW),
                              BOTH(PUNPCKHWD, PUNPCKHWD),
                              BOTH(PUNPCKHDQ, PUNPCKHDQ),
                              BOTH(UNPCKHPS, PUNPCKHDQ),
                              BOTH(PUNPCKHQDQ, PUNPCKHQDQ),
                              BOTH(UNPCKHPD, PUNPCKHQDQ),
                              BOTH(PSHUFD, PSHUFD),
                              BOTH(SHUFPS, SHUFPS),
                              BOTH(SHUFPD, SHUFPD),
                              BOTH(PINSRB, PINSRB),
                              BOTH(PINSRW, PINSRW),
                              BOTH(PINSRD, PINSRD),
                              BOTH(PINSRQ, PINSRQ),
                              BOTH(PEXTRB, PEXTRB),
                              BOTH(PEXTRW, PEXTRW),
                              BOTH(PEXTRD, PEXTRD),
                              BOTH(EXTRACTPS, PEXTRD),
                              BOTH(PEXTRQ, PEXTRQ),
                              BOTH(PXOR, PXOR),
                              BOTH(XORPS, PXOR),
                              BOTH(XORPD, PXOR),
                              VEX_ONLY(VINSERTF128, VINSERTF128),
                              VEX_ONLY(VINSERTI128, VINSERTF128),
                              VEX_ONLY(VEXTRACTF128, VEXTRACTF128),
                              VEX_ONLY(VEXTRACTI128, VEXTRACTF128),
                              VEX_ONLY(VZEROUPPER, VZEROUPPER)};

bool decode_vector_find(unsigned theirs, instruction *i) {
    for (size_t n = 0; n < sizeof KNOWN / sizeof KNOWN[0]; n++)
        if (KNOWN[n].theirs == theirs) {
            i->id = KNOWN[n].ours;
            i->is_vex = KNOWN[n].is_vex;
            return true;
        }
    return false;
}

/* ---- Registers ---- */

bool decode_vector_register(unsigned theirs, operand *o) {
    static const struct {
        unsigned first;
        uint8_t bytes;
    } SIZES[] = {{X86_REG_XMM0, 16}, {X86_REG_YMM0, 32}, {X86_REG_ZMM0, 64}};
    for (size_t n = 0; n < sizeof SIZES / sizeof SIZES[0]; n++)
        if (theirs - SIZES[n].first < VECTOR_REGISTERS) {
            o->kind = OPERAND_VECTOR;
            o->number = (uint8_t)(theirs - SIZES[n].first);
            o->bytes = SIZES[n].bytes;
            return true;
        }
    return false;
}

/* ---- Encodings ---- */

/* What stands for 66, f3 and f2, in VEX's numbering; and the maps behind 0f, 0f 38, 0f 3a. */
enum { PREFIX_NONE, PREFIX_66, PREFIX_F3, PREFIX_F2 };
enum { MAP_0F = 1, MAP_0F3A = 3 };

/* Without what names operands. */
typedef struct encoding {
    uint8_t prefix;
    uint8_t map;
    uint8_t opcode;
    bool is_wide;     /* W */
    bool names_third; /* vvvv names a register, or would */
    bool is_evex;
} encoding;

/* What W has to be. */
enum { W_ANY, W_0, W_1 };

typedef struct listed {
    instruction_id id;
    uint8_t prefix;
    uint8_t map;
    uint8_t opcodes[2];
    uint8_t w;
} listed;

/* From the manual (SDM volume 2): the library also takes other prefixes than these. */
static const listed ENCODINGS[] = {{INSTRUCTION_MOVUPS, PREFIX_NONE, MAP_0F, {0x10, 0x11}, W_ANY},
                                   {INSTRUCTION_MOVUPS, PREFIX_66, MAP_0F, {0x10, 0x11}, W_ANY},
                                   {INSTRUCTION_MOVUPS, PREFIX_F3, MAP_0F, {0x6f, 0x7f}, W_ANY},
                                   {INSTRUCTION_MOVUPS, PREFIX_F2, MAP_0F, {0xf0}, W_ANY},
                                   {INSTRUCTION_MOVAPS, PREFIX_NONE, MAP_0F, {0x28, 0x29}, W_ANY},
                                   {INSTRUCTION_MOVAPS, PREFIX_66, MAP_0F, {0x28, 0x29}, W_ANY},
                                   {INSTRUCTION_MOVAPS, PREFIX_66, MAP_0F, {0x6f, 0x7f}, W_ANY},
                                   {INSTRUCTION_MOVSS, PREFIX_F3, MAP_0F, {0x10, 0x11}, W_ANY},
                                   {INSTRUCTION_MOVSD, PREFIX_F2, MAP_0F, {0x10, 0x11}, W_ANY},
                                   {INSTRUCTION_MOVD, PREFIX_66, MAP_0F, {0x6e, 0x7e}, W_0},
                                   {INSTRUCTION_MOVQ, PREFIX_66, MAP_0F, {0x6e, 0x7e}, W_1},
                                   {INSTRUCTION_MOVQ, PREFIX_F3, MAP_0F, {0x7e}, W_ANY},
                                   {INSTRUCTION_MOVQ, PREFIX_66, MAP_0F, {0xd6}, W_ANY},
                                   {INSTRUCTION_MOVLPS, PREFIX_NONE, MAP_0F, {0x12, 0x13}, W_ANY},
                                   {INSTRUCTION_MOVLPS, PREFIX_66, MAP_0F, {0x12, 0x13}, W_ANY},
                                   {INSTRUCTION_MOVHPS, PREFIX_NONE, MAP_0F, {0x16, 0x17}, W_ANY},
                                   {INSTRUCTION_MOVHPS, PREFIX_66, MAP_0F, {0x16, 0x17}, W_ANY},
                                   {INSTRUCTION_MOVHLPS, PREFIX_NONE, MAP_0F, {0x12}, W_ANY},
                                   {INSTRUCTION_MOVLHPS, PREFIX_NONE, MAP_0F, {0x16}, W_ANY},
                                   {INSTRUCTION_PUNPCKLBW, PREFIX_66, MAP_0F, {0x60}, W_ANY},
                                   {INSTRUCTION_PUNPCKLWD, PREFIX_66, MAP_0F, {0x61}, W_ANY},
                                   {INSTRUCTION_PUNPCKLDQ, PREFIX_66, MAP_0F, {0x62}, W_ANY},
                                   {INSTRUCTION_PUNPCKLDQ, PREFIX_NONE, MAP_0F, {0x14}, W_ANY},
                                   {INSTRUCTION_PUNPCKLQDQ, PREFIX_66, MAP_0F, {0x6c, 0x14}, W_ANY},
                                   {INSTRUCTION_PUNPCKHBW, PREFIX_66, MAP_0F, {0x68}, W_ANY},
                                   {INSTRUCTION_PUNPCKHWD, PREFIX_66, MAP_0F, {0x69}, W_ANY},
                                   {INSTRUCTION_PUNPCKHDQ, PREFIX_66, MAP_0F, {0x6a}, W_ANY},
                                   {INSTRUCTION_PUNPCKHDQ, PREFIX_NONE, MAP_0F, {0x15}, W_ANY},
                                   {INSTRUCTION_PUNPCKHQDQ, PREFIX_66, MAP_0F, {0x6d, 0x15}, W_ANY},
                                   {INSTRUCTION_PSHUFD, PREFIX_66, MAP_0F, {0x70}, W_ANY},
                                   {INSTRUCTION_SHUFPS, PREFIX_NONE, MAP_0F, {0xc6}, W_ANY},
                                   {INSTRUCTION_SHUFPD, PREFIX_66, MAP_0F, {0xc6}, W_ANY},
                                   {INSTRUCTION_PINSRW, PREFIX_66, MAP_0F, {0xc4}, W_ANY},
                                   {INSTRUCTION_PINSRB, PREFIX_66, MAP_0F3A, {0x20}, W_ANY},
                                   {INSTRUCTION_PINSRD, PREFIX_66, MAP_0F3A, {0x22}, W_0},
                                   {INSTRUCTION_PINSRQ, PREFIX_66, MAP_0F3A, {0x22}, W_1},
                                   {INSTRUCTION_PEXTRW, PREFIX_66, MAP_0F, {0xc5}, W_ANY},
                                   {INSTRUCTION_PEXTRW, PREFIX_66, MAP_0F3A, {0x15}, W_ANY},
                                   {INSTRUCTION_PEXTRB, PREFIX_66, MAP_0F3A, {0x14}, W_ANY},
                                   {INSTRUCTION_PEXTRD, PREFIX_66, MAP_0F3A, {0x16, 0x17}, W_ANY},
                                   {INSTRUCTION_PEXTRQ, PREFIX_66, MAP_0F3A, {0x16}, W_1},
                                   {INSTRUCTION_PXOR, PREFIX_66, MAP_0F, {0xef, 0x57}, W_ANY},
                                   {INSTRUCTION_PXOR, PREFIX_NONE, MAP_0F, {0x57}, W_ANY},
                                   {INSTRUCTION_VINSERTF128, PREFIX_66, MAP_0F3A, {0x18, 0x38}, W_0},
                                   {INSTRUCTION_VEXTRACTF128, PREFIX_66, MAP_0F3A, {0x19, 0x39}, W_0},
                                   {INSTRUCTION_VZEROUPPER, PREFIX_NONE, MAP_0F, {0x77}, W_ANY}};

/* With EVEX only what moves whole registers. */
static const listed EVEX_ENCODINGS[] = {{INSTRUCTION_MOVUPS, PREFIX_NONE, MAP_0F, {0x10, 0x11}, W_0},
                                        {INSTRUCTION_MOVUPS, PREFIX_66, MAP_0F, {0x10, 0x11}, W_1},
                                        {INSTRUCTION_MOVUPS, PREFIX_F3, MAP_0F, {0x6f, 0x7f}, W_ANY},
                                        {INSTRUCTION_MOVAPS, PREFIX_NONE, MAP_0F, {0x28, 0x29}, W_0},
                                        {INSTRUCTION_MOVAPS, PREFIX_66, MAP_0F, {0x28, 0x29}, W_1},
                                        {INSTRUCTION_MOVAPS, PREFIX_66, MAP_0F, {0x6f, 0x7f}, W_ANY}};

/* 67, one of 66, f3 and f2, REX, and the bytes that lead to a map. */
static bool read_legacy(const uint8_t *b, encoding *e) {
    static const uint8_t PREFIXES[] = {[PREFIX_66] = 0x66, [PREFIX_F3] = 0xf3, [PREFIX_F2] = 0xf2};
    for (uint8_t n = PREFIX_66; n <= PREFIX_F2; n++)
        if (*b == PREFIXES[n])
            e->prefix = n;
    b += e->prefix != PREFIX_NONE;
    bool has_rex = (*b & 0xf0) == 0x40;
    e->is_wide = has_rex && (*b & 8) != 0;
    b += has_rex;
    if (*b++ != 0x0f)
        return false;
    e->map = *b == 0x3a ? MAP_0F3A : MAP_0F;
    e->opcode = b[e->map == MAP_0F3A];
    return true;
}

static void read_vex(const uint8_t *b, encoding *e) {
    bool is_long = b[0] == 0xc4;
    uint8_t last = b[is_long ? 2 : 1];
    e->prefix = last & 3;
    e->map = is_long ? b[1] & 0x1f : MAP_0F;
    e->opcode = b[is_long ? 3 : 2];
    e->is_wide = is_long && (last & 0x80) != 0;
    e->names_third = (last & 0x78) != 0x78;
}

/*
 * Without zeroing, broadcast, rounding and mask (SDM volume 2, 2.7.1). The CPU refuses the fourth of the
 * sizes, and a bit that has to be set; the library takes that size for the third.
 */
static bool read_evex(const uint8_t *b, encoding *e) {
    e->prefix = b[2] & 3;
    e->map = b[1] & 0x0f;
    e->opcode = b[4];
    e->is_wide = (b[2] & 0x80) != 0;
    e->is_evex = true;
    e->names_third = (b[2] & 0x78) != 0x78 || (b[3] & 8) == 0;
    return (b[3] & 0x97) == 0 && (b[3] & 0x60) != 0x60 && (b[2] & 4) != 0;
}

static bool read_encoding(const instruction *i, encoding *e) {
    const uint8_t *b = i->bytes + (i->bytes[0] == 0x67);
    *e = (encoding){0};
    if (!i->is_vex)
        return read_legacy(b, e);
    if (*b == 0x62)
        return read_evex(b, e);
    read_vex(b, e);
    return *b == 0xc4 || *b == 0xc5;
}

static bool is_listed(const listed *list, size_t count, instruction_id id, const encoding *e) {
    for (size_t n = 0; n < count; n++) {
        const listed *l = &list[n];
        bool is_same = l->id == id && l->prefix == e->prefix && l->map == e->map && e->opcode != 0 &&
                       memchr(l->opcodes, e->opcode, sizeof l->opcodes) != NULL;
        if (is_same && (l->w == W_ANY || e->is_wide == (l->w == W_1)))
            return true;
    }
    return false;
}

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

bool decode_vector_means_what_it_says(const instruction *i) {
    encoding e;
    uint8_t places = 0;
    for (uint8_t n = 0; n < i->operand_count; n++)
        if (i->operands[n].kind != OPERAND_IMMEDIATE)
            places++;
    if (!read_encoding(i, &e) || (places < 3 && e.names_third))
        return false;
    return e.is_evex ? is_listed(EVEX_ENCODINGS, COUNT(EVEX_ENCODINGS), i->id, &e)
                     : is_listed(ENCODINGS, COUNT(ENCODINGS), i->id, &e);
}
