/*
 * Terms mean what their operations say: of random terms over random values the pool's simplifications, its
 * evaluation and the solver agree with each operation computed here.
 *
 * RUN: %cc -D_GNU_SOURCE -I%source/gen %s -o %t %verify && %t | FileCheck %s
 *
 * CHECK: 40000 terms simplified
 * CHECK-NEXT: 400 terms solved
 * CHECK-NEXT: memory is one
 */
#include "verify/solve.h"

#include "random.h"

#include <memfold/abi.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLES 6
#define TERMS 40

/* A term, and its value as it is computed here. */
typedef struct valued {
    term a;
    uint32_t width;
    uint64_t value;
} valued;

static uint64_t cut(uint64_t value, uint32_t width) {
    return width == 64 ? value : value & ((UINT64_C(1) << width) - 1);
}

static int64_t as_signed(uint64_t value, uint32_t width) {
    return (int64_t)(value << (64 - width)) >> (64 - width);
}

static bool is_short(uint64_t count, uint32_t width) {
    return count < width;
}

/* Two operands of one width. */
static valued make_binary(terms *t, unsigned op, valued a, valued b) {
    uint32_t w = a.width;
    uint64_t x = a.value;
    uint64_t y = b.value;
    switch (op) {
    case 0:
        return (valued){term_add(t, a.a, b.a), w, x + y};
    case 1:
        return (valued){term_sub(t, a.a, b.a), w, x - y};
    case 2:
        return (valued){term_mul(t, a.a, b.a), w, x * y};
    case 3:
        return (valued){term_and(t, a.a, b.a), w, x & y};
    case 4:
        return (valued){term_or(t, a.a, b.a), w, x | y};
    case 5:
        return (valued){term_xor(t, a.a, b.a), w, x ^ y};
    case 6:
        return (valued){term_shl(t, a.a, b.a), w, is_short(y, w) ? x << y : 0};
    case 7:
        return (valued){term_lshr(t, a.a, b.a), w, is_short(y, w) ? x >> y : 0};
    case 8:
        return (valued){term_ashr(t, a.a, b.a), w,
                        (uint64_t)(as_signed(x, w) >> (is_short(y, w) ? y : w - 1))};
    case 9:
        return (valued){term_eq(t, a.a, b.a), 1, x == y};
    case 10:
        return (valued){term_ult(t, a.a, b.a), 1, x < y};
    default:
        return (valued){term_ule(t, a.a, b.a), 1, x <= y};
    }
}

/* One operand, and perhaps a condition. */
static valued make_other(terms *t, unsigned op, valued a, valued b, uint64_t chance) {
    uint32_t width = 1 + (uint32_t)(chance % 64);
    uint32_t lowest = (uint32_t)(chance >> 8) % a.width;
    uint32_t part = 1 + (uint32_t)(chance >> 16) % (a.width - lowest);
    switch (op) {
    case 0:
        return (valued){term_not(t, a.a), a.width, ~a.value};
    case 1:
        return (valued){term_extract(t, a.a, lowest, part), part, a.value >> lowest};
    case 2:
        return width < a.width ? a : (valued){term_zext(t, a.a, width), width, a.value};
    case 3:
        return width < a.width
                   ? a
                   : (valued){term_sext(t, a.a, width), width, (uint64_t)as_signed(a.value, a.width)};
    case 4:
        return a.width + b.width > 64
                   ? a
                   : (valued){term_concat(t, a.a, b.a), a.width + b.width, a.value << b.width | b.value};
    default:
        return (valued){term_const(t, width, chance), width, chance};
    }
}

static valued fit(terms *t, valued a, uint32_t width) {
    if (a.width > width)
        return (valued){term_extract(t, a.a, 0, width), width, cut(a.value, width)};
    return (valued){term_zext(t, a.a, width), width, a.value};
}

/* Operands are often the same, or constants: that is where terms are simplified. */
static valued make_term(terms *t, random_source *source, const valued *made, uint32_t count) {
    valued a = made[random_u64(source) % count];
    valued b = made[random_u64(source) % count];
    uint64_t chance = random_u64(source);
    unsigned op = (unsigned)(chance >> 32) % 20;
    valued result;
    if (chance % 8 == 0)
        b = (valued){term_const(t, a.width, chance >> 40 & 3), a.width, cut(chance >> 40 & 3, a.width)};
    if (op < 12)
        result = make_binary(t, op, a, fit(t, b, a.width));
    else if (op < 18)
        result = make_other(t, op - 12, a, b, random_u64(source));
    else {
        valued condition = fit(t, made[random_u64(source) % count], 1);
        valued other = fit(t, b, a.width);
        result = (valued){term_ite(t, condition.a, a.a, other.a), a.width,
                          condition.value ? a.value : other.value};
    }
    result.value = cut(result.value, result.width);
    return result;
}

/* One pool of random terms; each of them is compared, and the last ones are asked of the solver. */
static void check_pool(random_source *source, bool solves) {
    terms t;
    valued made[VARIABLES + TERMS];
    uint64_t variables[VARIABLES];
    assert(terms_init(&t));
    for (uint32_t i = 0; i < VARIABLES; i++) {
        uint32_t width = 1 + (uint32_t)(random_u64(source) % 64);
        variables[i] = cut(random_u64(source), width);
        made[i] = (valued){term_var(&t, width), width, variables[i]};
    }
    for (uint32_t i = VARIABLES; i < VARIABLES + TERMS; i++)
        made[i] = make_term(&t, source, made, i);
    uint64_t *values = calloc(t.count, sizeof *values);
    const term_valuation valuation = {variables, NULL, NULL};
    terms_evaluate(&t, &valuation, values);
    for (uint32_t i = 0; i < VARIABLES + TERMS; i++) {
        assert(terms_width(&t, made[i].a) == made[i].width);
        if (values[made[i].a] != made[i].value) {
            printf("term %u is 0x%llx, not 0x%llx\n", made[i].a, (unsigned long long)values[made[i].a],
                   (unsigned long long)made[i].value);
            exit(1);
        }
    }
    free(values);
    const mf_verify_limits limits = {5000, 512};
    solver *s = solves ? solver_create(&limits) : NULL;
    if (solves) {
        solver_use(s, &t);
        valued last = made[VARIABLES + TERMS - 1];
        for (int is_other = 0; is_other < 2; is_other++) {
            solver_begin(s);
            for (uint32_t i = 0; i < VARIABLES; i++)
                solver_require(s, term_eq(&t, made[i].a, term_const(&t, made[i].width, variables[i])));
            term same = term_eq(&t, last.a, term_const(&t, last.width, last.value));
            solver_require(s, is_other ? term_not(&t, same) : same);
            answer wanted = is_other ? ANSWER_NEVER : ANSWER_VALUES;
            if (solver_ask(s) != wanted) {
                printf("the solver has another value than 0x%llx\n", (unsigned long long)last.value);
                exit(1);
            }
        }
    }
    solver_destroy(s);
    terms_fini(&t);
}

/* Bytes at equal addresses are equal, permissions are permissions, and behind the space there is none. */
static void check_memory(void) {
    terms t;
    const mf_verify_limits limits = {5000, 512};
    assert(terms_init(&t));
    term at = term_var(&t, 64);
    term other = term_var(&t, 64);
    term perm = term_read(&t, TERM_PERMS, at);
    term same_byte = term_eq(&t, perm, term_read(&t, TERM_PERMS, other));
    term guest = term_read(&t, TERM_GUEST, at);
    const struct {
        term required[2];
        answer wanted;
    } QUESTIONS[] = {
        {{term_eq(&t, at, other), term_not(&t, same_byte)}, ANSWER_NEVER},
        {{term_not(&t, term_eq(&t, at, other)), term_not(&t, same_byte)}, ANSWER_VALUES},
        {{term_eq(&t, perm, term_const(&t, 8, MF_PERM_RW)), term_const(&t, 1, 1)}, ANSWER_VALUES},
        {{term_eq(&t, perm, term_const(&t, 8, 3)), term_const(&t, 1, 1)}, ANSWER_NEVER},
        {{term_eq(&t, perm, term_const(&t, 8, MF_PERM_RO)),
          term_ule(&t, term_const(&t, 64, MF_SPACE_PAGES), at)},
         ANSWER_NEVER},
        {{term_eq(&t, guest, term_const(&t, 8, 77)), term_eq(&t, perm, term_const(&t, 8, 2))},
         ANSWER_VALUES}};
    solver *s = solver_create(&limits);
    solver_use(s, &t);
    for (size_t i = 0; i < sizeof QUESTIONS / sizeof QUESTIONS[0]; i++) {
        solver_begin(s);
        solver_require(s, QUESTIONS[i].required[0]);
        solver_require(s, QUESTIONS[i].required[1]);
        if (solver_ask(s) != QUESTIONS[i].wanted) {
            printf("question %zu has another answer\n", i);
            exit(1);
        }
    }
    solver_destroy(s);
    terms_fini(&t);
    puts("memory is one");
}

int main(void) {
    random_source source = {1};
    for (int i = 0; i < 1000; i++)
        check_pool(&source, false);
    puts("40000 terms simplified");
    for (int i = 0; i < 400; i++)
        check_pool(&source, true);
    puts("400 terms solved");
    check_memory();
    return 0;
}
