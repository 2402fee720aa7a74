/* The verbs of os.h on Linux. */
#include "os.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void *os_allocate(size_t bytes) {
    return calloc(1, bytes);
}

void os_free(void *object) {
    free(object);
}

size_t os_page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* How far `at` lies below the next multiple of `alignment`, a power of two. */
static size_t bytes_to_boundary(const unsigned char *at, size_t alignment) {
    return (size_t)(-(uintptr_t)at & (alignment - 1));
}

/* What the host takes and gives back for so many bytes. */
static size_t whole_pages(size_t bytes) {
    size_t page_bytes = os_page_bytes();
    return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

static unsigned char *reserve_anywhere(size_t bytes) {
    void *space = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return space == MAP_FAILED ? NULL : space;
}

/*
 * The kernel often gives aligned space unasked; otherwise more is taken and both ends are given back, which
 * begin at pages of the host.
 */
void *os_reserve(size_t bytes, size_t alignment) {
    size_t whole_bytes = whole_pages(bytes);
    unsigned char *space = reserve_anywhere(whole_bytes);
    if (space == NULL || alignment <= os_page_bytes() || bytes_to_boundary(space, alignment) == 0)
        return space;
    munmap(space, whole_bytes);
    space = reserve_anywhere(whole_bytes + alignment);
    if (space == NULL)
        return NULL;
    size_t head_bytes = bytes_to_boundary(space, alignment);
    if (head_bytes > 0)
        munmap(space, head_bytes);
    munmap(space + head_bytes + whole_bytes, alignment - head_bytes);
    return space + head_bytes;
}

bool os_commit(void *space, size_t bytes) {
    return bytes == 0 || mprotect(space, bytes, PROT_READ | PROT_WRITE) == 0;
}

void os_release(void *space, size_t bytes) {
    if (space != NULL)
        munmap(space, whole_pages(bytes));
}

void os_allow_huge_pages(void *space, size_t bytes) {
    madvise(space, bytes, MADV_HUGEPAGE);
}

/* Without a system call, where the C library or the kernel offers that. */
unsigned os_cpu(void) {
    int cpu = sched_getcpu();
    return cpu < 0 ? 0 : (unsigned)cpu;
}

/*
 * Mostly what is waited for takes less than a microsecond. If not, it is a thread that must run first, so
 * this one sleeps: to yield would give whole time slices to threads that are not waited for.
 */
void os_wait(unsigned attempt) {
    if (attempt >= 64)
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

/* It fails only without memory for its list entry; then a fork is as unsafe as it would be without it. */
void os_follow_forks(void (*before)(void), void (*in_parent)(void), void (*in_child)(void)) {
    pthread_atfork(before, in_parent, in_child);
}

/* By the system call, because the C library leaves two signals of its own open, and sets may be larger there.
 */
uint64_t os_block_signals(void) {
    const uint64_t all = UINT64_MAX;
    uint64_t before = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    return before;
}

void os_unblock_signals(uint64_t blocked_before) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked_before, NULL, sizeof blocked_before);
}

/* Allocated with the thread, not at the first use: a fault handler reads it. */
static _Thread_local struct mf_guard *innermost __attribute__((tls_model("initial-exec")));

struct mf_guard **os_thread_guard_frame(void) {
    return &innermost;
}

size_t os_format(char *text, size_t text_bytes, const char *format, va_list arguments) {
    int length = vsnprintf(text, text_bytes, format, arguments);
    return length > 0 ? (size_t)length : 0;
}

void os_print(const char *line) {
    const char *rest = line;
    size_t count = strlen(line);
    while (count > 0) {
        ssize_t written = write(STDERR_FILENO, rest, count);
        if (written <= 0)
            return;
        rest += written;
        count -= (size_t)written;
    }
}

void os_abort(void) {
    abort();
}
