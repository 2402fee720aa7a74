/*
 * SIGSEGV and SIGBUS on Linux: guest faults are resolved, all others go to the action that was there before.
 *
 * Handlers of others come and go, above ours and below. A library that goes puts back the action that it
 * found, which may be ours, and expects what it had been then. So ours is not one handler but several, called
 * layers: each has an entry function of its own and remembers the action that it was put on top of. Wherever
 * in a chain of handlers a layer is called, and whoever has put it back, it passes on to that action.
 *
 * No signal is blocked here, and others may interrupt, run guests of their own, and jump away: what the
 * handler reads of the process it reads as registry.h says, and it leaves nothing behind.
 */
#include <memfold/fault_handler.h>

#include "x86_paged/resolve.h"
#include "guard_impl.h"
#include "registry.h"

#include <dlfcn.h>
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

/* The kernel's masks have 64 bits; what follows them in a set of the C library is not part of them. */
typedef struct action {
    uintptr_t handler;
    int flags;
    uint64_t mask;
} action;

typedef struct shared_action {
    _Atomic(uintptr_t) handler;
    atomic_int flags;
    _Atomic(uint64_t) mask;
} shared_action;

/*
 * One entry function on one signal. What it passes on to changes only when it is put on top of another
 * action: that is written to the other place and then becomes the current one, as registry.h says, because
 * the layer may be passing on in another thread meanwhile.
 */
typedef struct layer {
    shared_action previous[2];
    atomic_uint current;
    atomic_bool is_spent; /* a previous SA_RESETHAND action has been taken */
    bool is_used;         /* it may stand somewhere in a chain; under the lock */
} layer;

#define LAYER_COUNT 8

typedef struct chain {
    int signal;
    layer layers[LAYER_COUNT];
} chain;

static chain chains[] = {{.signal = SIGSEGV}, {.signal = SIGBUS}};
#define CHAIN_COUNT (sizeof chains / sizeof chains[0])

/* Under the lock. */
static size_t install_count;
static mf_fault_handler_owner owner;

/* ---- Actions ------------------------------------------------------------------------------- */

static uint64_t mask_bits(const sigset_t *mask) {
    uint64_t bits;
    memcpy(&bits, mask, sizeof bits);
    return bits;
}

static uint64_t bit_of(int signal) {
    return UINT64_C(1) << (signal - 1);
}

static action action_of(const struct sigaction *from) {
    return (action){(uintptr_t)from->sa_sigaction, from->sa_flags, mask_bits(&from->sa_mask)};
}

static struct sigaction to_sigaction(action from) {
    struct sigaction to = {.sa_flags = from.flags};
    to.sa_sigaction = (void (*)(int, siginfo_t *, void *))from.handler;
    memcpy(&to.sa_mask, &from.mask, sizeof from.mask);
    return to;
}

static bool are_same(action a, action b) {
    return a.handler == b.handler && a.flags == b.flags && a.mask == b.mask;
}

static bool is_function(action a) {
    return a.handler != (uintptr_t)SIG_DFL && a.handler != (uintptr_t)SIG_IGN;
}

static action previous_of(const layer *l) {
    action previous;
    unsigned long version;
    do {
        version = registry_version();
        const shared_action *from = &l->previous[atomic_load(&l->current)];
        previous = (action){atomic_load(&from->handler), atomic_load(&from->flags), atomic_load(&from->mask)};
    } while (registry_has_changed(version));
    return previous;
}

/* ---- Somebody else's fault ----------------------------------------------------------------- */

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
    int host_errno = errno;
    if (is_ignored && was_sent)
        return;
    sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    if (!comes_again(info))
        syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, info);
    errno = host_errno;
}

/*
 * The signal that this thread is passing on, by its saved context, which is its own, and by what faulted. The
 * handlers below may leave by a jump; then this is still here when the next signal comes, with its context
 * perhaps in the same place. But whoever comes back is deeper in the stack than whoever has passed on.
 */
typedef struct passage {
    const void *context;
    const void *host_address;
    uintptr_t host_pc;
    uintptr_t depth;  /* the stack where the last layer was entered */
    unsigned layers;  /* those that have passed it on, by bit */
    unsigned returns; /* how often it came back to one of them */
} passage;

static _Thread_local passage passing __attribute__((tls_model("initial-exec")));

static passage continued(unsigned place, const siginfo_t *info, const ucontext_t *machine, uintptr_t depth) {
    passage next = passing;
    uintptr_t pc = (uintptr_t)machine->uc_mcontext.gregs[REG_RIP];
    bool is_same = next.context == machine && next.host_address == info->si_addr && next.host_pc == pc;
    if (!is_same || depth >= next.depth)
        next = (passage){.context = machine, .host_address = info->si_addr, .host_pc = pc};
    next.depth = depth;
    next.returns += (next.layers >> place) & 1;
    next.layers |= 1U << place;
    return next;
}

/*
 * Handlers that call each other in a circle do not know who was there first; the first layer does. If that
 * does not help either, nobody wants the fault.
 */
static action action_for(const chain *c, unsigned place, unsigned returns) {
    if (returns > 1)
        return (action){.handler = (uintptr_t)SIG_DFL};
    return previous_of(&c->layers[returns == 0 ? place : 0]);
}

static bool is_taken_once(chain *c, unsigned place, action taken) {
    return (taken.flags & (int)SA_RESETHAND) != 0 && atomic_exchange(&c->layers[place].is_spent, true);
}

/*
 * The kernel has blocked for us what it would have blocked for the action below, except this signal; a
 * handler above ours has set the mask that it wants to be kept. So only this signal is added to what there
 * is.
 */
static bool block(int signal) {
    uint64_t added = bit_of(signal);
    uint64_t before = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &added, &before, sizeof added);
    return (before & added) == 0;
}

static void unblock(int signal) {
    uint64_t removed = bit_of(signal);
    syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &removed, NULL, sizeof removed);
}

static void call(action taken, int signal, siginfo_t *info, ucontext_t *machine) {
    bool stays_open = (taken.flags & (int)SA_NODEFER) != 0 && (taken.mask & bit_of(signal)) == 0;
    int host_errno = errno;
    bool was_open = !stays_open && block(signal);
    errno = host_errno;
    if ((taken.flags & SA_SIGINFO) != 0)
        ((void (*)(int, siginfo_t *, void *))taken.handler)(signal, info, machine);
    else
        ((void (*)(int))taken.handler)(signal);
    if (was_open)
        unblock(signal);
}

static void pass_on(chain *c, unsigned place, siginfo_t *info, ucontext_t *machine) {
    passage before = passing;
    passage now = continued(place, info, machine, (uintptr_t)__builtin_frame_address(0));
    action taken = action_for(c, place, now.returns);
    passing = now;
    if (!is_function(taken) || is_taken_once(c, place, taken))
        act_by_default(c->signal, info, taken.handler == (uintptr_t)SIG_IGN);
    else
        call(taken, c->signal, info, machine);
    passing = before;
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

/*
 * The fault after which this thread has executed an instruction again. If the very same comes next, the host
 * does not let the page be accessed although memfold has asked for it, so another attempt would be one of
 * many.
 */
typedef struct attempt {
    uintptr_t host_address;
    uintptr_t host_pc;
} attempt;

static _Thread_local attempt repeated __attribute__((tls_model("initial-exec")));

static bool is_repeated(const page_fault *fault) {
    return repeated.host_address == fault->host_address && repeated.host_pc == fault->host_pc;
}

static bool recover(const siginfo_t *info, greg_t *registers) {
    page_fault fault = {
        .host_address = (uintptr_t)info->si_addr,
        .host_pc = (uintptr_t)registers[REG_RIP],
        .operation = (registers[REG_ERR] & PAGE_FAULT_WRITE) != 0 ? MF_STORE : MF_LOAD,
    };
    page_fault_fixup fixup;
    fault.may_be_granted = !is_repeated(&fault);
    if (!is_data_fault(info, registers) || !page_fault_resolve(&fault, &fixup))
        return false;
    bool repeats = fixup.host_pc == fault.host_pc;
    repeated = repeats ? (attempt){fault.host_address, fault.host_pc} : (attempt){0};
    if (fixup.host_pc != 0)
        registers[REG_RIP] = (greg_t)fixup.host_pc;
    else
        call_leave_guard_frame(registers, fixup.frame);
    return true;
}

bool mf_fault_handle(int signal, const void *siginfo, void *ucontext) {
    ucontext_t *machine = ucontext;
    return (signal == SIGSEGV || signal == SIGBUS) && recover(siginfo, machine->uc_mcontext.gregs);
}

static void on_fault(unsigned place, int signal, siginfo_t *info, void *context) {
    if (!mf_fault_handle(signal, info, context))
        pass_on(&chains[signal == SIGBUS], place, info, context);
}

/* ---- Layers -------------------------------------------------------------------------------- */

#define ENTRY(place)                                                                                         \
    static void enter_##place(int signal, siginfo_t *info, void *context) {                                  \
        on_fault(place, signal, info, context);                                                              \
    }

ENTRY(0)
ENTRY(1)
ENTRY(2)
ENTRY(3)
ENTRY(4)
ENTRY(5)
ENTRY(6)
ENTRY(7)

static void (*const entries[])(int, siginfo_t *, void *) = {enter_0, enter_1, enter_2, enter_3,
                                                            enter_4, enter_5, enter_6, enter_7};

MF_STATIC_ASSERT(sizeof entries / sizeof entries[0] == LAYER_COUNT, "each layer has an entry");

/*
 * The layer whose entry the action is, or NULL. It is ours whatever its flags: a library that saves a handler
 * with signal() and puts it back so has lost them.
 */
static layer *layer_of(chain *c, action a) {
    for (unsigned i = 0; i < LAYER_COUNT; i++)
        if (a.handler == (uintptr_t)entries[i])
            return &c->layers[i];
    return NULL;
}

/*
 * The layer for an action to go on top of: one that stands on it already, or the first free one. With none
 * left the last one changes its place; then faults that are not the guest's may miss handlers in between.
 */
static layer *choose_layer(chain *c, action below) {
    for (unsigned i = 0; i < LAYER_COUNT; i++)
        if (c->layers[i].is_used && are_same(previous_of(&c->layers[i]), below))
            return &c->layers[i];
    for (unsigned i = 0; i < LAYER_COUNT; i++)
        if (!c->layers[i].is_used)
            return &c->layers[i];
    return &c->layers[LAYER_COUNT - 1];
}

static void put_on_top_of(layer *l, action below) {
    unsigned next = 1 - atomic_load(&l->current);
    registry_change();
    atomic_store(&l->previous[next].handler, below.handler);
    atomic_store(&l->previous[next].flags, below.flags);
    atomic_store(&l->previous[next].mask, below.mask);
    atomic_store(&l->current, next);
    atomic_store(&l->is_spent, false);
}

#define OUR_FLAGS (SA_SIGINFO | SA_ONSTACK | (int)SA_NODEFER)

/*
 * The kernel blocks for us what it would block for the action below, but not this signal: whoever interrupts
 * us may run guests too. System calls are restarted exactly if they were before, because signals can also be
 * sent.
 */
static struct sigaction our_action(const chain *c, const layer *l, action below) {
    bool restarts = !is_function(below) || (below.flags & SA_RESTART) != 0;
    action ours = {
        .handler = (uintptr_t)entries[l - c->layers],
        .flags = OUR_FLAGS | (restarts ? SA_RESTART : 0),
        .mask = is_function(below) ? below.mask & ~bit_of(c->signal) : 0,
    };
    return to_sigaction(ours);
}

/* ---- Installing ---------------------------------------------------------------------------- */

/* A layer that is on top has the flags that it needs, with which it was put there. */
static bool restore_flags(const chain *c, const layer *l, int flags) {
    struct sigaction ours = our_action(c, l, previous_of(l));
    return (flags & OUR_FLAGS) == OUR_FLAGS || sigaction(c->signal, &ours, NULL) == 0;
}

/*
 * The action below is known before our layer is there, because it may be called at once. A policy that
 * forbids to look also forbids to install, so where ours has been installed it is there.
 */
static bool install(chain *c) {
    struct sigaction current;
    struct sigaction replaced;
    if (sigaction(c->signal, NULL, &current) != 0)
        return install_count > 0;
    action below = action_of(&current);
    if (layer_of(c, below) != NULL)
        return restore_flags(c, layer_of(c, below), below.flags);
    layer *l = choose_layer(c, below);
    put_on_top_of(l, below);
    struct sigaction ours = our_action(c, l, below);
    if (sigaction(c->signal, &ours, &replaced) != 0)
        return false;
    l->is_used = true;
    if (!are_same(below, action_of(&replaced)) && layer_of(c, action_of(&replaced)) == NULL)
        put_on_top_of(l, action_of(&replaced));
    return true;
}

/* A layer that is on top is taken off; one under another handler may still be called by that. */
static void uninstall(chain *c) {
    struct sigaction current;
    if (sigaction(c->signal, NULL, &current) != 0)
        return;
    layer *l = layer_of(c, action_of(&current));
    if (l == NULL)
        return;
    struct sigaction below = to_sigaction(previous_of(l));
    if (atomic_load(&l->is_spent))
        below = (struct sigaction){.sa_handler = SIG_DFL};
    if (sigaction(c->signal, &below, NULL) == 0)
        l->is_used = false;
}

static bool install_all(void) {
    for (size_t i = 0; i < CHAIN_COUNT; i++) {
        if (!install(&chains[i])) {
            while (install_count == 0 && i > 0)
                uninstall(&chains[--i]);
            return false;
        }
    }
    return true;
}

#pragma weak dladdr
#pragma weak dlsym

/*
 * The shared object that has the handler stays for ever, because others may have saved its address. Not under
 * the lock, because the loader calls constructors under a lock of its own and those register tables. Weak,
 * because a program that is linked statically has no loader, and nothing to unload; and dlopen by its name,
 * because linkers warn of it there.
 */
static void pin_own_object(void) {
    void *(*open)(const char *path, int mode) = NULL;
    Dl_info own;
    if (&dladdr == NULL || &dlsym == NULL || dladdr(chains, &own) == 0)
        return;
    void *found = dlsym(RTLD_DEFAULT, "dlopen");
    memcpy(&open, &found, sizeof open);
    if (open != NULL)
        (void)open(own.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

mf_status mf_fault_handler_install(mf_diag *diag) {
    static atomic_bool is_pinned;
    if (!atomic_load(&is_pinned)) {
        pin_own_object();
        atomic_store(&is_pinned, true);
    }
    registry_lock();
    bool is_there = owner == MF_FAULT_HANDLER_HOST || install_all();
    int reason = errno;
    install_count += is_there;
    registry_unlock();
    if (!is_there) {
        return mf_diag_set(diag, MF_IO, (uint64_t)reason, "the fault handler cannot be installed: error %d",
                           reason);
    }
    return MF_OK;
}

void mf_fault_handler_uninstall(void) {
    registry_lock();
    if (install_count > 0 && --install_count == 0 && owner == MF_FAULT_HANDLER_OWN)
        for (size_t i = 0; i < CHAIN_COUNT; i++)
            uninstall(&chains[i]);
    registry_unlock();
}

static bool set_owner(mf_fault_handler_owner wanted) {
    registry_lock();
    bool is_free = install_count == 0 || owner == wanted;
    if (is_free)
        owner = wanted;
    registry_unlock();
    return is_free;
}

mf_status mf_fault_handler_mode(mf_fault_handler_owner wanted, mf_diag *diag) {
    if (wanted != MF_FAULT_HANDLER_OWN && wanted != MF_FAULT_HANDLER_HOST)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)wanted, "there is no handler mode %d",
                           (int)wanted);
    if (!set_owner(wanted))
        return mf_diag_set(
            diag, MF_INVALID_ARGUMENT, (uint64_t)wanted,
            "the fault handler is in use already; its mode comes before the first paged memory");
    return MF_OK;
}
