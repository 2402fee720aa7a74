#include "verify/solve.h"

#include <memfold/abi.h>

#include <stdlib.h>
#include <string.h>
#include <z3.h>

#define READS_MAX 128

/* A byte that is read: a variable for the solver, equal to others at an equal address. */
typedef struct read_byte {
    term read;
    Z3_ast byte;
    Z3_ast address;
} read_byte;

struct solver {
    terms *t;
    mf_verify_limits limits;
    uint64_t table_most;
    Z3_context z3;
    Z3_tactic tactic; /* NULL: z3's own way */
    Z3_solver solver;
    Z3_model model;
    Z3_ast *asts; /* by term; NULL: not yet */
    uint32_t ast_count;
    read_byte reads[READS_MAX];
    uint32_t read_count;
    bool has_failed;
};

/*
 * z3 forgets an error at its next call, and goes on with less than it was asked: a question with an error has
 * no answer. A handler is told of the context only; each question is asked in one thread.
 */
static _Thread_local bool has_error;

static void note_error(Z3_context z3, Z3_error_code code) {
    (void)z3;
    has_error = has_error || code != Z3_OK;
}

static void set_limits(solver *s) {
    Z3_params params = Z3_mk_params(s->z3);
    Z3_params_inc_ref(s->z3, params);
    Z3_params_set_uint(s->z3, params, Z3_mk_string_symbol(s->z3, "timeout"), s->limits.milliseconds);
    Z3_params_set_uint(s->z3, params, Z3_mk_string_symbol(s->z3, "max_memory"), s->limits.memory_mib);
    Z3_solver_set_params(s->z3, s->solver, params);
    Z3_params_dec_ref(s->z3, params);
}

/* By these, z3 4.13 has no answer in ten seconds to large questions that its own way answers. */
static bool has_quick_steps(void) {
    unsigned major;
    unsigned minor;
    unsigned build;
    unsigned revision;
    Z3_get_version(&major, &minor, &build, &revision);
    return major == 4 && minor == 8;
}

/*
 * What z3's own way for bit-vectors does, without the steps that only large questions are worth: ours are a
 * thousand clauses, and take two thirds of the time so.
 */
static Z3_tactic make_tactic(Z3_context z3) {
    static const char *const STEPS[] = {"propagate-values", "solve-eqs", "elim-uncnstr", "simplify",
                                        "max-bv-sharing",   "bit-blast", "sat"};
    Z3_tactic all = Z3_mk_tactic(z3, "simplify");
    Z3_tactic_inc_ref(z3, all);
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        Z3_tactic step = Z3_mk_tactic(z3, STEPS[i]);
        Z3_tactic_inc_ref(z3, step);
        Z3_tactic longer = Z3_tactic_and_then(z3, all, step);
        Z3_tactic_inc_ref(z3, longer);
        Z3_tactic_dec_ref(z3, step);
        Z3_tactic_dec_ref(z3, all);
        all = longer;
    }
    return all;
}

solver *solver_create(const mf_verify_limits *limits) {
    solver *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->limits = *limits;
    s->table_most = UINT8_MAX;
    Z3_config config = Z3_mk_config();
    s->z3 = Z3_mk_context(config);
    Z3_del_config(config);
    Z3_set_error_handler(s->z3, note_error);
    s->tactic = has_quick_steps() ? make_tactic(s->z3) : NULL;
    return s;
}

static void end_question(solver *s) {
    if (s->model != NULL)
        Z3_model_dec_ref(s->z3, s->model);
    if (s->solver != NULL)
        Z3_solver_dec_ref(s->z3, s->solver);
    s->model = NULL;
    s->solver = NULL;
}

void solver_destroy(solver *s) {
    if (s == NULL)
        return;
    end_question(s);
    if (s->tactic != NULL)
        Z3_tactic_dec_ref(s->z3, s->tactic);
    Z3_del_context(s->z3);
    free(s->asts);
    free(s);
}

void solver_use(solver *s, terms *t) {
    end_question(s);
    s->t = t;
}

void solver_set_table_most(solver *s, uint64_t most) {
    s->table_most = most;
}

static Z3_solver make_own_way(Z3_context z3) {
    return Z3_mk_solver_for_logic(z3, Z3_mk_string_symbol(z3, "QF_BV"));
}

void solver_begin(solver *s) {
    end_question(s);
    has_error = false;
    s->solver = s->tactic != NULL ? Z3_mk_solver_from_tactic(s->z3, s->tactic) : make_own_way(s->z3);
    Z3_solver_inc_ref(s->z3, s->solver);
    set_limits(s);
    s->read_count = 0;
    s->has_failed = false;
    if (s->asts != NULL)
        memset(s->asts, 0, s->ast_count * sizeof *s->asts);
}

/* Room for all terms that there are by now. */
static bool make_room(solver *s) {
    if (s->ast_count >= s->t->count)
        return true;
    Z3_ast *asts = realloc(s->asts, s->t->count * sizeof *asts);
    if (asts == NULL)
        return false;
    memset(asts + s->ast_count, 0, (s->t->count - s->ast_count) * sizeof *asts);
    s->asts = asts;
    s->ast_count = s->t->count;
    return true;
}

/* ---- From terms to z3 ---- */

static Z3_ast number(solver *s, uint32_t width, uint64_t value) {
    return Z3_mk_unsigned_int64(s->z3, value, Z3_mk_bv_sort(s->z3, width));
}

static Z3_ast as_bit(solver *s, Z3_ast condition) {
    return Z3_mk_ite(s->z3, condition, number(s, 1, 1), number(s, 1, 0));
}

static Z3_ast is_one(solver *s, Z3_ast bit) {
    return Z3_mk_eq(s->z3, bit, number(s, 1, 1));
}

static Z3_ast make_variable(solver *s, const term_node *n) {
    Z3_symbol name = Z3_mk_int_symbol(s->z3, (int)(2 * n->value));
    return Z3_mk_const(s->z3, name, Z3_mk_bv_sort(s->z3, n->width));
}

/* Names of bytes are odd, those of variables even. */
static Z3_ast make_read(solver *s, term a, Z3_ast address) {
    Z3_ast byte = Z3_mk_const(s->z3, Z3_mk_int_symbol(s->z3, (int)(2 * a + 1)), Z3_mk_bv_sort(s->z3, 8));
    if (s->read_count == READS_MAX)
        s->has_failed = true;
    else
        s->reads[s->read_count++] = (read_byte){a, byte, address};
    return byte;
}

static Z3_ast make_ast(solver *s, term self, const term_node *n, Z3_ast a, Z3_ast b, Z3_ast c) {
    Z3_context z3 = s->z3;
    switch ((term_op)n->op) {
    case TERM_CONST:
        return number(s, n->width, n->value);
    case TERM_VAR:
        return make_variable(s, n);
    case TERM_READ:
        return make_read(s, self, a);
    case TERM_ADD:
        return Z3_mk_bvadd(z3, a, b);
    case TERM_SUB:
        return Z3_mk_bvsub(z3, a, b);
    case TERM_MUL:
        return Z3_mk_bvmul(z3, a, b);
    case TERM_AND:
        return Z3_mk_bvand(z3, a, b);
    case TERM_OR:
        return Z3_mk_bvor(z3, a, b);
    case TERM_XOR:
        return Z3_mk_bvxor(z3, a, b);
    case TERM_NOT:
        return Z3_mk_bvnot(z3, a);
    case TERM_SHL:
        return Z3_mk_bvshl(z3, a, b);
    case TERM_LSHR:
        return Z3_mk_bvlshr(z3, a, b);
    case TERM_ASHR:
        return Z3_mk_bvashr(z3, a, b);
    case TERM_CONCAT:
        return Z3_mk_concat(z3, a, b);
    case TERM_EXTRACT:
        return Z3_mk_extract(z3, (unsigned)n->value + n->width - 1, (unsigned)n->value, a);
    case TERM_ZEXT:
        return Z3_mk_zero_ext(z3, n->width - terms_width(s->t, n->a), a);
    case TERM_SEXT:
        return Z3_mk_sign_ext(z3, n->width - terms_width(s->t, n->a), a);
    case TERM_ITE:
        return Z3_mk_ite(z3, is_one(s, a), b, c);
    case TERM_EQ:
        return as_bit(s, Z3_mk_eq(z3, a, b));
    case TERM_ULT:
        return as_bit(s, Z3_mk_bvult(z3, a, b));
    case TERM_NONE:
        break;
    }
    return number(s, n->width, 0);
}

/*
 * Operands have smaller numbers: those that are needed are marked from the top down, and made from the bottom
 * up. A mark is the context's `true`, which is no bit-vector and so no term.
 */
static Z3_ast ast_of(solver *s, term a) {
    s->has_failed = s->has_failed || !make_room(s);
    if (s->has_failed)
        return NULL;
    if (s->asts[a] != NULL)
        return s->asts[a];
    Z3_ast mark = Z3_mk_true(s->z3);
    s->asts[a] = mark;
    for (term i = a; i > 0; i--) {
        const term_node *n = &s->t->nodes[i];
        if (s->asts[i] != mark)
            continue;
        const term operands[] = {n->a, n->b, n->c};
        for (size_t k = 0; k < 3; k++)
            if (operands[k] != 0 && s->asts[operands[k]] == NULL)
                s->asts[operands[k]] = mark;
    }
    for (term i = 1; i <= a; i++) {
        const term_node *n = &s->t->nodes[i];
        if (s->asts[i] == mark)
            s->asts[i] = make_ast(s, i, n, s->asts[n->a], s->asts[n->b], s->asts[n->c]);
        if (has_error)
            s->has_failed = true;
        if (s->has_failed)
            return NULL;
    }
    return s->asts[a];
}

void solver_require(solver *s, term a) {
    Z3_ast bit = ast_of(s, a);
    if (!s->has_failed)
        Z3_solver_assert(s->z3, s->solver, is_one(s, bit));
}

/* ---- Memory ---- */

static term_space space_of(const solver *s, const read_byte *r) {
    return (term_space)s->t->nodes[r->read].value;
}

/* Where the address is the same, so is the byte. */
static void require_one_memory(solver *s) {
    for (uint32_t i = 0; i < s->read_count; i++)
        for (uint32_t k = 0; k < i; k++) {
            const read_byte *x = &s->reads[i];
            const read_byte *y = &s->reads[k];
            if (space_of(s, x) != space_of(s, y))
                continue;
            Z3_ast same_place = Z3_mk_eq(s->z3, x->address, y->address);
            Z3_ast same_byte = Z3_mk_eq(s->z3, x->byte, y->byte);
            Z3_solver_assert(s->z3, s->solver, Z3_mk_implies(s->z3, same_place, same_byte));
        }
}

static void require_contents(solver *s) {
    for (uint32_t i = 0; i < s->read_count; i++) {
        const read_byte *r = &s->reads[i];
        bool is_perm = space_of(s, r) == TERM_PERMS;
        uint64_t most = is_perm ? MF_PERM_RW : space_of(s, r) == TERM_TABLE ? s->table_most : UINT8_MAX;
        if (most < UINT8_MAX)
            Z3_solver_assert(s->z3, s->solver, Z3_mk_bvule(s->z3, r->byte, number(s, 8, most)));
        if (is_perm) {
            Z3_ast is_behind = Z3_mk_bvuge(s->z3, r->address, number(s, 64, MF_SPACE_PAGES));
            Z3_ast is_none = Z3_mk_eq(s->z3, r->byte, number(s, 8, MF_PERM_NONE));
            Z3_solver_assert(s->z3, s->solver, Z3_mk_implies(s->z3, is_behind, is_none));
        }
    }
}

/* ---- Answers ---- */

/* Asks again in z3's own way, whose values are closer to those of a run: the steps above leave more open. */
static Z3_lbool ask_for_values(solver *s) {
    Z3_solver own = make_own_way(s->z3);
    Z3_solver_inc_ref(s->z3, own);
    Z3_ast_vector required = Z3_solver_get_assertions(s->z3, s->solver);
    Z3_ast_vector_inc_ref(s->z3, required);
    for (unsigned i = 0; i < Z3_ast_vector_size(s->z3, required); i++)
        Z3_solver_assert(s->z3, own, Z3_ast_vector_get(s->z3, required, i));
    Z3_ast_vector_dec_ref(s->z3, required);
    Z3_solver_dec_ref(s->z3, s->solver);
    s->solver = own;
    set_limits(s);
    return Z3_solver_check(s->z3, s->solver);
}

answer solver_ask(solver *s) {
    if (s->has_failed || s->t->has_failed || has_error)
        return ANSWER_UNKNOWN;
    require_one_memory(s);
    require_contents(s);
    Z3_lbool answered = has_error ? Z3_L_UNDEF : Z3_solver_check(s->z3, s->solver);
    if (answered == Z3_L_UNDEF || has_error)
        return ANSWER_UNKNOWN;
    if (answered == Z3_L_FALSE)
        return ANSWER_NEVER;
    if (s->tactic != NULL && ask_for_values(s) != Z3_L_TRUE)
        return ANSWER_UNKNOWN;
    s->model = Z3_solver_get_model(s->z3, s->solver);
    if (s->model == NULL || has_error)
        return ANSWER_UNKNOWN;
    Z3_model_inc_ref(s->z3, s->model);
    return ANSWER_VALUES;
}

static uint64_t value_of(const solver *s, Z3_ast a) {
    Z3_ast constant = NULL;
    uint64_t value = 0;
    if (a != NULL && Z3_model_eval(s->z3, s->model, a, true, &constant) && constant != NULL)
        Z3_get_numeral_uint64(s->z3, constant, &value);
    return value;
}

/* What the evaluation of a byte's term asks for: the byte of the model at that place. */
typedef struct bytes_of_model {
    const solver *s;
    uint64_t addresses[READS_MAX];
    uint8_t bytes[READS_MAX];
} bytes_of_model;

static uint8_t read_model(void *context, term_space space, uint64_t address) {
    const bytes_of_model *m = context;
    for (uint32_t i = 0; i < m->s->read_count; i++)
        if (space_of(m->s, &m->s->reads[i]) == space && m->addresses[i] == address)
            return m->bytes[i];
    return 0;
}

void solver_values(solver *s, uint64_t *values, uint64_t *variables) {
    bytes_of_model bytes = {.s = s};
    for (uint32_t i = 0; i < s->read_count; i++) {
        bytes.addresses[i] = value_of(s, s->reads[i].address);
        bytes.bytes[i] = (uint8_t)value_of(s, s->reads[i].byte);
    }
    for (term i = 1; i < s->t->count; i++)
        if (s->t->nodes[i].op == TERM_VAR)
            variables[s->t->nodes[i].value] = i < s->ast_count ? value_of(s, s->asts[i]) : 0;
    const term_valuation valuation = {variables, &bytes, read_model};
    terms_evaluate(s->t, &valuation, values);
}
