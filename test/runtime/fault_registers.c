/*
 * The fault entry on x86-64 keeps every general register but rax and r11, calls with an aligned stack, and
 * can be unwound; as C code it is marked for CET, and it binds at load time.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime -Wl,--wrap=entry_fault && %t | FileCheck %s
 *
 * RUN: %cc -fcf-protection=full -I%source/runtime -c %source/runtime/fault_entry.c -o %t.cet.o
 * RUN: readelf -n %t.cet.o | FileCheck %s --check-prefix=CET
 * RUN: llvm-objdump -d --no-show-raw-insn %t.cet.o | FileCheck %s --check-prefix=BRANCH
 *
 * CHECK: 15 registers kept
 * CHECK-NEXT: aligned 1
 * CHECK-NEXT: status 1 on page 0x5000
 * CHECK-NEXT: unwound to the caller 1
 * CET: x86 feature: IBT, SHSTK
 * BRANCH: <mf_rt_fault_v3>:
 * BRANCH-NEXT: endbr64
 */
#include "support.h"

#include <execinfo.h>
#include <string.h>

/* In this order: rcx rdx rsi rdi rbx rbp rsp r8 r9 r10 r12 r13 r14 r15, and the flag of direction. */
#define REGISTERS 15

/* What the entry calls: the real one, behind which all that a C function may change has changed. */
uint32_t __real_entry_fault(mf_view *view, uint64_t index, uint64_t access, uint64_t limit);
uint32_t __wrap_entry_fault(mf_view *view, uint64_t index, uint64_t access, uint64_t limit);

static bool is_aligned = true;
static void *frames[16];
static int frame_count;

uint32_t __wrap_entry_fault(mf_view *view, uint64_t index, uint64_t access, uint64_t limit) {
    /* At the call the stack is a multiple of 16; the return address and rbp lie below. */
    is_aligned = is_aligned && (uintptr_t)__builtin_frame_address(0) % 16 == 0;
    frame_count = backtrace(frames, 16);
    uint32_t kind = __real_entry_fault(view, index, access, limit);
    __asm__ volatile("mov $-1, %%rcx\nmov %%rcx, %%rdx\nmov %%rcx, %%rsi\nmov %%rcx, %%rdi\nmov %%rcx, %%r8\n"
                     "mov %%rcx, %%r9\nmov %%rcx, %%r10\nmov %%rcx, %%r11"
                     :
                     :
                     : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11");
    return kind;
}

/* uint32_t call_with_all_filled(mf_view *, uint64_t before[], uint64_t after[]): a store of 4 bytes at
 * 0x5000. */
uint32_t call_with_all_filled(mf_view *view, uint64_t *before, uint64_t *after);

#define STORE_ALL                                                                                            \
    "movq %rcx, 0(%rax)\nmovq %rdx, 8(%rax)\nmovq %rsi, 16(%rax)\nmovq %rdi, 24(%rax)\n"                     \
    "movq %rbx, 32(%rax)\nmovq %rbp, 40(%rax)\nmovq %rsp, 48(%rax)\nmovq %r8, 56(%rax)\n"                    \
    "movq %r9, 64(%rax)\nmovq %r10, 72(%rax)\nmovq %r12, 80(%rax)\nmovq %r13, 88(%rax)\n"                    \
    "movq %r14, 96(%rax)\nmovq %r15, 104(%rax)\npushfq\npopq %r11\nandq $0x400, %r11\n"                      \
    "movq %r11, 112(%rax)\n"

__asm__(".text\n"
        ".globl call_with_all_filled\n"
        "call_with_all_filled:\n"
        "pushq %rbx\npushq %rbp\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "pushq %rdx\n"
        "movq %rsi, %rax\n"
        "movq $0x5000, %rsi\nmovq $9, %rdx\nmovq $0, %rcx\n"
        "movabsq $0x1111111111111111, %rbx\nmovabsq $0x2222222222222222, %rbp\n"
        "movabsq $0x3333333333333333, %r8\nmovabsq $0x4444444444444444, %r9\n"
        "movabsq $0x5555555555555555, %r10\nmovabsq $0x6666666666666666, %r12\n"
        "movabsq $0x7777777777777777, %r13\nmovabsq $0x8888888888888888, %r14\n"
        "movabsq $0x9999999999999999, %r15\n" STORE_ALL "call mf_rt_fault_v3@PLT\n"
        "movl %eax, %r11d\n"
        "movq (%rsp), %rax\n"
        "movq %r11, 120(%rax)\n" STORE_ALL "movl 120(%rax), %eax\n"
        "popq %rdx\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbp\npopq %rbx\n"
        "ret\n");

static void *return_address;

__attribute__((noinline)) static uint32_t call_from_c(mf_view *view) {
    return_address = __builtin_return_address(0);
    return mf_rt_fault_v3(view, 0x5000, MF_ACCESS_CODE(MF_STORE, 4), 0) | 0u;
}

int main(void) {
    mf_memory *memory = memory_of(NULL, 0, (mf_heap){0});
    mf_view *view = mf_memory_view(memory);
    uint64_t before[REGISTERS], after[REGISTERS + 1]; /* the last is the status */
    uint32_t status = call_with_all_filled(view, before, after);
    int kept = 0;
    for (int i = 0; i < REGISTERS; i++)
        kept += before[i] == after[i];
    printf("%d registers kept\n", kept);
    printf("aligned %d\n", is_aligned);
    printf("status %u on page 0x%llx\n", status, (unsigned long long)view->fault.page);
    status = call_from_c(view);
    bool is_found = false;
    for (int i = 0; i < frame_count; i++)
        is_found = is_found || frames[i] == return_address;
    printf("unwound to the caller %d\n", is_found && status == MF_PAGE_FAULT);
    mf_memory_destroy(memory);
    return 0;
}
