/*
 * SIGSEGV and SIGBUS on Linux: guest faults are resolved, all others go to the action that was there before.
 *
 * Every signal is blocked while the handler decides. Otherwise another handler could interrupt it inside the
 * registry and leave by longjmp, and the registry would wait for that reader for ever. Before the handler
 * that was there before is called, the mask that the kernel would have given it is set.
 */
#include <memfold/fault_handler.h>

#include "x86_paged/resolve.h"
#include "guard_impl.h"
#include "registry.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* Intel SDM volume 3, 4.7: the error code of a page fault. */
#define PAGE_FAULT_TRAP 14
#define PAGE_FAULT_WRITE 0x2
#define PAGE_FAULT_FETCH 0x10

#define EFLAGS_DIRECTION 0x400
#define RED_ZONE_BYTES 128
#define STACK_ALIGNMENT 16

/*
 * The action before ours. Handlers in other threads may be reading it while it is replaced. So there are two
 * places, used in turn: the new action is written into the free one, published, and the registry drained,
 * after which the other place is free.
 */
typedef struct chain {
    int signal;
    struct sigaction places[2];
    _Atomic(const struct sigaction *) previous;
    atomic_bool is_spent; /* a previous SA_RESETHAND action has been taken */
    bool is_buried;       /* at the last uninstall another handler was on top of ours */
} chain;

static chain chains[] = {{.signal = SIGSEGV}, {.signal = SIGBUS}};
#define CHAIN_COUNT (sizeof chains / sizeof chains[0])

static size_t install_count;

/* ---- Somebody else's fault ----------------------------------------------------------------- */

static struct sigaction previous_of(const chain *c) {
    epoch_reader self = registry_enter();
    struct sigaction action = *atomic_load(&c->previous);
    registry_leave(self);
    return action;
}

/* The kernel's masks have 64 bits; what follows them in a saved context is not part of them. */
static uint64_t mask_bits(const sigset_t *mask) {
    uint64_t bits;
    memcpy(&bits, mask, sizeof bits);
    return bits;
}

/* As the kernel sets it for a handler with this action. */
static void set_mask_of(const struct sigaction *action, int signal, const ucontext_t *machine) {
    bool stays_open = (action->sa_flags & (int)SA_NODEFER) != 0;
    uint64_t own = stays_open ? 0 : UINT64_C(1) << (signal - 1);
    uint64_t bits = mask_bits(&machine->uc_sigmask) | mask_bits(&action->sa_mask) | own;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &bits, NULL, sizeof bits);
}

/* Whether the instruction, when it is executed again, raises the same signal. */
static bool comes_again(const siginfo_t *info) {
    bool is_notice = info->si_signo == SIGBUS && info->si_code == BUS_MCEERR_AO;
    return info->si_code > 0 && info->si_code != SI_KERNEL && !is_notice;
}

/*
 * The signal finds the default action when the handler has returned: by itself, or because it is sent to this
 * thread again, unchanged. An ignored signal stays without effect unless the CPU raised it; the kernel does
 * not let that be ignored.
 */
static void act_by_default(int signal, siginfo_t *info, bool is_ignored) {
    bool was_sent = info->si_code <= 0;
    if (is_ignored && was_sent)
        return;
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(signal, &action, NULL);
    if (!comes_again(info))
        syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, info);
}

static void pass_on(chain *c, siginfo_t *info, ucontext_t *machine) {
    int host_errno = errno;
    struct sigaction action = previous_of(c);
    bool is_once = (action.sa_flags & (int)SA_RESETHAND) != 0;
    bool is_ignored = action.sa_handler == SIG_IGN;
    if (action.sa_handler == SIG_DFL || is_ignored || (is_once && atomic_exchange(&c->is_spent, true))) {
        act_by_default(c->signal, info, is_ignored);
        errno = host_errno;
        return;
    }
    set_mask_of(&action, c->signal, machine);
    errno = host_errno;
    if ((action.sa_flags & SA_SIGINFO) != 0)
        action.sa_sigaction(c->signal, info, machine);
    else
        action.sa_handler(c->signal);
}

/* ---- The guest's fault --------------------------------------------------------------------- */

/* What the kernel reports when data cannot be accessed. What processes send has other codes. */
static bool is_data_fault(const siginfo_t *info, const greg_t *registers) {
    bool is_access = info->si_signo == SIGBUS ? info->si_code == BUS_ADRERR
                                              : info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR;
    return is_access && registers[REG_TRAPNO] == PAGE_FAULT_TRAP &&
           (registers[REG_ERR] & PAGE_FAULT_FETCH) == 0;
}

/*
 * The thread goes on as if the faulting instruction had been a call of guard_frame_leave(frame): below
 * the red zone, with the stack as after a call instruction and the direction flag as C code wants it.
 */
static void call_leave_guard_frame(greg_t *registers, struct mf_guard *frame) {
    uintptr_t stack = ((uintptr_t)registers[REG_RSP] - RED_ZONE_BYTES) & ~(uintptr_t)(STACK_ALIGNMENT - 1);
    registers[REG_RSP] = (greg_t)(stack - sizeof(void *));
    registers[REG_RDI] = (greg_t)(uintptr_t)frame;
    registers[REG_RIP] = (greg_t)(uintptr_t)guard_frame_leave;
    registers[REG_EFL] &= ~(greg_t)EFLAGS_DIRECTION;
}

static bool recover(const siginfo_t *info, greg_t *registers) {
    page_fault fault = {
        .host_address = (uintptr_t)info->si_addr,
        .host_pc = (uintptr_t)registers[REG_RIP],
        .operation = (registers[REG_ERR] & PAGE_FAULT_WRITE) != 0 ? MF_STORE : MF_LOAD,
    };
    page_fault_fixup fixup;
    if (!is_data_fault(info, registers) || !page_fault_resolve(&fault, &fixup))
        return false;
    if (fixup.host_pc != 0)
        registers[REG_RIP] = (greg_t)fixup.host_pc;
    else
        call_leave_guard_frame(registers, fixup.frame);
    return true;
}

static void on_fault(int signal, siginfo_t *info, void *context) {
    ucontext_t *machine = context;
    if (!recover(info, machine->uc_mcontext.gregs))
        pass_on(&chains[signal == SIGBUS], info, machine);
}

/* ---- Installing ---------------------------------------------------------------------------- */

static bool is_ours(const struct sigaction *action) {
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_fault;
}

static bool is_function(const struct sigaction *action) {
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

static bool are_same(const struct sigaction *a, const struct sigaction *b) {
    return a->sa_handler == b->sa_handler && a->sa_flags == b->sa_flags &&
           mask_bits(&a->sa_mask) == mask_bits(&b->sa_mask);
}

static void publish_previous(chain *c, const struct sigaction *action) {
    struct sigaction *free_place = &c->places[atomic_load(&c->previous) == &c->places[0]];
    *free_place = *action;
    atomic_store(&c->previous, free_place);
    registry_drain();
}

/* System calls are restarted exactly if they were before, because signals can also be sent. */
static struct sigaction our_action(const struct sigaction *previous) {
    struct sigaction action = {.sa_sigaction = on_fault};
    bool restarts = !is_function(previous) || (previous->sa_flags & SA_RESTART) != 0;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | (restarts ? SA_RESTART : 0);
    memset(&action.sa_mask, 0xff, sizeof action.sa_mask);
    return action;
}

/* Whoever is on top of ours passes on to us, and would call itself through us if we went on top again. */
static bool is_reached_through(const chain *c, const struct sigaction *current) {
    return c->is_buried && is_function(current) && !are_same(current, atomic_load(&c->previous));
}

/* The previous action is known before ours is there, because our handler may run at once. */
static bool install(chain *c) {
    struct sigaction current;
    struct sigaction replaced;
    if (sigaction(c->signal, NULL, &current) != 0)
        return false;
    if (is_ours(&current) || is_reached_through(c, &current))
        return true;
    publish_previous(c, &current);
    atomic_store(&c->is_spent, false);
    struct sigaction ours = our_action(&current);
    if (sigaction(c->signal, &ours, &replaced) != 0)
        return false;
    if (!are_same(&current, &replaced))
        publish_previous(c, &replaced);
    c->is_buried = false;
    return true;
}

static void uninstall(chain *c) {
    struct sigaction current;
    struct sigaction previous = *atomic_load(&c->previous);
    if (atomic_load(&c->is_spent))
        previous = (struct sigaction){.sa_handler = SIG_DFL};
    c->is_buried = sigaction(c->signal, NULL, &current) != 0 || !is_ours(&current);
    if (!c->is_buried)
        sigaction(c->signal, &previous, NULL);
}

static bool install_all(void) {
    for (size_t i = 0; i < CHAIN_COUNT; i++) {
        if (!install(&chains[i])) {
            while (i > 0)
                uninstall(&chains[--i]);
            return false;
        }
    }
    return true;
}

mf_status mf_fault_handler_install(mf_diag *diag) {
    registry_lock();
    bool is_there = install_count > 0 || install_all();
    install_count += is_there;
    int reason = errno;
    registry_unlock();
    if (!is_there) {
        return mf_diag_set(diag, MF_IO, (uint64_t)reason, "the fault handler cannot be installed: error %d",
                           reason);
    }
    return MF_OK;
}

void mf_fault_handler_uninstall(void) {
    registry_lock();
    if (--install_count == 0)
        for (size_t i = 0; i < CHAIN_COUNT; i++)
            uninstall(&chains[i]);
    registry_unlock();
}
