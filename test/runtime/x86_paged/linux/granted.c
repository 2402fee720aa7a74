/*
 * A page that sbrk adds between a fault and its handler: the access is executed again, and done. A handler of
 * the test grows the heap in that moment, as another thread would, and then asks mf_fault_handle. Where the
 * host does not let the page be accessed although the permissions say so, there is one attempt and no more.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: by table: 1 signal, done
 * CHECK-NEXT: by frame: 1 signal, done
 * CHECK-NEXT: a straddle, by table: 1 signal, done
 * CHECK-NEXT: beyond what was added: 1 signal, fault on page 0x14000
 * CHECK-NEXT: refused by the host, by table: 2 signals, fault on page 0x12000
 * CHECK-NEXT: refused by the host, by frame: 2 signals, fault on page 0x12000
 * CHECK-NEXT: once more: 2 signals, fault on page 0x12000
 * CHECK-NEXT: what is never the guest's is not tried again
 */
#include "asm_accessors.h"
#include "host.h"

#include <memfold/fault_handler.h>

#define HEAP (16 * PAGE)

static mf_memory *memory;
static mf_view *view;
static uint64_t added_in_handler;
static unsigned signals;

static void on_fault(int number, siginfo_t *info, void *context) {
    uint64_t old;
    signals++;
    if (added_in_handler > 0)
        expect_ok(mf_memory_sbrk(memory, added_in_handler, &old, NULL));
    added_in_handler = 0;
    ucontext_t before = *(ucontext_t *)context;
    expect(mf_fault_handle(number, info, context));
    uintptr_t pc_before = (uintptr_t)before.uc_mcontext.gregs[REG_RIP];
    bool repeats = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] == pc_before;
    expect(!repeats || memcmp(&before.uc_mcontext.gregs, &((ucontext_t *)context)->uc_mcontext.gregs,
                              sizeof before.uc_mcontext.gregs) == 0);
}

static void begin(uint64_t added) {
    expect_ok(mf_memory_reset(memory, NULL));
    added_in_handler = added;
    signals = 0;
}

static void report(const char *name, uint32_t status) {
    printf("%s: %u signal%s, ", name, signals, signals == 1 ? "" : "s");
    if (status == MF_FAULT_NONE)
        puts("done");
    else
        printf("fault on page 0x%llx\n", (unsigned long long)view->fault.page);
}

static void store_byte(mf_view *v, void *context) {
    *(volatile unsigned char *)(v->base + *(uint32_t *)context) = 0x5a;
}

/* A store as a trap accessor does it. */
static uint32_t store_in_frame(uint32_t address) {
    mf_fault fault;
    return mf_guard_run(view, store_byte, &address, &fault) ? MF_FAULT_NONE : fault.kind;
}

static void is_done(void) {
    begin(4 * PAGE);
    uint32_t status = asm_store_u8(view, HEAP + 3 * PAGE, 0x5a);
    expect(byte_at(memory, HEAP + 3 * PAGE) == 0x5a && view->fault.kind == MF_FAULT_NONE);
    report("by table", status);
    begin(4 * PAGE);
    status = store_in_frame(HEAP + 3 * PAGE);
    expect(byte_at(memory, HEAP + 3 * PAGE) == 0x5a && view->fault.kind == MF_FAULT_NONE);
    report("by frame", status);
    begin(PAGE);
    status = asm_store_u32(view, HEAP - 2, 0x11223344);
    expect(byte_at(memory, HEAP) == 0x22 && view->fault.kind == MF_FAULT_NONE);
    report("a straddle, by table", status);
    begin(4 * PAGE);
    report("beyond what was added", asm_store_u8(view, HEAP + 4 * PAGE, 1));
}

/* As if somebody else had taken the CPU's rights away. */
static void take_rights(void) {
    uint64_t old;
    begin(0);
    expect_ok(mf_memory_sbrk(memory, 4 * PAGE, &old, NULL));
    expect(mprotect(view->base + HEAP + 2 * PAGE, PAGE, PROT_NONE) == 0);
}

static void give_rights_back(void) {
    expect(mprotect(view->base + HEAP + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
}

static void ends(void) {
    take_rights();
    report("refused by the host, by table", asm_store_u8(view, HEAP + 2 * PAGE, 1));
    signals = 0;
    memset(&view->fault, 0, sizeof view->fault);
    report("refused by the host, by frame", store_in_frame(HEAP + 2 * PAGE));
    signals = 0;
    report("once more", asm_store_u8(view, HEAP + 2 * PAGE, 1));
    give_rights_back();
}

/* An instruction that is in no table, outside any frame; the page can be accessed. */
static void foreign(void) {
    uint64_t old;
    begin(0);
    expect_ok(mf_memory_sbrk(memory, PAGE, &old, NULL));
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SEGV_ACCERR};
    ucontext_t context = {0};
    info.si_addr = view->base + HEAP;
    context.uc_mcontext.gregs[REG_TRAPNO] = 14;
    context.uc_mcontext.gregs[REG_ERR] = 6;
    context.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)foreign;
    expect(!mf_fault_handle(SIGSEGV, &info, &context));
    puts("what is never the guest's is not tried again");
}

int main(void) {
    const mf_region region = {HEAP - PAGE, PAGE, MF_READ_WRITE};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};
    backend = MF_BACKEND_X86_PAGED;
    memory = memory_of(&region, 1, (mf_heap){HEAP, 64});
    view = mf_memory_view(memory);
    register_accessors();
    alarm(60); /* instead of attempts without end */
    action.sa_sigaction = on_fault;
    expect(sigaction(SIGSEGV, &action, NULL) == 0);
    is_done();
    ends();
    foreign();
    unregister_accessors();
    mf_memory_destroy(memory);
    return 0;
}
