/*
 * Faults in a kernel: at base 0 and elsewhere, from ring 0 and ring 3, with interrupts on, SMEP and SMAP.
 *
 * RUN: %bare-cc %s -o %t && %boot %t | FileCheck %s
 * A CPU without SMAP and SMEP runs all but what needs them, and one with a clock of one instruction per tick
 * counts the instructions from a fault to where it resumes.
 * RUN: %boot %t -cpu qemu64 | FileCheck %s --check-prefixes=CHECK,OLD
 * RUN: %boot %t -icount shift=0 | FileCheck %s --check-prefixes=CHECK,COUNTED
 *
 * CHECK: base_0_is_an_address
 * CHECK-NEXT: a_table_entry_resumes_with_all_registers: 100000 faults
 * COUNTED-NEXT: {{[0-9]+}} ticks from a fault to its edge
 * CHECK: a_guard_frame_gets_flags_and_registers_back: 100000 faults
 * CHECK: foreign_faults_are_the_kernels
 * CHECK-NEXT: changes_take_effect_at_once
 * CHECK-NEXT: the_top_of_the_space
 * CHECK-NEXT: the_upper_half
 * OLD-NEXT: no SMAP here
 * CHECK-NEXT: ring_3_faults_like_ring_0
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
#define FLAG_ALIGNMENT UINT64_C(0x40000)

static mf_memory *open_at(uint64_t base, uint64_t bytes) {
    mf_memory *m;
    kernel.next_window.base = base;
    kernel.next_window.bytes = bytes;
    CHECK(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &m, NULL) == MF_OK);
    return m;
}

static void map(mf_memory *m, uint64_t start, uint64_t size, mf_access access) {
    CHECK(mf_memory_map_region(m, start, size, access, NULL, 0, NULL) == MF_OK);
}

static void close_all(mf_memory *m) {
    mf_memory_destroy(m);
    CHECK(kernel.frames_taken == 0 && kernel.windows == 0);
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
    mf_memory *m = open_at(0, MF_BARE_WINDOW_U32_BYTES);
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
    mf_memory *m = open_at(UINT64_C(3) << 32, MF_BARE_WINDOW_U32_BYTES);
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
    mf_memory *m = open_at(UINT64_C(5) << 40, MF_BARE_WINDOW_U33_BYTES);
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
    mf_memory *m = open_at(UINT64_C(7) << 40, MF_BARE_WINDOW_U32_BYTES);
    map(m, 0, MF_PAGE_SIZE, MF_READ_WRITE);
    uint64_t base = (uint64_t)(uintptr_t)mf_memory_view(m)->base;
    uint64_t outside[] = {base - 1, base + MF_BARE_WINDOW_U32_BYTES, UINT64_C(0x500000000000), 0x1000};
    for (unsigned i = 0; i < 4; i++) {
        load_foreign(outside[i]);
        CHECK(mf_guard_run(mf_memory_view(m), foreign_in_frame, (void *)outside[i], NULL));
    }
    /* In the window, but nobody waits for it; and in the window of another memory than the frame's. */
    load_foreign(base + MF_PAGE_SIZE);
    mf_memory *other = open_at(UINT64_C(8) << 40, MF_BARE_WINDOW_U32_BYTES);
    CHECK(mf_guard_run(mf_memory_view(other), foreign_in_frame, (void *)(base + MF_PAGE_SIZE), NULL));
    mf_memory_destroy(other);
    close_all(m);
    puts("foreign_faults_are_the_kernels");
}

static void changes_take_effect_at_once(void) {
    mf_memory *m = open_at(UINT64_C(9) << 40, MF_BARE_WINDOW_U33_BYTES);
    uint32_t huge = 2 << 20;
    map(m, 0, 4 * huge, MF_READ_WRITE);
    CHECK(kernel.huge_taken > 0);
    for (uint32_t at = 0; at < 4 * huge; at += MF_PAGE_SIZE)
        CHECK(fault_of(m, at, true).kind == MF_FAULT_NONE);
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
    uint64_t lengths[] = {MF_BARE_WINDOW_U32_BYTES, MF_BARE_WINDOW_U33_BYTES};
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
    mf_memory *m = open_at(UINT64_C(0xffffc00000000000), MF_BARE_WINDOW_U33_BYTES);
    map(m, 0x5000, MF_PAGE_SIZE, MF_READ_ONLY);
    CHECK(fault_of(m, 0x5000, false).kind == MF_FAULT_NONE);
    CHECK(is_fault(fault_of(m, 0x5fff, true), MF_WRITE_PROTECTED, 0x5000));
    CHECK(is_fault(fault_of(m, 2 * MF_SPACE_BYTES - 2, true), MF_PAGE_FAULT,
                   2 * MF_SPACE_BYTES - MF_PAGE_SIZE));
    close_all(m);
    puts("the_upper_half");
}

/* ---- Ring 3 ---------------------------------------------------------------------------------- */

#define GUEST_CODE UINT64_C(0x600000000000)

/* mov (%rdi), %al; jmp .   and where a table entry resumes: movb $1, (%rsi); movb $2, (%rdx) */
static const unsigned char guest_code[] = {0x8a, 0x07, 0xeb, 0xfe, 0xc6, 0x06, 0x01, 0xc6, 0x02, 0x02};

typedef struct guest_entry {
    uint64_t fault_at;  /* rdi */
    uint64_t report_at; /* rsi: written where the entry resumes */
    uint64_t end_at;    /* rdx: faults then */
} guest_entry;

/* Never returns but through the guard frame. Exceptions come to the stack below what is in use here. */
static void run_guest(mf_view *view, void *context) {
    const guest_entry *e = context;
    (void)view;
    uint64_t stack = (uint64_t)(uintptr_t)__builtin_frame_address(0) - 1024;
    kernel_set_ring0_stack(stack & ~UINT64_C(15));
    __asm__ volatile("push %0; push $0; push $0x202; push %1; push %2; iretq"
                     :
                     : "i"(USER_DATA), "i"(USER_CODE), "r"(GUEST_CODE), "D"(e->fault_at), "S"(e->report_at),
                       "d"(e->end_at)
                     : "memory");
    __builtin_unreachable();
}

/* The guest's code is a page of ring 3 that the kernel maps by hand, below a table that it makes. */
static uint64_t code_frames[4];

static void map_guest_code(void) {
    uint64_t table = kernel_root();
    for (unsigned level = 4; level >= 1; level--) {
        uint64_t *e = (uint64_t *)(DIRECT_MAP + table) + (GUEST_CODE >> (12 + 9 * (level - 1)) & 511);
        code_frames[level - 1] = kernel_frame_take();
        memset((void *)(DIRECT_MAP + code_frames[level - 1]), 0, MF_PAGE_SIZE);
        *e = code_frames[level - 1] | (level > 1 ? 7 : 5);
        table = code_frames[level - 1];
    }
    memcpy((void *)(DIRECT_MAP + table), guest_code, sizeof guest_code);
}

static void unmap_guest_code(void) {
    ((uint64_t *)(DIRECT_MAP + kernel_root()))[GUEST_CODE >> 39 & 511] = 0;
    for (unsigned i = 0; i < 4; i++)
        kernel_frame_give(code_frames[i]);
}

static void set_ac(void) {
    __asm__ volatile("pushfq; orl $0x40000, (%rsp); popfq");
}

static void clear_ac(void) {
    __asm__ volatile("pushfq; andl $~0x40000, (%rsp); popfq");
}

static bool has_smap(void) {
    uint32_t a = 7, b, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (b >> 7 & 1) != 0 && (b >> 20 & 1) != 0;
}

/* The guest goes on in ring 3, writes a byte, and ends by a store to the read-only page. */
static void ring_3_resumes_by_the_table(mf_memory *m) {
    uint64_t base = (uint64_t)(uintptr_t)mf_memory_view(m)->base;
    mf_exception_entry entry = {-2048, 4 - 2048 - 4};
    const mf_exception_entry *mapped = (const mf_exception_entry *)(GUEST_CODE + 2048);
    memcpy((unsigned char *)DIRECT_MAP + code_frames[0] + 2048, &entry, sizeof entry);
    set_ac();
    CHECK(mf_exception_table_register(mapped, 1, NULL) == MF_OK);
    clear_ac();
    guest_entry e = {base + 3 * MF_PAGE_SIZE, base + 16, base + MF_PAGE_SIZE};
    mf_fault fault;
    CHECK(!mf_guard_run(mf_memory_view(m), run_guest, &e, &fault));
    CHECK(is_fault(fault, MF_WRITE_PROTECTED, MF_PAGE_SIZE) && fault.operation == MF_STORE);
    mf_exception_table_unregister(mapped);
    unsigned char byte = 0;
    set_ac();
    CHECK(mf_memory_read(m, 16, &byte, 1) && byte == 1);
    clear_ac();
}

static void ring_3_faults_like_ring_0(void) {
    if (has_smap())
        kernel_forbid_user_pages();
    map_guest_code();
    kernel.next_window.is_user = true;
    mf_memory *m = open_at(UINT64_C(11) << 40, MF_BARE_WINDOW_U33_BYTES);
    kernel.next_window.is_user = false;
    map(m, 0, MF_PAGE_SIZE, MF_READ_WRITE);
    map(m, MF_PAGE_SIZE, MF_PAGE_SIZE, MF_READ_ONLY);
    uint64_t base = (uint64_t)(uintptr_t)mf_memory_view(m)->base;
    mf_fault fault;
    for (unsigned i = 0; i < 1000; i++) {
        guest_entry e = {base + 2 * MF_PAGE_SIZE + i, 0, 0};
        CHECK(!mf_guard_run(mf_memory_view(m), run_guest, &e, &fault));
        CHECK(is_fault(fault, MF_PAGE_FAULT, 2 * MF_PAGE_SIZE) && fault.operation == MF_LOAD);
        CHECK((read_flags() & FLAG_INTERRUPTS) != 0);
    }
    ring_3_resumes_by_the_table(m);
    if (has_smap()) {
        /* A kernel that forgets to set AC: nobody's guest has done anything. */
        CHECK(mf_guard_run(mf_memory_view(m), foreign_in_frame, (void *)base, NULL));
    } else {
        puts("no SMAP here");
    }
    set_ac();
    unsigned char byte = 9;
    CHECK(mf_memory_write(m, 5, &byte, 1));
    CHECK(is_fault(fault_of(m, MF_PAGE_SIZE, true), MF_WRITE_PROTECTED, MF_PAGE_SIZE));
    CHECK((read_flags() & FLAG_ALIGNMENT) != 0);
    clear_ac();
    mf_memory_destroy(m);
    unmap_guest_code();
    CHECK(kernel.frames_taken == 0);
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
    ring_3_faults_like_ring_0();
    puts("ring_3_faults_like_ring_0");
    CHECK(kernel.windows == 0 && kernel.frames_taken == 0);
    puts("all given back");
    return 0;
}
