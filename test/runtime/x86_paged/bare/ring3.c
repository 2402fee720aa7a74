/*
 * Guests in ring 3: what they may touch, where their faults go, and emitted accessors that they run
 * themselves.
 *
 * RUN: %memfold emit --emit=obj --backend=paged --on-fault=trap --base=constant \
 * RUN:     --base-address=0xb0000000000 --prefix=guest -o %t.o %inputs/sandbox.yaml
 * RUN: %bare-cc %s %t.o -o %t
 * RUN: %boot %t | FileCheck %s --check-prefixes=CHECK,SMAP
 *
 * A CPU without SMAP and SMEP:
 * RUN: %boot %t -cpu qemu64 | FileCheck %s --check-prefixes=CHECK,OLD
 *
 * An entry of the kernel's own, which swaps GS for ring 3:
 * RUN: %bare-cc -DOWN_ENTRY %s %t.o -o %t.own
 * RUN: %boot %t.own | FileCheck %s --check-prefixes=CHECK,SMAP
 *
 * With frames at touch:
 * RUN: %bare-cc -DKERNEL_FRAMES=MF_BARE_FRAMES_AT_TOUCH %s %t.o -o %t.touch
 * RUN: %boot %t.touch | FileCheck %s --check-prefixes=CHECK,SMAP
 *
 * SMAP: SMEP and SMAP are on
 * OLD: no SMAP here
 * CHECK: ring_3_faults_like_ring_0
 * CHECK-NEXT: ring_3_resumes_by_the_table
 * CHECK-NEXT: ring_3_runs_emitted_accessors
 * CHECK-NEXT: ring_3_has_no_part_in_reservations_of_the_kernel
 * CHECK-NEXT: ring_0_needs_ac_for_reservations_of_ring_3
 * CHECK-NEXT: a_fault_that_the_tables_do_not_explain_is_tried_again
 * CHECK: all given back
 */
#include "kernel.h"

#include <memfold/accessors.h>
#include <memfold/exception_table.h>
#include <memfold/guard.h>
#include <memfold/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAG_INTERRUPTS UINT64_C(0x200)
#define FLAG_ALIGNMENT UINT64_C(0x40000)

/* The reservation that the emitted accessors are made for. */
#define BASE UINT64_C(0xb0000000000)
#define RODATA UINT64_C(0x10000)
#define DATA UINT64_C(0x20000)

static mf_memory *memory;
static bool has_smap;

static void map(mf_memory *m, uint64_t start, uint64_t size, mf_access access) {
    CHECK(mf_memory_map_region(m, start, size, access, NULL, 0, NULL) == MF_OK);
}

static bool is_fault(mf_fault fault, mf_fault_kind kind, uint64_t page, mf_operation operation) {
    return fault.kind == kind && fault.page == page && fault.operation == operation;
}

static mf_bare_reservation reservation_at(uint64_t base, uint64_t root, bool is_user) {
    return (mf_bare_reservation){
        .base = base, .bytes = MF_BARE_RESERVATION_U33_BYTES, .root = root, .is_user = is_user};
}

static uint64_t read_flags(void) {
    uint64_t flags;
    __asm__ volatile("pushfq; pop %0" : "=r"(flags));
    return flags;
}

static void set_ac(void) {
    __asm__ volatile("pushfq; orl $0x40000, (%rsp); popfq");
}

static void clear_ac(void) {
    __asm__ volatile("pushfq; andl $~0x40000, (%rsp); popfq");
}

static void forbid_user_pages(void) {
    uint32_t a = 7, b, c = 0, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    has_smap = (b >> 7 & 1) != 0 && (b >> 20 & 1) != 0;
    if (has_smap)
        kernel_forbid_user_pages();
    puts(has_smap ? "SMEP and SMAP are on" : "no SMAP here");
}

/* ---- Code of the guest: pages of ring 3 that the kernel maps by hand ------------------------- */

#define GUEST_CODE UINT64_C(0x600000000000)
#define GUEST_ENTRY (GUEST_CODE + 2048)          /* an entry of the exception table */
#define GUEST_ACCESSORS (GUEST_CODE + 16 * 4096) /* the kernel's pages with the emitted code */
#define ACCESSOR_PAGES 4

/* Loads once, or at the other place stores where a table entry resumes; or calls two accessors. */
extern const unsigned char guest_code[], guest_code_resumes[], guest_code_calls[], guest_code_end[];
__asm__(".section .rodata\n"
        "guest_code: mov (%rdi), %al\n"
        "1: jmp 1b\n"
        "guest_code_resumes: movb $1, (%rsi)\n"
        "  movb $2, (%rdx)\n"
        "2: jmp 2b\n"
        "guest_code_calls: mov %rsi, %r12\n"
        "  mov %rdi, %rsi\n"
        "  call *%rbx\n"
        "  mov %rax, (%r12)\n"
        "  mov %rdx, %rsi\n"
        "  call *%rbx\n"
        "3: jmp 3b\n"
        "guest_code_end:\n"
        ".text\n");

/* What ring 3 begins with. The order is that of enter_ring_3. */
typedef struct guest_start {
    uint64_t rdi, rsi, rdx, rbx;
    uint64_t rip, rsp;
} guest_start;

_Noreturn void enter_ring_3(const guest_start *start, uint64_t cs, uint64_t ss);
__asm__(".text\n"
        "enter_ring_3:\n"
        "  push %rdx\n"
        "  push 40(%rdi)\n"
        "  push $0x202\n"
        "  push %rsi\n"
        "  push 32(%rdi)\n"
        "  mov 8(%rdi), %rsi; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx; mov (%rdi), %rdi\n"
#ifdef OWN_ENTRY
        "  cli\n"
        "  swapgs\n"
#endif
        "  iretq\n");

/* Comes back through the guard frame only. Exceptions use the stack below what is in use here. */
static void run_guest(mf_view *view, void *context) {
    uint64_t stack = (uint64_t)(uintptr_t)__builtin_frame_address(0) - 1024;
    (void)view;
    kernel_set_ring0_stack(stack & ~UINT64_C(15));
    enter_ring_3(context, USER_CODE, USER_DATA);
}

static mf_fault fault_of_guest(guest_start start) {
    mf_fault fault;
    const mf_guard *outer = this_cpu()->guard;
    CHECK(!mf_guard_run(mf_memory_view(memory), run_guest, &start, &fault));
    CHECK((read_flags() & FLAG_INTERRUPTS) != 0 && this_cpu()->guard == outer);
    return fault;
}

static uint64_t code_frames[4];

static void map_code(uint64_t at, uint64_t frame) {
    ((uint64_t *)(DIRECT_MAP + code_frames[0]))[at >> 12 & 511] = frame | 5;
}

static uint64_t alias_of(mf_accessor_fn *function) {
    uint64_t at = kernel_physical((const void *)(uintptr_t)function);
    uint64_t first = at / MF_PAGE_SIZE * MF_PAGE_SIZE;
    for (uint64_t i = 0; i < ACCESSOR_PAGES; i++)
        map_code(GUEST_ACCESSORS + i * MF_PAGE_SIZE, first + i * MF_PAGE_SIZE);
    kernel_root_use(kernel_root());
    return GUEST_ACCESSORS + at % MF_PAGE_SIZE;
}

static void map_guest_code(void) {
    uint64_t table = kernel_root();
    for (unsigned level = 4; level > 1; level--) {
        uint64_t *e = (uint64_t *)(DIRECT_MAP + table) + (GUEST_CODE >> (12 + 9 * (level - 1)) & 511);
        table = kernel_frame_take();
        code_frames[level - 2] = table;
        memset((void *)(DIRECT_MAP + table), 0, MF_PAGE_SIZE);
        *e = table | 7;
    }
    code_frames[3] = kernel_frame_take();
    map_code(GUEST_CODE, code_frames[3]);
    memcpy((void *)(DIRECT_MAP + code_frames[3]), guest_code, (size_t)(guest_code_end - guest_code));
}

static void unmap_guest_code(void) {
    ((uint64_t *)(DIRECT_MAP + kernel_root()))[GUEST_CODE >> 39 & 511] = 0;
    kernel_root_use(kernel_root());
    for (unsigned i = 0; i < 4; i++)
        kernel_frame_give(code_frames[i]);
}

static uint64_t code_at(const unsigned char *label) {
    return GUEST_CODE + (uint64_t)(label - guest_code);
}

/* ---- The tests ------------------------------------------------------------------------------- */

static void ring_3_faults_like_ring_0(void) {
    for (unsigned i = 0; i < 1000; i++) {
        mf_fault fault = fault_of_guest((guest_start){.rdi = BASE + i, .rip = GUEST_CODE});
        CHECK(is_fault(fault, MF_PAGE_FAULT, 0, MF_LOAD) && fault.address == i);
    }
}

/* The guest goes on in ring 3, writes a byte, and ends by a store to the read-only page. */
static void ring_3_resumes_by_the_table(void) {
    int32_t fault = (int32_t)(GUEST_CODE - GUEST_ENTRY);
    mf_exception_entry entry = {fault, fault + (int32_t)(guest_code_resumes - guest_code) - 4};
    const mf_exception_entry *mapped = (const mf_exception_entry *)GUEST_ENTRY;
    memcpy((unsigned char *)DIRECT_MAP + code_frames[3] + 2048, &entry, sizeof entry);
    set_ac();
    CHECK(mf_exception_table_register(mapped, 1, NULL) == MF_OK);
    clear_ac();
    mf_fault left = fault_of_guest((guest_start){
        .rdi = BASE + DATA + 0x10000, .rsi = BASE + DATA + 16, .rdx = BASE + RODATA, .rip = GUEST_CODE});
    CHECK(is_fault(left, MF_WRITE_PROTECTED, RODATA, MF_STORE));
    mf_exception_table_unregister(mapped);
    unsigned char byte = 0;
    set_ac();
    CHECK(mf_memory_read(memory, (uint32_t)DATA + 16, &byte, 1) && byte == 1);
    clear_ac();
}

extern const mf_accessors guest_accessors;

/* One load by the emitted code succeeds and its value is stored; the next one leaves the frame. */
static void ring_3_runs_emitted_accessors(void) {
    static const mf_accessor_id loads[] = {MF_LOAD_U8, MF_LOAD_U16, MF_LOAD_U32, MF_LOAD_U64, MF_LOAD_I32};
    static const uint64_t values[] = {0x88, 0x7788, 0x55667788, 0x8122334455667788, 0x55667788};
    uint64_t word = values[3];
    for (unsigned i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        uint64_t value = 0;
        set_ac();
        CHECK(mf_memory_write(memory, (uint32_t)DATA + 32, &word, sizeof word));
        clear_ac();
        mf_fault fault =
            fault_of_guest((guest_start){.rdi = DATA + 32,
                                         .rsi = BASE + DATA + 64,
                                         .rdx = DATA - 1,
                                         .rip = code_at(guest_code_calls),
                                         .rsp = BASE + DATA + 0x1000,
                                         .rbx = alias_of(mf_accessors_member(&guest_accessors, loads[i]))});
        CHECK(is_fault(fault, MF_PAGE_FAULT, DATA - MF_PAGE_SIZE, MF_LOAD) && fault.address == DATA - 1);
        set_ac();
        CHECK(mf_memory_read(memory, (uint32_t)DATA + 64, &value, sizeof value) && value == values[i]);
        clear_ac();
    }
}

static mf_memory *of_the_kernel;
static guest_start trespasser;

static void trespass(mf_view *view, void *context) {
    (void)view, (void)context;
    mf_fault fault = fault_of_guest(trespasser);
    CHECK(is_fault(fault, MF_WRITE_PROTECTED, RODATA, MF_STORE));
}

/* Not even inside a frame of that memory: the fault is the kernel's, which lets the guest go on elsewhere. */
static void ring_3_has_no_part_in_reservations_of_the_kernel(void) {
    kernel.next_reservation = reservation_at(BASE + (UINT64_C(64) << 30), kernel_root(), false);
    CHECK(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &of_the_kernel, NULL) == MF_OK);
    map(of_the_kernel, 0, MF_PAGE_SIZE, MF_READ_WRITE);
    uint64_t base = (uint64_t)(uintptr_t)mf_memory_view(of_the_kernel)->base;
    const uint64_t places[] = {base, base + MF_PAGE_SIZE, base + MF_SPACE_BYTES};
    kernel.foreign_resume = code_at(guest_code_resumes);
    /* Another address space has a reservation of ring 3 there. */
    mf_memory *elsewhere;
    uint64_t other_root = kernel_root_make();
    kernel.next_reservation = reservation_at(base, other_root, true);
    CHECK(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &elsewhere, NULL) == MF_OK);
    for (unsigned i = 0; i < 3; i++) {
        unsigned before = kernel.foreign_faults;
        trespasser =
            (guest_start){.rdi = places[i], .rsi = BASE + DATA + 16, .rdx = BASE + RODATA, .rip = GUEST_CODE};
        CHECK(mf_guard_run(mf_memory_view(of_the_kernel), trespass, NULL, NULL));
        CHECK(kernel.foreign_faults == before + 1 && kernel.foreign_address == places[i]);
    }
    kernel.foreign_resume = 0;
    mf_memory_destroy(elsewhere);
    kernel_frame_give(other_root);
    mf_memory_destroy(of_the_kernel);
}

static void store_in_ring_0(mf_view *view, void *context) {
    *(volatile unsigned char *)((uintptr_t)view->base + *(const uint64_t *)context) = 7;
}

/* A kernel that does not set AC: nobody's guest has done anything. */
static void store_without_ac(mf_view *view, void *context) {
    uint64_t at = (uint64_t)(uintptr_t)view->base + *(const uint64_t *)context;
    unsigned before = kernel.foreign_faults;
    __asm__ volatile("lea 1f(%%rip), %%rax\n\t"
                     "mov %%rax, %0\n\t"
                     "movb $7, (%1)\n\t"
                     "1:"
                     : "=m"(kernel.foreign_resume)
                     : "r"(at)
                     : "rax", "memory");
    kernel.foreign_resume = 0;
    CHECK(kernel.foreign_faults == before + has_smap);
}

static void ring_0_needs_ac_for_reservations_of_ring_3(void) {
    uint64_t data = DATA;
    uint64_t rodata = RODATA;
    mf_fault fault;
    CHECK(mf_guard_run(mf_memory_view(memory), store_without_ac, &data, NULL));
    set_ac();
    CHECK(mf_guard_run(mf_memory_view(memory), store_in_ring_0, &data, NULL));
    CHECK(!mf_guard_run(mf_memory_view(memory), store_in_ring_0, &rodata, &fault));
    CHECK(is_fault(fault, MF_WRITE_PROTECTED, RODATA, MF_STORE));
    CHECK((read_flags() & FLAG_ALIGNMENT) != 0);
    clear_ac();
}

enum { ERROR_WRITE = 2, ERROR_USER = 4, ERROR_FETCH = 16 };

/* What another CPU's change leaves behind: a fault at a page that may be accessed by now. */
static bool is_tried_again(uint64_t address, uint64_t error_code, uint64_t flags) {
    mf_bare_registers registers = {.error_code = error_code, .rip = 1234, .rsp = 5678, .rflags = flags};
    mf_bare_registers before = registers;
    bool is_so = mf_bare_page_fault_resolve(&registers, address);
    CHECK(memcmp(&registers, &before, sizeof registers) == 0);
    return is_so;
}

static void a_fault_that_the_tables_do_not_explain_is_tried_again(void) {
    CHECK(is_tried_again(BASE + DATA, ERROR_USER | ERROR_WRITE, 0));
    CHECK(is_tried_again(BASE + RODATA, ERROR_USER, 0));
    CHECK(!is_tried_again(BASE + RODATA, ERROR_USER | ERROR_WRITE, 0));
    CHECK(is_tried_again(BASE + DATA, 0, FLAG_ALIGNMENT));
    CHECK(is_tried_again(BASE + DATA, 0, 0) == !has_smap);
    CHECK(!is_tried_again(BASE + DATA, ERROR_USER | ERROR_FETCH, 0));
    CHECK(!is_tried_again(BASE - 1, ERROR_USER, 0));
}

#define RUN(test)                                                                                            \
    test();                                                                                                  \
    puts(#test)

int main(void) {
#ifdef OWN_ENTRY
    kernel_use_own_entry();
#endif
    forbid_user_pages();
    map_guest_code();
    kernel.next_reservation = reservation_at(BASE, kernel_root(), true);
    CHECK(mf_memory_create(NULL, NULL, MF_BACKEND_X86_PAGED, &memory, NULL) == MF_OK);
    map(memory, RODATA, MF_PAGE_SIZE, MF_READ_ONLY);
    map(memory, DATA, MF_PAGE_SIZE, MF_READ_WRITE);
    kernel_timer_start();
    RUN(ring_3_faults_like_ring_0);
    RUN(ring_3_resumes_by_the_table);
    RUN(ring_3_runs_emitted_accessors);
    RUN(ring_3_has_no_part_in_reservations_of_the_kernel);
    RUN(ring_0_needs_ac_for_reservations_of_ring_3);
    RUN(a_fault_that_the_tables_do_not_explain_is_tried_again);
    mf_memory_destroy(memory);
    unmap_guest_code();
    CHECK(kernel.frames_taken == 0 && kernel.reservations == 0);
    puts("all given back");
    return 0;
}
