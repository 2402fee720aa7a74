#include "encodings.h"

#include "cpu_run.h"

#include <string.h>

/* Prefixes, REX and VEX are no opcodes, nor are the bytes that lead to other maps; of one map only one is. */
static bool is_no_opcode(const encoding_slot *s) {
    static const uint8_t OF_ONE[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67,
                                     0xf0, 0xf2, 0xf3, 0x0f, 0x62, 0xc4, 0xc5};
    if (s->map == MAP_ONE)
        return (s->opcode >= 0x40 && s->opcode < 0x50) || memchr(OF_ONE, s->opcode, sizeof OF_ONE) != NULL;
    bool is_0f = s->map == MAP_0F || s->map == MAP_F3_0F || s->map == MAP_F2_0F;
    return is_0f && (s->opcode == 0x38 || s->opcode == 0x3a);
}

static bool count_up(uint8_t *digit, uint8_t count) {
    *digit = (uint8_t)((*digit + 1) % count);
    return *digit != 0;
}

bool encoding_slot_next(encoding_slot *s) {
    do {
        if (count_up(&s->is_memory, 2) || count_up(&s->reg, 8) || count_up(&s->rex, 3) ||
            count_up(&s->prefixes, 4))
            continue;
        s->opcode++;
        if (s->opcode == 0 && !count_up(&s->map, MAP_COUNT))
            return false;
    } while (is_no_opcode(s));
    return true;
}

/* Immediates and displacements: the ends of what bytes hold are frequent. */
static uint8_t random_byte(random_source *random) {
    static const uint8_t EDGES[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0x08, 0x1f, 0x20};
    uint64_t choice = random_below(random, 16);
    return choice < sizeof EDGES ? EDGES[choice] : (uint8_t)random_u64(random);
}

/* What the prefix says of a map: which one (1 for 0f, 2 for 0f 38, 3 for 0f 3a), and the size of vectors. */
static uint8_t map_number(uint8_t map) {
    bool is_0f38 = map == MAP_VEX_0F38;
    bool is_0f3a = map == MAP_VEX_0F3A || map == MAP_VEX_0F3A_256;
    return is_0f38 ? 2 : is_0f3a ? 3 : 1;
}

static uint8_t size_number(uint8_t map) {
    bool is_256 = map == MAP_VEX_0F_256 || map == MAP_VEX_0F3A_256 || map == MAP_EVEX_0F_256;
    return map == MAP_EVEX_0F_512 ? 2 : is_256;
}

/* An inverted register: often the one that stands for none. */
static uint8_t random_register(random_source *random) {
    return (uint8_t)(random_one_in(random, 2) ? 15 : random_below(random, 16));
}

/*
 * Three bytes: the map, and R, X and B inverted; W, a register, the size of vectors, and a prefix. Or two,
 * with R instead of W, for the map 0f. Behind 66, seldom, the CPU refuses them.
 */
static uint8_t *make_vex(const encoding_slot *s, random_source *random, uint8_t *byte) {
    uint8_t last = (uint8_t)(random_register(random) << 3 | size_number(s->map) << 2 | s->prefixes);
    if (random_one_in(random, 16))
        *byte++ = 0x66;
    if (map_number(s->map) == 1 && s->rex == 0) {
        *byte++ = 0xc5;
        *byte++ = (uint8_t)(random_below(random, 2) << 7 | last);
        return byte;
    }
    *byte++ = 0xc4;
    *byte++ = (uint8_t)(map_number(s->map) | random_below(random, 8) << 5);
    *byte++ = (uint8_t)((s->rex == 2 ? 0x80 : 0) | last);
    return byte;
}

/*
 * Four bytes: R, X, B and R' inverted; W, a register and a prefix; sizes, V' inverted and no mask. Seldom it
 * is the size that the CPU refuses.
 */
static uint8_t *make_evex(const encoding_slot *s, random_source *random, uint8_t *byte) {
    uint8_t none = (uint8_t)(random_one_in(random, 4) ? random_below(random, 2) : 1);
    *byte++ = 0x62;
    *byte++ = (uint8_t)(1 | random_below(random, 16) << 4);
    *byte++ = (uint8_t)((s->rex == 2 ? 0x80 : 0) | random_register(random) << 3 | 4 | s->prefixes);
    uint8_t size = random_one_in(random, 16) ? 3 : size_number(s->map);
    *byte++ = (uint8_t)(size << 5 | none << 3);
    return byte;
}

static uint8_t *make_prefixes(const encoding_slot *s, random_source *random, uint8_t *byte) {
    if ((s->prefixes & 1) != 0)
        *byte++ = 0x66;
    if ((s->prefixes & 2) != 0)
        *byte++ = 0x67;
    if (s->map == MAP_F3_0F || s->map == MAP_F2_0F)
        *byte++ = s->map == MAP_F3_0F ? 0xf3 : 0xf2;
    if (s->rex != 0)
        *byte++ = (uint8_t)(0x40 | (s->rex == 2 ? 8 : 0) | random_below(random, 8));
    if (s->map != MAP_ONE)
        *byte++ = 0x0f;
    if (s->map == MAP_0F38 || s->map == MAP_0F3A)
        *byte++ = s->map == MAP_0F38 ? 0x38 : 0x3a;
    return byte;
}

void encoding_make(const encoding_slot *s, random_source *random, encoding *e) {
    for (size_t n = 0; n < sizeof e->bytes; n++)
        e->bytes[n] = random_byte(random);
    uint8_t *byte = s->map >= MAP_EVEX_0F  ? make_evex(s, random, e->bytes)
                    : s->map >= MAP_VEX_0F ? make_vex(s, random, e->bytes)
                                           : make_prefixes(s, random, e->bytes);
    e->opcode_at = (uint8_t)(byte - e->bytes);
    *byte++ = s->opcode;
    uint8_t mod = s->is_memory ? (uint8_t)random_below(random, 3) : 3;
    uint8_t rm = (uint8_t)random_below(random, 8);
    *byte++ = (uint8_t)(mod << 6 | s->reg << 3 | rm);
    bool has_sib = mod != 3 && rm == 4;
    uint8_t sib = *byte;
    byte += has_sib;
    bool is_wide = mod == 2 || (mod == 0 && (rm == 5 || (has_sib && sib % 8 == 5)));
    e->displacement_at = is_wide ? (uint8_t)(byte - e->bytes) : 0;
}

static void write_at(encoding *e, uint8_t at, uint64_t value, size_t count) {
    memcpy(e->bytes + at, &value, count);
}

/* mov of the accumulator, whose address follows the opcode, without a ModRM byte. */
static bool is_moffs(const encoding *e) {
    bool is_two_bytes = e->opcode_at > 0 && e->bytes[e->opcode_at - 1] == 0x0f;
    return !is_two_bytes && e->bytes[e->opcode_at] >= 0xa0 && e->bytes[e->opcode_at] <= 0xa3;
}

/* A register that is base and index cannot be chosen for both. */
static bool aim_memory(encoding *e, const instruction *i, const operand *o) {
    uint64_t target = cpu_scratch();
    bool is_absolute = o->base == REGISTER_NONE;
    if (o->base == o->index && !is_absolute)
        return false;
    if (i->id == INSTRUCTION_CALL && o->base == 4)
        return false;
    if (o->base == REGISTER_RIP)
        write_at(e, e->displacement_at, target - (i->address + i->byte_count), 4);
    else if (is_absolute && is_moffs(e))
        write_at(e, (uint8_t)(e->opcode_at + 1), target, o->address_bytes);
    else if (is_absolute)
        write_at(e, e->displacement_at, target, 4);
    return true;
}

/* Jumps lead over the one jump that follows the instruction. */
static bool aim_jump(encoding *e, const instruction *i) {
    uint8_t at = (uint8_t)(e->opcode_at + 1);
    write_at(e, at, CPU_JUMP_BYTES, (size_t)(i->byte_count - at));
    return true;
}

bool encoding_aim(encoding *e, const instruction *i) {
    bool jumps = i->id == INSTRUCTION_JCC || i->id == INSTRUCTION_JMP || i->id == INSTRUCTION_CALL;
    const operand *o = &i->operands[0];
    if (jumps && i->operand_count == 1 && o->kind == OPERAND_IMMEDIATE)
        return aim_jump(e, i);
    if (i->id == INSTRUCTION_CALL && i->operand_count == 1 && o->kind == OPERAND_REGISTER && o->number == 4)
        return false;
    for (uint8_t n = 0; n < i->operand_count; n++)
        if (i->operands[n].kind == OPERAND_MEMORY && i->id != INSTRUCTION_LEA &&
            !aim_memory(e, i, &i->operands[n]))
            return false;
    return true;
}
