/*
 * The handler that was there before: it gets what it would have got, in the mask and with the flags it asked
 * for. Then the order of handlers: installed twice, put on top of ours, taken off again.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: siginfo intact
 * CHECK-NEXT: context is the thread's own
 * CHECK-NEXT: plain handler
 * CHECK-NEXT: its mask
 * CHECK-NEXT: no mask
 * CHECK-NEXT: handled once
 * CHECK-NEXT: raised and queued
 * CHECK-NEXT: left by a jump
 * CHECK-NEXT: guest faults inside
 * CHECK-NEXT: errno
 * CHECK-NEXT: system calls restart as before
 * CHECK-NEXT: installed as often as uninstalled
 * CHECK-NEXT: another on top
 * CHECK-NEXT: another on top for good
 * CHECK-NEXT: the default on top
 */
#include "asm_accessors.h"
#include "host.h"

#include <memfold/fault_handler.h>

#include <fcntl.h>
#include <setjmp.h>
#include <ucontext.h>

static mf_memory *memory;
static unsigned char *target; /* no memory's, and not accessible until `repair` */

static volatile int calls;
static volatile siginfo_t seen;
static volatile sigset_t seen_mask;
static volatile int seen_errno;
static volatile uintptr_t seen_pc;

static void repair(void) {
    expect(mprotect(target, PAGE, PROT_READ | PROT_WRITE) == 0);
}

static void break_again(void) {
    expect(mprotect(target, PAGE, PROT_NONE) == 0);
}

static void on_signal(int number, siginfo_t *info, void *context) {
    calls++;
    seen = *info;
    seen.si_signo = number;
    seen_errno = errno;
    seen_pc = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    seen_mask = mask;
    repair();
}

static void on_plain_signal(int number) {
    calls += number == SIGSEGV;
    repair();
}

static void handle(void (*handler)(int, siginfo_t *, void *), int flags, int masked) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    if (masked != 0)
        sigaddset(&action.sa_mask, masked);
    expect(sigaction(SIGSEGV, &action, NULL) == 0);
}

static void open_memory(void) {
    memory = memory_of(NULL, 0, (mf_heap){0});
    target = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(target != MAP_FAILED);
    register_accessors();
}

static void guest_fault(void) {
    expect(asm_load_u8(mf_memory_view(memory), 0).status == MF_PAGE_FAULT);
}

static void touch_target(void) {
    *(volatile unsigned char *)(target + 5) = 1;
}

/* ---- What a handler gets ------------------------------------------------------------------- */

static void siginfo_intact(void) {
    handle(on_signal, SA_SIGINFO, 0);
    open_memory();
    guest_fault();
    touch_target();
    expect(calls == 1 && seen.si_signo == SIGSEGV && seen.si_code == SEGV_ACCERR);
    expect(seen.si_addr == target + 5 && target[5] == 1);
}

extern const char store_that_faults[];
ASM_FUNCTION(store_byte, ".globl store_that_faults\nstore_that_faults: movb $1, (%rdi)\nret\n")
void store_byte(unsigned char *host);

static void context_is_real(void) {
    handle(on_signal, SA_SIGINFO, 0);
    open_memory();
    store_byte(target);
    expect(calls == 1 && seen_pc == (uintptr_t)store_that_faults);
}

static void plain_handler(void) {
    signal(SIGSEGV, on_plain_signal);
    open_memory();
    touch_target();
    expect(calls == 1);
}

static bool mask_is(sigset_t mask, int a, int b, int c) {
    for (int number = 1; number < 32; number++) {
        bool wanted = number == a || number == b || number == c;
        if ((sigismember(&mask, number) == 1) != wanted)
            return false;
    }
    return true;
}

static void its_mask(void) {
    handle(on_signal, SA_SIGINFO, SIGUSR1);
    open_memory();
    sigset_t blocked, after;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    touch_target();
    expect(calls == 1 && mask_is(seen_mask, SIGSEGV, SIGUSR1, SIGUSR2));
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    expect(mask_is(after, SIGUSR2, 0, 0));
}

static void no_mask(void) {
    handle(on_signal, SA_SIGINFO | SA_NODEFER, 0);
    open_memory();
    touch_target();
    expect(calls == 1 && mask_is(seen_mask, 0, 0, 0));
}

/* With SA_RESETHAND the second fault finds the default action. */
static void handled_once(void) {
    handle(on_signal, SA_SIGINFO | (int)SA_RESETHAND, 0);
    open_memory();
    touch_target();
    expect(calls == 1);
    break_again();
    touch_target();
}

static void raised_and_queued(void) {
    handle(on_signal, SA_SIGINFO, 0);
    open_memory();
    raise(SIGSEGV);
    expect(calls == 1 && seen.si_code == SI_TKILL && seen.si_pid == getpid());
    expect(sigqueue(getpid(), SIGSEGV, (union sigval){.sival_int = 77}) == 0);
    expect(calls == 2 && seen.si_code == SI_QUEUE && seen.si_value.sival_int == 77);
}

static sigjmp_buf way_out;

static void jump_out(int number, siginfo_t *info, void *context) {
    (void)number, (void)info, (void)context;
    calls++;
    siglongjmp(way_out, 1);
}

/* Nothing of ours is left behind, as often as it happens: the table can still be changed. */
static void left_by_a_jump(void) {
    handle(jump_out, SA_SIGINFO, 0);
    open_memory();
    for (volatile int i = 0; i < 1000; i++)
        if (sigsetjmp(way_out, 1) == 0)
            touch_target();
    expect(calls == 1000);
    guest_fault();
    unregister_accessors();
}

static void use_guest(int number, siginfo_t *info, void *context) {
    (void)number, (void)info, (void)context;
    calls++;
    guest_fault();
    repair();
}

static void guest_faults_inside(void) {
    handle(use_guest, SA_SIGINFO | SA_NODEFER, 0);
    open_memory();
    touch_target();
    expect(calls == 1);
}

static void errno_is_kept(void) {
    handle(on_signal, SA_SIGINFO, 0);
    open_memory();
    errno = 4711;
    asm_load_u8(mf_memory_view(memory), 0);
    expect(errno == 4711);
    touch_target();
    expect(seen_errno == 4711);
}

/* Whether a read that waits goes on after a SIGSEGV that another process sends. */
static bool read_restarts(int flags) {
    handle(on_signal, SA_SIGINFO | flags, 0);
    open_memory();
    int ends[2];
    char byte;
    expect(pipe(ends) == 0);
    if (fork() == 0) {
        usleep(100000);
        kill(getppid(), SIGSEGV);
        usleep(100000);
        _exit(write(ends[1], "x", 1) != 1);
    }
    ssize_t got = read(ends[0], &byte, 1);
    expect(got == 1 || (got == -1 && errno == EINTR));
    return got == 1;
}

static void restarts(void) {
    expect(read_restarts(SA_RESTART));
}

static void does_not_restart(void) {
    expect(!read_restarts(0));
}

/* ---- The order of handlers ----------------------------------------------------------------- */

static struct sigaction current(int number) {
    struct sigaction action;
    expect(sigaction(number, NULL, &action) == 0);
    return action;
}

static bool is_mine(void) {
    return current(SIGSEGV).sa_sigaction == on_signal && current(SIGBUS).sa_handler == SIG_DFL;
}

static void counted(void) {
    handle(on_signal, SA_SIGINFO, SIGUSR1);
    struct sigaction before = current(SIGSEGV);
    expect_ok(mf_fault_handler_install(NULL));
    expect_ok(mf_fault_handler_install(NULL));
    expect(!is_mine() && (current(SIGSEGV).sa_flags & SA_ONSTACK) != 0);
    mf_fault_handler_uninstall();
    expect(!is_mine());
    open_memory();
    mf_fault_handler_uninstall();
    expect(!is_mine());
    mf_memory_destroy(memory);
    expect(is_mine());
    struct sigaction after = current(SIGSEGV);
    expect(after.sa_flags == before.sa_flags && sigismember(&after.sa_mask, SIGUSR1) == 1);
    for (int i = 0; i < 100; i++) {
        open_memory();
        guest_fault();
        mf_memory_destroy(memory);
    }
    expect(is_mine());
}

static struct sigaction below;
static volatile int passed;

static void pass_on(int number, siginfo_t *info, void *context) {
    passed++;
    below.sa_sigaction(number, info, context);
}

static void put_on_top(void) {
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    expect(sigaction(SIGSEGV, &action, &below) == 0);
}

static void another_on_top(void) {
    handle(on_signal, SA_SIGINFO, 0);
    open_memory();
    put_on_top();
    guest_fault();
    touch_target();
    expect(passed == 2 && calls == 1);
    sigaction(SIGSEGV, &below, NULL);
    mf_memory_destroy(memory);
    expect(is_mine());
}

/* Left alone when the last memory goes; the next memory is put on top of it and passes on to it. */
static void another_stays_on_top(void) {
    handle(on_signal, SA_SIGINFO, 0);
    open_memory();
    put_on_top();
    mf_memory_destroy(memory);
    expect(current(SIGSEGV).sa_sigaction == pass_on);
    touch_target();
    expect(passed == 1 && calls == 1);
    for (int i = 0; i < 20; i++) {
        open_memory();
        expect(current(SIGSEGV).sa_sigaction != pass_on);
        guest_fault();
        touch_target();
        mf_memory_destroy(memory);
        expect(current(SIGSEGV).sa_sigaction == pass_on);
    }
    expect(passed == 21 && calls == 21);
    sigaction(SIGSEGV, &below, NULL);
    open_memory();
    guest_fault();
    mf_memory_destroy(memory);
    expect(is_mine() && passed == 21);
}

/* Whoever sets the default action has taken us out; the next memory puts us in again. */
static void default_on_top(void) {
    open_memory();
    signal(SIGSEGV, SIG_DFL);
    mf_memory_destroy(memory);
    expect(current(SIGSEGV).sa_handler == SIG_DFL);
    open_memory();
    guest_fault();
    mf_memory_destroy(memory);
    expect(current(SIGSEGV).sa_handler == SIG_DFL);
}

static void passes(const char *name, bool condition) {
    expect(condition);
    puts(name);
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    forget_handlers();
    passes("siginfo intact", succeeds(siginfo_intact));
    passes("context is the thread's own", succeeds(context_is_real));
    passes("plain handler", succeeds(plain_handler));
    passes("its mask", succeeds(its_mask));
    passes("no mask", succeeds(no_mask));
    passes("handled once", dies_by(SIGSEGV, handled_once));
    passes("raised and queued", succeeds(raised_and_queued));
    passes("left by a jump", succeeds(left_by_a_jump));
    passes("guest faults inside", succeeds(guest_faults_inside));
    passes("errno", succeeds(errno_is_kept));
    passes("system calls restart as before", succeeds(restarts) && succeeds(does_not_restart));
    passes("installed as often as uninstalled", succeeds(counted));
    passes("another on top", succeeds(another_on_top));
    passes("another on top for good", succeeds(another_stays_on_top));
    passes("the default on top", succeeds(default_on_top));
    return 0;
}
