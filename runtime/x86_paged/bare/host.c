/* The verbs of os.h without an operating system, by what the kernel gives. */
#include "x86_paged/bare/host.h"
#include "x86_paged/bare/cpu.h"
#include "os.h"

#include <memfold/fault_handler.h>

#include <string.h>

static mf_bare_host host;
static bool has_started;

const mf_bare_host *bare_host_get(void) {
    return has_started ? &host : NULL;
}

/* ---- Starting ------------------------------------------------------------------------------ */

static bool is_complete(const mf_bare_host *h) {
    return h->take_frame != NULL && h->give_frame != NULL && h->allocate != NULL && h->free != NULL &&
           h->reserve != NULL && h->release != NULL && h->thread_guard != NULL && h->print != NULL &&
           h->halt != NULL;
}

static const char *find_obstacle(const mf_bare_host *given) {
    if (has_started)
        return "mf_bare_start has been called before";
    if (!is_complete(given))
        return "a function of the host that is not optional is NULL";
    if (!cpu_has_wp())
        return "CR0.WP is clear: ring 0 could write to read-only guest pages";
    if (!cpu_has_nxe())
        return "EFER.NXE is clear: guest pages could be executed";
    return cpu_has_la57() ? "CR4.LA57 is set: the page tables have five levels" : NULL;
}

mf_status mf_bare_start(const mf_bare_host *given, mf_diag *diag) {
    const char *obstacle = find_obstacle(given);
    if (obstacle != NULL)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "%s", obstacle);
    host = *given;
    has_started = true;
    return MF_OK;
}

/* The handler is the kernel's gate, so there is nothing to install but what has been started. */
mf_status mf_fault_handler_install(mf_diag *diag) {
    return has_started ? MF_OK
                       : mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "mf_bare_start has not been called");
}

void mf_fault_handler_uninstall(void) {
}

mf_status mf_fault_handler_mode(mf_fault_handler_owner owner, mf_diag *diag) {
    (void)owner;
    return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "there are no signal handlers here");
}

bool mf_fault_handle(int signal, const void *siginfo, void *ucontext) {
    (void)signal;
    (void)siginfo;
    (void)ucontext;
    return false;
}

/* ---- Memory of the kernel ------------------------------------------------------------------ */

void *os_allocate(size_t bytes) {
    void *object = has_started ? host.allocate(host.context, bytes) : NULL;
    return object != NULL ? memset(object, 0, bytes) : NULL;
}

void os_free(void *object) {
    if (object != NULL)
        host.free(host.context, object);
}

size_t os_page_bytes(void) {
    return MF_PAGE_SIZE;
}

/* A kernel gives memory, not space without it. Only permission tables are reserved here, at any alignment. */
void *os_reserve(size_t bytes, size_t alignment) {
    (void)alignment;
    return os_allocate(bytes);
}

bool os_commit(void *space, size_t bytes) {
    (void)space;
    (void)bytes;
    return true;
}

void os_release(void *space, size_t bytes) {
    (void)bytes;
    os_free(space);
}

void os_zero(void *space, size_t bytes) {
    memset(space, 0, bytes);
}

void os_overwrite(void *space, size_t bytes) {
    memset(space, 0, bytes);
}

/* What a page of guests costs is known without a list. */
void os_page_map_retain(void) {
}

void os_page_map_release(void) {
}

/* ---- Bytes that memories share: none, so each has its own ------------------------------------ */

os_shared *os_shared_create(size_t bytes) {
    (void)bytes;
    return NULL;
}

unsigned char *os_shared_writable(const os_shared *shared) {
    (void)shared;
    return NULL;
}

void os_shared_seal(os_shared *shared) {
    (void)shared;
}

const unsigned char *os_shared_bytes(const os_shared *shared) {
    (void)shared;
    return NULL;
}

void os_shared_destroy(os_shared *shared) {
    (void)shared;
}

/* ---- Threads and text ---------------------------------------------------------------------- */

void os_wait(unsigned attempt) {
    if (host.wait != NULL)
        host.wait(host.context, attempt);
    else
        cpu_pause();
}

void os_follow_forks(void (*before)(void), void (*in_parent)(void), void (*in_child)(void)) {
    (void)before;
    (void)in_parent;
    (void)in_child;
}

/* A kernel has no signals, and its interrupts do not come back into the library. */
uint64_t os_block_signals(void) {
    return 0;
}

void os_unblock_signals(uint64_t blocked_before) {
    (void)blocked_before;
}

/* The kernel's loader calls .init_array and, when nothing runs there any more, .fini_array. */
const void *os_find_note(uintptr_t address, const char *name, uint32_t type, size_t description_bytes) {
    (void)address;
    (void)name;
    (void)type;
    (void)description_bytes;
    return NULL;
}

bool os_code_outlives_its_end(void) {
    return false;
}

struct mf_guard **os_thread_guard_frame(void) {
    return host.thread_guard(host.context);
}

void os_print(const char *line) {
    if (has_started)
        host.print(host.context, line);
}

/* A kernel that has not even started the library, or whose halt returns, gets an exception. */
void os_abort(void) {
    if (has_started)
        host.halt(host.context);
    __builtin_trap();
}
