#include "jit/arena_host.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers of the kernel that headers of older C libraries lack. */
enum { FILE_IS_EXECUTABLE = 0x10 };                              /* MFD_EXEC, Linux 6.3 */
enum { POPULATE_READ = 22, POPULATE_WRITE = 23, COLLAPSE = 25 }; /* madvise, Linux 5.14 and 6.1 */
enum { BARRIER = 1 << 5, REGISTER_BARRIER = 1 << 6 };            /* membarrier, Linux 4.16 */
enum { ERROR_OF_HARDWARE = 133 };                                /* EHWPOISON */

/* ---- Mapping ---- */

/* A file that has no name. vm.memfd_noexec may ask that it is said to be executable, or refuse that. */
static int open_memory(void) {
    int file = memfd_create("memfold-code", MFD_CLOEXEC | FILE_IS_EXECUTABLE);
    if (file < 0 && errno == EINVAL)
        file = memfd_create("memfold-code", MFD_CLOEXEC);
    return file;
}

/* Beyond the limit ftruncate would send SIGXFSZ, which ends the process. */
static int resize(int file, size_t bytes) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur)
        return EFBIG;
    return ftruncate(file, (off_t)bytes) == 0 ? 0 : errno;
}

/* Where there is room at a multiple of HOST_HUGE_BYTES: a hint only, since another thread may be faster. */
static void *find_aligned(size_t bytes) {
    size_t wide = bytes + HOST_HUGE_BYTES;
    void *probe = mmap(NULL, wide, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (probe == MAP_FAILED)
        return NULL;
    munmap(probe, wide);
    return (void *)(((uintptr_t)probe + HOST_HUGE_BYTES - 1) & ~(uintptr_t)(HOST_HUGE_BYTES - 1));
}

static unsigned char *map_view(int file, size_t bytes, int protection) {
    int flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *view = mmap(find_aligned(bytes), bytes, protection, flags, file, 0);
    if (view == MAP_FAILED)
        return NULL;
    if (file >= 0 && bytes > HOST_HUGE_BYTES)
        madvise(view, bytes, MADV_HUGEPAGE);
    return view;
}

/* 0 or an errno; with an error there is neither view. */
static int map_views(int file, size_t bytes, host_range *range) {
    range->write = map_view(file, bytes, PROT_READ | PROT_WRITE);
    if (range->write == NULL)
        return errno;
    range->run = map_view(file, bytes, PROT_READ | PROT_EXEC);
    if (range->run == NULL) {
        int error = errno;
        munmap(range->write, bytes);
        return error;
    }
    madvise(range->write, bytes, MADV_DONTFORK);
    return 0;
}

int host_map_two_views(size_t bytes, host_range *range) {
    host_range mapped = {.bytes = bytes, .has_two_views = true};
    int file = open_memory();
    if (file < 0)
        return errno;
    int error = resize(file, bytes);
    if (error == 0)
        error = map_views(file, bytes, &mapped);
    close(file);
    if (error == 0)
        *range = mapped;
    return error;
}

int host_map_one_view(size_t bytes, host_range *range) {
    unsigned char *view = map_view(-1, bytes, PROT_READ | PROT_WRITE);
    if (view == NULL)
        return errno;
    *range = (host_range){.write = view, .run = view, .bytes = bytes};
    return 0;
}

void host_unmap_write(const host_range *range) {
    munmap(range->write, range->bytes);
}

void host_unmap(const host_range *range, bool has_write) {
    munmap(range->run, range->bytes);
    if (range->has_two_views && has_write)
        munmap(range->write, range->bytes);
}

/* ---- Memory behind a mapping ---- */

static bool populate(unsigned char *start, size_t bytes, int advice) {
    return madvise(start, bytes, advice) == 0 ||
           (errno != ENOMEM && errno != EFAULT && errno != ERROR_OF_HARDWARE);
}

bool host_populate(const host_range *range, size_t at, size_t bytes) {
    return populate(range->write + at, bytes, POPULATE_WRITE) &&
           (!range->has_two_views || populate(range->run + at, bytes, POPULATE_READ));
}

/* The kernel collapses what has a page at least. */
bool host_collapse(const host_range *range, size_t at) {
    return range->has_two_views && host_populate(range, at, host_page_bytes()) &&
           madvise(range->run + at, HOST_HUGE_BYTES, COLLAPSE) == 0 &&
           madvise(range->write + at, HOST_HUGE_BYTES, COLLAPSE) == 0;
}

int host_set_executable(const host_range *range, size_t at, size_t bytes, bool is_executable) {
    int protection = is_executable ? PROT_READ | PROT_EXEC : PROT_READ | PROT_WRITE;
    return mprotect(range->write + at, bytes, protection) == 0 ? 0 : errno;
}

size_t host_page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- The barrier ---- */

bool host_barrier_foresee(void) {
    return syscall(SYS_membarrier, REGISTER_BARRIER, 0, 0) == 0;
}

/* A process that is registered stays so, but a program that it becomes is not. */
bool host_barrier(void) {
    if (syscall(SYS_membarrier, BARRIER, 0, 0) == 0)
        return true;
    return host_barrier_foresee() && syscall(SYS_membarrier, BARRIER, 0, 0) == 0;
}

/* ---- Forks ---- */

static atomic_uint forks;       /* that have begun */
static atomic_uint ended_forks; /* of these */
static atomic_uint births;

static void before_fork(void) {
    atomic_fetch_add(&forks, 1);
}

static void in_parent(void) {
    atomic_fetch_add(&ended_forks, 1);
}

/* Threads of the parent that were forking as well do not exist here. */
static void in_child(void) {
    atomic_store(&ended_forks, atomic_load(&forks));
    atomic_fetch_add(&births, 1);
}

bool host_follow_forks(void) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool follows;
    pthread_mutex_lock(&lock);
    follows = follows || pthread_atfork(before_fork, in_parent, in_child) == 0;
    bool result = follows;
    pthread_mutex_unlock(&lock);
    return result;
}

/* A fork that has begun is not counted, and at load none has. */
__attribute__((constructor)) static void foresee_forks(void) {
    host_follow_forks();
}

unsigned host_fork_stamp(void) {
    return atomic_load(&forks) + atomic_load(&ended_forks);
}

bool host_is_forking(void) {
    return atomic_load(&ended_forks) != atomic_load(&forks);
}

unsigned host_births(void) {
    return atomic_load(&births);
}
