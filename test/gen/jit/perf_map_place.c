// What stands at the name of the perf map and is not this user's own regular file is refused with the reason,
// is not written, and no descriptor is left; the map is not inherited by programs.
//
// RUN: rm -rf %t.d && mkdir %t.d
// RUN: %cc %jit %s -o %t %gen
// RUN: %t %t.d/victim | FileCheck %s
//
// CHECK: a link: io: cannot open /tmp/perf-{{[0-9]+}}.map: it is a symbolic link
// CHECK-NEXT: a dangling link: io: cannot open /tmp/perf-{{[0-9]+}}.map: it is a symbolic link
// CHECK-NEXT: a FIFO: io: cannot {{open|use}} /tmp/perf-{{[0-9]+}}.map: {{No such device or address|it is not a regular file}}
// CHECK-NEXT: a FIFO with a reader: io: cannot use /tmp/perf-{{[0-9]+}}.map: it is not a regular file
// CHECK-NEXT: a second name: io: cannot use /tmp/perf-{{[0-9]+}}.map: it has more than one name
// CHECK-NEXT: a directory: io: cannot open /tmp/perf-{{[0-9]+}}.map: Is a directory
// CHECK-NEXT: an own file: works
#include "jit_support.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char map_path[64];

/* The descriptors that a program started now would inherit, and all there are. */
static void count_descriptors(int *all, int *inherited) {
    *all = *inherited = 0;
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        *all += flags >= 0;
        *inherited += flags >= 0 && (flags & FD_CLOEXEC) == 0;
    }
}

static void try_map(const char *what) {
    const mf_jit_config config = {.perf_map = true, .maker = mf_llvm_maker()};
    mf_diag diag = {0};
    mf_jit *jit;
    int all, inherited, all_after, inherited_after;
    count_descriptors(&all, &inherited);
    mf_status status = mf_jit_create(&config, &jit, &diag);
    count_descriptors(&all_after, &inherited_after);
    require(inherited == inherited_after, "what programs inherit");
    require(all_after == all + (status == MF_OK), "the open descriptors");
    if (status == MF_OK) {
        mf_jit_destroy(jit);
        printf("%s: works\n", what);
    } else {
        printf("%s: %s: %s\n", what, mf_status_name(status), diag.message);
    }
    fflush(stdout);
}

static void write_victim(const char *path) {
    FILE *file = fopen(path, "w");
    require(file != NULL && fputs("precious\n", file) >= 0 && fclose(file) == 0, "the victim");
}

static void require_untouched(const char *path) {
    struct stat now;
    require(stat(path, &now) == 0 && now.st_size == 9, "the victim is as it was");
}

int main(int count, char **arguments) {
    const char *victim = arguments[count - 1];
    snprintf(map_path, sizeof map_path, "/tmp/perf-%ld.map", (long)getpid());
    alarm(20); /* a blocked open ends the test */
    write_victim(victim);
    unlink(map_path);
    require(symlink(victim, map_path) == 0, "symlink");
    try_map("a link");
    require_untouched(victim);
    unlink(victim);
    try_map("a dangling link");
    require(access(victim, F_OK) != 0, "nothing is made through a link");
    unlink(map_path);
    require(mkfifo(map_path, 0600) == 0, "mkfifo");
    try_map("a FIFO");
    int reader = open(map_path, O_RDONLY | O_NONBLOCK);
    try_map("a FIFO with a reader");
    close(reader);
    unlink(map_path);
    write_victim(map_path);
    char second[80];
    snprintf(second, sizeof second, "%s.second", map_path);
    require(link(map_path, second) == 0, "link");
    try_map("a second name");
    require_untouched(second);
    unlink(second);
    unlink(map_path);
    require(mkdir(map_path, 0700) == 0, "mkdir");
    try_map("a directory");
    rmdir(map_path);
    write_victim(map_path);
    try_map("an own file");
    unlink(map_path);
    return 0;
}
