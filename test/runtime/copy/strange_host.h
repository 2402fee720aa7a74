/*
 * A host that differs from this one: larger pages, advice that is refused, no page map. The program is linked
 * with WRAPS, so that what the runtime asks of the C library comes here:
 *
 *     -Wl,--wrap=sysconf,--wrap=mmap,--wrap=munmap,--wrap=mprotect,--wrap=madvise,--wrap=mincore
 *     -Wl,--wrap=open,--wrap=pread,--wrap=syscall
 *
 * and, for `has_no_memory_files`, --wrap=memfd_create.
 */
#ifndef MEMFOLD_TEST_STRANGE_HOST_H
#define MEMFOLD_TEST_STRANGE_HOST_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL_PAGE_BYTES ((size_t)4096)
#define DROP_LOCKED 24 /* MADV_DONTNEED_LOCKED */

typedef struct strange_host {
    const char *name;
    size_t page_bytes;      /* a multiple of the real one */
    bool tells_small_pages; /* sysconf names the real ones */
    bool refuses_drop;      /* MADV_DONTNEED, as for locked pages */
    bool refuses_locked;    /* MADV_DONTNEED_LOCKED, as kernels before 5.18 */
    bool lists_no_runs;     /* ioctl, as kernels before 6.7 */
    bool has_no_page_map;   /* /proc is not there, or no descriptor is left */
    bool has_no_residency;  /* mincore */
    bool swaps_all;         /* the words of the page map say so of every page that is there */
    bool has_no_memory_files;
    bool refuses_mappings; /* of memory files, over what is there */
    bool refuses_zeros;    /* new pages over what is there */
} strange_host;

static strange_host host = {.page_bytes = REAL_PAGE_BYTES};

long __real_sysconf(int name);
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
int __real_munmap(void *at, size_t bytes);
int __real_mprotect(void *at, size_t bytes, int protection);
int __real_madvise(void *at, size_t bytes, int advice);
int __real_mincore(void *at, size_t bytes, unsigned char *resident);
int __real_open(const char *path, int flags, ...);
ssize_t __real_pread(int file, void *to, size_t bytes, off_t offset);
long __real_syscall(long number, ...);

static int fail(int error) {
    errno = error;
    return -1;
}

static bool is_aligned(const void *at) {
    return ((uintptr_t)at & (host.page_bytes - 1)) == 0;
}

static size_t round_up(size_t bytes) {
    return (bytes + host.page_bytes - 1) / host.page_bytes * host.page_bytes;
}

long __wrap_sysconf(int name) {
    return name == _SC_PAGESIZE && !host.tells_small_pages ? (long)host.page_bytes : __real_sysconf(name);
}

void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset) {
    size_t whole = round_up(bytes);
    if (file >= 0 && host.refuses_mappings && (flags & MAP_FIXED) != 0)
        return errno = ENOMEM, MAP_FAILED;
    if (file < 0 && host.refuses_zeros && (flags & MAP_FIXED) != 0)
        return errno = ENOMEM, MAP_FAILED;
    if (at != NULL && (!is_aligned(at) || offset % (off_t)host.page_bytes != 0))
        return errno = EINVAL, MAP_FAILED;
    if (host.page_bytes == REAL_PAGE_BYTES || at != NULL)
        return __real_mmap(at, whole, protection, flags, file, offset);
    unsigned char *space = __real_mmap(NULL, whole + host.page_bytes, protection, flags, file, offset);
    if (space == MAP_FAILED)
        return MAP_FAILED;
    size_t head = round_up((uintptr_t)space) - (uintptr_t)space;
    if (head > 0)
        __real_munmap(space, head);
    if (head < host.page_bytes)
        __real_munmap(space + head + whole, host.page_bytes - head);
    return space + head;
}

int __wrap_munmap(void *at, size_t bytes) {
    return is_aligned(at) ? __real_munmap(at, round_up(bytes)) : fail(EINVAL);
}

int __wrap_mprotect(void *at, size_t bytes, int protection) {
    return is_aligned(at) ? __real_mprotect(at, round_up(bytes), protection) : fail(EINVAL);
}

int __wrap_madvise(void *at, size_t bytes, int advice) {
    if (!is_aligned(at) || (advice == MADV_DONTNEED && host.refuses_drop) ||
        (advice == DROP_LOCKED && host.refuses_locked))
        return fail(EINVAL);
    return __real_madvise(at, round_up(bytes), advice);
}

/* As many as the runtime asks for at a time, in pages of 64 KiB. */
static unsigned char real_resident[8192 * 16];
static uint64_t real_words[1024 * 16];

int __wrap_mincore(void *at, size_t bytes, unsigned char *resident) {
    const size_t parts = host.page_bytes / REAL_PAGE_BYTES;
    const size_t pages = round_up(bytes) / host.page_bytes;
    if (host.has_no_residency || !is_aligned(at) || pages * parts > sizeof real_resident)
        return fail(EINVAL);
    if (__real_mincore(at, pages * host.page_bytes, real_resident) != 0)
        return -1;
    memset(resident, 0, pages);
    for (size_t i = 0; i < pages * parts; i++)
        resident[i / parts] |= real_resident[i] & 1;
    return 0;
}

int __wrap_open(const char *path, int flags, ...) {
    if (strcmp(path, "/proc/self/pagemap") == 0 && host.has_no_page_map)
        return fail(EMFILE);
    return __real_open(path, flags);
}

/*
 * What a word says here: the page is there, or swapped. A page of which any part is the process's own is so
 * as a whole. The question for a single page is that for the asker's own stack, which is there.
 */
static uint64_t word_here(uint64_t real, bool is_single) {
    const uint64_t present = UINT64_C(1) << 63, swapped = UINT64_C(1) << 62, of_file = UINT64_C(1) << 61;
    if ((real & of_file) != 0 || (real & (present | swapped)) == 0)
        return 0;
    return host.swaps_all && !is_single ? swapped : real & (present | swapped);
}

/* The page map has one word per page of this host. */
ssize_t __wrap_pread(int file, void *to, size_t bytes, off_t offset) {
    const size_t parts = host.page_bytes / REAL_PAGE_BYTES;
    uint64_t *words = to;
    if (bytes * parts > sizeof real_words)
        return fail(EINVAL);
    ssize_t count = __real_pread(file, real_words, bytes * parts, offset * (off_t)parts);
    if (count != (ssize_t)(bytes * parts))
        return -1;
    memset(to, 0, bytes);
    for (size_t i = 0; i < bytes * parts / sizeof words[0]; i++)
        words[i / parts] |= word_here(real_words[i], bytes == sizeof words[0]);
    return (ssize_t)bytes;
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags) {
    return host.has_no_memory_files ? fail(EPERM) : __real_memfd_create(name, flags);
}

long __wrap_syscall(long number, ...) {
    va_list arguments;
    va_start(arguments, number);
    int file = va_arg(arguments, int);
    unsigned long request = va_arg(arguments, unsigned long);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (number != SYS_ioctl || host.lists_no_runs)
        return fail(ENOTTY);
    return __real_syscall(number, file, request, argument);
}

#endif
