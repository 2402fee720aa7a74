/*
 * Proves all shapes that one maker emits: every check with every accessor that has it, and every other piece,
 * stamps, accesses on both backends and ways of a fault, at least once. What there is is said by the table of
 * stencils, and which accessors have a check by all plans of the walk; what has not been proved is printed.
 *
 * usage: shapes stencils|llvm [PART/PARTS [every]]
 *
 * A part proves its share of the checks; the first one also the pieces that no check has taken along. With
 * `every` each check is proved with every stamp, base, byte order and way of a fault, and progress is shown:
 * a long run, which is resumed part by part.
 */
#include "pieces.h"
#include "shape_walk.h"

#include "verify/code.h"

#include <memfold/jit.h>
#include <memfold/llvm_maker.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMITS 2
#define CHECKS_MAX 4096

/* A check as an accessor has it, with a limit in its fault record or without. */
typedef struct checked {
    uint32_t first; /* the set of the walk that has it first; 0: none has */
    uint32_t part;  /* whose share that set is */
    bool is_proved;
} checked;

static checked all_checked[CHECKS_MAX][MF_ACCESSOR_COUNT][LIMITS];
static bool is_piece_proved[SHAPE_PART_COUNT + CHECKS_MAX];

static mf_jit *jit;
static bool proves_every_way;
static bool turns_bases;
static uint32_t part;
static uint32_t parts = 1;
static unsigned long proofs;
static unsigned long sets_of_part;
static unsigned long sets_done;

static void must(bool holds, const char *what) {
    if (holds)
        return;
    printf("%s failed\n", what);
    exit(1);
}

/* ---- One set ---- */

static void fail(const mf_layout *layout, const mf_accessor_options *o, const mf_verify_result *result) {
    char text[2048];
    mf_verify_print(result, text, sizeof text);
    for (size_t i = 0; i < mf_layout_region_count(layout); i++) {
        mf_region r = mf_layout_region(layout, i);
        printf("region 0x%llx, 0x%llx, %u\n", (unsigned long long)r.start, (unsigned long long)r.size,
               (unsigned)r.access);
    }
    printf("heap 0x%llx, %u\n", (unsigned long long)mf_layout_heap(layout).base,
           mf_layout_heap(layout).max_pages);
#define MF_X(ID, type, field, largest) printf(#field " 0x%llx\n", (unsigned long long)o->field);
    MF_ACCESSOR_OPTIONS(MF_X)
#undef MF_X
    puts(text);
    exit(1);
}

static void show_progress(void) {
    if (proves_every_way && proofs % 1000 == 0)
        fprintf(stderr, "%lu proofs, %lu of %lu sets in all their ways\n", proofs, sets_done, sets_of_part);
}

static void note_proved(const mf_plan *plan, const mf_accessor_options *options) {
    pieces p;
    must(pieces_find(&p, plan, options), "a check of the list");
    for (uint32_t i = 0; i < p.count; i++)
        is_piece_proved[p.numbers[i]] = true;
    if (p.has_check)
        all_checked[p.check][plan->accessor][plan->limit != 0].is_proved = true;
    proofs++;
    show_progress();
}

/* Of the accessors of a set, those whose bits are set. */
static void prove_set(const mf_layout *layout, const mf_accessor_options *options, uint32_t accessors) {
    verify_prover *prover;
    mf_code *code;
    mf_diag diag = {0};
    verify_code machine = {.is_of_process = true, .takes_registered_entries = true};
    verify_code_set_runtime(&machine);
    must(mf_jit_get(jit, layout, options, &code, &diag) == MF_OK, diag.message);
    must(verify_prover_create(layout, options, NULL, &prover, &diag) == MF_OK, diag.message);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        mf_verify_result result;
        mf_plan plan;
        if ((accessors >> id & 1) == 0)
            continue;
        machine.accessors[id] = (uint64_t)(uintptr_t)mf_accessors_member(mf_code_accessors(code), id);
        must(verify_prover_prove(prover, &machine, id, &result, &diag) == MF_OK, diag.message);
        if (result.verdict != MF_VERDICT_PROVED)
            fail(layout, options, &result);
        must(mf_plan_make(layout, id, options, &plan, &diag) == MF_OK, diag.message);
        note_proved(&plan, options);
    }
    verify_prover_destroy(prover);
    mf_code_release(code);
}

/* ---- Ways: what the options say besides the check ---- */

/* Byte order, fault, stamp; and where there is no base argument, a base of the view or one of three sizes. */
#define WAYS_WITH_BASE 8
#define WAYS_WITHOUT_BASE 32

static void set_way(mf_accessor_options *options, bool has_base, uint32_t number) {
    static const uint64_t ADDRESSES[] = {0, 0, INT32_MAX, UINT64_C(0x80000000)};
    uint32_t base = number / 8 % 4;
    options->endian = (mf_endian)(number & 1);
    options->on_fault = (mf_on_fault)(number >> 1 & 1);
    options->stale = (mf_stale)(number >> 2 & 1);
    options->base = has_base ? MF_BASE_ARGUMENT : base == 0 ? MF_BASE_VIEW : MF_BASE_CONSTANT;
    options->base_address = has_base ? 0 : ADDRESSES[base];
}

/*
 * A stencil of a check is proved with the accesses that use all arguments, which is what it hands on: those
 * whose base is the view's.
 */
static void prove_ways(const mf_layout *layout, const mf_accessor_options *options, bool has_base,
                       uint32_t accessors) {
    static uint32_t turns[2];
    uint32_t *turn = &turns[has_base];
    uint32_t count = has_base ? WAYS_WITH_BASE : WAYS_WITHOUT_BASE;
    mf_accessor_options with_way = *options;
    for (uint32_t i = 0; proves_every_way && i < count; i++) {
        set_way(&with_way, has_base, i);
        prove_set(layout, &with_way, accessors);
    }
    set_way(&with_way, has_base, turns_bases ? *turn : *turn % WAYS_WITH_BASE);
    (*turn)++;
    if (!proves_every_way)
        prove_set(layout, &with_way, accessors);
}

/* ---- Checks ---- */

static uint32_t walked;

/* The check of one accessor, or NULL. */
static checked *find_checked(const mf_layout *layout, mf_accessor_id id, const mf_accessor_options *options,
                             bool has_base) {
    mf_plan plan;
    pieces p;
    mf_accessor_options with_base = *options;
    with_base.base = has_base ? MF_BASE_ARGUMENT : MF_BASE_VIEW;
    if (mf_plan_make(layout, id, &with_base, &plan, NULL) != MF_OK)
        return NULL;
    must(pieces_find(&p, &plan, &with_base), "a check of the list");
    return p.has_check ? &all_checked[p.check][id][plan.limit != 0] : NULL;
}

/* Each check belongs to the first set that has it; such sets are dealt out in pairs, with a base and without.
 */
static void note_first(void *context, const mf_layout *layout, const mf_accessor_options *options) {
    uint32_t *owners = context;
    for (uint32_t has_base = 0; has_base < 2; has_base++) {
        bool is_owner = false;
        walked++;
        for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
            checked *c = find_checked(layout, id, options, has_base != 0);
            if (c == NULL || c->first != 0)
                continue;
            c->first = walked;
            c->part = *owners / 2 % parts;
            is_owner = true;
        }
        sets_of_part += is_owner && *owners / 2 % parts == part;
        *owners += is_owner;
    }
}

static void prove_first(void *context, const mf_layout *layout, const mf_accessor_options *options) {
    (void)context;
    for (uint32_t has_base = 0; has_base < 2; has_base++) {
        uint32_t accessors = 0;
        walked++;
        for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
            const checked *c = find_checked(layout, id, options, has_base != 0);
            if (c != NULL && c->first == walked && c->part == part)
                accessors |= UINT32_C(1) << id;
        }
        if (accessors != 0) {
            prove_ways(layout, options, has_base != 0, accessors);
            sets_done++;
        }
    }
}

/* ---- Pieces without a check ---- */

static bool lacks_proof(const mf_layout *layout, mf_accessor_id id, const mf_accessor_options *options) {
    mf_plan plan;
    pieces p;
    bool lacks = false;
    if (mf_plan_make(layout, id, options, &plan, NULL) != MF_OK)
        return false;
    must(pieces_find(&p, &plan, options), "a check of the list");
    for (uint32_t i = 0; i < p.count; i++)
        lacks = lacks || (p.numbers[i] < SHAPE_PART_COUNT && !is_piece_proved[p.numbers[i]]);
    return lacks;
}

static void prove_lacking(const mf_layout *layout, const mf_accessor_options *options) {
    uint32_t accessors = 0;
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (lacks_proof(layout, id, options))
            accessors |= UINT32_C(1) << id;
    if (accessors != 0)
        prove_set(layout, options, accessors);
}

/* Numbers in a mixed base: what is left of `number` is divided. */
static uint32_t digit(uint32_t *number, uint32_t base) {
    uint32_t found = *number % base;
    *number /= base;
    return found;
}

/* On a layout of one window, all that options may say. */
static void prove_others(void) {
    mf_layout *layout;
    mf_layout_builder *builder = mf_layout_builder_create();
    must(mf_layout_builder_map_region(builder, 0x20000, 0x8000, MF_READ_WRITE, NULL, 0, NULL) == MF_OK,
         "map");
    must(mf_layout_builder_finish(builder, &layout, NULL, NULL) == MF_OK, "layout");
    for (uint32_t i = 0; i < 2 * 2 * 2 * 3 * 2 * 2 * 2 * WAYS_WITHOUT_BASE; i++) {
        uint32_t rest = i;
        mf_accessor_options options = {.backend = (mf_backend)digit(&rest, 2),
                                       .index = (mf_index)digit(&rest, 2),
                                       .order = (mf_order)digit(&rest, 2),
                                       .policy = (mf_policy)digit(&rest, 3),
                                       .spectre = (mf_spectre)digit(&rest, 2)};
        options.strategy = digit(&rest, 2) != 0 ? MF_STRATEGY_PERM_TABLE : MF_STRATEGY_AUTO;
        bool has_base = digit(&rest, 2) != 0;
        set_way(&options, has_base, rest);
        prove_lacking(layout, &options);
    }
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
}

/* ---- What there is, and what has been proved ---- */

static bool has_accessor(uint32_t check) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (all_checked[check][id][0].first != 0 || all_checked[check][id][1].first != 0)
            return true;
    return false;
}

/* True if there is nothing that has not been proved. */
static bool print_checks(void) {
    uint32_t without = 0;
    unsigned long mine = 0;
    unsigned long proved = 0;
    for (uint32_t check = 0; check < STENCIL_TABLE.check_count; check++) {
        without += !has_accessor(check);
        for (uint32_t i = 0; i < MF_ACCESSOR_COUNT * LIMITS; i++) {
            const checked *c = &all_checked[check][i / LIMITS][i % LIMITS];
            bool is_mine = c->first != 0 && c->part == part;
            mine += is_mine;
            proved += is_mine && c->is_proved;
        }
    }
    printf("%u checks on the list, %u of them of no accessor\n", STENCIL_TABLE.check_count, without);
    printf("%lu of %lu checks of accessors proved\n", proved, mine);
    return without == 0 && proved == mine;
}

static bool print_others(void) {
    uint32_t proved = 0;
    for (uint32_t i = 0; i < SHAPE_PART_COUNT; i++)
        proved += is_piece_proved[i];
    printf("%u of %u other pieces proved\n", proved, (unsigned)SHAPE_PART_COUNT);
    return proved == SHAPE_PART_COUNT;
}

/* z3 takes eight MiB for each question, and gives them back to the kernel after it. */
static void keep_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

/* PART/PARTS, counted from 1. */
static void read_part(const char *text) {
    char *end;
    part = (uint32_t)strtoul(text, &end, 10) - 1;
    parts = *end == '/' ? (uint32_t)strtoul(end + 1, NULL, 10) : 0;
    must(part < parts, "a part such as 1/2");
}

int main(int argc, char **argv) {
    must(argc > 1 && (strcmp(argv[1], "stencils") == 0 || strcmp(argv[1], "llvm") == 0),
         "usage: shapes stencils|llvm [PART/PARTS [every]]");
    bool by_llvm = strcmp(argv[1], "llvm") == 0;
    const mf_jit_config config = {.maker = by_llvm ? mf_llvm_maker() : NULL};
    uint32_t owners = 0;
    keep_memory();
    if (argc > 2)
        read_part(argv[2]);
    turns_bases = by_llvm;
    proves_every_way = argc > 3 && strcmp(argv[3], "every") == 0;
    must(STENCIL_TABLE.check_count <= CHECKS_MAX, "room for the list");
    must(mf_jit_create(&config, &jit, NULL) == MF_OK, "mf_jit_create");
    shape_walk(note_first, &owners);
    walked = 0;
    shape_walk(prove_first, NULL);
    bool are_all_proved = print_checks();
    if (part == 0) {
        prove_others();
        are_all_proved = print_others() && are_all_proved;
    }
    printf("%lu proofs\n", proofs);
    mf_jit_destroy(jit);
    return are_all_proved ? 0 : 1;
}
