/*
 * Terms: values of 1 to 64 bits, as functions of variables and of memory. Equal terms are one term. A term is
 * evaluated on concrete values, or handed to the solver (solve.h): the model of the CPU is written over terms
 * once, and tested against the CPU as what is proved with.
 *
 * Truth values have one bit. Arithmetic is unsigned, modulo 2^width. Operands have the width of the result
 * unless it is said here.
 */
#ifndef MEMFOLD_GEN_VERIFY_TERM_H
#define MEMFOLD_GEN_VERIFY_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A term of a pool; 0 is none. The operands of a term have smaller numbers. */
typedef uint32_t term;

typedef enum term_op {
    TERM_NONE,
    TERM_CONST,
    TERM_VAR,
    TERM_READ, /* the byte at `a` (64 bits) of memory `value`: see term_space */
    TERM_ADD,
    TERM_SUB,
    TERM_MUL,
    TERM_AND,
    TERM_OR,
    TERM_XOR,
    TERM_NOT,
    TERM_SHL, /* by `b`; from the width on the result is 0 */
    TERM_LSHR,
    TERM_ASHR,
    TERM_CONCAT,  /* a above b */
    TERM_EXTRACT, /* `width` bits of a, from bit `value` on */
    TERM_ZEXT,
    TERM_SEXT,
    TERM_ITE, /* a has one bit: b or c */
    TERM_EQ,  /* one bit; a and b are of one width */
    TERM_ULT
} term_op;

/* Memories that terms read. What they hold is up to who evaluates. */
typedef enum term_space {
    TERM_GUEST, /* by host address */
    TERM_PERMS, /* the live permission table, by its entry */
    TERM_TABLE, /* constant data that is looked up, by host address */
    TERM_SPACES
} term_space;

typedef struct term_node {
    uint8_t op;    /* term_op */
    uint8_t width; /* bits */
    term a;
    term b;
    term c;
    uint64_t value; /* of a constant; the number of a variable; the space of a read; the lowest bit of an
                       extract */
} term_node;

typedef struct terms {
    term_node *nodes;
    uint32_t count;
    uint32_t capacity;
    term *slots;
    uint32_t slot_count;
    uint32_t variable_count;
    bool has_failed; /* the host has no memory: what has been made since means nothing */
} terms;

/*
 * An empty pool, false if the host has no memory; and the end of one. A pool that runs out of memory later
 * notes it, and gives out constants.
 */
bool terms_init(terms *t);
void terms_fini(terms *t);

uint32_t terms_width(const terms *t, term a);
bool term_is_const(const terms *t, term a, uint64_t *value);

term term_const(terms *t, uint32_t width, uint64_t value);
term term_var(terms *t, uint32_t width); /* a new variable; its number is in the node's value */
term term_read(terms *t, term_space space, term address);

term term_add(terms *t, term a, term b);
term term_sub(terms *t, term a, term b);
term term_mul(terms *t, term a, term b);
term term_and(terms *t, term a, term b);
term term_or(terms *t, term a, term b);
term term_xor(terms *t, term a, term b);
term term_not(terms *t, term a);
term term_shl(terms *t, term a, term b);
term term_lshr(terms *t, term a, term b);
term term_ashr(terms *t, term a, term b);
term term_concat(terms *t, term high, term low);
term term_extract(terms *t, term a, uint32_t lowest, uint32_t width);
term term_zext(terms *t, term a, uint32_t width);
term term_sext(terms *t, term a, uint32_t width);
term term_ite(terms *t, term condition, term yes, term no);
term term_eq(terms *t, term a, term b);
term term_ult(terms *t, term a, term b);
term term_ule(terms *t, term a, term b);

/* `count` bytes from `address` on, the first one lowest. */
term term_read_bytes(terms *t, term_space space, term address, uint32_t count);

/* A constant of the width of `a`. */
term term_like(terms *t, term a, uint64_t value);

/* What a term is evaluated on: variables by their number, and bytes of memory. */
typedef struct term_valuation {
    const uint64_t *variables;
    void *context;
    uint8_t (*read)(void *context, term_space space, uint64_t address);
} term_valuation;

/* Writes the values of all terms to `values`, which has room for t->count. */
void terms_evaluate(const terms *t, const term_valuation *valuation, uint64_t *values);

/* A value cut to so many bits. */
uint64_t term_cut(uint64_t value, uint32_t width);

#endif
