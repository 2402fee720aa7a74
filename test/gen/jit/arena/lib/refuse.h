/* Children whose system calls are refused. */
#ifndef MEMFOLD_TEST_ARENA_REFUSE_H
#define MEMFOLD_TEST_ARENA_REFUSE_H

#include "arena_support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANY UINT32_MAX

/* From here on a system call fails with `error` if its third argument is `third`; ANY is any. */
static inline void refuse(uint32_t system_call, uint32_t third, int error) {
    const uint32_t third_offset = offsetof(struct seccomp_data, args[2]);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, third_offset),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, third, 0, third == ANY ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* Prints "NAME: ", and then what `body` prints in a child of its own. */
static inline void in_child(const char *name, void (*body)(void)) {
    int status = 1;
    printf("%s: ", name);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        body();
        fflush(stdout);
        _exit(0);
    }
    expect(waitpid(child, &status, 0) == child);
    if (status != 0)
        printf("the child ended with %#x\n", (unsigned)status);
}

#if defined(__has_feature)
#define HAS_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

/* How many mappings the process has; 0 where a sanitizer makes some of its own all the time. */
static inline size_t count_mappings(void) {
    if (HAS_SANITIZER)
        return 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    size_t lines = 0;
    expect(maps != NULL);
    for (int c = getc(maps); c != EOF; c = getc(maps))
        lines += c == '\n';
    fclose(maps);
    return lines;
}

#endif
