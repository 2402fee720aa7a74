#include "verify/model_vector.h"

#define LANE_BYTES 16
#define WORD_BYTES 8

/* A value by its bytes, the lowest first; those above its size are not set. */
typedef struct bytes {
    term at[VECTOR_BYTES];
} bytes;

/* One instruction on its way. */
typedef struct execution {
    model *m;
    terms *t;
    const instruction *i;
    model_next trouble; /* MODEL_FOLLOWS while there is none */
} execution;

static term zero(execution *x) {
    return term_const(x->t, 8, 0);
}

/* Words of at most 8 bytes. */
static term join(execution *x, const term *from, uint32_t count) {
    term all = from[0];
    for (uint32_t n = 1; n < count; n++)
        all = term_concat(x->t, from[n], all);
    return all;
}

static void split(execution *x, term word, term *to) {
    for (uint32_t n = 0; n < terms_width(x->t, word) / 8; n++)
        to[n] = term_extract(x->t, word, 8 * n, 8);
}

/* ---- Operands ---- */

static void load(execution *x, term address, bytes *b, uint32_t count) {
    for (uint32_t n = 0; n < count && x->trouble == MODEL_FOLLOWS; n += WORD_BYTES) {
        uint32_t part = count - n < WORD_BYTES ? count - n : WORD_BYTES;
        term at = term_add(x->t, address, term_const(x->t, 64, n));
        term word = x->m->read(x->m->context, at, part);
        if (word == 0)
            x->trouble = MODEL_REFUSED;
        else
            split(x, word, b->at + n);
    }
}

/* The lowest bytes of an operand. */
static bytes get(execution *x, const operand *o, uint32_t count) {
    bytes b;
    for (uint32_t n = 0; n < VECTOR_BYTES; n++)
        b.at[n] = zero(x);
    if (o->kind == OPERAND_MEMORY)
        load(x, model_address(x->m, x->i, o), &b, count);
    else if (o->kind == OPERAND_REGISTER)
        split(x, x->m->state.registers[o->number], b.at);
    else
        for (uint32_t n = 0; n < VECTOR_BYTES / WORD_BYTES; n++)
            split(x, x->m->state.vectors[o->number][n], b.at + (size_t)WORD_BYTES * n);
    return b;
}

/* With VEX all above is cleared, without it stays (SDM volume 1, 14.3 and 15.2). */
static void set_vector(execution *x, uint8_t number, const bytes *b, uint32_t count) {
    term *words = x->m->state.vectors[number];
    if (x->trouble != MODEL_FOLLOWS)
        return;
    for (uint32_t n = 0; n < VECTOR_BYTES / WORD_BYTES; n++)
        if (n < count / WORD_BYTES)
            words[n] = join(x, b->at + (size_t)WORD_BYTES * n, WORD_BYTES);
        else if (x->i->is_vex)
            words[n] = term_const(x->t, 64, 0);
}

static void set_memory(execution *x, const operand *o, const bytes *b, uint32_t count) {
    term address = model_address(x->m, x->i, o);
    for (uint32_t n = 0; n < count && x->trouble == MODEL_FOLLOWS; n += WORD_BYTES) {
        uint32_t part = count - n < WORD_BYTES ? count - n : WORD_BYTES;
        term at = term_add(x->t, address, term_const(x->t, 64, n));
        if (!x->m->write(x->m->context, at, part, join(x, b->at + n, part)))
            x->trouble = MODEL_REFUSED;
    }
}

/* `count` bytes to memory or to a general register, whose other bits are cleared. */
static void set_scalar(execution *x, const operand *o, const bytes *b, uint32_t count) {
    if (o->kind == OPERAND_MEMORY)
        set_memory(x, o, b, count);
    else if (x->trouble == MODEL_FOLLOWS)
        x->m->state.registers[o->number] = term_zext(x->t, join(x, b->at, count), 64);
}

/* ---- Forms ---- */

static bool is_vector(const operand *o, uint32_t count) {
    return o->kind == OPERAND_VECTOR && (count == 0 || o->bytes == count);
}

static bool is_memory(const operand *o, uint32_t count) {
    return o->kind == OPERAND_MEMORY && o->bytes == count;
}

static bool is_general(const operand *o) {
    return o->kind == OPERAND_REGISTER && (o->bytes == 4 || o->bytes == 8);
}

static bool is_number(const instruction *i, uint8_t at) {
    return i->operand_count == at + 1 && i->operands[at].kind == OPERAND_IMMEDIATE;
}

/* How many operands are vectors of the size of the first, which is one, counted from the first on. */
static uint8_t vector_count(const instruction *i) {
    uint8_t count = 0;
    while (count < i->operand_count && is_vector(&i->operands[count], i->operands[0].bytes))
        count++;
    return count;
}

/* The first source: the destination, or with VEX an operand of its own. */
static const operand *first_source(const instruction *i) {
    return &i->operands[i->is_vex ? 1 : 0];
}

static const operand *second_source(const instruction *i) {
    return &i->operands[i->is_vex ? 2 : 1];
}

/* ---- Whole registers ---- */

/* movaps faults at any other address, which the model does not know. */
static bool may_access(execution *x, const operand *o, uint32_t count) {
    if (x->i->id != INSTRUCTION_MOVAPS)
        return true;
    return x->m->is_aligned != NULL && x->m->is_aligned(x->m->context, model_address(x->m, x->i, o), count);
}

static bool move_whole(execution *x) {
    const operand *to = &x->i->operands[0];
    const operand *from = &x->i->operands[1];
    uint32_t count = to->kind == OPERAND_VECTOR ? to->bytes : from->bytes;
    bool loads = is_vector(to, 0) && is_memory(from, count);
    bool stores = is_memory(to, count) && is_vector(from, 0);
    bool copies = is_vector(to, 0) && is_vector(from, count);
    if (x->i->operand_count != 2 || !(loads || stores || copies))
        return false;
    if (!copies && !may_access(x, loads ? from : to, count))
        return false;
    bytes b = get(x, from, count);
    if (stores)
        set_memory(x, to, &b, count);
    else
        set_vector(x, to->number, &b, count);
    return true;
}

/* Bits 255 to 128 and above of the registers that VEX knows. */
static bool clear_upper(execution *x) {
    for (uint8_t number = 0; number < 16; number++)
        for (uint32_t n = LANE_BYTES / WORD_BYTES; n < VECTOR_BYTES / WORD_BYTES; n++)
            x->m->state.vectors[number][n] = term_const(x->t, 64, 0);
    return true;
}

/* ---- The lowest bytes ---- */

/* movss, movsd: what is loaded is extended with zeros, what comes from a register replaces the lowest bytes.
 */
static bool move_lowest(execution *x, uint32_t count) {
    const instruction *i = x->i;
    const operand *to = &i->operands[0];
    bool replaces = vector_count(i) == i->operand_count && i->operand_count == (i->is_vex ? 3 : 2);
    bool loads = i->operand_count == 2 && is_vector(to, LANE_BYTES) && is_memory(&i->operands[1], count);
    bool stores = i->operand_count == 2 && is_memory(to, count) && is_vector(&i->operands[1], LANE_BYTES);
    if (!replaces && !loads && !stores)
        return false;
    bytes b = get(x, replaces ? second_source(i) : &i->operands[1], count);
    if (stores) {
        set_memory(x, to, &b, count);
        return true;
    }
    bytes above = get(x, replaces ? first_source(i) : to, LANE_BYTES);
    for (uint32_t n = count; n < LANE_BYTES; n++)
        b.at[n] = replaces ? above.at[n] : zero(x);
    set_vector(x, to->number, &b, LANE_BYTES);
    return true;
}

/* movd, movq: between the lowest bytes of a register and anything; a vector register is cleared above. */
static bool move_word(execution *x, uint32_t count) {
    const instruction *i = x->i;
    const operand *to = &i->operands[0];
    const operand *from = &i->operands[1];
    bool is_whole = count == 8 && is_vector(to, LANE_BYTES) && is_vector(from, LANE_BYTES);
    bool enters = is_vector(to, LANE_BYTES) && from->kind != OPERAND_VECTOR && from->bytes == count;
    bool leaves = is_vector(from, LANE_BYTES) && to->kind != OPERAND_VECTOR && to->bytes == count;
    if (i->operand_count != 2 || from->kind == OPERAND_IMMEDIATE || !(is_whole || enters || leaves))
        return false;
    bytes b = get(x, from, count);
    if (leaves) {
        set_scalar(x, to, &b, count);
        return true;
    }
    for (uint32_t n = count; n < LANE_BYTES; n++)
        b.at[n] = zero(x);
    set_vector(x, to->number, &b, LANE_BYTES);
    return true;
}

/* ---- Halves ---- */

/* movlps, movhps: one half of a register from or to memory. */
static bool move_half(execution *x, uint32_t place) {
    const instruction *i = x->i;
    const operand *to = &i->operands[0];
    const operand *from = &i->operands[i->operand_count - 1];
    bool stores = i->operand_count == 2 && is_memory(to, 8) && is_vector(from, LANE_BYTES);
    bool loads = i->operand_count == (i->is_vex ? 3 : 2) && is_vector(to, LANE_BYTES) &&
                 is_vector(first_source(i), LANE_BYTES) && is_memory(from, 8);
    if (!stores && !loads)
        return false;
    bytes b = get(x, stores ? from : first_source(i), LANE_BYTES);
    if (stores) {
        bytes half = b;
        for (uint32_t n = 0; n < 8; n++)
            half.at[n] = b.at[place + n];
        set_memory(x, to, &half, 8);
        return true;
    }
    bytes half = get(x, from, 8);
    for (uint32_t n = 0; n < 8; n++)
        b.at[place + n] = half.at[n];
    set_vector(x, to->number, &b, LANE_BYTES);
    return true;
}

/* movlhps, movhlps: a half of one register becomes the other half of another. */
static bool cross_halves(execution *x, uint32_t from, uint32_t to) {
    const instruction *i = x->i;
    if (vector_count(i) != i->operand_count || i->operand_count != (i->is_vex ? 3 : 2))
        return false;
    bytes b = get(x, first_source(i), LANE_BYTES);
    bytes other = get(x, second_source(i), LANE_BYTES);
    for (uint32_t n = 0; n < 8; n++)
        b.at[to + n] = other.at[from + n];
    set_vector(x, i->operands[0].number, &b, LANE_BYTES);
    return true;
}

/* ---- Elements, in each 16 bytes alike ---- */

/*
 * Where each element of the result comes from: its number in the sources behind each other, of which each has
 * 16 / size elements.
 */
typedef uint32_t element_source(uint32_t element, uint32_t size, uint32_t lane, uint64_t choice);

/* The lower, or with `choice` the upper halves, element by element in turn. */
static uint32_t interleaved(uint32_t element, uint32_t size, uint32_t lane, uint64_t choice) {
    (void)lane;
    uint32_t count = LANE_BYTES / size;
    uint32_t first = choice != 0 ? count / 2 : 0;
    return (element % 2) * count + first + element / 2;
}

/* Two bits for each element, all from the second source. */
static uint32_t chosen(uint32_t element, uint32_t size, uint32_t lane, uint64_t choice) {
    (void)lane;
    return LANE_BYTES / size + (uint32_t)(choice >> 2 * element & 3);
}

/* The lower half from the first source and the upper from the second. */
static uint32_t chosen_of_both(uint32_t element, uint32_t size, uint32_t lane, uint64_t choice) {
    if (size == 8)
        return 2 * element + (uint32_t)(choice >> (2 * lane + element) & 1);
    return element / 2 * 4 + (uint32_t)(choice >> 2 * element & 3);
}

static void arrange(execution *x, const bytes *first, const bytes *second, uint32_t size,
                    element_source *source, uint64_t choice) {
    const operand *to = &x->i->operands[0];
    bytes b = *first;
    for (uint32_t n = 0; n < to->bytes; n++) {
        uint32_t lane = n / LANE_BYTES;
        uint32_t from = source(n % LANE_BYTES / size, size, lane, choice);
        const bytes *of = from < LANE_BYTES / size ? first : second;
        b.at[n] = of->at[lane * LANE_BYTES + from * size % LANE_BYTES + n % size];
    }
    set_vector(x, to->number, &b, to->bytes);
}

/* Of registers alone: operands in memory would have to be aligned. */
static bool interleave(execution *x, uint32_t size, bool is_upper) {
    const instruction *i = x->i;
    if (vector_count(i) != i->operand_count || i->operand_count != (i->is_vex ? 3 : 2))
        return false;
    bytes a = get(x, first_source(i), VECTOR_BYTES);
    bytes b = get(x, second_source(i), VECTOR_BYTES);
    arrange(x, &a, &b, size, interleaved, is_upper);
    return true;
}

static bool shuffle(execution *x, uint32_t size) {
    const instruction *i = x->i;
    uint8_t count = vector_count(i);
    if (count != (i->is_vex ? 3 : 2) || !is_number(i, count))
        return false;
    bytes a = get(x, first_source(i), VECTOR_BYTES);
    bytes b = get(x, second_source(i), VECTOR_BYTES);
    arrange(x, &a, &b, size, chosen_of_both, i->operands[count].value);
    return true;
}

static bool shuffle_one(execution *x) {
    const instruction *i = x->i;
    if (vector_count(i) != 2 || !is_number(i, 2))
        return false;
    bytes b = get(x, &i->operands[1], VECTOR_BYTES);
    arrange(x, &b, &b, 4, chosen, i->operands[2].value);
    return true;
}

/* ---- One element ---- */

static bool insert(execution *x, uint32_t size) {
    const instruction *i = x->i;
    uint8_t count = i->is_vex ? 2 : 1;
    const operand *from = &i->operands[count];
    bool is_word = is_memory(from, size) || (is_general(from) && from->bytes == (size == 8 ? 8 : 4));
    if (vector_count(i) != count || i->operands[0].bytes != LANE_BYTES || !is_number(i, count + 1) ||
        !is_word)
        return false;
    bytes b = get(x, first_source(i), LANE_BYTES);
    bytes word = get(x, from, size);
    uint32_t place = (uint32_t)(i->operands[count + 1].value * size % LANE_BYTES);
    for (uint32_t n = 0; n < size; n++)
        b.at[place + n] = word.at[n];
    set_vector(x, i->operands[0].number, &b, LANE_BYTES);
    return true;
}

static bool extract(execution *x, uint32_t size) {
    const instruction *i = x->i;
    const operand *to = &i->operands[0];
    bool is_word = is_memory(to, size) || (is_general(to) && to->bytes >= size);
    if (!is_word || !is_vector(&i->operands[1], LANE_BYTES) || !is_number(i, 2))
        return false;
    bytes b = get(x, &i->operands[1], LANE_BYTES);
    bytes word = b;
    uint32_t place = (uint32_t)(i->operands[2].value * size % LANE_BYTES);
    for (uint32_t n = 0; n < size; n++)
        word.at[n] = b.at[place + n];
    set_scalar(x, to, &word, size);
    return true;
}

/* ---- Halves of 32 bytes ---- */

static bool insert_half(execution *x) {
    const instruction *i = x->i;
    const operand *from = &i->operands[2];
    if (vector_count(i) != 2 || i->operands[0].bytes != 2 * LANE_BYTES || !is_number(i, 3) ||
        !(is_vector(from, LANE_BYTES) || is_memory(from, LANE_BYTES)))
        return false;
    bytes b = get(x, &i->operands[1], 2 * LANE_BYTES);
    bytes half = get(x, from, LANE_BYTES);
    uint32_t place = (i->operands[3].value & 1) != 0 ? LANE_BYTES : 0;
    for (uint32_t n = 0; n < LANE_BYTES; n++)
        b.at[place + n] = half.at[n];
    set_vector(x, i->operands[0].number, &b, 2 * LANE_BYTES);
    return true;
}

static bool extract_half(execution *x) {
    const instruction *i = x->i;
    const operand *to = &i->operands[0];
    if (!(is_vector(to, LANE_BYTES) || is_memory(to, LANE_BYTES)) ||
        !is_vector(&i->operands[1], 2 * LANE_BYTES) || !is_number(i, 2))
        return false;
    bytes b = get(x, &i->operands[1], 2 * LANE_BYTES);
    bytes half = b;
    uint32_t place = (i->operands[2].value & 1) != 0 ? LANE_BYTES : 0;
    for (uint32_t n = 0; n < LANE_BYTES; n++)
        half.at[n] = b.at[place + n];
    if (to->kind == OPERAND_MEMORY)
        set_memory(x, to, &half, LANE_BYTES);
    else
        set_vector(x, to->number, &half, LANE_BYTES);
    return true;
}

/* ---- Bits ---- */

static bool exclusive_or(execution *x) {
    const instruction *i = x->i;
    if (vector_count(i) != i->operand_count || i->operand_count != (i->is_vex ? 3 : 2))
        return false;
    bytes a = get(x, first_source(i), VECTOR_BYTES);
    bytes b = get(x, second_source(i), VECTOR_BYTES);
    for (uint32_t n = 0; n < i->operands[0].bytes; n++)
        a.at[n] = term_xor(x->t, a.at[n], b.at[n]);
    set_vector(x, i->operands[0].number, &a, i->operands[0].bytes);
    return true;
}

/* ---- All of them ---- */

static bool move(execution *x) {
    switch (x->i->id) {
    case INSTRUCTION_MOVUPS:
    case INSTRUCTION_MOVAPS:
        return move_whole(x);
    case INSTRUCTION_MOVSS:
        return move_lowest(x, 4);
    case INSTRUCTION_MOVSD:
        return move_lowest(x, 8);
    case INSTRUCTION_MOVD:
        return move_word(x, 4);
    case INSTRUCTION_MOVQ:
        return move_word(x, 8);
    case INSTRUCTION_MOVLPS:
        return move_half(x, 0);
    case INSTRUCTION_MOVHPS:
        return move_half(x, 8);
    case INSTRUCTION_MOVLHPS:
        return cross_halves(x, 0, 8);
    case INSTRUCTION_MOVHLPS:
        return cross_halves(x, 8, 0);
    case INSTRUCTION_VINSERTF128:
        return insert_half(x);
    case INSTRUCTION_VEXTRACTF128:
        return extract_half(x);
    default:
        return false;
    }
}

/* The size of the elements that an instruction is named for: b, w, d, q. */
static uint32_t element_size(instruction_id id, instruction_id first) {
    return 1u << (id - first);
}

static bool execute(execution *x) {
    instruction_id id = x->i->id;
    switch (id) {
    case INSTRUCTION_PUNPCKLBW:
    case INSTRUCTION_PUNPCKLWD:
    case INSTRUCTION_PUNPCKLDQ:
    case INSTRUCTION_PUNPCKLQDQ:
        return interleave(x, element_size(id, INSTRUCTION_PUNPCKLBW), false);
    case INSTRUCTION_PUNPCKHBW:
    case INSTRUCTION_PUNPCKHWD:
    case INSTRUCTION_PUNPCKHDQ:
    case INSTRUCTION_PUNPCKHQDQ:
        return interleave(x, element_size(id, INSTRUCTION_PUNPCKHBW), true);
    case INSTRUCTION_PSHUFD:
        return shuffle_one(x);
    case INSTRUCTION_SHUFPS:
        return shuffle(x, 4);
    case INSTRUCTION_SHUFPD:
        return shuffle(x, 8);
    case INSTRUCTION_PINSRB:
    case INSTRUCTION_PINSRW:
    case INSTRUCTION_PINSRD:
    case INSTRUCTION_PINSRQ:
        return insert(x, element_size(id, INSTRUCTION_PINSRB));
    case INSTRUCTION_PEXTRB:
    case INSTRUCTION_PEXTRW:
    case INSTRUCTION_PEXTRD:
    case INSTRUCTION_PEXTRQ:
        return extract(x, element_size(id, INSTRUCTION_PEXTRB));
    case INSTRUCTION_PXOR:
        return exclusive_or(x);
    case INSTRUCTION_VZEROUPPER:
        return clear_upper(x);
    default:
        return move(x);
    }
}

model_next model_vector_execute(model *m, const instruction *i) {
    execution x = {m, m->t, i, MODEL_FOLLOWS};
    model_state before = m->state;
    bool has_vectors = m->state.vectors[0][0] != 0;
    if (!has_vectors || !execute(&x))
        x.trouble = MODEL_UNKNOWN;
    if (x.trouble != MODEL_FOLLOWS)
        m->state = before;
    return x.trouble;
}
