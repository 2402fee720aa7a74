/*
 * Handlers of a host, as real ones have them: before ours, above it, or instead of it with mf_fault_handle;
 * in the manner of V8, Go, a JVM and a sanitizer; and those that come, go and jump while memories live.
 *
 * RUN: %cc -D_GNU_SOURCE -DROOM_BYTES=%if debug || sanitizer %{65536%} %else %{1024%} %s -o %t %runtime -ldl
 * RUN: %t | FileCheck %s
 *
 * CHECK: {{^}}ours on top: guest's fault ok, fault outside ok, handler later ok, returns ok, nested ok, alternate stack ok
 * CHECK-NEXT: {{^}}host on top: guest's fault ok, fault outside ok, handler later ok, returns ok, nested ok, alternate stack ok
 * CHECK-NEXT: {{^}}host alone: guest's fault ok, fault outside ok, handler later ok, returns ok, nested ok, alternate stack ok
 * CHECK-NEXT: {{^}}like Go, ours on top: guest's fault ok, fault outside ok, handler later ok, returns ok, nested ok, alternate stack ok
 * CHECK-NEXT: {{^}}like Go, host on top: guest's fault ok, fault outside ok, handler later ok, returns ok, nested ok, alternate stack ok
 * CHECK-NEXT: {{^}}like Go, host alone: guest's fault ok, fault outside ok, handler later ok, returns ok, nested ok, alternate stack ok
 * CHECK-NEXT: like a sanitizer, ours on top: guest's fault ok, fault outside ok, handler later ok, returns ok, nested ok, alternate stack ok
 * CHECK-NEXT: like a sanitizer, host on top: guest's fault ok, fault outside ok, handler later ok, returns ok, nested ok, alternate stack ok
 * CHECK-NEXT: like a sanitizer, host alone: guest's fault ok, fault outside ok, handler later ok, returns ok, nested ok, alternate stack ok
 * CHECK-NEXT: the default in place of a handler on top
 * CHECK-NEXT: the earlier one in place of a handler on top
 * CHECK-NEXT: an old action put back over ours
 * CHECK-NEXT: ours put back by signal
 * CHECK-NEXT: a handler taken off from below ours
 * CHECK-NEXT: handlers in a circle
 * CHECK-NEXT: more handlers than are remembered
 * CHECK-NEXT: the mask of a handler on top
 * CHECK-NEXT: uninstalled too often
 * CHECK-NEXT: sigaction forbidden later
 * CHECK-NEXT: a jump out of the handler
 * CHECK-NEXT: a jump out of a lookup
 * CHECK-NEXT: a small alternate stack
 * CHECK-NEXT: frames, mask and other signals through mf_fault_handle
 * CHECK-NEXT: the mode comes before the first memory
 * CHECK-NEXT: fork in a handler that interrupts a registration
 */
#include "asm_accessors.h"
#include "host.h"

#include <memfold/fault_handler.h>
#include <memfold/guard.h>

#include <pthread.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static mf_memory *memory;
static unsigned char *target; /* no memory's, and not accessible until `repair` */
static volatile int calls;
static sigjmp_buf way_out;

static void repair(void) {
    expect(mprotect(target, PAGE, PROT_READ | PROT_WRITE) == 0);
}

static void touch_target(void) {
    *(volatile unsigned char *)target = 1;
}

static void open_memory(void) {
    memory = memory_of(NULL, 0, (mf_heap){0});
}

static void guest_fault(void) {
    expect(asm_load_u8(mf_memory_view(memory), 0x5000).status == MF_PAGE_FAULT);
}

static void set_handler(void (*handler)(int, siginfo_t *, void *), int flags, struct sigaction *old) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    expect(sigaction(SIGSEGV, &action, old) == 0);
}

/* ---- The table ------------------------------------------------------------------------------- */

typedef enum placing { OURS_ON_TOP, HOST_ON_TOP, HOST_ALONE } placing;

static placing place;

/* Of the host's handler. Like a sanitizer's: threads bring their alternate stacks, and it must run on them.
 */
static int host_flags;
static bool host_blocks_all, host_has_stacks;
static struct sigaction below_host;
static void (*answer)(siginfo_t *info, ucontext_t *machine); /* what the host does with its own faults */

static bool is_on_alternate_stack(void) {
    stack_t now;
    return sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_ONSTACK) != 0;
}

/* As hosts do: the guest's first, where that is asked for, then what is theirs, then who was there before. */
static void host_handler(int number, siginfo_t *info, void *context) {
    if (place == HOST_ALONE && mf_fault_handle(number, info, context))
        return;
    if ((unsigned char *)info->si_addr == target) {
        calls++;
        expect(!host_has_stacks || is_on_alternate_stack());
        answer(info, context);
    } else if (below_host.sa_sigaction != NULL) {
        below_host.sa_sigaction(number, info, context);
    } else {
        _exit(99);
    }
}

static void install_host(void) {
    struct sigaction action = {.sa_sigaction = host_handler, .sa_flags = SA_SIGINFO | host_flags};
    if (host_blocks_all)
        sigfillset(&action.sa_mask);
    expect(sigaction(SIGSEGV, &action, &below_host) == 0);
}

static void bring_stack(void) {
    stack_t stack = {.ss_sp = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                     .ss_size = 1 << 16};
    expect(stack.ss_sp != MAP_FAILED && sigaltstack(&stack, NULL) == 0);
}

static void start(void) {
    if (host_has_stacks)
        bring_stack();
    if (place == HOST_ALONE)
        expect_ok(mf_fault_handler_mode(MF_FAULT_HANDLER_HOST, NULL));
    if (place != HOST_ON_TOP)
        install_host();
    open_memory();
    if (place == HOST_ON_TOP)
        install_host();
}

static void answer_by_repair(siginfo_t *info, ucontext_t *machine) {
    (void)info, (void)machine;
    repair();
}

static void answer_by_jump(siginfo_t *info, ucontext_t *machine) {
    (void)info, (void)machine;
    siglongjmp(way_out, 1);
}

/* As a JVM does with its implicit null checks: the context is edited and the handler returns. */
extern const char skipped_store[], behind_skipped_store[];
ASM_FUNCTION(store_that_is_skipped, ".globl skipped_store, behind_skipped_store\n"
                                    "skipped_store: movb $1, (%rdi)\nbehind_skipped_store: ret\n")
void store_that_is_skipped(unsigned char *host);

static void answer_by_context(siginfo_t *info, ucontext_t *machine) {
    (void)info;
    expect(machine->uc_mcontext.gregs[REG_RIP] == (greg_t)(uintptr_t)skipped_store);
    machine->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)behind_skipped_store;
}

static void case_guest(void) {
    start();
    for (int i = 0; i < 100; i++)
        guest_fault();
    expect(calls == 0);
}

static void case_outside(void) {
    answer = answer_by_jump;
    start();
    for (volatile int i = 1; i <= 20; i++) {
        if (sigsetjmp(way_out, 1) == 0)
            touch_target();
        expect(calls == i);
        guest_fault();
    }
}

static struct sigaction below_later;

static void later_handler(int number, siginfo_t *info, void *context) {
    calls += 100;
    below_later.sa_sigaction(number, info, context);
}

static void case_later(void) {
    answer = answer_by_repair;
    start();
    set_handler(later_handler, SA_ONSTACK, &below_later);
    guest_fault();
    touch_target();
    expect(calls == 201);
    mf_memory *first = memory;
    open_memory();
    guest_fault();
    mf_memory_destroy(memory);
    memory = first;
    guest_fault();
}

static void case_returns(void) {
    answer = answer_by_context;
    start();
    for (int i = 1; i <= 20; i++) {
        store_that_is_skipped(target);
        expect(calls == i);
        guest_fault();
    }
}

static void answer_with_guest(siginfo_t *info, ucontext_t *machine) {
    sigset_t open;
    sigemptyset(&open);
    sigaddset(&open, SIGSEGV);
    pthread_sigmask(SIG_UNBLOCK, &open, NULL);
    guest_fault();
    answer_by_repair(info, machine);
}

static void case_nested(void) {
    answer = answer_with_guest;
    start();
    touch_target();
    guest_fault();
    expect(calls == 1);
}

static void load_byte(mf_view *view, void *unused) {
    (void)unused;
    (void)*(volatile unsigned char *)(view->base + 0x5000);
}

static void *guest_on_thread(void *bytes) {
    size_t size = (size_t)bytes;
    void *space = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_sp = space, .ss_size = size}, after;
    mf_view view;
    expect(space != MAP_FAILED && sigaltstack(&stack, NULL) == 0);
    mf_view_attach(&view, memory);
    for (int i = 0; i < 20; i++) {
        expect(asm_load_u8(&view, 0x5000).status == MF_PAGE_FAULT);
        expect(!mf_guard_run(&view, load_byte, NULL, NULL));
    }
    mf_view_detach(&view);
    expect(sigaltstack(NULL, &after) == 0 && after.ss_sp == space && (after.ss_flags & SS_ONSTACK) == 0);
    return NULL;
}

static void run_on_thread(size_t stack_bytes) {
    pthread_t thread;
    expect(pthread_create(&thread, NULL, guest_on_thread, (void *)stack_bytes) == 0);
    pthread_join(thread, NULL);
}

static void case_stack(void) {
    answer = answer_by_repair;
    start();
    run_on_thread(1 << 16);
    touch_target();
    expect(calls == 1);
}

static const struct {
    const char *name;
    void (*body)(void);
} CASES[] = {
    {"guest's fault", case_guest}, {"fault outside", case_outside}, {"handler later", case_later},
    {"returns", case_returns},     {"nested", case_nested},         {"alternate stack", case_stack},
};

static void print_row(const char *name) {
    printf("%s:", name);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        printf("%s %s %s", i == 0 ? "" : ",", CASES[i].name, succeeds(CASES[i].body) ? "ok" : "FAILS");
    printf("\n");
}

static const struct {
    const char *names[3];
    int flags;
    bool blocks_all;
    bool has_stacks;
} HOSTS[] = {
    {{"ours on top", "host on top", "host alone"}, 0, false, false},
    {{"like Go, ours on top", "like Go, host on top", "like Go, host alone"},
     SA_ONSTACK | SA_RESTART,
     true,
     false},
    {{"like a sanitizer, ours on top", "like a sanitizer, host on top", "like a sanitizer, host alone"},
     SA_ONSTACK | SA_NODEFER,
     false,
     true},
};

static void print_table(void) {
    for (size_t host = 0; host < sizeof HOSTS / sizeof HOSTS[0]; host++) {
        host_flags = HOSTS[host].flags;
        host_blocks_all = HOSTS[host].blocks_all;
        host_has_stacks = HOSTS[host].has_stacks;
        for (int i = 0; i < 3; i++) {
            place = (placing)i;
            print_row(HOSTS[host].names[i]);
        }
    }
}

/* ---- Coming and going ------------------------------------------------------------------------ */

static struct sigaction below;

static void reporter(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    expect((unsigned char *)info->si_addr == target);
    calls++;
    repair();
}

static void passing_on(int number, siginfo_t *info, void *context) {
    calls += 100;
    below.sa_sigaction(number, info, context);
}

static void default_in_its_place(void) {
    open_memory();
    set_handler(passing_on, 0, &below);
    mf_memory_destroy(memory);
    signal(SIGSEGV, SIG_DFL);
    set_handler(reporter, 0, NULL);
    open_memory();
    guest_fault();
    expect(calls == 0);
    touch_target();
    expect(calls == 1);
}

static void earlier_in_its_place(void) {
    set_handler(reporter, 0, NULL);
    open_memory();
    set_handler(passing_on, 0, &below);
    mf_memory_destroy(memory);
    set_handler(reporter, 0, NULL);
    for (int i = 0; i < 20; i++) {
        open_memory();
        guest_fault();
        mf_memory_destroy(memory);
    }
    touch_target();
    expect(calls == 1);
}

/* The memory that is there already is reached again with the next one. */
static void old_action_back(void) {
    struct sigaction old;
    set_handler(reporter, 0, NULL);
    expect(sigaction(SIGSEGV, NULL, &old) == 0);
    open_memory();
    mf_memory *first = memory;
    expect(sigaction(SIGSEGV, &old, NULL) == 0);
    open_memory();
    guest_fault();
    memory = first;
    guest_fault();
    touch_target();
    expect(calls == 1);
}

static void not_called(int number) {
    (void)number;
    _exit(99);
}

/* signal() knows only the address: what it puts back has no siginfo and no alternate stack. */
static void put_back_by_signal(void) {
    struct sigaction now;
    set_handler(reporter, 0, NULL);
    open_memory();
    mf_memory *first = memory;
    void (*saved)(int) = signal(SIGSEGV, not_called);
    expect(signal(SIGSEGV, saved) == not_called);
    open_memory();
    run_on_thread(1 << 16);
    guest_fault();
    touch_target();
    expect(calls == 1);
    mf_memory_destroy(memory);
    memory = first;
    guest_fault();
    mf_memory_destroy(memory);
    expect(sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_sigaction == reporter);
}

/* It puts back ours as it was when it came, and must not be called any more. */
static void taken_off_from_below(void) {
    set_handler(reporter, 0, NULL);
    open_memory();
    set_handler(passing_on, 0, &below);
    open_memory();
    expect(sigaction(SIGSEGV, &below, NULL) == 0);
    guest_fault();
    touch_target();
    expect(calls == 1);
    open_memory();
    guest_fault();
}

/* `passing_on` is below a layer and above it. Its own fault is the reporter's, the rest ends by default. */
static void handlers_in_a_circle(void) {
    set_handler(reporter, 0, NULL);
    open_memory();
    set_handler(passing_on, 0, &below);
    open_memory();
    set_handler(passing_on, 0, &below);
    open_memory();
    guest_fault();
    expect(calls == 0);
    touch_target();
    expect(calls % 100 == 1 && calls <= 301);
}

static void circle_of_one(void) {
    set_handler(passing_on, 0, &below);
    open_memory();
    set_handler(passing_on, 0, &below);
    guest_fault();
    touch_target();
}

static void many_handlers(void) {
    set_handler(reporter, 0, NULL);
    for (int i = 0; i < 40; i++) {
        struct sigaction action = {.sa_sigaction = passing_on, .sa_flags = SA_SIGINFO};
        sigaddset(&action.sa_mask, SIGRTMIN + i % 20);
        open_memory();
        guest_fault();
        expect(sigaction(SIGSEGV, &action, &below) == 0);
    }
    open_memory();
    guest_fault();
    touch_target();
    expect(calls % 100 == 1);
}

static void mask_reporter(int number, siginfo_t *info, void *context) {
    sigset_t mask;
    (void)number, (void)info, (void)context;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    calls += sigismember(&mask, SIGUSR1) == 1 && sigismember(&mask, SIGSEGV) == 1;
    repair();
}

static void mask_stays_closed(void) {
    set_handler(mask_reporter, 0, NULL);
    open_memory();
    struct sigaction action = {.sa_sigaction = passing_on, .sa_flags = SA_SIGINFO};
    sigaddset(&action.sa_mask, SIGUSR1);
    expect(sigaction(SIGSEGV, &action, &below) == 0);
    touch_target();
    expect(calls == 101);
}

static void uninstalled_too_often(void) {
    struct sigaction now;
    mf_fault_handler_uninstall();
    expect_ok(mf_fault_handler_install(NULL));
    for (int i = 0; i < 3; i++)
        mf_fault_handler_uninstall();
    expect(sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    open_memory();
    guest_fault();
    mf_memory_destroy(memory);
    expect(sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
}

static void sigaction_forbidden(void) {
    open_memory();
    refuse(SYS_rt_sigaction, ANY, ANY, EPERM);
    open_memory();
    guest_fault();
}

/* ---- Jumps ----------------------------------------------------------------------------------- */

static volatile sig_atomic_t armed;
static volatile int jumps;

static void jump_out(int number) {
    (void)number;
    if (armed) {
        armed = 0;
        jumps++;
        siglongjmp(way_out, 1);
    }
}

static void start_timer(long microseconds) {
    struct itimerval interval = {{0, microseconds}, {0, microseconds}};
    expect(setitimer(ITIMER_REAL, &interval, NULL) == 0);
}

static void jump_out_of(void (*work)(void)) {
    struct sigaction action = {.sa_handler = jump_out};
    sigaction(SIGALRM, &action, NULL);
    start_timer(50);
    while (jumps < 2000) {
        if (sigsetjmp(way_out, 1) == 0) {
            armed = 1;
            while (armed)
                work();
        }
    }
    start_timer(0);
    signal(SIGALRM, SIG_DFL);
    alarm(20);
    unregister_accessors();
    mf_memory_destroy(memory);
}

static void jump_out_of_handler(void) {
    open_memory();
    set_handler(passing_on, 0, &below);
    jump_out_of(guest_fault);
}

static void look_up(void) {
    expect(mf_exception_table_lookup((uintptr_t)look_up) == 0);
}

static void jump_out_of_lookup(void) {
    open_memory();
    jump_out_of(look_up);
}

/* ---- The rest -------------------------------------------------------------------------------- */

/*
 * The room that the header states, for a library that is compiled with optimisation and without sanitizers;
 * the frames of others are larger. 51 is AT_MINSIGSTKSZ, which older C libraries do not name.
 */
static void small_stack(void) {
    open_memory();
    run_on_thread(getauxval(51) + ROOM_BYTES);
}

static volatile bool was_handled;

static void asks_only(int number, siginfo_t *info, void *context) {
    was_handled = mf_fault_handle(number, info, context);
    expect(!mf_fault_handle(SIGUSR1, info, context));
    if (!was_handled)
        repair();
}

static void asked_in_every_way(void) {
    mf_fault fault;
    sigset_t blocked, after;
    expect_ok(mf_fault_handler_mode(MF_FAULT_HANDLER_HOST, NULL));
    set_handler(asks_only, 0, NULL);
    open_memory();
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    for (int i = 0; i < 20; i++) {
        was_handled = false;
        expect(!mf_guard_run(mf_memory_view(memory), load_byte, NULL, &fault));
        expect(was_handled && fault.page == 0x5000 && fault.kind == MF_PAGE_FAULT);
        pthread_sigmask(SIG_SETMASK, NULL, &after);
        expect(sigismember(&after, SIGUSR2) == 1 && sigismember(&after, SIGSEGV) == 0);
    }
    touch_target();
    expect(!was_handled);
    raise(SIGSEGV);
    expect(!was_handled);
}

static void mode_in_use(void) {
    struct sigaction now;
    expect(mf_fault_handler_mode((mf_fault_handler_owner)7, NULL) == MF_INVALID_ARGUMENT);
    open_memory();
    expect(mf_fault_handler_mode(MF_FAULT_HANDLER_HOST, NULL) == MF_INVALID_ARGUMENT);
    expect_ok(mf_fault_handler_mode(MF_FAULT_HANDLER_OWN, NULL));
    guest_fault();
    mf_memory_destroy(memory);
    expect_ok(mf_fault_handler_mode(MF_FAULT_HANDLER_HOST, NULL));
    open_memory();
    expect(sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
    expect(mf_fault_handler_mode(MF_FAULT_HANDLER_OWN, NULL) == MF_INVALID_ARGUMENT);
    mf_memory_destroy(memory);
}

static mf_exception_entry registered[64];
static volatile int forks;

static void fork_here(int number) {
    (void)number;
    int status = 1;
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        mf_status done = mf_exception_table_register(registered + 32, 32, NULL);
        mf_exception_table_unregister(registered + 32);
        _exit(done != MF_OK);
    }
    expect(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    /* Where a fork takes longer than the timer's interval nothing runs between two handlers. */
    forks = forks + 1;
    if (forks == 50)
        start_timer(0);
}

static void fork_in_handler(void) {
    struct sigaction action = {.sa_handler = fork_here};
    sigaction(SIGALRM, &action, NULL);
    for (size_t i = 0; i < 64; i++)
        registered[i] = (mf_exception_entry){1, 2};
    start_timer(5000);
    for (time_t end = time(NULL) + 30; forks < 50 && time(NULL) < end;) {
        expect_ok(mf_exception_table_register(registered, 32, NULL));
        mf_exception_table_unregister(registered);
    }
    start_timer(0);
    expect(forks >= 50);
}

static void passes(const char *name, bool condition) {
    expect(condition);
    puts(name);
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    forget_handlers();
    target = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    register_accessors();
    print_table();
    passes("the default in place of a handler on top", succeeds(default_in_its_place));
    passes("the earlier one in place of a handler on top", succeeds(earlier_in_its_place));
    passes("an old action put back over ours", succeeds(old_action_back));
    passes("ours put back by signal", succeeds(put_back_by_signal));
    passes("a handler taken off from below ours", succeeds(taken_off_from_below));
    passes("handlers in a circle", succeeds(handlers_in_a_circle) && dies_by(SIGSEGV, circle_of_one));
    passes("more handlers than are remembered", succeeds(many_handlers));
    passes("the mask of a handler on top", succeeds(mask_stays_closed));
    passes("uninstalled too often", succeeds(uninstalled_too_often));
    passes("sigaction forbidden later", succeeds(sigaction_forbidden));
    passes("a jump out of the handler", succeeds(jump_out_of_handler));
    passes("a jump out of a lookup", succeeds(jump_out_of_lookup));
    passes("a small alternate stack", succeeds(small_stack));
    passes("frames, mask and other signals through mf_fault_handle", succeeds(asked_in_every_way));
    passes("the mode comes before the first memory", succeeds(mode_in_use));
    passes("fork in a handler that interrupts a registration", succeeds(fork_in_handler));
    return 0;
}
