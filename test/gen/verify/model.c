// The model of each instruction does what the CPU does: every encoding that the decoder takes is executed on
// random operands and flags, and registers, flags and memory are compared. Flags that the manual leaves
// undefined are unknown in the model, and no others are. The arguments are the number of runs of each
// instruction and of each form of one; a long run is 1000000 100000.
//
// RUN: %cc -I%source/gen -I%S/lib %s %S/lib/cpu_run.c %S/lib/encodings.c -o %t %verify && %t 100000 1500 | FileCheck %s
//
// CHECK: {{^}}every instruction: at least 100000 runs of each
// CHECK-NEXT: {{[1-9][0-9][0-9]+}} forms, at least 1500 runs of each
#include "cpu_run.h"
#include "encodings.h"

#include "random.h"

#include <verify/model.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Forms: what the runs are counted by ---- */

typedef struct form {
    instruction_id id;
    uint8_t condition;
    bool is_vex;
    uint8_t operand_count;
    uint16_t operands[4]; /* kind, size, high part, address size */
} form;

#define FORMS_MAX 2048
#define ENCODINGS_MAX 65536

typedef struct counted {
    form form;
    uint32_t encodings;
    uint64_t runs;
} counted;

typedef struct candidate {
    encoding_slot slot;
    uint32_t form;
} candidate;

static counted forms[FORMS_MAX];
static uint64_t runs_of[INSTRUCTION_COUNT];
static uint32_t form_count;
static candidate candidates[ENCODINGS_MAX];
static uint32_t candidate_count;

static form form_of(const instruction *i) {
    form f;
    memset(&f, 0, sizeof f);
    f.id = i->id;
    f.condition = i->condition;
    f.is_vex = i->is_vex;
    f.operand_count = i->operand_count;
    for (uint8_t n = 0; n < i->operand_count; n++) {
        const operand *o = &i->operands[n];
        uint32_t is_short = o->kind == OPERAND_MEMORY && o->address_bytes == 4;
        uint32_t is_high = o->is_high;
        f.operands[n] =
            (uint16_t)((uint32_t)o->kind | (uint32_t)o->bytes << 2 | is_high << 10 | is_short << 11);
    }
    return f;
}

static uint32_t find_form(const instruction *i) {
    form f = form_of(i);
    for (uint32_t n = 0; n < form_count; n++)
        if (memcmp(&forms[n].form, &f, sizeof f) == 0)
            return n;
    if (form_count == FORMS_MAX)
        abort();
    forms[form_count].form = f;
    return form_count++;
}

/* ---- The model on variables ---- */

/* An instruction's effect: terms over registers, flags and memory before. */
typedef struct effect {
    terms t;
    model m;
    model_step step;
    uint64_t undefined[16];
    struct {
        term address;
        term value;
        uint32_t bytes;
    } writes[VECTOR_BYTES / 8];
    uint32_t write_count;
    uint32_t words;      /* of vector registers that are variables */
    uint32_t read_count; /* bytes */
} effect;

static term read_bytes(void *context, term address, uint32_t count) {
    effect *e = context;
    e->read_count += count;
    return term_read_bytes(&e->t, TERM_GUEST, address, count);
}

static bool write_bytes(void *context, term address, uint32_t count, term value) {
    effect *e = context;
    if (e->write_count == sizeof e->writes / sizeof e->writes[0])
        return false;
    e->writes[e->write_count].address = address;
    e->writes[e->write_count].value = value;
    e->writes[e->write_count++].bytes = count;
    return true;
}

/* What has to be aligned is (cpu_prepare). */
static bool is_aligned(void *context, term address, uint32_t bytes) {
    (void)context;
    (void)address;
    (void)bytes;
    return true;
}

#define VECTOR_WORDS (VECTOR_REGISTERS * VECTOR_BYTES / 8)

/* An instruction of the general registers has no others beside it, as in accessors. */
static uint32_t vector_words(const instruction *i) {
    return instruction_is_of_vectors(i->id) ? VECTOR_WORDS : 0;
}

/* Variables 0 to 15 are the registers, then come the flags, the words of vector registers, and what is
 * undefined. */
static void effect_init(effect *e, const instruction *i) {
    *e = (effect){0};
    terms_init(&e->t);
    e->m = (model){.t = &e->t,
                   .context = e,
                   .read = read_bytes,
                   .write = write_bytes,
                   .is_aligned = is_aligned,
                   .undefined = e->undefined};
    for (uint32_t n = 0; n < 16; n++)
        e->m.state.registers[n] = term_var(&e->t, 64);
    for (uint32_t n = 0; n < MODEL_FLAGS; n++)
        e->m.state.flags[n] = term_var(&e->t, 1);
    for (uint32_t n = 0; n < vector_words(i); n++)
        e->m.state.vectors[n / (VECTOR_BYTES / 8)][n % (VECTOR_BYTES / 8)] = term_var(&e->t, 64);
    e->words = vector_words(i);
    e->step = model_execute(&e->m, i);
}

static bool is_known(const instruction *i) {
    effect e;
    effect_init(&e, i);
    terms_fini(&e.t);
    return e.step.next != MODEL_UNKNOWN;
}

/* ---- One run ---- */

#define FAILURES_MAX 20
static uint32_t failure_count;

/* The first failures are printed: those of one form are alike. */
static void fail(const instruction *i, const char *what) {
    printf("%s (", i->text);
    for (uint8_t n = 0; n < i->byte_count; n++)
        printf(n == 0 ? "%02x" : " %02x", i->bytes[n]);
    printf("): %s\n", what);
    if (++failure_count == FAILURES_MAX)
        exit(1);
}

/* The flags that the manual leaves undefined (SDM volume 2), for a shift by `count`, which has been masked.
 */
static uint32_t undefined_by_manual(const instruction *i, uint32_t count) {
    uint32_t width = 8u * i->operands[0].bytes;
    uint32_t beyond_one = count > 1 ? 1u << MODEL_OF : 0;
    switch (i->id) {
    case INSTRUCTION_BT:
        return 1u << MODEL_OF | 1u << MODEL_SF | 1u << MODEL_PF;
    case INSTRUCTION_ANDN:
    case INSTRUCTION_BZHI:
        return 1u << MODEL_PF;
    case INSTRUCTION_SHL:
    case INSTRUCTION_SHR:
        return beyond_one | (count >= width ? 1u << MODEL_CF : 0);
    case INSTRUCTION_SAR:
    case INSTRUCTION_ROL:
    case INSTRUCTION_ROR:
        return beyond_one;
    default:
        return 0;
    }
}

static uint32_t shift_count(const instruction *i, const cpu_state *before) {
    uint64_t count = i->operand_count == 1 ? 1 : i->operands[1].value;
    if (i->operand_count > 1 && i->operands[1].kind == OPERAND_REGISTER)
        count = before->registers[1];
    return (uint32_t)count & (i->operands[0].bytes == 8 ? 63 : 31);
}

static uint8_t read_before(void *context, term_space space, uint64_t address) {
    (void)space;
    (void)context;
    return cpu_memory_before(address);
}

#define NODES_MAX 4096
#define VARIABLES_MAX (64 + VECTOR_WORDS)

/* Writes the values of all terms, with this value for all that is undefined. */
static void evaluate(const effect *e, const cpu_state *before, uint64_t undefined, uint64_t *values) {
    uint64_t variables[VARIABLES_MAX];
    for (uint32_t n = 0; n < 16; n++)
        variables[n] = before->registers[n];
    for (uint32_t n = 0; n < MODEL_FLAGS; n++)
        variables[16 + n] = before->flags >> n & 1;
    uint32_t next = 16 + MODEL_FLAGS;
    memcpy(variables + next, before->vectors, e->words * sizeof variables[0]);
    for (uint32_t n = next + e->words; n < e->t.variable_count; n++)
        variables[n] = undefined;
    const term_valuation valuation = {variables, NULL, read_before};
    terms_evaluate(&e->t, &valuation, values);
}

/* What is undefined must be so in both values, and all else in none. */
static void compare_flags(const effect *e, const instruction *i, const cpu_state *before,
                          const cpu_state *after, const uint64_t *values) {
    uint32_t undefined = 0;
    uint64_t others[NODES_MAX];
    bool has_undefined = e->t.variable_count > 16 + MODEL_FLAGS + e->words;
    if (has_undefined)
        evaluate(e, before, 1, others);
    for (uint32_t n = 0; n < MODEL_FLAGS; n++) {
        term flag = e->m.state.flags[n];
        if (has_undefined && values[flag] != others[flag])
            undefined |= 1u << n;
        else if (values[flag] != (after->flags >> n & 1))
            fail(i, "a flag differs");
    }
    if (undefined != undefined_by_manual(i, shift_count(i, before)))
        fail(i, "what is undefined differs from the manual");
}

static void compare_way(const effect *e, const instruction *i, const cpu_state *after,
                        const uint64_t *values) {
    bool jumps = e->step.next == MODEL_JUMPS || e->step.next == MODEL_CALLS || e->step.next == MODEL_RETURNS;
    bool branches = e->step.next == MODEL_BRANCHES && values[e->step.condition] == 1;
    cpu_way way = e->step.next == MODEL_STOPS ? CPU_STOPPED : jumps || branches ? CPU_JUMPED : CPU_FOLLOWED;
    if (after->way != way)
        fail(i, "it goes on elsewhere");
    if (e->step.target != 0 && values[e->step.target] != cpu_target(i))
        fail(i, "the target differs");
}

/* A call has pushed where it returns, and a return has popped, which the model leaves to who follows paths.
 */
static uint64_t stack_moves(const effect *e, const instruction *i, const cpu_state *before) {
    if (e->step.next == MODEL_CALLS)
        cpu_memory_expect(before->registers[4] - 8, i->address + i->byte_count, 8);
    return e->step.next == MODEL_CALLS ? 0 - UINT64_C(8) : e->step.next == MODEL_RETURNS ? 8 : 0;
}

/* All that the CPU has, also what the instruction does not name. */
static void compare_vectors(const effect *e, const instruction *i, const cpu_state *after,
                            const uint64_t *values) {
    for (uint32_t n = 0; n < cpu_vector_count() && e->words > 0; n++)
        for (uint32_t word = 0; word < cpu_vector_words(); word++)
            if (values[e->m.state.vectors[n][word]] != after->vectors[n][word]) {
                fail(i, "a vector register differs");
                return;
            }
}

static void compare(const effect *e, const instruction *i, const cpu_state *before, const cpu_state *after) {
    uint64_t values[NODES_MAX];
    evaluate(e, before, 0, values);
    compare_way(e, i, after, values);
    uint64_t moved = stack_moves(e, i, before);
    for (uint32_t n = 0; n < 16; n++)
        if (values[e->m.state.registers[n]] + (n == 4 ? moved : 0) != after->registers[n])
            fail(i, "a register differs");
    compare_flags(e, i, before, after, values);
    compare_vectors(e, i, after, values);
    for (uint32_t n = 0; n < e->write_count; n++)
        cpu_memory_expect(values[e->writes[n].address], values[e->writes[n].value], e->writes[n].bytes);
    if (!cpu_memory_is_expected())
        fail(i, "memory differs");
}

/* ---- All runs ---- */

/* The encoding at the place where it runs, or false if the slot has none that can be run. */
static bool place(decoder *d, random_source *random, const encoding_slot *slot, encoding *e, instruction *i) {
    encoding_make(slot, random, e);
    return decoder_decode(d, cpu_place(), e->bytes, sizeof e->bytes, i) && encoding_aim(e, i) &&
           decoder_decode(d, cpu_place(), e->bytes, sizeof e->bytes, i) && cpu_has(i);
}

/* Every slot whose encoding the decoder and the model take. */
static void find_candidates(decoder *d, random_source *random) {
    encoding_slot slot = {0};
    do {
        encoding e;
        instruction i;
        uint32_t attempts = slot.map == MAP_F3_0F ? 64 : 3; /* of the registers there, one has a meaning */
        for (uint32_t attempt = 0; attempt < attempts; attempt++) {
            if (!place(d, random, &slot, &e, &i) || !is_known(&i))
                continue;
            if (candidate_count == ENCODINGS_MAX)
                abort();
            candidates[candidate_count++] = (candidate){slot, find_form(&i)};
            forms[find_form(&i)].encodings++;
            break;
        }
    } while (encoding_slot_next(&slot));
}

#define RUNS_OF_PLACE 64

/* What is read and not used no register shows; but it may be the guest's, or fault. */
static bool reads_too_much(const effect *e, const instruction *i) {
    uint32_t most = i->id == INSTRUCTION_POP || i->id == INSTRUCTION_RET ? 8 : 0;
    for (uint8_t n = 0; n < i->operand_count; n++)
        if (i->operands[n].kind == OPERAND_MEMORY)
            most += i->operands[n].bytes;
    return e->read_count > most;
}

/* The slot's other encodings may be of other forms: a register instead of memory, a high part. */
static void run_candidate(decoder *d, random_source *random, const candidate *c) {
    encoding e;
    instruction i;
    if (!place(d, random, &c->slot, &e, &i) || !is_known(&i))
        return;
    effect effect;
    effect_init(&effect, &i);
    counted *f = &forms[find_form(&i)];
    if (effect.t.has_failed || effect.t.count > NODES_MAX || effect.t.variable_count > VARIABLES_MAX)
        fail(&i, "too large for the test");
    if (reads_too_much(&effect, &i))
        fail(&i, "it reads more than its operand");
    cpu_write(&i);
    uint32_t failures_before = failure_count;
    for (uint32_t n = 0; n < RUNS_OF_PLACE && failure_count == failures_before; n++) {
        cpu_state before;
        cpu_state after;
        cpu_prepare(&before, &i, random);
        cpu_run(&before, &after);
        compare(&effect, &i, &before, &after);
    }
    f->runs += RUNS_OF_PLACE;
    runs_of[i.id] += RUNS_OF_PLACE;
    terms_fini(&effect.t);
}

static bool is_done(const candidate *c, uint64_t instruction_runs, uint64_t form_runs) {
    const counted *f = &forms[c->form];
    return f->runs >= form_runs && runs_of[f->form.id] >= instruction_runs;
}

static uint32_t count_instructions(void) {
    uint32_t count = 0;
    for (instruction_id id = 0; id < INSTRUCTION_COUNT; id++) {
        bool is_there = false;
        for (uint32_t n = 0; n < form_count; n++)
            is_there = is_there || forms[n].form.id == id;
        if (!is_there)
            printf("%s has no form that is tested\n", instruction_name(id));
        count += is_there;
    }
    return count;
}

int main(int argc, char **argv) {
    uint64_t instruction_runs = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
    uint64_t form_runs = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
    random_source random = {1};
    decoder *d = decoder_create();
    cpu_open();
    find_candidates(d, &random);
    bool is_first = true;
    for (bool goes_on = true; goes_on; is_first = false) {
        goes_on = false;
        for (uint32_t n = 0; n < candidate_count; n++) {
            if (!is_first && is_done(&candidates[n], instruction_runs, form_runs))
                continue;
            run_candidate(d, &random, &candidates[n]);
            goes_on = true;
        }
    }
    decoder_destroy(d);
    bool has_all = count_instructions() == INSTRUCTION_COUNT;
    printf("%s instruction: at least %llu runs of each\n", has_all ? "every" : "not every",
           (unsigned long long)instruction_runs);
    printf("%u forms, at least %llu runs of each\n", form_count, (unsigned long long)form_runs);
    return failure_count != 0;
}
