/*
 * Faults in a kernel, from ring 0, with interrupts on: at base 0 and elsewhere, with every register compared.
 *
 * RUN: %bare-cc %s -o %t && %boot %t | FileCheck %s
 *
 * A CPU with a clock of one instruction per tick counts the instructions from a fault to where it resumes.
 * RUN: %boot %t -icount shift=0 | FileCheck %s --check-prefixes=CHECK,COUNTED
 *
 * The same with frames at touch:
 * RUN: %bare-cc -DKERNEL_FRAMES=MF_BARE_FRAMES_AT_TOUCH %s -o %t.touch && %boot %t.touch | FileCheck %s
 *
 * CHECK: base_0_is_an_address
 * CHECK-NEXT: a_table_entry_resumes_with_all_registers: 100000 faults
 * COUNTED-NEXT: {{[0-9]+}} ticks from a fault to its edge
 * CHECK: a_guard_frame_gets_flags_and_registers_back: 100000 faults
 * CHECK: foreign_faults_are_the_kernels
 * CHECK-NEXT: changes_take_effect_at_once
 * CHECK-NEXT: the_top_of_the_space
 * CHECK-NEXT: the_upper_half
 * CHECK-NEXT: reservations_as_they_are_asked_for
 * CHECK-NEXT: overlapping_reservations_of_two_spaces
 * CHECK-NEXT: a_clone_for_another_space
 * CHECK: all given back
 */
#include "kernel.h"

#include <memfold/exception_table.h>
#include <memfold/generic.h>
#include <memfold/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAG_INTERRUPTS UINT64_C(0x200)
#define FLAG_DIRECTION UINT64_C(0x400)
#define FLAG_RESUME UINT64_C(0x10000) /* the CPU's own, set in what a fault pushes */

static mf_memory *open_at(uint64_t base, uint64_t bytes) {
    mf_memory *m;
    kernel.next_reservation.base = base;
    kernel.next_reservation.bytes = bytes;
    CHECK(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &m, NULL) == MF_OK);
    return m;
}

static void map(mf_memory *m, uint64_t start, uint64_t size, mf_access access) {
    CHECK(mf_memory_map_region(m, start, size, access, NULL, 0, NULL) == MF_OK);
}

static void close_all(mf_memory *m) {
    mf_memory_destroy(m);
    CHECK(kernel.frames_taken == 0 && kernel.reservations == 0);
}

typedef struct touching {
    uint64_t index;
    bool stores;
} touching;

static void touch(mf_view *view, void *context) {
    const touching *t = context;
    volatile unsigned char *byte = (unsigned char *)((uintptr_t)view->base + t->index);
    if (t->stores)
        *byte = 7;
    else
        (void)*byte;
}

/* What the guard frame says about one byte. */
static mf_fault fault_of(mf_memory *m, uint64_t index, bool stores) {
    touching t = {index, stores};
    mf_fault fault = {0};
    bool is_done = mf_guard_run(mf_memory_view(m), touch, &t, &fault);
    CHECK(is_done == (fault.kind == MF_FAULT_NONE));
    CHECK(is_done || (fault.operation == (stores ? MF_STORE : MF_LOAD) && fault.address == index));
    return fault;
}

static bool is_fault(mf_fault fault, mf_fault_kind kind, uint64_t page) {
    return fault.kind == kind && fault.page == page;
}

static void base_0_is_an_address(void) {
    mf_memory *m = open_at(0, MF_BARE_RESERVATION_U32_BYTES);
    map(m, 0, MF_PAGE_SIZE, MF_READ_WRITE);
    map(m, MF_PAGE_SIZE, MF_PAGE_SIZE, MF_READ_ONLY);
    CHECK(fault_of(m, 0, true).kind == MF_FAULT_NONE);
    CHECK(*(volatile unsigned char *)(uintptr_t)mf_memory_view(m)->base == 7);
    CHECK(is_fault(fault_of(m, MF_PAGE_SIZE, true), MF_WRITE_PROTECTED, MF_PAGE_SIZE));
    CHECK(is_fault(fault_of(m, 2 * MF_PAGE_SIZE, false), MF_PAGE_FAULT, 2 * MF_PAGE_SIZE));
    const mf_accessors *set = mf_generic_accessors(NULL);
    CHECK(set->load_u8(mf_memory_view(m), 0).value == 7);
    unsigned char byte;
    CHECK(mf_memory_read(m, 0, &byte, 1) && byte == 7);
    close_all(m);
}

/* ---- Registers ------------------------------------------------------------------------------ */

/*
 * Loads from `address` with a number in every register, and stores what is in them where the entry of the
 * exception table resumes. Returns the time from before the load to there.
 */
typedef struct saved {
    uint64_t registers[15]; /* rax, rcx, rdx, rbx, rbp, rsi, rdi, r8 to r15 */
    uint64_t flags;
    uint64_t rsp_before, rsp_after;
} saved;

uint64_t fault_with_registers(uint64_t address, uint64_t seed, uint64_t flags, saved *out);
extern const mf_exception_entry faulting_entries[1];

/* rax holds the address; each other register the seed and its place. */
__asm__(".text\n"
        ".globl fault_with_registers\n"
        "fault_with_registers:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "  pushfq\n"
        "  push %rcx\n"
        "  mov %rsp, 128(%rcx)\n"
        "  mov %rdi, %rax\n"
        "  push %rdx\n"
        "  lea 1(%rsi), %rcx; lea 2(%rsi), %rdx; lea 3(%rsi), %rbx; lea 4(%rsi), %rbp; lea 6(%rsi), %rdi\n"
        "  lea 7(%rsi), %r8; lea 8(%rsi), %r9; lea 9(%rsi), %r10; lea 10(%rsi), %r11; lea 11(%rsi), %r12\n"
        "  lea 12(%rsi), %r13; lea 13(%rsi), %r14; lea 14(%rsi), %r15; lea 5(%rsi), %rsi\n"
        "  popfq\n"
        "1: movb (%rax), %al\n"
        "  ud2\n"
        "2: pushfq\n"
        "  push %r15; push %r14; push %r13; push %r12; push %r11; push %r10; push %r9; push %r8\n"
        "  push %rdi; push %rsi; push %rbp; push %rbx; push %rdx; push %rcx; push %rax\n"
        "  cld\n"
        "  mov 128(%rsp), %rdi\n"
        "  mov %rsp, %rsi\n"
        "  lea 128(%rsp), %rax\n"
        "  mov %rax, 136(%rdi)\n"
        "  mov $16, %ecx\n"
        "  rep movsq\n"
        "  add $128, %rsp\n"
        "  pop %rcx\n"
        "  popfq\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  ret\n"
        ".section .rodata\n"
        ".balign 8\n"
        ".globl faulting_entries\n"
        "faulting_entries: .long 1b - ., 2b - .\n"
        ".text\n");

static void a_table_entry_resumes_with_all_registers(void) {
    enum { FAULTS = 100000 };
    static saved s;
    mf_memory *m = open_at(UINT64_C(3) << 32, MF_BARE_RESERVATION_U32_BYTES);
    map(m, 0, MF_PAGE_SIZE, MF_READ_WRITE);
    CHECK(mf_exception_table_register(faulting_entries, 1, NULL) == MF_OK);
    kernel_timer_start();
    uint64_t ticks = timer_ticks;
    uint64_t total = 0;
    for (uint64_t i = 0; i < FAULTS; i++) {
        uint64_t flags = FLAG_INTERRUPTS | 2 | (i % 2 ? FLAG_DIRECTION : 0) | (i % 3 ? 0x8d5 : 0);
        uint64_t seed = i * UINT64_C(0x9e3779b97f4a7c15);
        uint64_t address = (uint64_t)(uintptr_t)mf_memory_view(m)->base + MF_PAGE_SIZE + i;
        uint64_t start = read_rdtsc();
        fault_with_registers(address, seed, flags, &s);
        total += read_rdtsc() - start;
        CHECK(s.registers[0] == address);
        for (unsigned r = 1; r < 15; r++)
            CHECK(s.registers[r] == seed + r);
        CHECK((s.flags & ~FLAG_RESUME) == flags);
        CHECK(s.rsp_after == s.rsp_before);
    }
    mf_exception_table_unregister(faulting_entries);
    CHECK(timer_ticks > ticks);
    printf("a_table_entry_resumes_with_all_registers: %d faults\n", FAULTS);
    printf("%lu ticks from a fault to its edge\n", total / FAULTS);
    close_all(m);
}

static uint64_t read_flags(void) {
    uint64_t flags;
    __asm__ volatile("pushfq; pop %0" : "=r"(flags));
    return flags;
}

static void touch_with_direction(mf_view *view, void *context) {
    __asm__ volatile("std");
    touch(view, context);
    __asm__ volatile("cld");
}

static void a_guard_frame_gets_flags_and_registers_back(void) {
    enum { FAULTS = 100000 };
    mf_memory *m = open_at(UINT64_C(5) << 40, MF_BARE_RESERVATION_U33_BYTES);
    map(m, 0, MF_PAGE_SIZE, MF_READ_ONLY);
    uint64_t total = 0;
    for (uint64_t i = 0; i < FAULTS; i++) {
        register uint64_t kept __asm__("r12") = i;
        __asm__ volatile("" : "+r"(kept));
        touching t = {i % (4 * MF_PAGE_SIZE), true};
        mf_fault fault;
        uint64_t start = read_rdtsc();
        CHECK(!mf_guard_run(mf_memory_view(m), touch_with_direction, &t, &fault));
        total += read_rdtsc() - start;
        __asm__ volatile("" : "+r"(kept));
        CHECK(kept == i && this_cpu()->guard == NULL);
        CHECK(fault.kind == (t.index < MF_PAGE_SIZE ? MF_WRITE_PROTECTED : MF_PAGE_FAULT));
        CHECK(fault.page == t.index / MF_PAGE_SIZE * MF_PAGE_SIZE && fault.address == t.index);
        CHECK((read_flags() & (FLAG_INTERRUPTS | FLAG_DIRECTION)) == FLAG_INTERRUPTS);
    }
    printf("a_guard_frame_gets_flags_and_registers_back: %d faults\n", FAULTS);
    printf("%lu ticks for a guard frame, its fault and leaving it\n", total / FAULTS);
    close_all(m);
}

/* ---- Others' faults ------------------------------------------------------------------------- */

/* Loads a byte; a foreign fault makes it go on behind the load. */
static void load_foreign(uint64_t address) {
    unsigned before = kernel.foreign_faults;
    __asm__ volatile("lea 1f(%%rip), %%rax\n\t"
                     "mov %%rax, %0\n\t"
                     "movb (%1), %%al\n\t"
                     "1:"
                     : "=m"(kernel.foreign_resume)
                     : "r"(address)
                     : "rax", "memory");
    kernel.foreign_resume = 0;
    CHECK(kernel.foreign_faults == before + 1 && kernel.foreign_address == address);
}

static void foreign_in_frame(mf_view *view, void *context) {
    (void)view;
    load_foreign((uint64_t)(uintptr_t)context);
}

static void foreign_faults_are_the_kernels(void) {
    mf_memory *m = open_at(UINT64_C(7) << 40, MF_BARE_RESERVATION_U32_BYTES);
    map(m, 0, MF_PAGE_SIZE, MF_READ_WRITE);
    uint64_t base = (uint64_t)(uintptr_t)mf_memory_view(m)->base;
    uint64_t outside[] = {base - 1, base + MF_BARE_RESERVATION_U32_BYTES, UINT64_C(0x500000000000), 0x1000};
    for (unsigned i = 0; i < 4; i++) {
        load_foreign(outside[i]);
        CHECK(mf_guard_run(mf_memory_view(m), foreign_in_frame, (void *)outside[i], NULL));
    }
    /* In the reservation, but no guard frame is there; and in that of another memory than the frame's. */
    load_foreign(base + MF_PAGE_SIZE);
    mf_memory *other = open_at(UINT64_C(8) << 40, MF_BARE_RESERVATION_U32_BYTES);
    CHECK(mf_guard_run(mf_memory_view(other), foreign_in_frame, (void *)(base + MF_PAGE_SIZE), NULL));
    mf_memory_destroy(other);
    close_all(m);
    puts("foreign_faults_are_the_kernels");
}

static void changes_take_effect_at_once(void) {
    mf_memory *m = open_at(UINT64_C(9) << 40, MF_BARE_RESERVATION_U33_BYTES);
    uint32_t huge = 2 << 20;
    map(m, 0, 4 * huge, MF_READ_WRITE);
    for (uint32_t at = 0; at < 4 * huge; at += MF_PAGE_SIZE)
        CHECK(fault_of(m, at, true).kind == MF_FAULT_NONE);
    CHECK(kernel.huge_taken > 0);
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t at = i * 31 * MF_PAGE_SIZE;
        CHECK(mf_memory_protect(m, at, MF_PAGE_SIZE, MF_PERM_RO, NULL) == MF_OK);
        CHECK(is_fault(fault_of(m, at + 5, true), MF_WRITE_PROTECTED, at));
        CHECK(fault_of(m, at + 5, false).kind == MF_FAULT_NONE);
        CHECK(mf_memory_protect(m, at, MF_PAGE_SIZE, MF_PERM_NONE, NULL) == MF_OK);
        CHECK(is_fault(fault_of(m, at + 5, false), MF_PAGE_FAULT, at));
        CHECK(mf_memory_protect(m, at, MF_PAGE_SIZE, MF_PERM_RW, NULL) == MF_OK);
        unsigned char byte = 0;
        CHECK(mf_memory_read(m, at, &byte, 1) && byte == 7);
        CHECK(fault_of(m, at + MF_PAGE_SIZE, true).kind == MF_FAULT_NONE);
        CHECK(mf_memory_unmap(m, at, MF_PAGE_SIZE, NULL) == MF_OK);
        CHECK(is_fault(fault_of(m, at, false), MF_PAGE_FAULT, at));
    }
    CHECK(mf_memory_reset(m, NULL) == MF_OK);
    CHECK(is_fault(fault_of(m, 4 * huge - 1, false), MF_PAGE_FAULT, 4 * huge - MF_PAGE_SIZE));
    close_all(m);
    puts("changes_take_effect_at_once");
}

static void the_top_of_the_space(void) {
    const mf_accessors *set = mf_generic_accessors(NULL);
    uint64_t top = MF_SPACE_BYTES;
    uint64_t lengths[] = {MF_BARE_RESERVATION_U32_BYTES, MF_BARE_RESERVATION_U33_BYTES};
    for (unsigned i = 0; i < 2; i++) {
        mf_memory *m = open_at(UINT64_C(10) << 40, lengths[i]);
        map(m, top - MF_PAGE_SIZE, MF_PAGE_SIZE, MF_READ_WRITE);
        CHECK(fault_of(m, top - 1, true).kind == MF_FAULT_NONE);
        CHECK(is_fault(fault_of(m, top, true), MF_PAGE_FAULT, top));
        CHECK(is_fault(fault_of(m, top + MF_PAGE_SIZE - 1, false), MF_PAGE_FAULT, top));
        CHECK(set->load_u64(mf_memory_view(m), UINT32_MAX).status == MF_PAGE_FAULT);
        CHECK(mf_memory_last_fault(m).page == top);
        if (i == 1)
            CHECK(is_fault(fault_of(m, 2 * top + 1, false), MF_PAGE_FAULT, 2 * top));
        close_all(m);
    }
    puts("the_top_of_the_space");
}

static void the_upper_half(void) {
    mf_memory *m = open_at(UINT64_C(0xffffc00000000000), MF_BARE_RESERVATION_U33_BYTES);
    map(m, 0x5000, MF_PAGE_SIZE, MF_READ_ONLY);
    CHECK(fault_of(m, 0x5000, false).kind == MF_FAULT_NONE);
    CHECK(is_fault(fault_of(m, 0x5fff, true), MF_WRITE_PROTECTED, 0x5000));
    CHECK(is_fault(fault_of(m, 2 * MF_SPACE_BYTES - 2, true), MF_PAGE_FAULT,
                   2 * MF_SPACE_BYTES - MF_PAGE_SIZE));
    close_all(m);
    puts("the_upper_half");
}

/* A memory for 32-bit indices asks for half the space, with room for offsets, and refuses code for others. */
static void reservations_as_they_are_asked_for(void) {
    const uint64_t lengths[] = {
        [MF_MEMORY_U33] = MF_BARE_RESERVATION_U33_BYTES, [MF_MEMORY_U32] = MF_BARE_RESERVATION_OFFSET_BYTES};
    for (mf_memory_index index = MF_MEMORY_U33; index <= MF_MEMORY_U32; index++) {
        const mf_memory_config config = {.backend = MF_BACKEND_X86_PAGED, .index = index};
        mf_memory *m;
        kernel.next_reservation.base = UINT64_C(11) << 40;
        kernel.next_reservation.bytes = 0;
        CHECK(mf_memory_create_with(NULL, NULL, &config, &m, NULL) == MF_OK);
        CHECK(kernel.asked_bytes == lengths[index]);
        map(m, MF_SPACE_BYTES - MF_PAGE_SIZE, MF_PAGE_SIZE, MF_READ_WRITE);
        uint64_t last = lengths[index] - 1;
        CHECK(fault_of(m, MF_SPACE_BYTES - 1, true).kind == MF_FAULT_NONE);
        CHECK(is_fault(fault_of(m, last, true), MF_PAGE_FAULT, last + 1 - MF_PAGE_SIZE));
        bool refuses = mf_memory_view(m)->u33_stamp == MF_LAYOUT_STAMP_REFUSED;
        CHECK(refuses == (index == MF_MEMORY_U32));
        close_all(m);
    }
    kernel.next_reservation.bytes = MF_BARE_RESERVATION_U33_BYTES;
    puts("reservations_as_they_are_asked_for");
}

/* ---- Address spaces -------------------------------------------------------------------------- */

static mf_memory *open_in(uint64_t root, uint64_t base) {
    kernel.next_reservation.root = root;
    mf_memory *m = open_at(base, MF_BARE_RESERVATION_U32_BYTES);
    kernel.next_reservation.root = kernel_root();
    return m;
}

static mf_memory *inner;

static void fault_in_two_spaces(mf_view *view, void *context) {
    const uint64_t *roots = context;
    mf_fault fault = fault_of(inner, 5 * MF_PAGE_SIZE, true);
    CHECK(is_fault(fault, MF_WRITE_PROTECTED, 5 * MF_PAGE_SIZE));
    kernel_root_use(roots[0]);
    *(volatile unsigned char *)((uintptr_t)view->base + 3 * MF_PAGE_SIZE) = 1;
}

/* A guest at base 0 is cloned into another address space, at base 0 too. */
static void a_clone_for_another_space(void) {
    uint64_t boot_root = kernel_root();
    uint64_t other_root = kernel_root_make();
    mf_memory *m = open_in(boot_root, 0);
    mf_memory *clone;
    const uint32_t bytes = 3 * 2 << 20;
    map(m, 0, bytes, MF_READ_WRITE);
    for (uint32_t at = 0; at < bytes; at += 77 * MF_PAGE_SIZE)
        CHECK(mf_memory_write(m, at, &at, sizeof at));
    CHECK(mf_memory_protect(m, 77 * MF_PAGE_SIZE, MF_PAGE_SIZE, MF_PERM_NONE, NULL) == MF_OK);
    CHECK(mf_memory_protect(m, 2 * 77 * MF_PAGE_SIZE, MF_PAGE_SIZE, MF_PERM_RO, NULL) == MF_OK);
    kernel.next_reservation =
        (mf_bare_reservation){.bytes = MF_BARE_RESERVATION_U32_BYTES, .root = other_root};
    CHECK(mf_memory_clone(m, &clone, NULL) == MF_OK);
    mf_memory_destroy(m);
    kernel_root_use(other_root);
    CHECK(is_fault(fault_of(clone, 77 * MF_PAGE_SIZE, false), MF_PAGE_FAULT, 77 * MF_PAGE_SIZE));
    CHECK(is_fault(fault_of(clone, 154 * MF_PAGE_SIZE, true), MF_WRITE_PROTECTED, 154 * MF_PAGE_SIZE));
    CHECK(mf_memory_protect(clone, 77 * MF_PAGE_SIZE, MF_PAGE_SIZE, MF_PERM_RW, NULL) == MF_OK);
    for (uint32_t at = 0; at < bytes; at += 77 * MF_PAGE_SIZE) {
        uint32_t word = 1;
        CHECK(mf_memory_read(clone, at, &word, sizeof word) && word == at);
    }
    mf_memory_destroy(clone);
    kernel_root_use(boot_root);
    kernel_frame_give(other_root);
    kernel.next_reservation.root = boot_root;
    CHECK(kernel.frames_taken == 0 && kernel.reservations == 0);
    puts("a_clone_for_another_space");
}

/* Two guests whose reservations overlap, each in tables of its own; a thread may use one inside the other. */
static void overlapping_reservations_of_two_spaces(void) {
    uint64_t boot_root = kernel_root();
    uint64_t roots[2] = {kernel_root_make(), kernel_root_make()};
    kernel_root_use(roots[0]);
    mf_memory *first = open_in(roots[0], 0);
    map(first, 3 * MF_PAGE_SIZE, MF_PAGE_SIZE, MF_READ_ONLY);
    kernel_root_use(roots[1]);
    mf_memory *second = open_in(roots[1], 2 * MF_PAGE_SIZE);
    map(second, 5 * MF_PAGE_SIZE, MF_PAGE_SIZE, MF_READ_ONLY);
    CHECK(is_fault(fault_of(second, 7, false), MF_PAGE_FAULT, 0));
    /* Nothing is mapped there in these tables, and no frame of this thread waits for it. */
    load_foreign(3 * MF_PAGE_SIZE);
    CHECK(mf_guard_run(mf_memory_view(second), foreign_in_frame, (void *)UINT64_C(1), NULL));
    for (unsigned i = 0; i < 1000; i++) {
        kernel_root_use(roots[1]);
        inner = second;
        mf_fault fault;
        CHECK(!mf_guard_run(mf_memory_view(first), fault_in_two_spaces, roots, &fault));
        CHECK(is_fault(fault, MF_WRITE_PROTECTED, 3 * MF_PAGE_SIZE));
        CHECK(fault.address == 3 * MF_PAGE_SIZE);
    }
    kernel_root_use(roots[1]);
    mf_memory_destroy(second);
    kernel_root_use(roots[0]);
    mf_memory_destroy(first);
    kernel_root_use(boot_root);
    kernel_frame_give(roots[0]);
    kernel_frame_give(roots[1]);
    CHECK(kernel.frames_taken == 0 && kernel.reservations == 0);
    puts("overlapping_reservations_of_two_spaces");
}

int main(void) {
    base_0_is_an_address();
    puts("base_0_is_an_address");
    a_table_entry_resumes_with_all_registers();
    a_guard_frame_gets_flags_and_registers_back();
    foreign_faults_are_the_kernels();
    changes_take_effect_at_once();
    the_top_of_the_space();
    the_upper_half();
    reservations_as_they_are_asked_for();
    overlapping_reservations_of_two_spaces();
    a_clone_for_another_space();
    CHECK(kernel.reservations == 0 && kernel.frames_taken == 0);
    puts("all given back");
    return 0;
}
