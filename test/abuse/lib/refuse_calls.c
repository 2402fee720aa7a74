#include "refuse_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENDLESS (~0u)

static unsigned calls_before, calls_left;
static const char *first_refused;
static host_holdings holdings;

/* What could not be given back. */
#define KEPT_MAX 64
static struct {
    void *start;
    size_t bytes;
} kept[KEPT_MAX];
static size_t kept_count;

bool calls_is_refused(const char *name) {
    if (calls_left == 0)
        return false;
    if (calls_before > 0) {
        calls_before--;
        return false;
    }
    if (calls_left != ENDLESS)
        calls_left--;
    if (first_refused == NULL)
        first_refused = name;
    return true;
}

/* A call that fails with `error`. */
static bool is_refused(const char *name, int error) {
    if (!calls_is_refused(name))
        return false;
    errno = error;
    return true;
}

/* ---- Allocations ---- */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t most);
void __real_free(void *block);

static void *counted(void *block) {
    holdings.blocks += block != NULL;
    return block;
}

void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes) {
    return is_refused("malloc", ENOMEM) ? NULL : counted(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes) {
    return is_refused("calloc", ENOMEM) ? NULL : counted(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes) {
    if (is_refused("realloc", ENOMEM))
        return NULL;
    bool is_new = block == NULL;
    void *moved = __real_realloc(block, bytes);
    return is_new ? counted(moved) : moved;
}

char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text) {
    return is_refused("strdup", ENOMEM) ? NULL : counted(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t most);
char *__wrap_strndup(const char *text, size_t most) {
    return is_refused("strndup", ENOMEM) ? NULL : counted(__real_strndup(text, most));
}

void __wrap_free(void *block);
void __wrap_free(void *block) {
    holdings.blocks -= block != NULL;
    __real_free(block);
}

void *__real_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *)) {
    return is_refused("tsearch", ENOMEM) ? NULL : __real_tsearch(key, root, compare);
}

/* ---- Address space ---- */

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
int __real_munmap(void *start, size_t bytes);
int __real_mprotect(void *start, size_t bytes, int protection);
int __real_madvise(void *start, size_t bytes, int advice);

void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset) {
    if (is_refused("mmap", ENOMEM))
        return MAP_FAILED;
    void *start = __real_mmap(at, bytes, protection, flags, file, offset);
    bool replaces = (flags & MAP_FIXED) != 0; /* what is mapped there already */
    holdings.mapped_bytes += start != MAP_FAILED && !replaces ? bytes : 0;
    return start;
}

int __wrap_munmap(void *start, size_t bytes);
int __wrap_munmap(void *start, size_t bytes) {
    if (is_refused("munmap", ENOMEM)) {
        if (kept_count == KEPT_MAX)
            abort();
        kept[kept_count].start = start;
        kept[kept_count++].bytes = bytes;
        return -1;
    }
    int result = __real_munmap(start, bytes);
    holdings.mapped_bytes -= result == 0 ? bytes : 0;
    return result;
}

int __wrap_mprotect(void *start, size_t bytes, int protection);
int __wrap_mprotect(void *start, size_t bytes, int protection) {
    return is_refused("mprotect", ENOMEM) ? -1 : __real_mprotect(start, bytes, protection);
}

int __wrap_madvise(void *start, size_t bytes, int advice);
int __wrap_madvise(void *start, size_t bytes, int advice) {
    return is_refused("madvise", EINVAL) ? -1 : __real_madvise(start, bytes, advice);
}

/* Over what has been mapped before: of the two only one is left. */
void *__real_mremap(void *start, size_t bytes, size_t new_bytes, int flags, ...);
void *__wrap_mremap(void *start, size_t bytes, size_t new_bytes, int flags, ...);
void *__wrap_mremap(void *start, size_t bytes, size_t new_bytes, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    void *place = va_arg(arguments, void *);
    va_end(arguments);
    if (is_refused("mremap", ENOMEM))
        return MAP_FAILED;
    void *moved = __real_mremap(start, bytes, new_bytes, flags, place);
    holdings.mapped_bytes -= moved != MAP_FAILED ? bytes : 0;
    return moved;
}

/* ---- Files ---- */

int __real_open(const char *path, int flags, ...);
int __real_close(int file);
ssize_t __real_read(int file, void *bytes, size_t count);
ssize_t __real_pread(int file, void *bytes, size_t count, off_t offset);
int __real_fstat(int file, struct stat *about);
int __real_ioctl(int file, unsigned long request, ...);
FILE *__real_fopen(const char *path, const char *mode);

/* The library creates no file by open, so there is no mode. */
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
    return is_refused("open", EMFILE) ? -1 : __real_open(path, flags);
}

/* Closed all the same, as Linux does. */
int __wrap_close(int file);
int __wrap_close(int file) {
    int result = __real_close(file);
    return is_refused("close", EIO) ? -1 : result;
}

ssize_t __wrap_read(int file, void *bytes, size_t count);
ssize_t __wrap_read(int file, void *bytes, size_t count) {
    return is_refused("read", EIO) ? -1 : __real_read(file, bytes, count);
}

ssize_t __wrap_pread(int file, void *bytes, size_t count, off_t offset);
ssize_t __wrap_pread(int file, void *bytes, size_t count, off_t offset) {
    return is_refused("pread", EIO) ? -1 : __real_pread(file, bytes, count, offset);
}

int __wrap_fstat(int file, struct stat *about);
int __wrap_fstat(int file, struct stat *about) {
    return is_refused("fstat", EIO) ? -1 : __real_fstat(file, about);
}

int __wrap_ioctl(int file, unsigned long request, ...);
int __wrap_ioctl(int file, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return is_refused("ioctl", ENOTTY) ? -1 : __real_ioctl(file, request, argument);
}

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode) {
    return is_refused("fopen", EMFILE) ? NULL : __real_fopen(path, mode);
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags) {
    return is_refused("memfd_create", EPERM) ? -1 : __real_memfd_create(name, flags);
}

int __real_ftruncate(int file, off_t bytes);
int __wrap_ftruncate(int file, off_t bytes);
int __wrap_ftruncate(int file, off_t bytes) {
    return is_refused("ftruncate", ENOSPC) ? -1 : __real_ftruncate(file, bytes);
}

/* Barriers only: the others are used by what cannot fail. As the C library does, it passes on as many
 * arguments as the library ever has, be they there or not. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
    long passed[5];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 5; i++)
        passed[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_membarrier && is_refused("membarrier", EPERM))
        return -1;
    return __real_syscall(number, passed[0], passed[1], passed[2], passed[3], passed[4]);
}

/* ---- Signals and forks ---- */

int __real_sigaction(int signal, const struct sigaction *action, struct sigaction *old);
int __wrap_sigaction(int signal, const struct sigaction *action, struct sigaction *old);
int __wrap_sigaction(int signal, const struct sigaction *action, struct sigaction *old) {
    return is_refused("sigaction", EPERM) ? -1 : __real_sigaction(signal, action, old);
}

int __real_pthread_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));
int __wrap_pthread_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void));
int __wrap_pthread_atfork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void)) {
    return calls_is_refused("pthread_atfork") ? ENOMEM : __real_pthread_atfork(before, in_parent, in_child);
}

/* ---- Control ---- */

void calls_refuse(unsigned n, unsigned count) {
    calls_before = n - 1;
    calls_left = count;
    first_refused = NULL;
}

const char *calls_allow(void) {
    calls_left = 0;
    while (kept_count > 0) {
        kept_count--;
        __wrap_munmap(kept[kept_count].start, kept[kept_count].bytes);
    }
    return first_refused;
}

static size_t count_descriptors(void) {
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        abort();
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

host_holdings calls_holdings(void) {
    host_holdings now = holdings;
    now.descriptors = count_descriptors();
    return now;
}
