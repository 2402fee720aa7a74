/*
 * Where a guest fault may happen: in any thread, on any stack, inside another handler, while malloc is at
 * work. And what it leaves behind: nothing. Registers, flags, mask and alternate stack are as they were.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: registers
 * CHECK-NEXT: mask and stack, by table
 * CHECK-NEXT: mask and stack, by frame
 * CHECK-NEXT: direction flag, by frame
 * CHECK-NEXT: in a thread
 * CHECK-NEXT: on an alternate stack
 * CHECK-NEXT: without room on the stack
 * CHECK-NEXT: inside a handler
 * CHECK-NEXT: while malloc is at work
 * CHECK-NEXT: in a child
 */
#include "asm_accessors.h"
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>

static mf_memory *memory;

static void passes(const char *name) {
    puts(name);
}

/* ---- Registers ----------------------------------------------------------------------------- */

/* All that a thread has in user space, in the order of the code below. rax holds the address that faults. */
struct machine {
    uint64_t gpr[15]; /* rax rbx rcx rdx rsi rdi rbp r8 .. r15 */
    uint64_t flags;
    unsigned char xmm[16][16];
    uint32_t mxcsr;
    uint64_t stack;
};

struct machine machine_before, machine_after;
uint64_t machine_host_stack;

/* The formatter never comes to rest over lists like these. */
/* clang-format off */
#define EACH_GPR(X) \
    X("rax", "0") X("rbx", "8") X("rcx", "16") X("rdx", "24") X("rsi", "32") \
    X("rdi", "40") X("rbp", "48") X("r8", "56") X("r9", "64") X("r10", "72") \
    X("r11", "80") X("r12", "88") X("r13", "96") X("r14", "104") X("r15", "112")
#define EACH_XMM(X) \
    X("0", "128") X("1", "144") X("2", "160") X("3", "176") X("4", "192") \
    X("5", "208") X("6", "224") X("7", "240") X("8", "256") X("9", "272") \
    X("10", "288") X("11", "304") X("12", "320") X("13", "336") X("14", "352") \
    X("15", "368")
/* clang-format on */

#define LOAD_GPR(name, offset) "movq machine_before+" offset "(%rip), %" name "\n"
#define SAVE_GPR(name, offset) "movq %" name ", machine_after+" offset "(%rip)\n"
#define LOAD_XMM(number, offset) "movups machine_before+" offset "(%rip), %xmm" number "\n"
#define SAVE_XMM(number, offset) "movups %xmm" number ", machine_after+" offset "(%rip)\n"

/* Everything from machine_before, an access that faults, everything into machine_after. */
ASM_FUNCTION(
    fault_with_registers,
    "pushq %rbx\npushq %rbp\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "subq $8, %rsp\nstmxcsr (%rsp)\n"
    "ldmxcsr machine_before+384(%rip)\n" EACH_XMM(
        LOAD_XMM) "movq %rsp, machine_before+392(%rip)\n"
                  "pushq machine_before+120(%rip)\npopfq\n" EACH_GPR(
                      LOAD_GPR) "1: movb (%rax), %al\n"
                                "ud2\n"
                                "2: " EACH_GPR(
                                    SAVE_GPR) "movq %rsp, machine_after+392(%rip)\n"
                                              "pushfq\npopq machine_after+120(%rip)\ncld\n" EACH_XMM(
                                                  SAVE_XMM) "stmxcsr machine_after+384(%rip)\nldmxcsr "
                                                            "(%rsp)\naddq $8, %rsp\n"
                                                            "popq %r15\npopq %r14\npopq %r13\npopq "
                                                            "%r12\npopq %rbp\npopq %rbx\n"
                                                            "ret\n" EXTABLE_ENTRY)
void fault_with_registers(void);

MF_STATIC_ASSERT(offsetof(struct machine, flags) == 120 && offsetof(struct machine, xmm) == 128 &&
                     offsetof(struct machine, mxcsr) == 384 && offsetof(struct machine, stack) == 392,
                 "the offsets in the code above");

/* Carry, parity, adjust, zero, sign, direction, overflow and the interrupt flag, which is always on. */
#define ALL_FLAGS UINT64_C(0xed7)
#define NO_FLAGS UINT64_C(0x202)

/* Bit 16 (resume) and bit 1 (always on) are the CPU's own. */
static bool same_flags(uint64_t a, uint64_t b) {
    return ((a ^ b) & ~UINT64_C(0x10002)) == 0;
}

static void registers_are_kept(void) {
    uint64_t random = 99;
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 15; i++)
            machine_before.gpr[i] = next_random(&random);
        for (int i = 0; i < 16 * 16; i++)
            machine_before.xmm[i / 16][i % 16] = (unsigned char)next_random(&random);
        machine_before.gpr[0] = (uint64_t)(uintptr_t)mf_memory_view(memory)->base + 5 * PAGE;
        machine_before.flags = round % 2 ? ALL_FLAGS : NO_FLAGS;
        machine_before.mxcsr = round % 3 ? 0x1f80 : 0x7fbf; /* default; rounds to zero, all exceptions seen */
        memset(&machine_after, 0, sizeof machine_after);
        fault_with_registers();
        expect(same_flags(machine_before.flags, machine_after.flags));
        machine_after.flags = machine_before.flags;
        expect(memcmp(&machine_before, &machine_after, sizeof machine_before) == 0);
    }
    passes("registers");
}

/* ---- Mask and stack ------------------------------------------------------------------------ */

static void fault_by_table(void) {
    mf_view *view = mf_memory_view(memory);
    expect(asm_load_u32(view, 2 * PAGE).status == MF_PAGE_FAULT);
    expect(asm_store_u8(view, 0, 9) == MF_FAULT_NONE && asm_load_u8(view, 0).value == 9);
}

static void touch_guest(mf_view *view, void *context) {
    (void)context;
    (void)*(volatile unsigned char *)(view->base + 2 * PAGE);
    expect(false);
}

static void fault_by_frame(void) {
    mf_fault fault;
    expect(!mf_guard_run(mf_memory_view(memory), touch_guest, NULL, &fault));
    expect(fault_is(fault, MF_PAGE_FAULT, MF_LOAD, 2 * PAGE, 2 * PAGE, 0));
}

static void keeps_mask_and_stack(void (*fault)(void)) {
    static unsigned char stack[64 * 1024];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, before, after;
    sigset_t mask, mask_before, mask_after;
    expect(sigaltstack(&alternate, &before) == 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigaddset(&mask, SIGCHLD);
    expect(pthread_sigmask(SIG_SETMASK, &mask, &mask_before) == 0);
    for (int i = 0; i < 100; i++) {
        fault();
        expect(pthread_sigmask(SIG_SETMASK, NULL, &mask_after) == 0);
        for (int number = 1; number < 65; number++)
            expect(sigismember(&mask, number) == sigismember(&mask_after, number));
        expect(sigaltstack(NULL, &after) == 0);
        expect(after.ss_sp == stack && after.ss_flags == 0 && after.ss_size == sizeof stack);
    }
    expect(pthread_sigmask(SIG_SETMASK, &mask_before, NULL) == 0);
    expect(sigaltstack(&before, NULL) == 0);
}

ASM_FUNCTION(fault_backwards, "std\nmovb (%rdi), %al\nud2\n")
void fault_backwards(unsigned char *host);

static void touch_backwards(mf_view *view, void *context) {
    (void)context;
    fault_backwards(view->base + 2 * PAGE);
}

static void direction_is_forward(void) {
    uint64_t flags;
    expect(!mf_guard_run(mf_memory_view(memory), touch_backwards, NULL, NULL));
    __asm__ volatile("pushfq\npopq %0" : "=r"(flags));
    expect((flags & 0x400) == 0);
    passes("direction flag, by frame");
}

/* ---- Threads and stacks -------------------------------------------------------------------- */

static void *fault_in_thread(void *view) {
    (void)view;
    keeps_mask_and_stack(fault_by_table);
    fault_by_table();
    fault_by_frame();
    return NULL;
}

static void in_a_thread(void) {
    pthread_t thread;
    expect(pthread_create(&thread, NULL, fault_in_thread, NULL) == 0);
    expect(pthread_join(thread, NULL) == 0);
    passes("in a thread");
}

static void on_alternate_stack(int number) {
    (void)number;
    stack_t now;
    expect(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_ONSTACK);
    fault_by_table();
    fault_by_frame();
    expect(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_ONSTACK);
}

/* Already on the alternate stack, the fault handler goes on there. */
static void *use_alternate_stack(void *context) {
    static unsigned char stack[256 * 1024];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_alternate_stack, .sa_flags = SA_ONSTACK};
    expect(sigaltstack(&alternate, NULL) == 0);
    expect(sigaction(SIGUSR1, &action, NULL) == 0);
    fault_by_table();
    fault_by_frame();
    expect(pthread_kill(pthread_self(), SIGUSR1) == 0);
    alternate.ss_flags = SS_DISABLE;
    expect(sigaltstack(&alternate, NULL) == 0);
    return context;
}

static void on_an_alternate_stack(void) {
    pthread_t thread;
    expect(pthread_create(&thread, NULL, use_alternate_stack, NULL) == 0);
    expect(pthread_join(thread, NULL) == 0);
    passes("on an alternate stack");
}

/* With the stack pointer anywhere: the handler runs on the alternate stack, and the table needs no other. */
ASM_FUNCTION(fault_without_stack, "movq %rsp, machine_host_stack(%rip)\n"
                                  "movq %rsi, %rsp\n"
                                  "1: movb (%rdi), %al\n"
                                  "ud2\n"
                                  "2: cmpq %rsi, %rsp\n"
                                  "sete %al\n"
                                  "movzbl %al, %eax\n"
                                  "movq machine_host_stack(%rip), %rsp\n"
                                  "ret\n" EXTABLE_ENTRY)
int fault_without_stack(unsigned char *host, uint64_t stack);

static void without_room_on_the_stack(void) {
    static unsigned char stack[64 * 1024];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack}, before;
    expect(sigaltstack(&alternate, &before) == 0);
    expect(fault_without_stack(mf_memory_view(memory)->base + 2 * PAGE, 0x1238) == 1);
    expect(sigaltstack(&before, NULL) == 0);
    passes("without room on the stack");
}

/* ---- Inside others ------------------------------------------------------------------------- */

static volatile int handled;

static void fault_in_handler(int number) {
    (void)number;
    fault_by_table();
    fault_by_frame();
    handled++;
}

/* A frame that is active outside is not that of an access inside. */
static void raise_inside(mf_view *view, void *context) {
    (void)context;
    struct mf_guard *frame = view->guard;
    raise(SIGUSR2);
    expect(view->guard == frame && handled == 2);
    touch_guest(view, NULL);
}

static void inside_a_handler(void) {
    signal(SIGUSR2, fault_in_handler);
    raise(SIGUSR2);
    expect(handled == 1);
    expect(!mf_guard_run(mf_memory_view(memory), raise_inside, NULL, NULL));
    expect(handled == 2);
    passes("inside a handler");
}

/* If the fault handler allocated anything, it would soon wait for the lock that its own thread holds. */
static void while_malloc_is_at_work(void) {
    enum { BLOCKS = 64, INTERRUPTIONS = 2000 };
    static void *volatile blocks[BLOCKS];
    struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    uint64_t random = 3;
    handled = 0;
    signal(SIGALRM, fault_in_handler);
    expect(setitimer(ITIMER_REAL, &often, NULL) == 0);
    while (handled < INTERRUPTIONS) {
        size_t i = next_random(&random) % BLOCKS;
        free(blocks[i]);
        blocks[i] = malloc(1 + next_random(&random) % 100000);
    }
    expect(setitimer(ITIMER_REAL, &never, NULL) == 0);
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    passes("while malloc is at work");
}

/* ---- After fork ---------------------------------------------------------------------------- */

static void use_everything(void) {
    fault_by_table();
    fault_by_frame();
    mf_memory *clone;
    expect_ok(mf_memory_clone(memory, &clone, NULL));
    expect(byte_at(clone, 0) == 9);
    mf_memory_destroy(clone);
    set_byte(memory, 0, 10);
    unregister_accessors();
    mf_memory_destroy(memory);
}

static atomic_bool stop;

static void *fault_on_and_on(void *argument) {
    mf_view *view = argument;
    while (!atomic_load(&stop)) {
        expect(asm_load_u8(view, 3 * PAGE).status == MF_PAGE_FAULT);
        register_accessors();
        unregister_accessors();
    }
    return NULL;
}

/* Other threads are amid faults and changes of the tables when the process forks; the child is not stuck. */
static void in_a_child(void) {
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    mf_view views[THREADS];
    for (int i = 0; i < THREADS; i++) {
        mf_view_attach(&views[i], memory);
        expect(pthread_create(&threads[i], NULL, fault_on_and_on, &views[i]) == 0);
    }
    for (int i = 0; i < 200; i++)
        expect(succeeds(use_everything));
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++) {
        expect(pthread_join(threads[i], NULL) == 0);
        mf_view_detach(&views[i]);
    }
    expect(byte_at(memory, 0) == 9);
    passes("in a child");
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    forget_handlers();
    memory = memory_of(&(mf_region){0, PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    register_accessors();
    registers_are_kept();
    keeps_mask_and_stack(fault_by_table);
    passes("mask and stack, by table");
    keeps_mask_and_stack(fault_by_frame);
    passes("mask and stack, by frame");
    direction_is_forward();
    in_a_thread();
    on_an_alternate_stack();
    without_room_on_the_stack();
    inside_a_handler();
    while_malloc_is_at_work();
    in_a_child();
    unregister_accessors();
    mf_memory_destroy(memory);
    return 0;
}
