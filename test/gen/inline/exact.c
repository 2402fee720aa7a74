// Code for registers answers by the fault contract and touches nothing else: for layouts of each form, every
// strategy, accessor and option, with the roles of the registers changing, at all addresses around every
// edge, it is run with all registers given. The value, the bytes of the guest and what each register and the
// flags hold afterwards are compared; and with every branch to the fault block taken out, masked accesses
// stay at the place of the mask.
//
// RUN: %cc %s %S/lib/cpu.c %S/lib/place.c %S/../plan/lib/samples.c -I%S/../plan/lib -o %t %inline
// RUN: %t | FileCheck %s
//
//      CHECK: copy: {{[1-9][0-9]+}} codes, {{[1-9][0-9]+}} runs, {{[1-9][0-9]+}} faults, {{[1-9][0-9]+}} mispredicted, {{[1-9][0-9]+}} stale, {{[1-9][0-9]+}} checks alone, {{[1-9][0-9]+}} masks that do not fit
// CHECK-NEXT: x86_paged: {{[1-9][0-9]+}} codes, {{[1-9][0-9]+}} runs, {{[1-9][0-9]+}} faults, 0 mispredicted, {{[1-9][0-9]+}} stale, {{[1-9][0-9]+}} checks alone, 0 masks that do not fit
// CHECK-NEXT: constant base: {{[1-9][0-9]+}} codes, {{[1-9][0-9]+}} runs, {{[1-9][0-9]+}} faults, {{[1-9][0-9]+}} mispredicted, {{[1-9][0-9]+}} stale, {{[1-9][0-9]+}} checks alone, {{[1-9][0-9]+}} masks that do not fit
// CHECK-NEXT: always-fault compared
// CHECK-NEXT: always-allowed compared
// CHECK-NEXT: paged compared
// CHECK-NEXT: bound compared
// CHECK-NEXT: window compared
// CHECK-NEXT: two-windows compared
// CHECK-NEXT: heap compared
// CHECK-NEXT: few-windows compared
// CHECK-NEXT: in-turn compared
// CHECK-NEXT: immediate-bitmap compared
// CHECK-NEXT: granule-table compared
// CHECK-NEXT: granule-bitmap compared
// CHECK-NEXT: perm-table compared
//  CHECK-NOT: NOT SEEN
//      CHECK: all agree, the longest code has {{[1-9][0-9]+}} bytes
//
// There is one thread; the thread sanitizer only makes every 4 GiB reservation slow.
// UNSUPPORTED: sanitize-thread

#include "lib/cpu.h"
#include "lib/place.h"
#include "random.h"
#include "samples.h"

#include <memfold/memory.h>

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Bytes that are looked at around an access. */
#define AROUND 8
#define SEEN_BYTES (2 * AROUND + 8)

static random_source source = {17};

/* ---- The memory that is accessed ---- */

/* The view is a copy, so that the test may make it stale: code reads no more than its first four fields. */
typedef struct subject {
    const sample *sample;
    const mf_layout *layout;
    const unsigned char *perms;
    mf_view view;
    uint64_t limit; /* under the bounds policy: the end of what is accessible; else 0 */
    bool checks_nothing;
    bool base_is_constant;
} subject;

static bool may_touch(const subject *s, uint64_t index, mf_operation operation) {
    if (s->limit > 0)
        return index < s->limit;
    if (index >= MF_SPACE_BYTES)
        return false;
    mf_perm perm = (mf_perm)s->perms[index >> MF_PAGE_LOG2];
    return operation == MF_STORE ? perm == MF_PERM_RW : perm != MF_PERM_NONE;
}

static bool may_access(const subject *s, const mf_plan *plan, uint64_t index) {
    for (uint64_t i = index; i < index + plan->width_bytes; i++)
        if (!may_touch(s, i, (mf_operation)plan->operation))
            return false;
    return true;
}

/* As a number: a base of 0 is no pointer that C may add to. */
static const uint8_t *host_of(const subject *s, uint64_t index) {
    return (const uint8_t *)((uintptr_t)s->view.base + index);
}

/* What lies around the index, where it can be read. */
static void look(const subject *s, uint64_t index, uint8_t seen[SEEN_BYTES]) {
    for (uint64_t i = 0; i < SEEN_BYTES; i++) {
        uint64_t at = index + i - AROUND;
        seen[i] = at < UINT64_MAX - AROUND && may_touch(s, at, MF_LOAD) ? *host_of(s, at) : 0;
    }
}

/* ---- One code ---- */

typedef struct code {
    const subject *subject;
    const mf_accessor_info *info;
    mf_plan plan;
    mf_inline_options options;
    mf_inline_registers registers;
    mf_inline_need need;
    mf_inline_result result;
    place place;
    uint8_t *table;
} code;

static uint32_t longest;
static unsigned long codes, runs, faults, masked_runs, stale_runs, checks, misfits;
static bool role_seen[7][16];

static void give_up(const code *c, const char *what, uint64_t index) {
    char text[512];
    mf_plan_print(&c->plan, text, sizeof text);
    printf("layout '%s' at 0x%llx, heap end 0x%llx, index 0x%llx: %s\n%s\n", c->subject->sample->pages,
           (unsigned long long)c->subject->sample->first_page, (unsigned long long)c->subject->view.heap_end,
           (unsigned long long)index, what, text);
    printf("extended %d, endian %d, movbe %d, table %llx, base %d index %d value %d view %d table %d scratch "
           "%d %d\n",
           c->options.index_is_extended, (int)c->options.endian, c->options.has_movbe,
           (unsigned long long)c->options.table_address, (int)c->registers.base - 1,
           (int)c->registers.index - 1, (int)c->registers.value - 1, (int)c->registers.view - 1,
           (int)c->registers.table - 1, (int)c->registers.scratch[0] - 1, (int)c->registers.scratch[1] - 1);
    for (uint32_t i = 0; i < c->result.byte_count; i++)
        printf("%02x", c->place.run[i]);
    printf("\n");
    exit(1);
}

/* ---- The roles of registers ---- */

static mf_register role(uint32_t which, const mf_register *order, uint32_t at) {
    role_seen[which][order[at] - 1] = true;
    return order[at];
}

/* All but rsp in some order; now and then two roles share one, where they may. */
static mf_inline_registers choose_registers(bool loads) {
    mf_register order[15];
    for (uint32_t i = 0; i < 15; i++)
        order[i] = MF_REGISTER(i < CPU_RSP ? i : i + 1);
    for (uint32_t i = 14; i > 0; i--) {
        uint64_t k = random_below(&source, i + 1);
        mf_register other = order[k];
        order[k] = order[i];
        order[i] = other;
    }
    mf_inline_registers r = {.base = role(0, order, 0),
                             .index = role(1, order, 1),
                             .view = role(2, order, 2),
                             .table = role(3, order, 3),
                             .scratch = {role(4, order, 4), role(5, order, 5)}};
    uint64_t shared = random_below(&source, 12);
    bool may_share = loads ? shared < 6 : shared == 1;
    r.value = role(6, order, may_share ? (uint32_t)shared : 6);
    return r;
}

/* ---- Running ---- */

static uint64_t *register_of(cpu_state *state, mf_register reg) {
    return &state->registers[reg - 1];
}

static cpu_state state_before(const code *c, uint64_t index) {
    cpu_state state;
    for (uint32_t i = 0; i < 16; i++)
        state.registers[i] = random_u64(&source);
    state.registers[CPU_RSP] = 0;
    state.flags = random_u64(&source) & CPU_FLAGS;
    if (c->need.base)
        *register_of(&state, c->registers.base) = (uintptr_t)c->subject->view.base;
    if (c->need.view)
        *register_of(&state, c->registers.view) = (uintptr_t)&c->subject->view;
    if (c->need.table && c->table != NULL)
        *register_of(&state, c->registers.table) = (uintptr_t)c->table;
    else if (c->need.table)
        *register_of(&state, c->registers.table) = (uintptr_t)c->subject->view.perms;
    bool has_garbage = c->plan.index == MF_INDEX_U32 && !c->options.index_is_extended;
    *register_of(&state, c->registers.index) = has_garbage ? index | random_u64(&source) << 32 : index;
    return state;
}

/* What a load delivers of the bytes that were seen. */
static uint64_t value_of(const code *c, const uint8_t *bytes) {
    uint64_t value = 0;
    uint32_t width = c->info->width_bytes;
    for (uint32_t i = 0; i < width; i++)
        value |= (uint64_t)bytes[c->options.endian == MF_BIG_ENDIAN ? width - 1 - i : i] << 8 * i;
    if (c->info->sign_extends && (value >> (8 * width - 1) & 1) != 0)
        value |= ~UINT64_C(0) << (8 * width - 1);
    return value;
}

static void put_value(const code *c, uint64_t value, uint8_t *bytes) {
    uint32_t width = c->info->width_bytes;
    for (uint32_t i = 0; i < width; i++)
        bytes[c->options.endian == MF_BIG_ENDIAN ? width - 1 - i : i] = (uint8_t)(value >> 8 * i);
}

/* Scratch registers may hold anything, and so may a destination that is one of them after a fault. */
static void forget_scratch(const code *c, const cpu_state *after, cpu_state *wanted) {
    for (uint32_t i = 0; i < c->need.scratch_count; i++) {
        uint32_t number = (uint32_t)c->registers.scratch[i] - 1;
        wanted->registers[number] = after->registers[number];
    }
}

static void compare_registers(const code *c, const cpu_state *after, const cpu_state *wanted,
                              uint64_t index) {
    for (uint32_t i = 0; i < 16; i++)
        if (after->registers[i] != wanted->registers[i])
            give_up(c, "another register has changed, or the value is wrong", index);
    if (!c->need.flags && after->flags != wanted->flags)
        give_up(c, "the flags have changed", index);
}

/* Runs the code once; the access happens at `index`, or nothing does. `touched` is where it would be. */
static void run(const code *c, uint64_t index, uint64_t touched, cpu_exit wanted_exit) {
    uint8_t seen[SEEN_BYTES], seen_after[SEEN_BYTES];
    cpu_state before = state_before(c, index), after, wanted = before;
    look(c->subject, touched, seen);
    if (wanted_exit == CPU_DONE && c->info->operation == MF_LOAD)
        *register_of(&wanted, c->registers.value) = value_of(c, &seen[AROUND]);
    else if (wanted_exit == CPU_DONE)
        put_value(c, *register_of(&before, c->registers.value), &seen[AROUND]);
    if (cpu_run(c->place.run, &before, &after) != wanted_exit)
        give_up(c, wanted_exit == CPU_DONE ? "refused" : "allowed", index);
    bool loaded = wanted_exit == CPU_DONE && c->info->operation == MF_LOAD;
    uint64_t delivered = *register_of(&wanted, c->registers.value);
    forget_scratch(c, &after, &wanted);
    if (loaded)
        *register_of(&wanted, c->registers.value) = delivered;
    compare_registers(c, &after, &wanted, index);
    look(c->subject, touched, seen_after);
    if (memcmp(seen, seen_after, sizeof seen) != 0)
        give_up(c, "other bytes of the guest have changed, or the stored ones are wrong", index);
    runs++;
    faults += wanted_exit == CPU_FAULT;
}

/* ---- Addresses ---- */

/* Where the one window ends that is not written page by page. */
#define LARGE_END UINT64_C(0xf0000000)

typedef void visit(const code *c, uint64_t index);

static void visit_edges(const code *c, visit *each) {
    const sample *s = c->subject->sample;
    uint64_t first = s->first_page == 0 ? 0 : s->first_page - 1;
    uint64_t last = s->first_page + strlen(s->pages) + 1;
    uint64_t end = c->plan.index == MF_INDEX_U33 ? 2 * MF_SPACE_BYTES - 1 : MF_SPACE_BYTES;
    for (uint64_t page = first; page <= last; page++)
        for (uint64_t delta = 0; delta < 11; delta++) {
            uint64_t index = page * MF_PAGE_SIZE + delta - 9;
            if (index < end)
                each(c, index);
        }
    for (uint64_t delta = 0; delta < 11; delta++)
        each(c, LARGE_END + delta - 9);
    for (uint64_t delta = 1; delta < 10; delta++)
        each(c, MF_SPACE_BYTES - delta);
    for (uint64_t delta = 1; c->plan.index == MF_INDEX_U33 && delta < 4; delta++) {
        each(c, end - delta);
        each(c, MF_SPACE_BYTES + s->first_page * MF_PAGE_SIZE + delta);
    }
}

static void run_at(const code *c, uint64_t index) {
    bool allowed = may_access(c->subject, &c->plan, index);
    if (allowed || !c->subject->checks_nothing)
        run(c, index, index, allowed ? CPU_DONE : CPU_FAULT);
}

static void run_mispredicted(const code *c, uint64_t index) {
    bool allowed = may_access(c->subject, &c->plan, index);
    uint64_t start = c->plan.steps[c->plan.step_count - 1].start;
    bool is_there = may_touch(c->subject, start, (mf_operation)c->plan.operation) && (start & 0xfff) == 0;
    if (allowed || !is_there)
        return;
    run(c, index, start, CPU_DONE);
    masked_runs++;
}

static void run_stale(const code *c, uint64_t index) {
    run(c, index, index, CPU_STALE);
    stale_runs++;
}

/* ---- Each code ---- */

static bool is_masked(const code *c) {
    return mf_plan_has_step(&c->plan, MF_STEP_MASK);
}

/* A mask that takes a third register is refused, and only where the header says so. */
static bool is_misfit(const code *c, const mf_diag *diag) {
    bool may_be = c->options.table_address > INT32_MAX;
    misfits++;
    return is_masked(c) && may_be && diag->status == MF_INVALID_ARGUMENT &&
           strstr(diag->message, "register for the table") != NULL;
}

static void make(code *c) {
    mf_diag diag;
    c->registers = choose_registers(c->info->operation == MF_LOAD);
    c->place = place_take();
    if (mf_inline_emit(&c->plan, &c->options, &c->registers, c->place.write, 512, &c->result, &diag) !=
        MF_OK) {
        printf("%s\n", diag.message);
        give_up(c, "no code", 0);
    }
    place_finish(&c->place, &c->result);
    longest = c->result.byte_count > longest ? c->result.byte_count : longest;
    codes++;
}

static void run_code(code *c) {
    mf_diag diag;
    if (mf_inline_needs(&c->plan, &c->options, &c->need, &diag) != MF_OK) {
        if (!is_misfit(c, &diag))
            give_up(c, diag.message, 0);
        return;
    }
    make(c);
    if (c->need.access_traps) {
        const mf_exception_entry *entry = place_register(&c->place, &c->result);
        visit_edges(c, run_at);
        mf_exception_table_unregister(entry);
    } else {
        visit_edges(c, run_at);
    }
    if (is_masked(c) && c->result.fault_count > 0) {
        place_mispredict(&c->place, &c->result);
        visit_edges(c, run_mispredicted);
    }
}

/* The same code on a memory of another layout and backend. */
static void run_stale_code(code *c) {
    subject stale = *c->subject;
    mf_inline_need need;
    if (mf_inline_needs(&c->plan, &c->options, &need, NULL) != MF_OK || !need.may_be_stale)
        return;
    stale.view.layout_stamp ^= 7;
    stale.view.u33_stamp ^= 7;
    c->subject = &stale;
    make(c);
    run_stale(c, 0);
}

/* The check alone leaves all but scratch as it was, and the 64-bit index in the register that it names. */
static void run_check(const code *c, uint64_t index) {
    bool allowed = may_access(c->subject, &c->plan, index);
    cpu_state before = state_before(c, index), after, wanted = before;
    if (c->subject->checks_nothing && !allowed)
        return;
    bool asks_nothing = mf_plan_has_step(&c->plan, MF_STEP_MMU);
    if (cpu_run(c->place.run, &before, &after) != (allowed || asks_nothing ? CPU_DONE : CPU_FAULT))
        give_up(c, "the check alone answers otherwise", index);
    if ((allowed || asks_nothing) && *register_of(&after, c->result.index) != index)
        give_up(c, "the check alone leaves another index", index);
    forget_scratch(c, &after, &wanted);
    compare_registers(c, &after, &wanted, index);
    checks++;
}

static void run_check_only(code *c) {
    mf_inline_options options = c->options;
    c->options.check_only = true;
    if (mf_inline_needs(&c->plan, &c->options, &c->need, NULL) == MF_OK) {
        make(c);
        visit_edges(c, run_check);
    }
    c->options = options;
}

/* What the client knows of its registers and its CPU. */
static void run_variants(code *c, bool has_movbe) {
    static uint8_t *low_table;
    if (low_table == NULL)
        low_table =
            mmap(NULL, 1 << 17, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    size_t table_bytes = mf_plan_table_bytes(&c->plan);
    mf_plan_fill_table(c->subject->layout, &c->plan, c->table);
    if (table_bytes > 0)
        memcpy(low_table, c->table, table_bytes);
    uint8_t *table = c->table;
    for (uint32_t bits = 0; bits < 8; bits++) {
        uint64_t place_of_table = random_below(&source, 3);
        const subject *s = c->subject;
        c->options.index_is_extended = bits & 1;
        c->options.endian = bits & 2 ? MF_BIG_ENDIAN : MF_LITTLE_ENDIAN;
        c->options.has_movbe = bits & 4;
        c->options.perms_are_in_table = random_one_in(&source, 2);
        c->options.table_address = 0;
        c->options.base_is_constant = s->base_is_constant;
        c->options.base_address = s->base_is_constant ? (uintptr_t)s->view.base : 0;
        c->options.has_fault_target = random_one_in(&source, 3) && !is_masked(c);
        c->options.fault_target = c->options.has_fault_target ? place_fault_distance() : 0;
        c->table = table_bytes > 0 ? table : NULL;
        if (table_bytes > 0 && place_of_table > 0)
            c->options.table_address = (uintptr_t)(place_of_table == 1 ? low_table : table);
        if ((bits & 4) && (!has_movbe || !(bits & 2)))
            continue;
        if ((bits & 1) && c->plan.index == MF_INDEX_U33)
            continue;
        run_code(c);
        run_stale_code(c);
        c->subject = s;
        if (bits < 2)
            run_check_only(c);
    }
    c->table = table;
}

static bool cpu_has_movbe(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_MOVBE) != 0;
}

static unsigned long plans_of[MF_CHECK_COUNT], steps_of[MF_STEP_COUNT];

static void run_accessors(const subject *s, const mf_accessor_options *options) {
    static uint8_t table[1 << 17];
    bool has_movbe = cpu_has_movbe();
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        subject here = *s;
        code c = {.subject = &here, .info = mf_accessor_info_get(id), .table = table};
        if (mf_plan_make(s->layout, id, options, &c.plan, NULL) != MF_OK)
            return;
        here.limit = options->policy == MF_POLICY_BOUNDS ? c.plan.limit : 0;
        here.checks_nothing = options->policy == MF_POLICY_NONE;
        plans_of[c.plan.check]++;
        for (uint32_t i = 0; i < c.plan.step_count; i++)
            steps_of[c.plan.steps[i].kind]++;
        run_variants(&c, has_movbe);
    }
}

/* ---- Options ---- */

static void run_strategies(const subject *s, mf_index index) {
    for (mf_strategy strategy = MF_STRATEGY_AUTO; strategy <= MF_STRATEGY_LAST; strategy++) {
        mf_accessor_options options = {.index = index, .strategy = strategy};
        run_accessors(s, &options);
        options.stale = MF_STALE_CHECK;
        options.spectre = MF_SPECTRE_MASK;
        run_accessors(s, &options);
        options.stale = MF_STALE_TRUST;
        options.spectre = MF_SPECTRE_NONE;
        options.hot_percent = 99;
        for (uint64_t page = 0; page < strlen(s->sample->pages); page += 3) {
            options.hot_address = (uint32_t)((s->sample->first_page + page) * MF_PAGE_SIZE);
            run_accessors(s, &options);
        }
    }
}

static void run_copy(const subject *s) {
    for (mf_index index = MF_INDEX_U32; index <= MF_INDEX_U33; index++) {
        run_strategies(s, index);
        mf_accessor_options options = {.index = index, .policy = MF_POLICY_BOUNDS};
        run_accessors(s, &options);
        options.spectre = MF_SPECTRE_MASK;
        run_accessors(s, &options);
        options = (mf_accessor_options){.index = index, .policy = MF_POLICY_NONE};
        run_accessors(s, &options);
    }
}

static void run_paged(const subject *s) {
    for (mf_index index = MF_INDEX_U32; index <= MF_INDEX_U33; index++) {
        mf_accessor_options options = {.index = index, .backend = MF_BACKEND_X86_PAGED};
        run_accessors(s, &options);
        options.stale = MF_STALE_CHECK;
        run_accessors(s, &options);
    }
}

/* ---- Layouts ---- */

static unsigned char live[MF_PERM_TABLE_PAGES];

/* Some bytes on each page that is looked at. */
static void place_bytes(const sample *s, mf_layout_builder *builder) {
    uint8_t bytes[MF_PAGE_SIZE];
    for (uint64_t page = s->first_page; page <= s->first_page + strlen(s->pages) && page < MF_SPACE_PAGES;
         page++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)random_u64(&source);
        if (live[page] != MF_PERM_NONE &&
            mf_layout_builder_set_bytes(builder, page * MF_PAGE_SIZE, bytes, sizeof bytes, NULL) != MF_OK)
            abort();
    }
}

static mf_layout *layout_make(const sample *s, mf_image **image, uint64_t *heap_base, uint32_t *heap_pages) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    sample_build(s, builder, live, heap_base, heap_pages);
    place_bytes(s, builder);
    if (mf_layout_builder_finish(builder, &layout, image, NULL) != MF_OK)
        abort();
    mf_layout_builder_destroy(builder);
    return layout;
}

static void grow(mf_memory *memory, uint32_t pages) {
    uint64_t top;
    if (mf_memory_sbrk(memory, (uint64_t)pages * MF_PAGE_SIZE, &top, NULL) != MF_OK)
        abort();
    for (uint64_t i = top; i < top + (uint64_t)pages * MF_PAGE_SIZE; i += 8) {
        uint64_t bytes = random_u64(&source);
        if (!mf_memory_write(memory, (uint32_t)i, &bytes, sizeof bytes))
            abort();
    }
}

/* The heap empty, with one page, and full. */
static void run_sample(const sample *s, mf_backend backend) {
    uint64_t heap_base = 0;
    uint32_t heap_pages = 0;
    mf_image *image;
    mf_memory *memory;
    mf_layout *layout = layout_make(s, &image, &heap_base, &heap_pages);
    if (mf_memory_create(layout, image, backend, &memory, NULL) != MF_OK)
        abort();
    for (uint32_t grown = 0; grown <= heap_pages;
         grown = grown == 1 && heap_pages > 2 ? heap_pages : grown + 1) {
        if (grown > 0)
            grow(memory, grown == 1 ? 1 : heap_pages > 2 ? heap_pages - 1 : 1);
        subject here = {.sample = s, .layout = layout, .view = *mf_memory_view(memory)};
        here.perms = here.view.perms;
        if (backend == MF_BACKEND_COPY)
            run_copy(&here);
        else
            run_paged(&here);
    }
    mf_memory_destroy(memory);
    mf_layout_release(layout);
    mf_image_release(image);
}

/* ---- Constant bases: bytes at a low host address that stand for a copy memory ---- */

#define LOW_BASE UINT64_C(0x20000000)

static void run_constant_base(const sample *s, uint64_t base) {
    uint64_t heap_base = 0;
    uint32_t heap_pages = 0;
    mf_image *image;
    mf_layout *layout = layout_make(s, &image, &heap_base, &heap_pages);
    subject here = {.sample = s, .layout = layout, .perms = live, .base_is_constant = true};
    here.view = (mf_view){.base = (unsigned char *)base,
                          .perms = live,
                          .heap_end = heap_base,
                          .layout_stamp = MF_LAYOUT_STAMP(mf_layout_fingerprint(layout), MF_BACKEND_COPY),
                          .u33_stamp = MF_LAYOUT_STAMP(mf_layout_fingerprint(layout), MF_BACKEND_COPY)};
    run_strategies(&here, MF_INDEX_U32);
    run_strategies(&here, MF_INDEX_U33);
    mf_accessor_options options = {.policy = MF_POLICY_NONE};
    run_accessors(&here, &options);
    mf_layout_release(layout);
    mf_image_release(image);
}

static void run_constant_bases(void) {
    static const sample LOW[] = {{"wwww", 0}, {".rw.", 0}, {"w.r.w", 0}};
    static const sample HIGH[] = {
        {"wwww", LOW_BASE >> 12}, {".rw.", LOW_BASE >> 12}, {"w.r.w", LOW_BASE >> 12}};
    void *bytes = mmap((void *)LOW_BASE, 16 * MF_PAGE_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (bytes != (void *)LOW_BASE)
        abort();
    for (size_t i = 0; i < 16 * MF_PAGE_SIZE; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)random_u64(&source);
    for (size_t i = 0; i < 3; i++) {
        run_constant_base(&LOW[i], LOW_BASE);
        run_constant_base(&HIGH[i], 0);
    }
}

/* ---- Main ---- */

static void print_runs(const char *part) {
    printf("%s: %lu codes, %lu runs, %lu faults, %lu mispredicted, %lu stale, %lu checks alone, %lu masks "
           "that do not fit\n",
           part, codes, runs, faults, masked_runs, stale_runs, checks, misfits);
    codes = runs = faults = masked_runs = stale_runs = checks = misfits = 0;
}

int main(void) {
    for (size_t i = 0; i < SAMPLE_COUNT; i++)
        run_sample(&SAMPLES[i], MF_BACKEND_COPY);
    print_runs("copy");
    for (size_t i = 0; i < SAMPLE_COUNT; i++)
        run_sample(&SAMPLES[i], MF_BACKEND_X86_PAGED);
    print_runs("x86_paged");
    run_constant_bases();
    print_runs("constant base");
    for (mf_check check = 0; check < MF_CHECK_RANGE; check++)
        printf("%s %s\n", mf_check_name(check), plans_of[check] > 0 ? "compared" : "NOT SEEN");
    for (mf_step_kind kind = 0; kind < MF_STEP_IS_EMPTY; kind++)
        if (steps_of[kind] == 0)
            printf("step %s NOT SEEN\n", mf_step_name(kind));
    for (uint32_t which = 0; which < 7; which++)
        for (uint32_t number = 0; number < 16; number++)
            if (role_seen[which][number] != (number != CPU_RSP))
                printf("role %u of register %u NOT SEEN\n", (unsigned)which, (unsigned)number);
    printf("all agree, the longest code has %u bytes\n", longest);
    return 0;
}
