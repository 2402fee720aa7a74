#include "verify/model.h"

#include "verify/model_vector.h"

#include <assert.h>

/* One instruction on its way. */
typedef struct execution {
    model *m;
    terms *t;
    const instruction *i;
    model_next trouble; /* MODEL_FOLLOWS while there is none */
} execution;

static term constant(execution *x, uint32_t width, uint64_t value) {
    return term_const(x->t, width, value);
}

static term bit(execution *x, term a, uint32_t number) {
    return term_extract(x->t, a, number, 1);
}

static term top_bit(execution *x, term a) {
    return bit(x, a, terms_width(x->t, a) - 1);
}

static term is_zero(execution *x, term a) {
    return term_eq(x->t, a, term_like(x->t, a, 0));
}

/* ---- Registers ---- */

static term read_register(const model *m, const operand *o) {
    term whole = m->state.registers[o->number];
    return term_extract(m->t, whole, o->is_high ? 8 : 0, 8u * o->bytes);
}

/* 32 bits clear what is above them, fewer leave it (SDM volume 1, 3.4.1.1). */
static void write_register(const model *m, model_state *s, const operand *o, term value) {
    terms *t = m->t;
    term old = s->registers[o->number];
    term whole = value;
    if (o->bytes == 4)
        whole = term_zext(t, value, 64);
    else if (o->is_high)
        whole =
            term_concat(t, term_extract(t, old, 16, 48), term_concat(t, value, term_extract(t, old, 0, 8)));
    else if (o->bytes < 4)
        whole = term_concat(t, term_extract(t, old, 8u * o->bytes, 64 - 8u * o->bytes), value);
    s->registers[o->number] = whole;
}

/* ---- Memory ---- */

static term address_part(model *m, const instruction *i, uint8_t number, uint8_t bytes) {
    if (number == REGISTER_NONE)
        return term_const(m->t, 8u * bytes, 0);
    if (number == REGISTER_RIP)
        return term_const(m->t, 64, i->address + i->byte_count);
    return term_extract(m->t, m->state.registers[number], 0, 8u * bytes);
}

/* base + index * scale + displacement, in the address's size (SDM volume 1, 3.7.5). */
term model_address(model *m, const instruction *i, const operand *o) {
    terms *t = m->t;
    uint32_t width = 8u * o->address_bytes;
    uint32_t log2 = o->scale == 8 ? 3 : o->scale == 4 ? 2 : o->scale == 2 ? 1 : 0;
    term base = address_part(m, i, o->base, o->address_bytes);
    term index = address_part(m, i, o->index, o->address_bytes);
    term scaled = term_shl(t, index, term_const(t, width, log2));
    term sum = term_add(t, term_add(t, base, scaled), term_const(t, width, o->value));
    return term_zext(t, sum, 64);
}

static term load(execution *x, term address, uint32_t bytes) {
    term loaded = x->m->read(x->m->context, address, bytes);
    if (loaded != 0)
        return loaded;
    x->trouble = MODEL_REFUSED;
    return constant(x, 8 * bytes, 0);
}

/* ---- Operands ---- */

static uint32_t width_of(const operand *o) {
    return 8u * o->bytes;
}

/* Its value, an immediate cut to `width` bits. */
static term get(execution *x, const operand *o, uint32_t width) {
    switch (o->kind) {
    case OPERAND_REGISTER:
        return read_register(x->m, o);
    case OPERAND_MEMORY:
        return load(x, model_address(x->m, x->i, o), o->bytes);
    case OPERAND_IMMEDIATE:
    case OPERAND_VECTOR:
        break;
    }
    return constant(x, width, o->value);
}

static void set(execution *x, model_state *s, const operand *o, term value) {
    if (x->trouble != MODEL_FOLLOWS)
        return;
    if (o->kind == OPERAND_REGISTER)
        write_register(x->m, s, o, value);
    else if (!x->m->write(x->m->context, model_address(x->m, x->i, o), o->bytes, value))
        x->trouble = MODEL_REFUSED;
}

/* ---- Flags ---- */

static term undefined(execution *x) {
    uint64_t number = x->t->variable_count;
    if (x->m->undefined != NULL && number < 1024)
        x->m->undefined[number / 64] |= UINT64_C(1) << number % 64;
    return term_var(x->t, 1);
}

/* One if the low byte has an even number of ones. */
static term parity(execution *x, term result) {
    term odd = bit(x, result, 0);
    for (uint32_t i = 1; i < 8; i++)
        odd = term_xor(x->t, odd, bit(x, result, i));
    return term_not(x->t, odd);
}

static void set_result_flags(execution *x, model_state *s, term result) {
    s->flags[MODEL_ZF] = is_zero(x, result);
    s->flags[MODEL_SF] = top_bit(x, result);
    s->flags[MODEL_PF] = parity(x, result);
}

/* Where two numbers of one sign give one of the other (SDM volume 1, 3.4.3.1). */
static void set_add_flags(execution *x, model_state *s, term a, term b, term sum) {
    terms *t = x->t;
    term carries = term_or(t, term_and(t, a, b), term_and(t, term_or(t, a, b), term_not(t, sum)));
    term overflows = term_and(t, term_xor(t, a, sum), term_xor(t, b, sum));
    set_result_flags(x, s, sum);
    s->flags[MODEL_CF] = top_bit(x, carries);
    s->flags[MODEL_OF] = top_bit(x, overflows);
}

static void set_sub_flags(execution *x, model_state *s, term a, term b, term difference, term borrow) {
    terms *t = x->t;
    term overflows = term_and(t, term_xor(t, a, b), term_xor(t, a, difference));
    term below = term_ult(t, a, b);
    set_result_flags(x, s, difference);
    s->flags[MODEL_CF] = term_or(t, below, term_and(t, borrow, term_eq(t, a, b)));
    s->flags[MODEL_OF] = top_bit(x, overflows);
}

static void set_logic_flags(execution *x, model_state *s, term result) {
    set_result_flags(x, s, result);
    s->flags[MODEL_CF] = constant(x, 1, 0);
    s->flags[MODEL_OF] = constant(x, 1, 0);
}

/* SDM volume 1, appendix B: the lowest bit of a condition's number negates it. */
static term holds(execution *x, const model_state *s, uint8_t condition) {
    terms *t = x->t;
    const term *f = s->flags;
    term less = term_xor(t, f[MODEL_SF], f[MODEL_OF]);
    term yes = 0;
    switch (condition / 2) {
    case 0:
        yes = f[MODEL_OF];
        break;
    case 1:
        yes = f[MODEL_CF];
        break;
    case 2:
        yes = f[MODEL_ZF];
        break;
    case 3:
        yes = term_or(t, f[MODEL_CF], f[MODEL_ZF]);
        break;
    case 4:
        yes = f[MODEL_SF];
        break;
    case 5:
        yes = f[MODEL_PF];
        break;
    case 6:
        yes = less;
        break;
    default:
        yes = term_or(t, f[MODEL_ZF], less);
        break;
    }
    return condition % 2 ? term_not(t, yes) : yes;
}

/* ---- Moves ---- */

static void move(execution *x, model_state *s) {
    const operand *to = &x->i->operands[0];
    set(x, s, to, get(x, &x->i->operands[1], width_of(to)));
}

static void move_extended(execution *x, model_state *s) {
    const operand *to = &x->i->operands[0];
    bool is_signed = x->i->id == INSTRUCTION_MOVSX;
    term from = get(x, &x->i->operands[1], width_of(to));
    term extended = is_signed ? term_sext(x->t, from, width_of(to)) : term_zext(x->t, from, width_of(to));
    set(x, s, to, extended);
}

static void load_address(execution *x, model_state *s) {
    const operand *to = &x->i->operands[0];
    const operand *from = &x->i->operands[1];
    term address = model_address(x->m, x->i, from);
    uint64_t placed;
    if (from->base == REGISTER_RIP && x->m->place != NULL && term_is_const(x->t, address, &placed))
        address = x->m->place(x->m->context, placed);
    if (address == 0) {
        x->trouble = MODEL_REFUSED;
        return;
    }
    set(x, s, to, term_extract(x->t, address, 0, width_of(to)));
}

static void exchange(execution *x, model_state *s) {
    const operand *a = &x->i->operands[0];
    const operand *b = &x->i->operands[1];
    term old_a = get(x, a, 0);
    term old_b = get(x, b, 0);
    set(x, s, a, old_b);
    set(x, s, b, old_a);
}

/* bswap of itself, movbe of another one. */
static void swap_bytes(execution *x, model_state *s) {
    const operand *from = &x->i->operands[x->i->operand_count - 1];
    term value = get(x, from, 0);
    term swapped = term_extract(x->t, value, 0, 8);
    for (uint32_t i = 1; i < from->bytes; i++)
        swapped = term_concat(x->t, swapped, term_extract(x->t, value, 8 * i, 8));
    set(x, s, &x->i->operands[0], swapped);
}

/* The lower half of rax, or of eax, extended over all of it. */
static void extend_accumulator(execution *x, model_state *s) {
    uint32_t bytes = x->i->id == INSTRUCTION_CWDE ? 4 : 8;
    operand o = {.kind = OPERAND_REGISTER, .bytes = (uint8_t)bytes};
    term half = term_extract(x->t, s->registers[0], 0, 4 * bytes);
    set(x, s, &o, term_sext(x->t, half, 8 * bytes));
}

static void move_if(execution *x, model_state *s) {
    const operand *to = &x->i->operands[0];
    term from = get(x, &x->i->operands[1], 0);
    term old = get(x, to, 0);
    set(x, s, to, term_ite(x->t, holds(x, s, x->i->condition), from, old));
}

static void set_if(execution *x, model_state *s) {
    set(x, s, &x->i->operands[0], term_zext(x->t, holds(x, s, x->i->condition), 8));
}

/* ---- Arithmetic ---- */

/* The carry, where the instruction takes it in. */
static term carry_of(execution *x, const model_state *s) {
    bool takes_carry = x->i->id == INSTRUCTION_ADC || x->i->id == INSTRUCTION_SBB;
    return takes_carry ? s->flags[MODEL_CF] : constant(x, 1, 0);
}

static void add(execution *x, model_state *s) {
    const operand *to = &x->i->operands[0];
    term carry = carry_of(x, s);
    term a = get(x, to, 0);
    term b = get(x, &x->i->operands[1], width_of(to));
    term sum = term_add(x->t, term_add(x->t, a, b), term_zext(x->t, carry, width_of(to)));
    set_add_flags(x, s, a, b, sum);
    set(x, s, to, sum);
}

static void subtract(execution *x, model_state *s) {
    const operand *to = &x->i->operands[0];
    term borrow = carry_of(x, s);
    term a = get(x, to, 0);
    term b = get(x, &x->i->operands[1], width_of(to));
    term difference = term_sub(x->t, term_sub(x->t, a, b), term_zext(x->t, borrow, width_of(to)));
    set_sub_flags(x, s, a, b, difference, borrow);
    if (x->i->id != INSTRUCTION_CMP)
        set(x, s, to, difference);
}

/* The carry stays. */
static void step_by_one(execution *x, model_state *s) {
    const operand *o = &x->i->operands[0];
    bool up = x->i->id == INSTRUCTION_INC;
    term carry = s->flags[MODEL_CF];
    term a = get(x, o, 0);
    term one = term_like(x->t, a, 1);
    term result = up ? term_add(x->t, a, one) : term_sub(x->t, a, one);
    if (up)
        set_add_flags(x, s, a, one, result);
    else
        set_sub_flags(x, s, a, one, result, constant(x, 1, 0));
    s->flags[MODEL_CF] = carry;
    set(x, s, o, result);
}

static void negate(execution *x, model_state *s) {
    const operand *o = &x->i->operands[0];
    term a = get(x, o, 0);
    term zero = term_like(x->t, a, 0);
    term result = term_sub(x->t, zero, a);
    set_sub_flags(x, s, zero, a, result, constant(x, 1, 0));
    set(x, s, o, result);
}

static void logic(execution *x, model_state *s) {
    const operand *to = &x->i->operands[0];
    term a = get(x, to, 0);
    term b = get(x, &x->i->operands[1], width_of(to));
    bool is_or = x->i->id == INSTRUCTION_OR;
    bool is_xor = x->i->id == INSTRUCTION_XOR;
    term result = is_or ? term_or(x->t, a, b) : is_xor ? term_xor(x->t, a, b) : term_and(x->t, a, b);
    set_logic_flags(x, s, result);
    if (x->i->id != INSTRUCTION_TEST)
        set(x, s, to, result);
}

static void invert(execution *x, model_state *s) {
    const operand *o = &x->i->operands[0];
    set(x, s, o, term_not(x->t, get(x, o, 0)));
}

/* ---- Shifts ---- */

/* A shift of `a` by `count`, which has the width of `a` and has been masked. */
typedef struct shifting {
    const operand *to;
    uint32_t width;
    term a;
    term count;
    term is_none; /* the count is 0: flags stay */
    term is_one;
} shifting;

/* The count has 5 bits, or 6 of a 64-bit operand; it is 1 where it is not said. */
static shifting begin_shift(execution *x) {
    const instruction *i = x->i;
    shifting h = {.to = &i->operands[0], .width = width_of(&i->operands[0])};
    h.a = get(x, h.to, 0);
    term given = i->operand_count == 1 ? constant(x, 8, 1) : get(x, &i->operands[1], 8);
    given = term_extract(x->t, given, 0, 8);
    term masked = term_and(x->t, given, constant(x, 8, h.width == 64 ? 63 : 31));
    h.count = term_zext(x->t, masked, h.width);
    h.is_none = is_zero(x, h.count);
    h.is_one = term_eq(x->t, h.count, term_like(x->t, h.count, 1));
    return h;
}

/* A flag that is undefined unless `is_defined`, and stays where the count is 0. */
static void set_shift_flag(execution *x, model_state *s, const shifting *h, model_flag flag, term is_defined,
                           term value) {
    uint64_t sure;
    bool is_sure = term_is_const(x->t, is_defined, &sure) && sure == 1;
    bool is_kept = term_is_const(x->t, h->is_none, &sure) && sure == 1;
    if (is_kept)
        return;
    term any = is_sure ? value : term_ite(x->t, is_defined, value, undefined(x));
    s->flags[flag] = term_ite(x->t, h->is_none, s->flags[flag], any);
}

/* What was shifted out last; of shl and shr it is undefined where the count reaches the width. */
static term shifted_out(execution *x, const shifting *h) {
    terms *t = x->t;
    if (x->i->id == INSTRUCTION_SHL)
        return bit(x, term_lshr(t, h->a, term_sub(t, term_like(t, h->a, h->width), h->count)), 0);
    term less = term_sub(t, h->count, term_like(t, h->a, 1));
    return bit(x, x->i->id == INSTRUCTION_SHR ? term_lshr(t, h->a, less) : term_ashr(t, h->a, less), 0);
}

static term overflow_of_shift(execution *x, const shifting *h, term result) {
    if (x->i->id == INSTRUCTION_SHL)
        return term_xor(x->t, top_bit(x, result), top_bit(x, h->a));
    return x->i->id == INSTRUCTION_SHR ? top_bit(x, h->a) : constant(x, 1, 0);
}

static void shift(execution *x, model_state *s) {
    terms *t = x->t;
    shifting h = begin_shift(x);
    instruction_id id = x->i->id;
    term sure = constant(x, 1, 1);
    term result = id == INSTRUCTION_SHL   ? term_shl(t, h.a, h.count)
                  : id == INSTRUCTION_SHR ? term_lshr(t, h.a, h.count)
                                          : term_ashr(t, h.a, h.count);
    term is_short = id == INSTRUCTION_SAR ? sure : term_ult(t, h.count, term_like(t, h.a, h.width));
    set_shift_flag(x, s, &h, MODEL_CF, is_short, shifted_out(x, &h));
    set_shift_flag(x, s, &h, MODEL_OF, h.is_one, overflow_of_shift(x, &h, result));
    set_shift_flag(x, s, &h, MODEL_ZF, sure, is_zero(x, result));
    set_shift_flag(x, s, &h, MODEL_SF, sure, top_bit(x, result));
    set_shift_flag(x, s, &h, MODEL_PF, sure, parity(x, result));
    set(x, s, h.to, result);
}

/* The count is taken modulo the width; the other flags stay. */
static void rotate(execution *x, model_state *s) {
    terms *t = x->t;
    shifting h = begin_shift(x);
    bool is_left = x->i->id == INSTRUCTION_ROL;
    term there = term_and(t, h.count, term_like(t, h.a, h.width - 1));
    term back = term_sub(t, term_like(t, h.a, h.width), there);
    term result = is_left ? term_or(t, term_shl(t, h.a, there), term_lshr(t, h.a, back))
                          : term_or(t, term_lshr(t, h.a, there), term_shl(t, h.a, back));
    term carry = is_left ? bit(x, result, 0) : top_bit(x, result);
    term other = is_left ? carry : bit(x, result, h.width - 2);
    set_shift_flag(x, s, &h, MODEL_CF, constant(x, 1, 1), carry);
    set_shift_flag(x, s, &h, MODEL_OF, h.is_one, term_xor(t, top_bit(x, result), other));
    set(x, s, h.to, result);
}

/* Of three operands, and without flags; the count is taken modulo the width. */
static void shift_apart(execution *x, model_state *s) {
    terms *t = x->t;
    const operand *to = &x->i->operands[0];
    term a = get(x, &x->i->operands[1], 0);
    term given = get(x, &x->i->operands[2], width_of(to));
    term count = term_and(t, given, term_like(t, a, width_of(to) - 1));
    term back = term_sub(t, term_like(t, a, width_of(to)), count);
    term result = x->i->id == INSTRUCTION_SARX ? term_ashr(t, a, count) : term_lshr(t, a, count);
    if (x->i->id == INSTRUCTION_SHLX)
        result = term_shl(t, a, count);
    else if (x->i->id == INSTRUCTION_RORX)
        result = term_or(t, result, term_shl(t, a, back));
    set(x, s, to, result);
}

static void and_not(execution *x, model_state *s) {
    term a = get(x, &x->i->operands[1], 0);
    term b = get(x, &x->i->operands[2], 0);
    term result = term_and(x->t, term_not(x->t, a), b);
    set_logic_flags(x, s, result);
    s->flags[MODEL_PF] = undefined(x);
    set(x, s, &x->i->operands[0], result);
}

/* Bits from a number on, which the lowest byte of a register is, become 0. */
static void zero_high_bits(execution *x, model_state *s) {
    terms *t = x->t;
    const operand *to = &x->i->operands[0];
    term a = get(x, &x->i->operands[1], 0);
    term given = get(x, &x->i->operands[2], 0);
    term number = term_zext(t, term_extract(t, given, 0, 8), width_of(to));
    term ones = term_not(t, term_shl(t, term_like(t, a, UINT64_MAX), number));
    term result = term_and(t, a, ones);
    set_logic_flags(x, s, result);
    s->flags[MODEL_CF] = term_ule(t, term_like(t, a, width_of(to)), number);
    s->flags[MODEL_PF] = undefined(x);
    set(x, s, to, result);
}

/* The number of the bit is taken modulo the width; ZF stays. */
static void test_bit(execution *x, model_state *s) {
    terms *t = x->t;
    const operand *o = &x->i->operands[0];
    term a = get(x, o, 0);
    term given = get(x, &x->i->operands[1], width_of(o));
    term number = term_and(t, given, term_like(t, a, width_of(o) - 1));
    s->flags[MODEL_CF] = bit(x, term_lshr(t, a, number), 0);
    s->flags[MODEL_OF] = undefined(x);
    s->flags[MODEL_SF] = undefined(x);
    s->flags[MODEL_PF] = undefined(x);
}

/* ---- The stack ---- */

static const operand STACK_POINTER = {.kind = OPERAND_REGISTER, .bytes = 8, .number = 4};

static void push(execution *x, model_state *s) {
    term value = get(x, &x->i->operands[0], 64);
    term top = term_sub(x->t, s->registers[4], constant(x, 64, 8));
    if (x->trouble == MODEL_FOLLOWS && !x->m->write(x->m->context, top, 8, value))
        x->trouble = MODEL_REFUSED;
    set(x, s, &STACK_POINTER, top);
}

static void pop(execution *x, model_state *s) {
    term top = s->registers[4];
    term value = load(x, top, 8);
    set(x, s, &STACK_POINTER, term_add(x->t, top, constant(x, 64, 8)));
    set(x, s, &x->i->operands[0], value);
}

/* ---- All of them ---- */

static bool is_register(const operand *o, uint32_t bytes) {
    return o->kind == OPERAND_REGISTER && (bytes == 0 || o->bytes == bytes);
}

static bool is_word(const operand *o) {
    bool has_bytes = o->bytes == 1 || o->bytes == 2 || o->bytes == 4 || o->bytes == 8;
    return o->kind != OPERAND_IMMEDIATE && has_bytes;
}

/* Two operands of one size, of which the second may be an immediate. */
static bool are_two_words(const instruction *i) {
    const operand *a = &i->operands[0];
    const operand *b = &i->operands[1];
    return i->operand_count == 2 && is_word(a) &&
           (b->kind == OPERAND_IMMEDIATE || (is_word(b) && a->bytes == b->bytes));
}

static bool is_one_word(const instruction *i) {
    return i->operand_count == 1 && is_word(&i->operands[0]);
}

static bool is_shift_count(const instruction *i) {
    const operand *count = &i->operands[1];
    bool is_cl = is_register(count, 1) && count->number == 1 && !count->is_high;
    return i->operand_count == 1 || (i->operand_count == 2 && (is_cl || count->kind == OPERAND_IMMEDIATE));
}

/* With a number in a register bt reaches beyond its memory operand. */
static bool is_bit_test(const instruction *i) {
    const operand *a = &i->operands[0];
    return i->operand_count == 2 && is_word(a) && a->bytes > 1 &&
           (i->operands[1].kind == OPERAND_IMMEDIATE ||
            (is_register(a, 0) && is_register(&i->operands[1], a->bytes)));
}

/* A register, and two more operands of its size of which `memory` may lie in memory. */
static bool are_three_words(const instruction *i, uint8_t memory) {
    const operand *o = i->operands;
    return i->operand_count == 3 && is_register(&o[0], 0) && o[0].bytes >= 4 && is_word(&o[memory]) &&
           o[memory].bytes == o[0].bytes && is_register(&o[3 - memory], o[0].bytes);
}

static bool is_rorx(const instruction *i) {
    const operand *o = i->operands;
    return i->operand_count == 3 && is_register(&o[0], 0) && o[0].bytes >= 4 && is_word(&o[1]) &&
           o[1].bytes == o[0].bytes && o[2].kind == OPERAND_IMMEDIATE;
}

/* True if the operands have a form that the functions above are written for. */
static bool has_known_form(const instruction *i) {
    const operand *a = &i->operands[0];
    const operand *b = &i->operands[1];
    switch (i->id) {
    case INSTRUCTION_MOVZX:
    case INSTRUCTION_MOVSX:
        return i->operand_count == 2 && is_register(a, 0) && is_word(b) && b->bytes <= a->bytes;
    case INSTRUCTION_LEA:
        return i->operand_count == 2 && is_register(a, 0) && b->kind == OPERAND_MEMORY && a->bytes > 1;
    case INSTRUCTION_XCHG:
        return are_two_words(i) && is_register(a, 0) && is_register(b, 0);
    case INSTRUCTION_MOVBE:
        return are_two_words(i) && b->kind != OPERAND_IMMEDIATE && is_register(a, 0) != is_register(b, 0);
    case INSTRUCTION_SHLX:
    case INSTRUCTION_SHRX:
    case INSTRUCTION_SARX:
    case INSTRUCTION_BZHI:
        return are_three_words(i, 1);
    case INSTRUCTION_ANDN:
        return are_three_words(i, 2);
    case INSTRUCTION_RORX:
        return is_rorx(i);
    case INSTRUCTION_CMOVCC:
        return are_two_words(i) && is_register(a, 0) && b->kind != OPERAND_IMMEDIATE;
    case INSTRUCTION_BSWAP:
        return is_one_word(i) && is_register(a, 0) && a->bytes >= 4;
    case INSTRUCTION_SETCC:
        return is_one_word(i) && a->bytes == 1;
    case INSTRUCTION_INC:
    case INSTRUCTION_DEC:
    case INSTRUCTION_NEG:
    case INSTRUCTION_NOT:
        return is_one_word(i);
    case INSTRUCTION_SHL:
    case INSTRUCTION_SHR:
    case INSTRUCTION_SAR:
    case INSTRUCTION_ROL:
    case INSTRUCTION_ROR:
        return is_word(a) && is_shift_count(i);
    case INSTRUCTION_BT:
        return is_bit_test(i);
    case INSTRUCTION_PUSH:
        return i->operand_count == 1 && (is_register(a, 8) || a->kind == OPERAND_IMMEDIATE);
    case INSTRUCTION_POP:
        return i->operand_count == 1 && is_register(a, 8) && a->number != STACK_POINTER.number;
    case INSTRUCTION_JCC:
        return i->operand_count == 1 && a->kind == OPERAND_IMMEDIATE;
    case INSTRUCTION_JMP:
    case INSTRUCTION_CALL:
        return i->operand_count == 1 && (a->kind == OPERAND_IMMEDIATE || a->bytes == 8);
    case INSTRUCTION_RET:
    case INSTRUCTION_CWDE:
    case INSTRUCTION_CDQE:
    case INSTRUCTION_STD:
    case INSTRUCTION_CLD:
    case INSTRUCTION_NOP:
    case INSTRUCTION_ENDBR64:
    case INSTRUCTION_UD2:
    case INSTRUCTION_INT3:
        return i->id == INSTRUCTION_NOP || i->operand_count == 0;
    default:
        return are_two_words(i);
    }
}

/* ---- The direction flag ---- */

static void set_direction(execution *x, model_state *s) {
    s->flags[MODEL_DF] = constant(x, 1, x->i->id == INSTRUCTION_STD);
}

static void do_nothing(execution *x, model_state *s) {
    (void)x;
    (void)s;
}

/* What changes data only; NULL: it goes on elsewhere. */
typedef void execute_data(execution *x, model_state *s);

static execute_data *const EXECUTE_DATA[INSTRUCTION_COUNT] = {
    [INSTRUCTION_MOV] = move,
    [INSTRUCTION_MOVZX] = move_extended,
    [INSTRUCTION_MOVSX] = move_extended,
    [INSTRUCTION_LEA] = load_address,
    [INSTRUCTION_XCHG] = exchange,
    [INSTRUCTION_BSWAP] = swap_bytes,
    [INSTRUCTION_MOVBE] = swap_bytes,
    [INSTRUCTION_CWDE] = extend_accumulator,
    [INSTRUCTION_CDQE] = extend_accumulator,
    [INSTRUCTION_ADD] = add,
    [INSTRUCTION_ADC] = add,
    [INSTRUCTION_SUB] = subtract,
    [INSTRUCTION_SBB] = subtract,
    [INSTRUCTION_CMP] = subtract,
    [INSTRUCTION_INC] = step_by_one,
    [INSTRUCTION_DEC] = step_by_one,
    [INSTRUCTION_NEG] = negate,
    [INSTRUCTION_AND] = logic,
    [INSTRUCTION_OR] = logic,
    [INSTRUCTION_XOR] = logic,
    [INSTRUCTION_TEST] = logic,
    [INSTRUCTION_NOT] = invert,
    [INSTRUCTION_SHL] = shift,
    [INSTRUCTION_SHR] = shift,
    [INSTRUCTION_SAR] = shift,
    [INSTRUCTION_ROL] = rotate,
    [INSTRUCTION_ROR] = rotate,
    [INSTRUCTION_SHLX] = shift_apart,
    [INSTRUCTION_SHRX] = shift_apart,
    [INSTRUCTION_SARX] = shift_apart,
    [INSTRUCTION_RORX] = shift_apart,
    [INSTRUCTION_ANDN] = and_not,
    [INSTRUCTION_BZHI] = zero_high_bits,
    [INSTRUCTION_BT] = test_bit,
    [INSTRUCTION_SETCC] = set_if,
    [INSTRUCTION_CMOVCC] = move_if,
    [INSTRUCTION_PUSH] = push,
    [INSTRUCTION_POP] = pop,
    [INSTRUCTION_STD] = set_direction,
    [INSTRUCTION_CLD] = set_direction,
    [INSTRUCTION_NOP] = do_nothing,
    [INSTRUCTION_ENDBR64] = do_nothing, /* what may be jumped to is not of the contract */
};

static model_step execute_control(execution *x) {
    term target = 0;
    if (x->i->operand_count == 1)
        target = get(x, &x->i->operands[0], 64);
    switch (x->i->id) {
    case INSTRUCTION_JCC:
        return (model_step){MODEL_BRANCHES, target, holds(x, &x->m->state, x->i->condition)};
    case INSTRUCTION_JMP:
        return (model_step){MODEL_JUMPS, target, 0};
    case INSTRUCTION_CALL:
        return (model_step){MODEL_CALLS, target, 0};
    case INSTRUCTION_RET:
        return (model_step){MODEL_RETURNS, 0, 0};
    case INSTRUCTION_UD2:
    case INSTRUCTION_INT3:
        return (model_step){MODEL_STOPS, 0, 0};
    default:
        return (model_step){MODEL_UNKNOWN, 0, 0};
    }
}

model_step model_execute(model *m, const instruction *i) {
    if (instruction_is_of_vectors(i->id))
        return (model_step){model_vector_execute(m, i), 0, 0};
    execution x = {m, m->t, i, MODEL_FOLLOWS};
    if (!has_known_form(i))
        return (model_step){MODEL_UNKNOWN, 0, 0};
    if (EXECUTE_DATA[i->id] == NULL) {
        model_step step = execute_control(&x);
        return x.trouble == MODEL_FOLLOWS ? step : (model_step){x.trouble, 0, 0};
    }
    model_state after = m->state;
    EXECUTE_DATA[i->id](&x, &after);
    if (x.trouble == MODEL_FOLLOWS)
        m->state = after;
    return (model_step){x.trouble, 0, 0};
}
