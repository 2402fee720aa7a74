/* The verbs of os.h on Linux. */
#include "os.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *mf_os_allocate(size_t bytes) {
    return calloc(1, bytes);
}

void mf_os_free(void *object) {
    free(object);
}

void *mf_os_reserve(size_t bytes) {
    void *space = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return space == MAP_FAILED ? NULL : space;
}

bool mf_os_commit(void *space, size_t bytes) {
    return bytes == 0 || mprotect(space, bytes, PROT_READ | PROT_WRITE) == 0;
}

void mf_os_release(void *space, size_t bytes) {
    if (space != NULL) {
        munmap(space, bytes);
    }
}

/* Locked pages and ranges that are not whole host pages cannot be given back; they are overwritten. */
void mf_os_zero(void *space, size_t bytes) {
    if (bytes != 0 && madvise(space, bytes, MADV_DONTNEED) != 0) {
        memset(space, 0, bytes);
    }
}

void mf_os_print(const char *line) {
    const char *rest = line;
    size_t count = strlen(line);
    while (count > 0) {
        ssize_t written = write(STDERR_FILENO, rest, count);
        if (written <= 0) {
            return;
        }
        rest += written;
        count -= (size_t)written;
    }
}

void mf_os_abort(void) {
    abort();
}
