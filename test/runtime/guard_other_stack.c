/*
 * A guard frame is left across stacks, upwards and downwards, also where the runtime is compiled with
 * _FORTIFY_SOURCE, whose longjmp ends the process when it leads to a stack that lies below.
 *
 * The two files that do it are compiled as such distributions compile them; the rest is the library.
 *
 * UNSUPPORTED: sanitizer
 * RUN: %cc -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -DNDEBUG -D_GNU_SOURCE -I%source/runtime %s %source/runtime/guard.c \
 * RUN:     %source/runtime/os_linux.c %source/runtime/os_linux_jump.c -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: by the trap accessor, to a stack below
 * CHECK-NEXT: by the trap accessor, to a stack above
 * CHECK-NEXT: by the MMU, to a stack below
 * CHECK-NEXT: by the MMU, to a stack above
 */
#include "support.h"

#include <memfold/generic.h>
#include <memfold/guard.h>

#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { STACK_BYTES = 1 << 20 };

static mf_memory *memory;
static unsigned char *stack_of_guest;
static ucontext_t host_context, guest_context;

static void run_on_other_stack(void) {
    mf_view *view = mf_memory_view(memory);
    if (backend == MF_BACKEND_X86_PAGED) {
        (void)*(volatile unsigned char *)(view->base + 0x5000);
    } else {
        const mf_accessor_options options = {.on_fault = MF_ON_FAULT_TRAP};
        const mf_accessors *guest = mf_generic_accessors(&options);
        ((mf_load_trap_fn *)mf_accessors_member(guest, MF_LOAD_U8))(view, 0x5000);
    }
    expect(false);
}

static void switch_stacks(mf_view *view, void *unused) {
    (void)view, (void)unused;
    expect(getcontext(&guest_context) == 0);
    guest_context.uc_stack = (stack_t){.ss_sp = stack_of_guest, .ss_size = STACK_BYTES};
    makecontext(&guest_context, run_on_other_stack, 0);
    swapcontext(&host_context, &guest_context);
}

static void *run(void *unused) {
    mf_fault fault = {0};
    expect(!mf_guard_run(mf_memory_view(memory), switch_stacks, NULL, &fault));
    expect(fault.page == 0x5000 && fault.kind == MF_PAGE_FAULT);
    return unused;
}

static void test_pair(unsigned char *stack_of_host) {
    pthread_attr_t attributes;
    pthread_t thread;
    memory = memory_of(NULL, 0, (mf_heap){0});
    expect(pthread_attr_init(&attributes) == 0);
    expect(pthread_attr_setstack(&attributes, stack_of_host, STACK_BYTES) == 0);
    expect(pthread_create(&thread, &attributes, run, NULL) == 0);
    pthread_join(thread, NULL);
    mf_memory_destroy(memory);
    printf("by the %s, to a stack %s\n", backend == MF_BACKEND_X86_PAGED ? "MMU" : "trap accessor",
           stack_of_host < stack_of_guest ? "below" : "above");
}

int main(void) {
    unsigned char *stacks =
        mmap(NULL, 2 * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const mf_backend backends[] = {MF_BACKEND_COPY, MF_BACKEND_X86_PAGED};
    for (int i = 0; i < 2; i++) {
        backend = backends[i];
        stack_of_guest = stacks + STACK_BYTES;
        test_pair(stacks);
        stack_of_guest = stacks;
        test_pair(stacks + STACK_BYTES);
    }
    return 0;
}
