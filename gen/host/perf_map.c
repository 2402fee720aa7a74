#include "host/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Why `file` cannot be this process's map, or NULL. Anybody may put something at a name in /tmp. */
static const char *reason_against(int file) {
    struct stat found;
    if (fstat(file, &found) != 0)
        return strerror(errno);
    if (!S_ISREG(found.st_mode))
        return "it is not a regular file";
    if (found.st_uid != geteuid())
        return "it belongs to another user";
    if (found.st_nlink != 1)
        return "it has more than one name";
    return NULL;
}

static const char *reason_of_open(int error) {
    return error == ELOOP ? "it is a symbolic link" : strerror(error);
}

/* O_NONBLOCK: the open of a FIFO would wait for a reader. */
mf_status perf_map_open(perf_map *map, mf_diag *diag) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    int file =
        open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
    if (file < 0)
        return mf_diag_set(diag, MF_IO, (uint64_t)errno, "cannot open %s: %s", path, reason_of_open(errno));
    const char *reason = reason_against(file);
    FILE *opened = reason == NULL ? fdopen(file, "a") : NULL;
    if (opened == NULL) {
        mf_diag_set(diag, MF_IO, 0, "cannot use %s: %s", path, reason == NULL ? strerror(errno) : reason);
        close(file);
        return MF_IO;
    }
    *map = (perf_map){opened, getpid()};
    return MF_OK;
}

void perf_map_close(perf_map *map) {
    if (map->file != NULL)
        fclose(map->file);
    *map = (perf_map){0};
}

bool perf_map_is_there(perf_map *map) {
    if (map->file != NULL && map->process != getpid()) {
        perf_map_close(map);
        perf_map_open(map, NULL);
    }
    return map->file != NULL;
}

void perf_map_append(const perf_map *map, const char *prefix, const mf_accessors *set,
                     const uint64_t sizes_bytes[MF_ACCESSOR_COUNT]) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        fprintf(map->file, "%" PRIxPTR " %" PRIx64 " %s_%s\n", (uintptr_t)mf_accessors_member(set, id),
                sizes_bytes[id], prefix, mf_accessor_info_get(id)->name);
    fflush(map->file);
}
