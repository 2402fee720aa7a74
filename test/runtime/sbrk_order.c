/*
 * In which order sbrk publishes: bytes, permissions lowest page first, heap end. Read-only pages stop it just
 * before it writes the table and just before it tells a view, and there everything is looked at. Whenever the
 * host lets pages be accessed, they are looked at too.
 *
 * RUN: %cc -D_GNU_SOURCE %s -Wl,--wrap=mprotect -o %t %runtime && %t | FileCheck %s
 *
 * The sanitizer of threads waits for itself where a handler stops one of its atomic operations.
 * UNSUPPORTED: sanitize-thread
 *
 * CHECK: before_the_table
 * CHECK-NEXT: before_the_end
 * CHECK-NEXT: of_pages_that_hid_bytes
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define BASE (64 * PAGE)
#define ADDED 11

static mf_memory *memory;
static mf_view *stopped_view; /* alone in a page */
static unsigned char *stopped_page;
static uint64_t end_before;
static unsigned stops;

/* ---- What is looked at while sbrk stands still ---- */

/* Asked of the kernel, which says no where a load would fault. */
static bool host_reads(uint64_t index, unsigned char *byte) {
    struct iovec here = {byte, 1}, there = {mf_memory_view(memory)->base + index, 1};
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
}

static void expect_bytes(void) {
    for (uint64_t page = 0; page < ADDED; page++) {
        unsigned char byte = 0xff;
        expect(host_reads(end_before + page * PAGE, &byte) && byte == 0);
    }
}

static mf_perm perm_of(uint64_t page) {
    return mf_memory_perm_of(memory, (uint32_t)(end_before + page * PAGE));
}

/* The linker leads the library's calls here. */
int __real_mprotect(void *start, size_t bytes, int protection);
int __wrap_mprotect(void *start, size_t bytes, int protection);
static bool is_growing;

int __wrap_mprotect(void *start, size_t bytes, int protection) {
    int result = __real_mprotect(start, bytes, protection);
    for (uint64_t page = 0; is_growing && page < ADDED; page++) {
        unsigned char byte = 0;
        expect(!host_reads(end_before + page * PAGE, &byte) || byte == 0 || backend == MF_BACKEND_COPY);
    }
    return result;
}

static void look_before_the_table(void) {
    expect_bytes();
    for (uint64_t page = 0; page < ADDED; page++)
        expect(perm_of(page) == MF_PERM_NONE);
    expect(mf_memory_view(memory)->heap_end == end_before && mf_memory_len(memory) == end_before);
    expect(mf_memory_heap_top(memory) == end_before);
}

static void look_before_the_end(void) {
    expect_bytes();
    for (uint64_t page = 0; page < ADDED; page++)
        expect(perm_of(page) == MF_PERM_RW);
    expect(stopped_view->heap_end == end_before && mf_memory_heap_top(memory) == end_before);
    expect(mf_view_is_accessible(stopped_view, (uint32_t)end_before, ADDED * PAGE, MF_STORE));
}

static void (*look)(void);

static void on_write(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    unsigned char *at = info->si_addr;
    expect(at >= stopped_page && at < stopped_page + sysconf(_SC_PAGESIZE));
    look();
    stops++;
    expect(mprotect(stopped_page, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE) == 0);
}

/* On top of memfold's own handler; every fault here is the test's. */
static void stop_at(const void *written, void (*look_there)(void)) {
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    size_t host_page = (size_t)sysconf(_SC_PAGESIZE);
    action.sa_sigaction = on_write;
    stopped_page = (unsigned char *)((uintptr_t)written / host_page * host_page);
    look = look_there;
    stops = 0;
    expect(sigaction(SIGSEGV, &action, NULL) == 0);
    expect(mprotect(stopped_page, host_page, PROT_READ) == 0);
}

static void grow(void) {
    uint64_t old;
    end_before = mf_memory_heap_top(memory);
    is_growing = true;
    expect_ok(mf_memory_sbrk(memory, ADDED * PAGE, &old, NULL));
    is_growing = false;
    expect(stops == 1 && mf_memory_view(memory)->heap_end == end_before + ADDED * PAGE);
    expect(stopped_view->heap_end == end_before + ADDED * PAGE);
}

/* ---- Tests ---- */

static void open_memory(void) {
    const mf_region region = {BASE - PAGE, PAGE, MF_READ_WRITE};
    memory = memory_of(&region, 1, (mf_heap){BASE, 256});
    void *page =
        mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(page != MAP_FAILED);
    stopped_view = page;
    mf_view_attach(stopped_view, memory);
}

static void close_memory(void) {
    mf_view_detach(stopped_view);
    munmap(stopped_view, (size_t)sysconf(_SC_PAGESIZE));
    mf_memory_destroy(memory);
    signal(SIGSEGV, SIG_DFL);
}

static void before_the_table(void) {
    open_memory();
    stop_at(mf_memory_view(memory)->perms + BASE / PAGE, look_before_the_table);
    grow();
    close_memory();
}

static void before_the_end(void) {
    open_memory();
    stop_at(stopped_view, look_before_the_end);
    grow();
    stop_at(stopped_view, look_before_the_end);
    grow();
    close_memory();
}

static void of_pages_that_hid_bytes(void) {
    open_memory();
    for (uint32_t page = 0; page < 2 * ADDED; page++)
        set_hidden_byte(memory, BASE + page * PAGE, 0x77);
    stop_at(mf_memory_view(memory)->perms + BASE / PAGE, look_before_the_table);
    grow();
    stop_at(stopped_view, look_before_the_end);
    grow();
    close_memory();
}

static const test tests[] = {
    TEST(before_the_table),
    TEST(before_the_end),
    TEST(of_pages_that_hid_bytes),
};

int main(void) {
    return RUN_TESTS(tests);
}
