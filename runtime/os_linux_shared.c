/*
 * Pages that many mappings share, on Linux: ranges of memory files. A file is written once, sealed, and
 * mapped privately, so that a page is copied by the kernel when somebody writes to it.
 *
 * Small ranges share a file, so that descriptors are few: there is at most one for each 4 MiB of live ranges,
 * and one more that is being filled. That one can be written to beyond the ranges in it until it is full. A
 * child of fork has it too, and must not write to it: so the place that names it is empty there, by a page
 * that fork wipes.
 */
#include "os.h"
#include "os_linux_process.h"
#include "registry.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILE_BYTES ((size_t)16 << 20)
#define LARGE_BYTES ((size_t)4 << 20)

/* What older headers lack. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

typedef struct shared_file {
    int descriptor;
    const unsigned char *bytes; /* of the whole file, to be read */
    size_t size;
    size_t used;  /* with the registry's lock held */
    size_t users; /* likewise */
} shared_file;

struct os_shared {
    shared_file *file;
    size_t offset;
    size_t size;
    unsigned char *writable; /* NULL once it is sealed */
};

/* ---- Files --------------------------------------------------------------------------------- */

static void close_file(shared_file *file) {
    if (file->bytes != NULL)
        munmap((void *)(uintptr_t)file->bytes, file->size);
    if (file->descriptor >= 0)
        close(file->descriptor);
    os_free(file);
}

/* By name of the call, because C libraries lack it. Kernels before 6.3 do not know the second flag. */
static int create_memory_file(void) {
    static const char name[] = "memfold";
    const unsigned flags = 1u | 2u; /* close on exec; may be sealed */
    int descriptor = memfd_create(name, flags | MFD_NOEXEC_SEAL);
    return descriptor >= 0 ? descriptor : memfd_create(name, flags);
}

/* A file beyond the limit would be a signal, not an error. */
static bool may_have_size(size_t bytes) {
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= bytes;
}

static shared_file *open_file(size_t bytes) {
    shared_file *file = may_have_size(bytes) ? os_allocate(sizeof *file) : NULL;
    if (file == NULL)
        return NULL;
    file->size = bytes;
    file->descriptor = create_memory_file();
    if (file->descriptor >= 0 && ftruncate(file->descriptor, (off_t)bytes) == 0 &&
        fcntl(file->descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0) {
        void *space = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file->descriptor, 0);
        file->bytes = space != MAP_FAILED ? space : NULL;
    }
    if (file->bytes != NULL)
        return file;
    close_file(file);
    return NULL;
}

/* No mapping of it may be writable now; so none will ever be. */
static void seal_file(const shared_file *file) {
    fcntl(file->descriptor, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL);
}

/* ---- Ranges -------------------------------------------------------------------------------- */

/* The file that is being filled, with room for so much; a full one is sealed. With the lock held. */
static shared_file *find_filling(process_page *page, size_t bytes) {
    if (page->filling != NULL && page->filling->size - page->filling->used < bytes) {
        seal_file(page->filling);
        page->filling = NULL;
        process_page_release();
    }
    if (page->filling == NULL && (page->filling = open_file(FILE_BYTES)) != NULL)
        process_page_retain();
    return page->filling;
}

/* A file for large ranges is theirs alone, and so is every file where children could not be told apart. */
static shared_file *take_room(size_t bytes, size_t *offset) {
    process_page *page = bytes < LARGE_BYTES ? process_page_retain() : NULL;
    shared_file *file = page != NULL ? find_filling(page, bytes) : open_file(bytes);
    if (page != NULL)
        process_page_release();
    if (file != NULL) {
        *offset = file->used;
        file->used += bytes;
        file->users++;
    }
    return file;
}

/* A child of fork finds no file named, and leaves what it has inherited to its parent. */
static void leave_file(shared_file *file) {
    registry_lock();
    bool is_last = --file->users == 0;
    process_page *page = is_last ? process_page_retain() : NULL;
    if (page != NULL && page->filling == file) {
        page->filling = NULL;
        process_page_release();
    }
    if (page != NULL)
        process_page_release();
    registry_unlock();
    if (is_last)
        close_file(file);
}

/* The pages are taken at once: what a full host would answer to a store is a signal. */
static bool open_range(os_shared *shared) {
    int descriptor = shared->file->descriptor;
    if (fallocate(descriptor, 0, (off_t)shared->offset, (off_t)shared->size) != 0)
        return false;
    void *space =
        mmap(NULL, shared->size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, (off_t)shared->offset);
    shared->writable = space != MAP_FAILED ? space : NULL;
    return shared->writable != NULL;
}

os_shared *os_shared_create(size_t bytes) {
    os_shared *shared = os_allocate(sizeof *shared);
    if (shared == NULL)
        return NULL;
    shared->size = bytes;
    registry_lock();
    shared->file = take_room(bytes, &shared->offset);
    registry_unlock();
    if (shared->file != NULL && open_range(shared))
        return shared;
    os_shared_destroy(shared);
    return NULL;
}

unsigned char *os_shared_writable(const os_shared *shared) {
    return shared->writable;
}

void os_shared_seal(os_shared *shared) {
    munmap(shared->writable, shared->size);
    shared->writable = NULL;
    if (shared->size == shared->file->size)
        seal_file(shared->file);
}

const unsigned char *os_shared_bytes(const os_shared *shared) {
    return shared->file->bytes + shared->offset;
}

void os_shared_destroy(os_shared *shared) {
    if (shared == NULL)
        return;
    if (shared->writable != NULL)
        munmap(shared->writable, shared->size);
    if (shared->file != NULL)
        leave_file(shared->file);
    os_free(shared);
}

/* ---- Mappings ------------------------------------------------------------------------------ */

static int protection_of(mf_perm perm) {
    return perm == MF_PERM_NONE ? PROT_NONE : perm == MF_PERM_RO ? PROT_READ : PROT_READ | PROT_WRITE;
}

/*
 * The kernel refuses before it does anything. Should it fail later, for want of memory of its own, the place
 * is empty, and must not stay so: another mapping might come there.
 */
static bool map_over(void *place, size_t bytes, mf_perm perm, int flags, int descriptor, size_t offset) {
    const int plain = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *space = mmap(place, bytes, protection_of(perm), MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED | flags,
                       descriptor, (off_t)offset);
    if (space != MAP_FAILED)
        return true;
    space = mmap(place, bytes, protection_of(perm), plain, -1, 0);
    if (space != MAP_FAILED && space != place)
        munmap(space, bytes);
    return false;
}

bool os_shared_map(const os_shared *shared, size_t offset, void *place, size_t bytes, mf_perm perm) {
    return map_over(place, bytes, perm, 0, shared->file->descriptor, shared->offset + offset);
}

bool os_map_zero(void *place, size_t bytes, mf_perm perm) {
    return map_over(place, bytes, perm, MAP_ANONYMOUS, -1, 0);
}
