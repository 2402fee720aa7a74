/*
 * Two CPUs: what one changes, the other one obeys at once, and both fault at the same time.
 *
 * RUN: %bare-sets %t.sets
 * RUN: %bare-cc %s %t.sets/le_return_view_u32.o -o %t
 * RUN: %boot %t -smp 2 | FileCheck %s
 * RUN: %bare-cc -DKERNEL_FRAMES=MF_BARE_FRAMES_AT_TOUCH %s %t.sets/le_return_view_u32.o -o %t.touch
 * RUN: %boot %t.touch -smp 2 | FileCheck %s
 *
 * CHECK: without_telling_it_uses_what_it_had: {{[1-9][0-9]*}} stale stores
 * CHECK-NEXT: the_other_cpu_obeys_at_once: 1200 changes, 0 stale stores
 * CHECK-NEXT: faults on both: 40000 and 40000
 * CHECK-NEXT: all given back
 */
#include "kernel.h"

#include <memfold/accessors.h>
#include <memfold/memory.h>

#include <stdio.h>
#include <stdlib.h>

extern const mf_accessors le_return_view_u32_accessors;

#define ACCESSORS (&le_return_view_u32_accessors)

static mf_memory *memory;

/* ---- One stores, the other one changes permissions ------------------------------------------- */

enum { PAGES = 4, STORES_PER_PHASE = 4, ROUNDS = 300 };

/* The status that a store has now; while CHANGING it may be any. */
enum { CHANGING = 99 };
static volatile unsigned expected;
static volatile bool is_over;
static volatile unsigned stores_of_phase;
static volatile unsigned stale, refused_wrongly;

static void note(unsigned wanted, unsigned status) {
    if (status == MF_FAULT_NONE && wanted != MF_FAULT_NONE)
        stale++;
    else if (status != wanted)
        refused_wrongly++;
    stores_of_phase++;
}

/*
 * A store counts if nothing has changed from before it until after it. The TLB is flushed first: it may have
 * kept what it was not told of.
 */
static void store_on_and_on(void) {
    mf_view view;
    kernel_root_use(kernel_root());
    mf_view_attach(&view, memory);
    for (unsigned i = 0; !is_over; i++) {
        unsigned before = __atomic_load_n(&expected, __ATOMIC_SEQ_CST);
        unsigned status = ACCESSORS->store_u8(&view, i % PAGES * MF_PAGE_SIZE, 1);
        unsigned after = __atomic_load_n(&expected, __ATOMIC_SEQ_CST);
        if (before == after && before != CHANGING)
            note(before, status);
    }
    mf_view_detach(&view);
}

static void change(mf_perm perm, unsigned status) {
    __atomic_store_n(&expected, CHANGING, __ATOMIC_SEQ_CST);
    CHECK(mf_memory_protect(memory, 0, PAGES * MF_PAGE_SIZE, perm, NULL) == MF_OK);
    stores_of_phase = 0;
    __atomic_store_n(&expected, status, __ATOMIC_SEQ_CST);
    while (stores_of_phase < STORES_PER_PHASE)
        __asm__ volatile("pause");
}

static void change_again_and_again(unsigned rounds) {
    stale = refused_wrongly = 0;
    expected = CHANGING;
    is_over = false;
    CHECK(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &memory, NULL) == MF_OK);
    CHECK(mf_memory_map_region(memory, 0, PAGES * MF_PAGE_SIZE, MF_READ_WRITE, NULL, 0, NULL) == MF_OK);
    kernel_second_cpu_call(store_on_and_on);
    for (unsigned i = 0; i < rounds; i++) {
        change(MF_PERM_RW, MF_FAULT_NONE);
        change(MF_PERM_RO, MF_WRITE_PROTECTED);
        change(MF_PERM_RW, MF_FAULT_NONE);
        change(MF_PERM_NONE, MF_PAGE_FAULT);
    }
    is_over = true;
    while (!kernel_second_cpu_is_idle())
        __asm__ volatile("pause");
    CHECK(refused_wrongly == 0);
    mf_memory_destroy(memory);
}

/* So the test would notice. */
static void without_telling_it_uses_what_it_had(void) {
    kernel_tells_others = false;
    change_again_and_again(20);
    kernel_tells_others = true;
    printf("without_telling_it_uses_what_it_had: %u stale stores\n", stale);
}

static void the_other_cpu_obeys_at_once(void) {
    unsigned told = kernel_times_told;
    change_again_and_again(ROUNDS);
    printf("the_other_cpu_obeys_at_once: %u changes, %u stale stores\n", 4 * ROUNDS, stale);
    /* Of rights that go, for all pages at once, and twice at the end. */
    CHECK(kernel_times_told - told <= 2 * ROUNDS + 2);
}

/* ---- Both fault ------------------------------------------------------------------------------- */

enum { LIVES = 40, FAULTS_PER_LIFE = 1000 };
static volatile unsigned faults[2];

static void touch(mf_view *view, void *context) {
    *(volatile unsigned char *)((uintptr_t)view->base + (uintptr_t)context) = 1;
}

/* Half by the table and half by frames, in memories that come and go beside the other CPU's. */
static void fault_on_and_on(void) {
    for (unsigned life = 0; life < LIVES; life++) {
        mf_memory *m;
        CHECK(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &m, NULL) == MF_OK);
        CHECK(mf_memory_map_region(m, 0, MF_PAGE_SIZE, MF_READ_ONLY, "a", 1, NULL) == MF_OK);
        mf_view *view = mf_memory_view(m);
        for (uint32_t i = 0; i < FAULTS_PER_LIFE; i += 2) {
            mf_fault fault;
            CHECK(ACCESSORS->store_u32(view, MF_PAGE_SIZE - 1, 1) == MF_WRITE_PROTECTED);
            CHECK(view->fault.page == 0 && ACCESSORS->load_u8(view, 0).value == 'a');
            CHECK(!mf_guard_run(view, touch, (void *)(uintptr_t)(MF_PAGE_SIZE + i), &fault));
            CHECK(fault.kind == MF_PAGE_FAULT && fault.address == MF_PAGE_SIZE + i);
            faults[this_cpu()->number] += 2;
        }
        mf_memory_destroy(m);
    }
}

int main(void) {
    kernel_second_cpu_start();
    without_telling_it_uses_what_it_had();
    the_other_cpu_obeys_at_once();
    kernel_second_cpu_call(fault_on_and_on);
    fault_on_and_on();
    while (!kernel_second_cpu_is_idle())
        __asm__ volatile("pause");
    printf("faults on both: %u and %u\n", faults[0], faults[1]);
    CHECK(kernel.frames_taken == 0 && kernel.reservations == 0);
    puts("all given back");
    return 0;
}
