#include "encodings.h"

#include "cpu_run.h"

#include <string.h>

/* Prefixes, REX and VEX are no opcodes, nor are the bytes that lead to other maps; of one map only one is. */
static bool is_no_opcode(const encoding_slot *s) {
    static const uint8_t OF_ONE[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67,
                                     0xf0, 0xf2, 0xf3, 0x0f, 0x62, 0xc4, 0xc5};
    if (s->map == MAP_ONE)
        return (s->opcode >= 0x40 && s->opcode < 0x50) || memchr(OF_ONE, s->opcode, sizeof OF_ONE) != NULL;
    bool is_other_map = s->map == MAP_0F && (s->opcode == 0x38 || s->opcode == 0x3a);
    return is_other_map || (s->map == MAP_F3_0F && s->opcode != 0x1e);
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

/* Three bytes: the map, and R, X and B inverted; W, a register, and a prefix. */
static uint8_t *make_vex(const encoding_slot *s, random_source *random, uint8_t *byte) {
    *byte++ = 0xc4;
    *byte++ = (uint8_t)((s->map == MAP_VEX_0F38 ? 2 : 3) | random_below(random, 8) << 5);
    *byte++ = (uint8_t)((s->rex == 2 ? 0x80 : 0) | random_below(random, 16) << 3 | s->prefixes);
    return byte;
}

static uint8_t *make_prefixes(const encoding_slot *s, random_source *random, uint8_t *byte) {
    if ((s->prefixes & 1) != 0)
        *byte++ = 0x66;
    if ((s->prefixes & 2) != 0)
        *byte++ = 0x67;
    if (s->map == MAP_F3_0F)
        *byte++ = 0xf3;
    if (s->rex != 0)
        *byte++ = (uint8_t)(0x40 | (s->rex == 2 ? 8 : 0) | random_below(random, 8));
    if (s->map != MAP_ONE)
        *byte++ = 0x0f;
    if (s->map == MAP_0F38)
        *byte++ = 0x38;
    return byte;
}

void encoding_make(const encoding_slot *s, random_source *random, encoding *e) {
    for (size_t n = 0; n < sizeof e->bytes; n++)
        e->bytes[n] = random_byte(random);
    bool is_vex = s->map == MAP_VEX_0F38 || s->map == MAP_VEX_0F3A;
    uint8_t *byte = is_vex ? make_vex(s, random, e->bytes) : make_prefixes(s, random, e->bytes);
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
