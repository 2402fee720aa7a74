/*
 * Faults that are not the guest's take the way they would take without memfold, and guest faults do only as
 * long as they have an entry or a frame.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: recovered with the entry
 * CHECK-NEXT: not recovered without
 * CHECK-NEXT: window without entry or frame
 * CHECK-NEXT: entry without window
 * CHECK-NEXT: guard pages are no window
 * CHECK-NEXT: frame of another memory
 * CHECK-NEXT: frame left before
 * CHECK-NEXT: frame of a copy memory
 * CHECK-NEXT: null dereference
 * CHECK-NEXT: non-canonical address
 * CHECK-NEXT: jump into the window
 * CHECK-NEXT: write to constants
 * CHECK-NEXT: SIGBUS beyond a file
 * CHECK-NEXT: raised
 * CHECK-NEXT: sent by another process
 * CHECK-NEXT: other signals
 * CHECK-NEXT: ignored signals
 */
#include "asm_accessors.h"
#include "host.h"

#include <fcntl.h>

static mf_memory *memory;

static void open_memory(void) {
    forget_handlers();
    memory = memory_of(&(mf_region){0, PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
}

static void touch(volatile const unsigned char *host) {
    (void)*host;
}

/* ---- Entries ------------------------------------------------------------------------------- */

static void access_with_entry(void) {
    open_memory();
    register_accessors();
    expect(asm_load_u32(mf_memory_view(memory), PAGE).status == MF_PAGE_FAULT);
    expect(fault_is(mf_memory_last_fault(memory), MF_PAGE_FAULT, MF_LOAD, PAGE, PAGE, 4));
}

/* Registered twice, it stays until it is unregistered twice. */
static void access_after_unregister(void) {
    access_with_entry();
    register_accessors();
    unregister_accessors();
    expect(asm_load_u32(mf_memory_view(memory), PAGE).status == MF_PAGE_FAULT);
    unregister_accessors();
    puts("still alive");
    fflush(stdout);
    asm_load_u32(mf_memory_view(memory), PAGE);
}

static void access_plainly(void) {
    open_memory();
    touch(mf_memory_view(memory)->base + PAGE);
}

/* The base in the view is not that of a window: an address that no memory answers for. */
static void access_elsewhere(void) {
    open_memory();
    register_accessors();
    unsigned char *space = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mf_view view = *mf_memory_view(memory);
    view.base = space;
    asm_load_u32(&view, 0);
}

static void access_guard(mf_view *view, void *context) {
    (void)context;
    touch(view->base - 1);
}

static void access_before_the_window(void) {
    open_memory();
    register_accessors();
    mf_guard_run(mf_memory_view(memory), access_guard, NULL, NULL);
}

/* ---- Frames -------------------------------------------------------------------------------- */

static void access_other(mf_view *view, void *context) {
    (void)view;
    mf_memory *other = context;
    touch(mf_memory_view(other)->base + PAGE);
}

static void access_beside_the_frame(void) {
    open_memory();
    mf_memory *other = memory_of(NULL, 0, (mf_heap){0});
    mf_guard_run(mf_memory_view(memory), access_other, other, NULL);
}

static void access_own(mf_view *view, void *context) {
    (void)context;
    touch(view->base + PAGE);
}

static void access_after_the_frame(void) {
    open_memory();
    expect(!mf_guard_run(mf_memory_view(memory), access_own, NULL, NULL));
    puts("still alive");
    fflush(stdout);
    touch(mf_memory_view(memory)->base + PAGE);
}

static void access_copy_memory(void) {
    open_memory();
    mf_memory *copy;
    expect_ok(mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &copy, NULL));
    mf_guard_run(mf_memory_view(copy), access_own, NULL, NULL);
}

/* ---- The host's own mistakes --------------------------------------------------------------- */

static void dereference_null(void) {
    open_memory();
    register_accessors();
    touch((volatile const unsigned char *)(uintptr_t)strlen(""));
}

static void dereference_non_canonical(void) {
    open_memory();
    touch((volatile const unsigned char *)(UINT64_C(0x1234) << 48));
}

static void jump(mf_view *view, void *context) {
    (void)context;
    void (*function)(void) = (void (*)(void))(uintptr_t)view->base;
    function();
}

static void jump_into_window(void) {
    open_memory();
    mf_guard_run(mf_memory_view(memory), jump, NULL, NULL);
}

static void write_constant(void) {
    static const char constant[] = "constant";
    open_memory();
    *(volatile char *)(uintptr_t)constant = 'C';
}

static void read_beyond_file(void) {
    open_memory();
    int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    expect(file >= 0);
    const unsigned char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
    expect(map != MAP_FAILED);
    touch(map);
}

static void raise_segv(void) {
    open_memory();
    raise(SIGSEGV);
}

static void wait_to_be_killed(void) {
    open_memory();
    pid_t victim = getpid();
    if (fork() == 0) {
        kill(victim, SIGSEGV);
        _exit(0);
    }
    sleep(60);
}

static void raise_fpe(void) {
    signal(SIGFPE, SIG_DFL);
    open_memory();
    raise(SIGFPE);
}

/* Sent signals can be ignored, the CPU's cannot. */
static void ignore_and_raise(void) {
    signal(SIGSEGV, SIG_IGN);
    signal(SIGBUS, SIG_IGN);
    memory = memory_of(NULL, 0, (mf_heap){0});
    raise(SIGSEGV);
    raise(SIGBUS);
    puts("ignored");
}

static void ignore_and_dereference(void) {
    ignore_and_raise();
    fflush(stdout);
    dereference_null();
}

static void passes(const char *name, bool condition) {
    expect(condition);
    puts(name);
}

/* What a child says must not look like a result. */
static bool dies_after_a_word(int signal_number, void (*body)(void), const char *word) {
    int ends[2], saved = dup(1);
    char said[64] = {0};
    fflush(stdout);
    expect(pipe(ends) == 0 && dup2(ends[1], 1) == 1);
    bool died = dies_by(signal_number, body);
    dup2(saved, 1);
    close(ends[1]);
    expect(read(ends[0], said, sizeof said - 1) >= 0);
    return died && strcmp(said, word) == 0;
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    passes("recovered with the entry", succeeds(access_with_entry));
    passes("not recovered without", dies_after_a_word(SIGSEGV, access_after_unregister, "still alive\n"));
    passes("window without entry or frame", dies_by(SIGSEGV, access_plainly));
    passes("entry without window", dies_by(SIGSEGV, access_elsewhere));
    passes("guard pages are no window", dies_by(SIGSEGV, access_before_the_window));
    passes("frame of another memory", dies_by(SIGSEGV, access_beside_the_frame));
    passes("frame left before", dies_after_a_word(SIGSEGV, access_after_the_frame, "still alive\n"));
    passes("frame of a copy memory", dies_by(SIGSEGV, access_copy_memory));
    passes("null dereference", dies_by(SIGSEGV, dereference_null));
    passes("non-canonical address", dies_by(SIGSEGV, dereference_non_canonical));
    passes("jump into the window", dies_by(SIGSEGV, jump_into_window));
    passes("write to constants", dies_by(SIGSEGV, write_constant));
    passes("SIGBUS beyond a file", dies_by(SIGBUS, read_beyond_file));
    passes("raised", dies_by(SIGSEGV, raise_segv));
    passes("sent by another process", dies_by(SIGSEGV, wait_to_be_killed));
    passes("other signals", dies_by(SIGFPE, raise_fpe));
    passes("ignored signals", dies_after_a_word(SIGSEGV, ignore_and_dereference, "ignored\n"));
    return 0;
}
