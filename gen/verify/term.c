#include "verify/term.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint64_t term_cut(uint64_t value, uint32_t width) {
    return width >= 64 ? value : value & ((UINT64_C(1) << width) - 1);
}

static uint64_t sign_extended(uint64_t value, uint32_t width) {
    uint32_t unused = 64 - width;
    return (uint64_t)((int64_t)(value << unused) >> unused);
}

/* ---- The pool ---- */

void terms_fini(terms *t) {
    free(t->nodes);
    free(t->slots);
    *t = (terms){0};
}

static uint64_t hash(const term_node *n) {
    uint64_t h = (uint64_t)n->op << 8 | n->width;
    const uint64_t parts[] = {n->a, n->b, n->c, n->value};
    for (size_t i = 0; i < 4; i++) {
        h = (h ^ parts[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

static bool is_same(const term_node *x, const term_node *y) {
    return x->op == y->op && x->width == y->width && x->a == y->a && x->b == y->b && x->c == y->c &&
           x->value == y->value;
}

static term *find_slot(const terms *t, const term_node *n) {
    uint32_t at = (uint32_t)hash(n) & (t->slot_count - 1);
    while (t->slots[at] != 0 && !is_same(&t->nodes[t->slots[at]], n))
        at = (at + 1) & (t->slot_count - 1);
    return &t->slots[at];
}

/* Twice the room for nodes, and twice as many slots as nodes. */
static bool grow(terms *t) {
    uint32_t capacity = t->capacity == 0 ? 512 : 2 * t->capacity;
    term_node *nodes = realloc(t->nodes, capacity * sizeof *nodes);
    if (nodes != NULL)
        t->nodes = nodes;
    term *slots = calloc(2 * (size_t)capacity, sizeof *slots);
    if (nodes == NULL || slots == NULL) {
        free(slots);
        t->has_failed = true;
        return false;
    }
    free(t->slots);
    t->slots = slots;
    t->slot_count = 2 * capacity;
    t->capacity = capacity;
    for (term i = 1; i < t->count; i++)
        *find_slot(t, &t->nodes[i]) = i;
    return true;
}

/* Without memory a term is the 0 of its width, so that whoever makes terms need not ask each time. */
static term make(terms *t, term_node n) {
    if (t->count == t->capacity && !grow(t))
        return n.width;
    term *slot = find_slot(t, &n);
    if (*slot == 0) {
        *slot = t->count;
        t->nodes[t->count++] = n;
    }
    return *slot;
}

/* Term n is the 0 of n bits, for 1 <= n <= 64; the others follow. */
bool terms_init(terms *t) {
    *t = (terms){0};
    if (!grow(t))
        return false;
    t->nodes[t->count++] = (term_node){.op = TERM_NONE, .width = 1};
    for (uint32_t width = 1; width <= 64; width++)
        make(t, (term_node){.op = TERM_CONST, .width = (uint8_t)width});
    return true;
}

static const term_node *node(const terms *t, term a) {
    return &t->nodes[a];
}

uint32_t terms_width(const terms *t, term a) {
    return node(t, a)->width;
}

bool term_is_const(const terms *t, term a, uint64_t *value) {
    if (node(t, a)->op != TERM_CONST)
        return false;
    *value = node(t, a)->value;
    return true;
}

static bool is_value(const terms *t, term a, uint64_t value) {
    return node(t, a)->op == TERM_CONST && node(t, a)->value == term_cut(value, node(t, a)->width);
}

/* ---- Evaluation of one operation ---- */

static uint64_t shifted(term_op op, uint64_t a, uint64_t count, uint32_t width) {
    if (op == TERM_ASHR)
        return (uint64_t)((int64_t)sign_extended(a, width) >> (count >= width ? width - 1 : count));
    if (count >= width)
        return 0;
    return op == TERM_SHL ? a << count : a >> count;
}

/* `n` has no variable and no read; a, b, c are the values of its operands. */
static uint64_t compute(const terms *t, const term_node *n, uint64_t a, uint64_t b, uint64_t c) {
    switch ((term_op)n->op) {
    case TERM_ADD:
        return a + b;
    case TERM_SUB:
        return a - b;
    case TERM_MUL:
        return a * b;
    case TERM_AND:
        return a & b;
    case TERM_OR:
        return a | b;
    case TERM_XOR:
        return a ^ b;
    case TERM_NOT:
        return ~a;
    case TERM_SHL:
    case TERM_LSHR:
    case TERM_ASHR:
        return shifted((term_op)n->op, a, b, n->width);
    case TERM_CONCAT:
        return a << node(t, n->b)->width | b;
    case TERM_EXTRACT:
        return a >> n->value;
    case TERM_ZEXT:
        return a;
    case TERM_SEXT:
        return sign_extended(a, node(t, n->a)->width);
    case TERM_ITE:
        return a ? b : c;
    case TERM_EQ:
        return a == b;
    case TERM_ULT:
        return a < b;
    default:
        return 0;
    }
}

void terms_evaluate(const terms *t, const term_valuation *v, uint64_t *values) {
    for (term i = 0; i < t->count; i++) {
        const term_node *n = &t->nodes[i];
        uint64_t value;
        if (n->op == TERM_CONST)
            value = n->value;
        else if (n->op == TERM_VAR)
            value = v->variables[n->value];
        else if (n->op == TERM_READ)
            value = v->read == NULL ? 0 : v->read(v->context, (term_space)n->value, values[n->a]);
        else
            value = compute(t, n, values[n->a], values[n->b], values[n->c]);
        values[i] = term_cut(value, n->width);
    }
}

/* ---- Making terms ---- */

term term_const(terms *t, uint32_t width, uint64_t value) {
    return make(t, (term_node){.op = TERM_CONST, .width = (uint8_t)width, .value = term_cut(value, width)});
}

term term_like(terms *t, term a, uint64_t value) {
    return term_const(t, terms_width(t, a), value);
}

term term_var(terms *t, uint32_t width) {
    return make(t, (term_node){.op = TERM_VAR, .width = (uint8_t)width, .value = t->variable_count++});
}

term term_read(terms *t, term_space space, term address) {
    assert(terms_width(t, address) == 64);
    return make(t, (term_node){.op = TERM_READ, .width = 8, .a = address, .value = space});
}

/* The term of an operation, or its value where all operands are constants. */
static term fold(terms *t, term_op op, uint32_t width, term a, term b, term c, uint64_t value) {
    term_node n = {.op = (uint8_t)op, .width = (uint8_t)width, .a = a, .b = b, .c = c, .value = value};
    bool is_const = node(t, a)->op == TERM_CONST && (b == 0 || node(t, b)->op == TERM_CONST) &&
                    (c == 0 || node(t, c)->op == TERM_CONST);
    if (!is_const)
        return make(t, n);
    return term_const(t, width, compute(t, &n, node(t, a)->value, node(t, b)->value, node(t, c)->value));
}

static term binary(terms *t, term_op op, term a, term b) {
    assert(terms_width(t, a) == terms_width(t, b));
    return fold(t, op, terms_width(t, a), a, b, 0, 0);
}

static void order(const terms *t, term *a, term *b) {
    bool b_is_const = node(t, *b)->op == TERM_CONST;
    bool a_is_const = node(t, *a)->op == TERM_CONST;
    if ((a_is_const && !b_is_const) || (a_is_const == b_is_const && *a > *b)) {
        term other = *a;
        *a = *b;
        *b = other;
    }
}

static bool is_offset(const terms *t, term a) {
    return node(t, a)->op == TERM_ADD && node(t, node(t, a)->b)->op == TERM_CONST;
}

/* Constants are added last, and once. */
term term_add(terms *t, term a, term b) {
    order(t, &a, &b);
    if (is_value(t, b, 0))
        return a;
    if (is_offset(t, a)) {
        term_node n = *node(t, a);
        if (node(t, b)->op == TERM_CONST)
            return term_add(t, n.a, binary(t, TERM_ADD, n.b, b));
        return term_add(t, term_add(t, n.a, b), n.b);
    }
    if (is_offset(t, b)) {
        term_node n = *node(t, b);
        return term_add(t, term_add(t, a, n.a), n.b);
    }
    return binary(t, TERM_ADD, a, b);
}

term term_sub(terms *t, term a, term b) {
    if (a == b)
        return term_like(t, a, 0);
    if (node(t, b)->op == TERM_CONST)
        return term_add(t, a, term_like(t, b, 0 - node(t, b)->value));
    return binary(t, TERM_SUB, a, b);
}

term term_mul(terms *t, term a, term b) {
    order(t, &a, &b);
    if (is_value(t, b, 1))
        return a;
    return binary(t, TERM_MUL, a, b);
}

term term_and(terms *t, term a, term b) {
    order(t, &a, &b);
    if (a == b || is_value(t, b, UINT64_MAX))
        return a;
    if (is_value(t, b, 0))
        return b;
    return binary(t, TERM_AND, a, b);
}

term term_or(terms *t, term a, term b) {
    order(t, &a, &b);
    if (a == b || is_value(t, b, 0))
        return a;
    if (is_value(t, b, UINT64_MAX))
        return b;
    return binary(t, TERM_OR, a, b);
}

term term_xor(terms *t, term a, term b) {
    order(t, &a, &b);
    if (a == b)
        return term_like(t, a, 0);
    if (is_value(t, b, 0))
        return a;
    if (is_value(t, b, UINT64_MAX))
        return term_not(t, a);
    return binary(t, TERM_XOR, a, b);
}

term term_not(terms *t, term a) {
    if (node(t, a)->op == TERM_NOT)
        return node(t, a)->a;
    return fold(t, TERM_NOT, terms_width(t, a), a, 0, 0, 0);
}

static term shift(terms *t, term_op op, term a, term b) {
    return is_value(t, b, 0) ? a : binary(t, op, a, b);
}

term term_shl(terms *t, term a, term b) {
    return shift(t, TERM_SHL, a, b);
}

term term_lshr(terms *t, term a, term b) {
    return shift(t, TERM_LSHR, a, b);
}

term term_ashr(terms *t, term a, term b) {
    return shift(t, TERM_ASHR, a, b);
}

/* Neighbouring parts of one term are one part. */
term term_concat(terms *t, term high, term low) {
    uint32_t width = terms_width(t, high) + terms_width(t, low);
    const term_node *h = node(t, high);
    const term_node *l = node(t, low);
    if (h->op == TERM_EXTRACT && l->op == TERM_EXTRACT && h->a == l->a && h->value == l->value + l->width)
        return term_extract(t, l->a, (uint32_t)l->value, width);
    if (is_value(t, high, 0))
        return term_zext(t, low, width);
    return fold(t, TERM_CONCAT, width, high, low, 0, 0);
}

/* A part of a concatenation that does not cross its seam, or 0. */
static term extract_of_concat(terms *t, const term_node *n, uint32_t lowest, uint32_t width) {
    uint32_t seam = terms_width(t, n->b);
    if (lowest + width <= seam)
        return term_extract(t, n->b, lowest, width);
    return lowest >= seam ? term_extract(t, n->a, lowest - seam, width) : 0;
}

term term_extract(terms *t, term a, uint32_t lowest, uint32_t width) {
    term_node n = *node(t, a);
    if (lowest == 0 && width == n.width)
        return a;
    if (n.op == TERM_EXTRACT)
        return term_extract(t, n.a, lowest + (uint32_t)n.value, width);
    term part = n.op == TERM_CONCAT ? extract_of_concat(t, &n, lowest, width) : 0;
    if (part != 0)
        return part;
    if (n.op == TERM_ZEXT || n.op == TERM_SEXT) {
        uint32_t inner = terms_width(t, n.a);
        if (lowest + width <= inner)
            return term_extract(t, n.a, lowest, width);
        if (n.op == TERM_ZEXT && lowest >= inner)
            return term_const(t, width, 0);
        if (n.op == TERM_ZEXT && lowest == 0)
            return term_zext(t, n.a, width);
    }
    return fold(t, TERM_EXTRACT, width, a, 0, 0, lowest);
}

term term_zext(terms *t, term a, uint32_t width) {
    term_node n = *node(t, a);
    assert(n.width <= width);
    if (n.width == width)
        return a;
    if (n.op == TERM_ZEXT)
        return term_zext(t, n.a, width);
    return fold(t, TERM_ZEXT, width, a, 0, 0, 0);
}

term term_sext(terms *t, term a, uint32_t width) {
    term_node n = *node(t, a);
    assert(n.width <= width);
    if (n.width == width)
        return a;
    if (n.op == TERM_ZEXT)
        return term_zext(t, n.a, width);
    return fold(t, TERM_SEXT, width, a, 0, 0, 0);
}

term term_ite(terms *t, term condition, term yes, term no) {
    if (yes == no || is_value(t, condition, 1))
        return yes;
    if (is_value(t, condition, 0))
        return no;
    if (is_value(t, yes, 1) && is_value(t, no, 0) && terms_width(t, yes) == 1)
        return condition;
    return fold(t, TERM_ITE, terms_width(t, yes), condition, yes, no, 0);
}

term term_eq(terms *t, term a, term b) {
    assert(terms_width(t, a) == terms_width(t, b));
    if (a == b)
        return term_const(t, 1, 1);
    order(t, &a, &b);
    if (terms_width(t, a) == 1 && node(t, b)->op == TERM_CONST)
        return is_value(t, b, 1) ? a : term_not(t, a);
    if (node(t, a)->op == TERM_ZEXT && is_value(t, b, 0)) {
        term inner = node(t, a)->a;
        return term_eq(t, inner, term_like(t, inner, 0));
    }
    return fold(t, TERM_EQ, 1, a, b, 0, 0);
}

term term_ult(terms *t, term a, term b) {
    assert(terms_width(t, a) == terms_width(t, b));
    if (a == b || is_value(t, b, 0))
        return term_const(t, 1, 0);
    return fold(t, TERM_ULT, 1, a, b, 0, 0);
}

term term_ule(terms *t, term a, term b) {
    return term_not(t, term_ult(t, b, a));
}

term term_read_bytes(terms *t, term_space space, term address, uint32_t count) {
    term all = term_read(t, space, address);
    for (uint32_t i = 1; i < count; i++) {
        term at = term_add(t, address, term_const(t, 64, i));
        all = term_concat(t, term_read(t, space, at), all);
    }
    return all;
}
