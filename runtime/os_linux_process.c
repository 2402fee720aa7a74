/* The page of a process, and the page map, which is the process's own too. */
#include "os_linux_process.h"
#include "os.h"
#include "os_linux_page_map.h"
#include "registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18 /* since Linux 4.14 */
#endif

/* With the registry's lock held. */
static process_page *page;
static size_t page_users;

static process_page *map_page(void) {
    size_t bytes = os_page_bytes();
    void *space = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED)
        return NULL;
    if (madvise(space, bytes, MADV_WIPEONFORK) == 0)
        return space;
    munmap(space, bytes);
    return NULL;
}

process_page *process_page_retain(void) {
    if (page == NULL)
        page = map_page();
    page_users += page != NULL;
    return page;
}

void process_page_release(void) {
    if (--page_users == 0) {
        munmap(page, os_page_bytes());
        page = NULL;
    }
}

/* ---- The page map -------------------------------------------------------------------------- */

/*
 * One descriptor for all memories, because opening it takes longer than asking it. It speaks of the process
 * that has opened it, so a child opens its own. What the descriptor was of is remembered: should somebody
 * have closed it meanwhile, its number may be another file's.
 */
static process_page *users_page; /* NULL: no user, or the host has no such page */
static size_t page_map_users;
static int page_map = -1;
static struct stat page_map_is;

static bool is_still_there(void) {
    struct stat now;
    if (page_map < 0)
        return false;
    if (fstat(page_map, &now) != 0)
        return errno != EBADF;
    return now.st_dev == page_map_is.st_dev && now.st_ino == page_map_is.st_ino;
}

static void close_page_map(void) {
    if (is_still_there())
        close(page_map);
    page_map = -1;
}

void os_page_map_retain(void) {
    registry_lock();
    if (page_map_users++ == 0)
        users_page = process_page_retain();
    registry_unlock();
}

void os_page_map_release(void) {
    registry_lock();
    if (--page_map_users == 0) {
        close_page_map();
        if (users_page != NULL)
            process_page_release();
        users_page = NULL;
    }
    registry_unlock();
}

int page_map_open(void) {
    return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

static int open_known(void) {
    int descriptor = page_map_open();
    if (descriptor < 0 || fstat(descriptor, &page_map_is) == 0)
        return descriptor;
    close(descriptor);
    return -1;
}

/* A child finds the page wiped, and the descriptor that it has inherited is of no use to it. */
static int open_shared(void) {
    registry_lock();
    int descriptor = atomic_load(&users_page->page_map_next) - 1;
    if (descriptor < 0) {
        close_page_map();
        page_map = descriptor = open_known();
        atomic_store(&users_page->page_map_next, descriptor + 1);
    }
    registry_unlock();
    return descriptor;
}

int page_map_borrow(void) {
    if (users_page == NULL)
        return -1;
    int descriptor = atomic_load(&users_page->page_map_next) - 1;
    return descriptor >= 0 ? descriptor : open_shared();
}

bool page_map_is_lost(void) {
    registry_lock();
    bool is_lost = !is_still_there();
    if (is_lost)
        atomic_store(&users_page->page_map_next, 0);
    registry_unlock();
    return is_lost;
}
