/*
 * Frames at first touch: what is taken and when, images in shared frames, what reset, clone and populate
 * cost, frames that run out in the middle of an access, and two CPUs at the same pages.
 *
 * RUN: %bare-sets %t.sets
 * RUN: %bare-cc -DKERNEL_FRAMES=MF_BARE_FRAMES_AT_TOUCH %s %t.sets/le_return_view_u32.o -o %t
 * RUN: %boot %t -smp 2 | FileCheck %s
 *
 * CHECK: frames_follow_what_is_touched
 * CHECK-NEXT: a_huge_frame_at_once
 * CHECK-NEXT: an_image_in_a_huge_frame
 * CHECK-NEXT: an_image_is_shared_until_a_store
 * CHECK-NEXT: reset_restores_what_is_dirty
 * CHECK-NEXT: a_clone_copies_what_is_dirty
 * CHECK-NEXT: a_frozen_memory_is_an_image
 * CHECK-NEXT: a_range_is_populated_or_not
 * CHECK-NEXT: frames_that_are_found_meanwhile
 * CHECK-NEXT: a_guest_that_ends_for_want_of_frames
 * CHECK-NEXT: without_telling_it_reads_what_was: {{[1-9][0-9]*}} stale loads
 * CHECK-NEXT: both_see_what_both_store: {{[1-9][0-9]*}} pages, 0 stale loads
 * CHECK-NEXT: a_heap_grows_beside_touches
 * CHECK-NEXT: all given back
 *
 * A kernel that has no idea what to do then:
 * RUN: %bare-cc -DKERNEL_FRAMES=MF_BARE_FRAMES_AT_TOUCH -DKERNEL_HAS_NO_OUT_OF_FRAMES %s \
 * RUN:     %t.sets/le_return_view_u32.o -o %t.panics
 * RUN: not %boot %t.panics | FileCheck %s --check-prefix=PANIC
 *
 * PANIC: the kernel has no frame for the page at 0x5000, which the guest may access, by the instruction at 0x
 */
#include "kernel.h"

#include <memfold/accessors.h>
#include <memfold/layout.h>
#include <memfold/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const mf_accessors le_return_view_u32_accessors;

#define ACCESSORS (&le_return_view_u32_accessors)

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* An image of 16 read-only pages and 600 read-write ones; beside it 1 GiB of zeros and a heap. */
enum { RODATA = 0x10000, DATA = 0x400000, RODATA_PAGES = 16, DATA_PAGES = 600, IMAGE_PAGES = 616 };
#define ZEROS UINT64_C(0x40000000)
#define HEAP UINT64_C(0xf0000000)

/* Tables for a page that lies alone in its GiB. */
enum { TABLES_OF_A_PAGE = 2 };

static mf_layout *layout;
static mf_image *image;

static unsigned char byte_of(uint64_t page) {
    return (unsigned char)(page * 7 + 1);
}

static void make_layout(void) {
    static unsigned char bytes[DATA_PAGES * MF_PAGE_SIZE];
    mf_layout_builder *b = mf_layout_builder_create();
    for (unsigned i = 0; i < DATA_PAGES; i++)
        memset(bytes + (size_t)i * MF_PAGE_SIZE, byte_of(i), MF_PAGE_SIZE);
    CHECK(mf_layout_builder_map_region(b, RODATA, RODATA_PAGES * MF_PAGE_SIZE, MF_READ_ONLY, bytes,
                                       RODATA_PAGES * MF_PAGE_SIZE, NULL) == MF_OK);
    CHECK(mf_layout_builder_map_region(b, DATA, sizeof bytes, MF_READ_WRITE, bytes, sizeof bytes, NULL) ==
          MF_OK);
    CHECK(mf_layout_builder_map_region(b, ZEROS, GIB, MF_READ_WRITE, NULL, 0, NULL) == MF_OK);
    CHECK(mf_layout_builder_set_heap(b, HEAP, 4096, NULL) == MF_OK);
    CHECK(mf_layout_builder_finish(b, &layout, &image, NULL) == MF_OK);
    mf_layout_builder_destroy(b);
}

static mf_memory *create_with(mf_huge_pages huge_pages) {
    mf_memory *m;
    mf_memory_config config = {.backend = MF_BACKEND_X86_PAGED, .huge_pages = huge_pages};
    CHECK(mf_memory_create_with(layout, image, &config, &m, NULL) == MF_OK);
    return m;
}

static mf_memory *create(void) {
    return create_with(MF_HUGE_PAGES_NEVER);
}

static unsigned char load(mf_memory *m, uint64_t address) {
    mf_load_result loaded = ACCESSORS->load_u8(mf_memory_view(m), (uint32_t)address);
    CHECK(loaded.status == MF_FAULT_NONE);
    return (unsigned char)loaded.value;
}

static void store(mf_memory *m, uint64_t address, unsigned char byte) {
    CHECK(ACCESSORS->store_u8(mf_memory_view(m), (uint32_t)address, byte) == MF_FAULT_NONE);
}

static uint64_t page_of_data(uint64_t i) {
    return DATA + i * MF_PAGE_SIZE;
}

/* The frame that the tables have for a byte; the bits of the entry say what it may be. */
static uint64_t entry_of(const mf_memory *m, uint64_t address) {
    uint64_t at = (uint64_t)(uintptr_t)mf_memory_view((mf_memory *)(uintptr_t)m)->base + address;
    uint64_t table = kernel_root();
    for (unsigned shift = 39;; shift -= 9) {
        table &= UINT64_C(0xffffffffff000);
        uint64_t word = ((const uint64_t *)(DIRECT_MAP + table))[at >> shift & 511];
        if ((word & 1) == 0)
            return 0;
        if (shift == 12 || (shift == 21 && (word & 0x80) != 0))
            return word;
        table = word;
    }
}

static uint64_t frame_of(const mf_memory *m, uint64_t address) {
    return entry_of(m, address) & UINT64_C(0xffffffffff000);
}

/* ---- What is taken, and when ------------------------------------------------------------------ */

static void frames_follow_what_is_touched(void) {
    mf_memory *m = create();
    unsigned before = kernel.frames_taken;
    for (unsigned i = 0; i < 10; i++)
        CHECK(load(m, ZEROS + i * 3 * MF_PAGE_SIZE) == 0);
    CHECK(kernel.frames_taken == before + 10 + TABLES_OF_A_PAGE);
    store(m, ZEROS + 27 * MF_PAGE_SIZE + 5, 9);
    CHECK(kernel.frames_taken == before + 10 + TABLES_OF_A_PAGE);
    store(m, ZEROS + GIB - 1, 1);
    CHECK(kernel.frames_taken == before + 12 + TABLES_OF_A_PAGE);
    /* A guest's faults take nothing, also at the edge of a page that was not touched yet. */
    CHECK(ACCESSORS->store_u32(mf_memory_view(m), RODATA, 1) == MF_WRITE_PROTECTED);
    CHECK(ACCESSORS->load_u8(mf_memory_view(m), 0).status == MF_PAGE_FAULT);
    CHECK(ACCESSORS->load_u8(mf_memory_view(m), HEAP).status == MF_PAGE_FAULT);
    CHECK(kernel.frames_taken == before + 12 + TABLES_OF_A_PAGE);
    CHECK(ACCESSORS->store_u64(mf_memory_view(m), (uint32_t)(ZEROS - 4), 1) == MF_PAGE_FAULT);
    CHECK(mf_memory_last_fault(m).page == ZEROS - MF_PAGE_SIZE);
    CHECK(load(m, ZEROS) == 0 && load(m, ZEROS + 27 * MF_PAGE_SIZE + 5) == 9);
    /* What has no permission keeps its frames, and gives them back when it has no bytes. */
    unsigned touched = kernel.frames_taken;
    CHECK(mf_memory_protect(m, ZEROS, MIB, MF_PERM_NONE, NULL) == MF_OK);
    CHECK(mf_memory_protect(m, ZEROS, MIB, MF_PERM_RO, NULL) == MF_OK);
    CHECK(load(m, ZEROS + 27 * MF_PAGE_SIZE + 5) == 9 && kernel.frames_taken == touched);
    CHECK(mf_memory_unmap(m, ZEROS, GIB, NULL) == MF_OK);
    CHECK(kernel.frames_taken == before);
    mf_memory_destroy(m);
}

static void a_huge_frame_at_once(void) {
    mf_memory *m = create_with(MF_HUGE_PAGES_ALLOWED);
    unsigned before = kernel.frames_taken;
    unsigned huge = kernel.huge_taken;
    CHECK(load(m, ZEROS + 5 * MF_PAGE_SIZE) == 0);
    CHECK(kernel.huge_taken == huge + 1 && kernel.frames_taken == before + 512 + 1);
    for (uint64_t at = ZEROS; at < ZEROS + 2 * MIB; at += MF_PAGE_SIZE)
        store(m, at, 3);
    CHECK(kernel.frames_taken == before + 512 + 1);
    /* None left of those: small ones. */
    kernel.frames_most = kernel.frames_taken + 100;
    store(m, ZEROS + 2 * MIB, 4);
    kernel.frames_most = UINT32_MAX;
    CHECK(kernel.huge_taken == huge + 1 && kernel.frames_taken == before + 512 + 1 + 2);
    CHECK(mf_memory_reset(m, NULL) == MF_OK);
    CHECK(kernel.frames_taken <= before + 2 && load(m, ZEROS) == 0);
    mf_memory_destroy(m);
}

/* With frames at map, bytes of an image in a part of a huge frame do not split it. */
static void an_image_in_a_huge_frame(void) {
    kernel.frames = MF_BARE_FRAMES_AT_MAP;
    mf_layout_builder *b = mf_layout_builder_create();
    mf_layout *large;
    mf_image *small;
    mf_memory *m;
    unsigned before = kernel.frames_taken;
    CHECK(mf_layout_builder_map_region(b, DATA, 4 * MIB, MF_READ_WRITE, "bytes", 5, NULL) == MF_OK);
    CHECK(mf_layout_builder_finish(b, &large, &small, NULL) == MF_OK);
    CHECK(mf_memory_create(large, small, MF_BACKEND_X86_PAGED, &m, NULL) == MF_OK);
    CHECK((entry_of(m, DATA) & 0x80) != 0 && load(m, DATA + 4) == 's' && load(m, DATA + 5) == 0);
    store(m, DATA + 4, 1);
    store(m, DATA + MIB, 1);
    CHECK(mf_memory_map_region(m, DATA + 2 * MIB, MF_PAGE_SIZE, MF_READ_WRITE, "x", 1, NULL) == MF_OK);
    CHECK((entry_of(m, DATA + 2 * MIB) & 0x80) != 0);
    CHECK(mf_memory_reset(m, NULL) == MF_OK && load(m, DATA + 4) == 's' && load(m, DATA + MIB) == 0);
    CHECK(load(m, DATA + 2 * MIB) == 0);
    mf_memory_destroy(m);
    mf_layout_release(large);
    mf_image_release(small);
    mf_layout_builder_destroy(b);
    CHECK(kernel.frames_taken == before);
    kernel.frames = MF_BARE_FRAMES_AT_TOUCH;
}

/* ---- Images ----------------------------------------------------------------------------------- */

static void an_image_is_shared_until_a_store(void) {
    unsigned with_image = kernel.frames_taken;
    mf_memory *m[4];
    for (unsigned i = 0; i < 4; i++)
        m[i] = create();
    /* Of each memory: tables only. */
    CHECK(kernel.frames_taken <= with_image + 4 * 8);
    for (unsigned page = 0; page < DATA_PAGES; page += 7)
        for (unsigned i = 0; i < 4; i++) {
            CHECK(load(m[i], page_of_data(page) + 99) == byte_of(page));
            CHECK(frame_of(m[i], page_of_data(page)) == frame_of(m[0], page_of_data(page)));
        }
    unsigned before = kernel.frames_taken;
    store(m[1], page_of_data(5) + 7, 200);
    store(m[2], page_of_data(5) + 8, 201);
    CHECK(kernel.frames_taken == before + 2);
    CHECK(frame_of(m[1], page_of_data(5)) != frame_of(m[0], page_of_data(5)));
    CHECK(load(m[1], page_of_data(5) + 7) == 200 && load(m[1], page_of_data(5) + 8) == byte_of(5));
    CHECK(load(m[2], page_of_data(5) + 8) == 201 && load(m[0], page_of_data(5) + 7) == byte_of(5));
    /* Read-only bytes stay one for all, and what makes them writable copies what is written. */
    CHECK(frame_of(m[3], RODATA) == frame_of(m[0], RODATA));
    CHECK(mf_memory_map_region(m[3], RODATA, 2 * MF_PAGE_SIZE, MF_READ_WRITE, "x", 1, NULL) == MF_OK);
    CHECK(load(m[3], RODATA) == 'x' && load(m[3], RODATA + 1) == byte_of(0) &&
          load(m[0], RODATA) == byte_of(0));
    CHECK(frame_of(m[3], RODATA + MF_PAGE_SIZE) == frame_of(m[0], RODATA + MF_PAGE_SIZE));
    /* Gone bytes are zero, not the image's; reset brings those back. */
    CHECK(mf_memory_unmap(m[0], page_of_data(9), MF_PAGE_SIZE, NULL) == MF_OK);
    CHECK(mf_memory_map_region(m[0], page_of_data(9), MF_PAGE_SIZE, MF_READ_WRITE, NULL, 0, NULL) == MF_OK);
    CHECK(load(m[0], page_of_data(9)) == 0 && load(m[1], page_of_data(9)) == byte_of(9));
    CHECK(mf_memory_reset(m[0], NULL) == MF_OK && load(m[0], page_of_data(9)) == byte_of(9));
    for (unsigned i = 0; i < 4; i++)
        mf_memory_destroy(m[i]);
    CHECK(kernel.frames_taken == with_image);
}

/* ---- Reset and clone -------------------------------------------------------------------------- */

static void dirty(mf_memory *m, unsigned pages) {
    for (unsigned i = 0; i < pages; i++)
        store(m, page_of_data(i) + i, 250);
}

static bool is_as_created(mf_memory *m) {
    static unsigned char page[MF_PAGE_SIZE];
    bool is_so = true;
    for (unsigned i = 0; i < DATA_PAGES; i++) {
        CHECK(mf_memory_read(m, (uint32_t)page_of_data(i), page, sizeof page));
        for (unsigned k = 0; k < MF_PAGE_SIZE; k++)
            is_so = is_so && page[k] == byte_of(i);
    }
    return is_so;
}

static void reset_restores_what_is_dirty(void) {
    mf_memory *m = create();
    unsigned before = kernel.frames_taken;
    kernel_use_own_entry();
    dirty(m, 100);
    CHECK(kernel.frames_taken == before + 100);
    uint64_t old_top;
    CHECK(mf_memory_sbrk(m, 5 * MF_PAGE_SIZE, &old_top, NULL) == MF_OK);
    store(m, HEAP, 7);
    unsigned told = kernel_times_told;
    CHECK(mf_memory_reset(m, NULL) == MF_OK && is_as_created(m));
    /* Neighbours in one go. */
    CHECK(kernel_times_told - told <= 4);
    /* What was dirty keeps its frames, so the next life does not fault for them, and is noticed all the same.
     */
    unsigned retries = kernel.retries;
    dirty(m, 100);
    CHECK(kernel.retries == retries && !is_as_created(m));
    CHECK(mf_memory_reset(m, NULL) == MF_OK && is_as_created(m));
    for (unsigned life = 0; life < 3; life++) {
        CHECK((entry_of(m, page_of_data(3)) & 0x40) == 0);
        store(m, page_of_data(3), 1);
        CHECK((entry_of(m, page_of_data(3)) & 0x40) != 0 && kernel.retries == retries);
        CHECK(mf_memory_reset(m, NULL) == MF_OK);
    }
    /* A life that was large leaves nothing. */
    dirty(m, 300);
    CHECK(mf_memory_reset(m, NULL) == MF_OK && is_as_created(m));
    CHECK(kernel.frames_taken <= before + 4);
    /* Other permissions too. */
    dirty(m, 20);
    CHECK(mf_memory_protect(m, DATA, 10 * MF_PAGE_SIZE, MF_PERM_NONE, NULL) == MF_OK);
    CHECK(mf_memory_unmap(m, page_of_data(50), 100 * MF_PAGE_SIZE, NULL) == MF_OK);
    CHECK(mf_memory_reset(m, NULL) == MF_OK && is_as_created(m));
    mf_memory_destroy(m);
}

static void a_clone_copies_what_is_dirty(void) {
    mf_memory *m = create();
    mf_memory *clone;
    dirty(m, 16);
    store(m, ZEROS + 77, 8);
    CHECK(load(m, ZEROS + MIB) == 0);
    unsigned before = kernel.frames_taken;
    CHECK(mf_memory_clone(m, &clone, NULL) == MF_OK);
    /* 17 pages and tables: four levels of the image's and the zeros', and the heap has none. */
    CHECK(kernel.frames_taken <= before + 17 + 10);
    for (unsigned i = 0; i < DATA_PAGES; i++)
        CHECK(load(clone, page_of_data(i) + i) == (i < 16 ? 250 : byte_of(i)));
    CHECK(load(clone, ZEROS + 77) == 8);
    store(clone, page_of_data(3) + 3, 1);
    CHECK(load(m, page_of_data(3) + 3) == 250);
    CHECK(mf_memory_reset(clone, NULL) == MF_OK && is_as_created(clone) && load(clone, ZEROS + 77) == 0);
    mf_memory_destroy(clone);
    /* After other changes: gone bytes of the image are gone in the clone, and hidden ones hidden. */
    CHECK(mf_memory_unmap(m, page_of_data(20), MF_PAGE_SIZE, NULL) == MF_OK);
    CHECK(mf_memory_map_region(m, page_of_data(20), MF_PAGE_SIZE, MF_READ_WRITE, NULL, 0, NULL) == MF_OK);
    CHECK(mf_memory_protect(m, page_of_data(1), MF_PAGE_SIZE, MF_PERM_NONE, NULL) == MF_OK);
    CHECK(mf_memory_clone(m, &clone, NULL) == MF_OK);
    CHECK(load(clone, page_of_data(20)) == 0 && load(clone, page_of_data(21)) == byte_of(21));
    CHECK(ACCESSORS->load_u8(mf_memory_view(clone), (uint32_t)page_of_data(1)).status == MF_PAGE_FAULT);
    CHECK(mf_memory_protect(clone, page_of_data(1), MF_PAGE_SIZE, MF_PERM_RO, NULL) == MF_OK);
    CHECK(load(clone, page_of_data(1) + 1) == 250);
    mf_memory_destroy(clone);
    mf_memory_destroy(m);
}

/* What begins with the image shares its frames; the memory itself goes on, and its reset too. */
static void a_frozen_memory_is_an_image(void) {
    mf_memory *m = create();
    mf_memory *begun[2];
    mf_image *frozen;
    uint64_t old_top;
    dirty(m, 20);
    CHECK(mf_memory_sbrk(m, 3 * MF_PAGE_SIZE, &old_top, NULL) == MF_OK);
    store(m, HEAP + MF_PAGE_SIZE, 99);
    CHECK(mf_memory_protect(m, page_of_data(5), MF_PAGE_SIZE, MF_PERM_NONE, NULL) == MF_OK);
    unsigned before = kernel.frames_taken;
    CHECK(mf_memory_freeze(m, &frozen, NULL) == MF_OK);
    for (unsigned i = 0; i < 2; i++)
        CHECK(mf_memory_create(NULL, frozen, MF_BACKEND_X86_PAGED, &begun[i], NULL) == MF_OK);
    CHECK(mf_memory_heap_top(begun[0]) == HEAP + 3 * MF_PAGE_SIZE);
    store(begun[0], page_of_data(2) + 2, 1);
    for (unsigned life = 0; life < 2; life++) {
        CHECK(load(begun[1], page_of_data(2) + 2) == 250 && load(begun[1], HEAP + MF_PAGE_SIZE) == 99);
        CHECK(load(begun[life], page_of_data(30)) == byte_of(30) && load(begun[life], HEAP) == 0);
        CHECK(ACCESSORS->load_u8(mf_memory_view(begun[life]), (uint32_t)page_of_data(5)).status ==
              MF_PAGE_FAULT);
        CHECK(frame_of(begun[0], page_of_data(19)) == frame_of(begun[1], page_of_data(19)));
        CHECK(mf_memory_sbrk(begun[life], MF_PAGE_SIZE, &old_top, NULL) == MF_OK);
        CHECK(mf_memory_reset(begun[life], NULL) == MF_OK && load(begun[life], page_of_data(2) + 2) == 250);
        CHECK(mf_memory_heap_top(begun[life]) == HEAP + 3 * MF_PAGE_SIZE);
    }
    CHECK(mf_memory_protect(begun[1], page_of_data(5), MF_PAGE_SIZE, MF_PERM_RO, NULL) == MF_OK);
    CHECK(load(begun[1], page_of_data(5) + 5) == 250);
    CHECK(mf_memory_reset(m, NULL) == MF_OK && is_as_created(m) && mf_memory_heap_top(m) == HEAP);
    for (unsigned i = 0; i < 2; i++)
        mf_memory_destroy(begun[i]);
    mf_image_release(frozen);
    CHECK(kernel.frames_taken <= before);
    mf_memory_destroy(m);
}

/* ---- Frames that run out ------------------------------------------------------------------------ */

static void a_range_is_populated_or_not(void) {
    mf_memory *m = create();
    store(m, page_of_data(2), 250);
    unsigned before = kernel.frames_taken;
    unsigned refusals = 0;
    kernel.frames_most = before;
    while (mf_bare_populate(m, DATA, 32 * MF_PAGE_SIZE, NULL) == MF_OUT_OF_MEMORY) {
        CHECK(kernel.frames_taken == before);
        kernel.frames_most = before + ++refusals;
    }
    CHECK(refusals == 31 && kernel.frames_taken == before + 31 && kernel.frames_missed == 0);
    CHECK(mf_bare_populate(m, DATA, 32 * MF_PAGE_SIZE, NULL) == MF_OK);
    for (unsigned i = 0; i < 32; i++) {
        CHECK(load(m, page_of_data(i) + 1) == byte_of(i));
        store(m, page_of_data(i), 3);
    }
    CHECK(kernel.frames_missed == 0);
    CHECK(mf_bare_populate(m, DATA + 1, MF_PAGE_SIZE, NULL) == MF_UNALIGNED_START);
    CHECK(mf_bare_populate(m, 0, 0, NULL) == MF_OK);
    kernel.frames_most = UINT32_MAX;
    CHECK(mf_memory_reset(m, NULL) == MF_OK && is_as_created(m));
    mf_memory_destroy(m);
}

static void find_frames(mf_bare_registers *registers, uint64_t address) {
    (void)registers, (void)address;
    kernel.frames_most++;
}

/* The first touch in a GiB, from nothing to the page: two tables and its frame. */
static void frames_that_are_found_meanwhile(void) {
    mf_memory *m = create();
    kernel.out_of_frames = find_frames;
    kernel.frames_missed = 0;
    kernel.frames_most = kernel.frames_taken;
    store(m, ZEROS + 12345, 77);
    CHECK(kernel.frames_missed == 3 && load(m, ZEROS + 12345) == 77);
    store(m, page_of_data(8), 78);
    CHECK(kernel.frames_missed == 4 && load(m, page_of_data(8)) == 78);
    CHECK(mf_memory_fill(m, (uint32_t)ZEROS, 5, 10 * MF_PAGE_SIZE) && kernel.frames_missed == 4 + 9);
    kernel.frames_most = UINT32_MAX;
    mf_memory_destroy(m);
}

static void leave(mf_bare_registers *registers, uint64_t address) {
    CHECK(mf_bare_guard_leave(registers, address));
}

static void run_out(mf_view *view, void *context) {
    for (uint32_t at = *(uint32_t *)context;; at += MF_PAGE_SIZE)
        CHECK(ACCESSORS->store_u8(view, at, 1) == MF_FAULT_NONE);
}

static void a_guest_that_ends_for_want_of_frames(void) {
    mf_memory *m = create();
    uint32_t start = (uint32_t)page_of_data(10) + 3;
    mf_fault fault;
    kernel.out_of_frames = leave;
    kernel.frames_most = kernel.frames_taken + 4;
    CHECK(!mf_guard_run(mf_memory_view(m), run_out, &start, &fault));
    CHECK(fault.kind == MF_FAULT_NONE && fault.operation == MF_STORE);
    CHECK(fault.page == page_of_data(14) && fault.address == page_of_data(14) + 3);
    /* Nothing is broken: with frames it goes on. */
    kernel.frames_most = UINT32_MAX;
    store(m, page_of_data(14) + 3, 1);
    CHECK(load(m, page_of_data(13) + 3) == 1 && this_cpu()->guard == NULL);
    mf_bare_registers registers = {0};
    CHECK(!mf_bare_guard_leave(&registers, (uint64_t)(uintptr_t)mf_memory_view(m)->base));
    mf_memory_destroy(m);
}

/* ---- Two CPUs at the same pages ------------------------------------------------------------------ */

/* Few pages and rounds: where the host has one core for both CPUs, each meeting takes a time slice of it. */
enum { ROUNDS = 3, PAGES_APART = 13, PAGES_OF_BOTH = DATA_PAGES / PAGES_APART + 1 };
static mf_memory *both;
static mf_view views[2];
static volatile unsigned arrived[2];
static volatile unsigned stale_loads;

/* Both CPUs come here, and then both go on. */
static void meet(unsigned cpu, unsigned step) {
    __atomic_store_n(&arrived[cpu], step, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&arrived[1 - cpu], __ATOMIC_SEQ_CST) < step)
        __asm__ volatile("pause");
}

static unsigned char view_load(mf_view *view, uint64_t address) {
    mf_load_result loaded = ACCESSORS->load_u8(view, (uint32_t)address);
    CHECK(loaded.status == MF_FAULT_NONE);
    return (unsigned char)loaded.value;
}

/* Of three pages one is for both CPUs to store to, and one for each of them alone. */
static bool stores_to(unsigned cpu, unsigned page) {
    return page % 3 == 2 || page % 3 == cpu;
}

/*
 * Both read the page, so both have the shared frame in their TLBs. Then one stores a byte, or each one of its
 * own at once, and the other must see it. Pages of zeros are touched first by both at once.
 */
static void store_beside(unsigned cpu) {
    mf_view *view = &views[cpu];
    for (unsigned i = 0; i < DATA_PAGES; i += PAGES_APART) {
        uint64_t zeros = ZEROS + (uint64_t)i * 5 * MF_PAGE_SIZE;
        CHECK(view_load(view, page_of_data(i) + cpu) == byte_of(i));
        meet(cpu, 2 * i + 1);
        if (stores_to(cpu, i))
            CHECK(ACCESSORS->store_u8(view, (uint32_t)page_of_data(i) + cpu, 100 + cpu) == MF_FAULT_NONE);
        CHECK(ACCESSORS->store_u8(view, (uint32_t)zeros + cpu, 100 + cpu) == MF_FAULT_NONE);
        meet(cpu, 2 * i + 2);
        if (stores_to(1 - cpu, i) && view_load(view, page_of_data(i) + 1 - cpu) != 101 - cpu)
            __atomic_fetch_add(&stale_loads, 1, __ATOMIC_SEQ_CST);
        CHECK(view_load(view, zeros + 1 - cpu) == 101 - cpu && view_load(view, zeros + 2) == 0);
    }
}

static void store_beside_the_first(void) {
    kernel_root_use(kernel_root());
    store_beside(1);
}

static void wait_for_second(void) {
    while (!kernel_second_cpu_is_idle())
        __asm__ volatile("pause");
}

static void store_on_both(void) {
    both = create();
    for (unsigned i = 0; i < 2; i++)
        mf_view_attach(&views[i], both);
    kernel_root_use(kernel_root());
    arrived[0] = arrived[1] = 0;
    kernel_second_cpu_call(store_beside_the_first);
    store_beside(0);
    wait_for_second();
    for (unsigned i = 0; i < DATA_PAGES; i++)
        CHECK(load(both, page_of_data(i) + 2) == byte_of(i));
    CHECK(mf_memory_reset(both, NULL) == MF_OK && is_as_created(both));
    for (unsigned i = 0; i < 2; i++)
        mf_view_detach(&views[i]);
    mf_memory_destroy(both);
}

static void two_cpus_store_at_once(void) {
    kernel_tells_others = false;
    store_on_both();
    printf("without_telling_it_reads_what_was: %u stale loads\n", stale_loads);
    kernel_tells_others = true;
    stale_loads = 0;
    for (unsigned round = 0; round < ROUNDS; round++)
        store_on_both();
    printf("both_see_what_both_store: %u pages, %u stale loads\n", ROUNDS * PAGES_OF_BOTH, stale_loads);
}

enum { HEAP_PAGES = 600 };

static void store_behind_the_end(void) {
    mf_view *view = &views[1];
    kernel_root_use(kernel_root());
    for (unsigned i = 0; i < HEAP_PAGES; i++) {
        uint32_t at = (uint32_t)HEAP + i * MF_PAGE_SIZE + 1;
        unsigned status;
        while ((status = ACCESSORS->store_u8(view, at, 9)) != MF_FAULT_NONE)
            CHECK(status == MF_PAGE_FAULT && view->fault.page == at - 1);
    }
}

static void a_heap_grows_beside_touches(void) {
    for (unsigned is_changed = 0; is_changed < 2; is_changed++) {
        both = create();
        mf_view_attach(&views[1], both);
        if (is_changed)
            CHECK(mf_memory_protect(both, RODATA, MF_PAGE_SIZE, MF_PERM_NONE, NULL) == MF_OK);
        kernel_second_cpu_call(store_behind_the_end);
        uint64_t old_top;
        for (unsigned i = 0; i < HEAP_PAGES; i += 3)
            CHECK(mf_memory_sbrk(both, 3 * MF_PAGE_SIZE, &old_top, NULL) == MF_OK);
        wait_for_second();
        for (unsigned i = 0; i < HEAP_PAGES; i++)
            CHECK(load(both, HEAP + i * MF_PAGE_SIZE) == 0 && load(both, HEAP + i * MF_PAGE_SIZE + 1) == 9);
        mf_view_detach(&views[1]);
        mf_memory_destroy(both);
    }
}

#define RUN(test)                                                                                            \
    test();                                                                                                  \
    puts(#test)

static void panic_for_want_of_frames(void) {
    mf_memory *m;
    CHECK(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &m, NULL) == MF_OK);
    CHECK(mf_memory_map_region(m, 0, MIB, MF_READ_WRITE, NULL, 0, NULL) == MF_OK);
    kernel.frames_most = kernel.frames_taken;
    store(m, 0x5000, 1);
}

int main(void) {
#ifdef KERNEL_HAS_NO_OUT_OF_FRAMES
    panic_for_want_of_frames();
#endif
    (void)panic_for_want_of_frames;
    kernel_second_cpu_start();
    make_layout();
    mf_memory_destroy(create()); /* the image has its frames */
    CHECK(kernel.frames_taken == IMAGE_PAGES);
    RUN(frames_follow_what_is_touched);
    RUN(a_huge_frame_at_once);
    RUN(an_image_in_a_huge_frame);
    RUN(an_image_is_shared_until_a_store);
    RUN(reset_restores_what_is_dirty);
    RUN(a_clone_copies_what_is_dirty);
    RUN(a_frozen_memory_is_an_image);
    RUN(a_range_is_populated_or_not);
    RUN(frames_that_are_found_meanwhile);
    RUN(a_guest_that_ends_for_want_of_frames);
    kernel.out_of_frames = NULL;
    two_cpus_store_at_once();
    RUN(a_heap_grows_beside_touches);
    CHECK(kernel.frames_taken == IMAGE_PAGES);
    mf_layout_release(layout);
    mf_image_release(image);
    CHECK(kernel.frames_taken == 0 && kernel.reservations == 0);
    puts("all given back");
    return 0;
}
