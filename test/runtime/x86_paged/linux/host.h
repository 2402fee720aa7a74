/* What tests of the paged backend ask of the host: its mappings, children that may die, refused calls. */
#ifndef MEMFOLD_TEST_HOST_H
#define MEMFOLD_TEST_HOST_H

#include "../../support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW_BYTES (2 * MF_SPACE_BYTES)
#define WINDOW_U32_BYTES (MF_SPACE_BYTES + MF_MEMORY_U32_OFFSET_MAX)
#define GUARD_BYTES UINT64_C(0x10000)

/* ---- Mappings ------------------------------------------------------------------------------ */

/* A stretch of host addresses with one protection; permission -1: not one that a guest page has. */
typedef struct host_mapping {
    uint64_t start;
    uint64_t end;
    int perm;
} host_mapping;

static inline int perm_of_text(const char *text) {
    static const char *const texts[] = {"---p", "r--p", "rw-p"};
    for (int perm = 0; perm < 3; perm++)
        if (strcmp(text, texts[perm]) == 0)
            return perm;
    return -1;
}

/* How many mappings the kernel keeps for what list_mappings has last listed; it may be more. */
static _Thread_local size_t kernel_mappings;

/* The mappings of [start, end), clipped to it; those that touch and have one permission count as one. */
static inline size_t list_mappings(uint64_t start, uint64_t end, host_mapping *list, size_t capacity) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], text[8];
    size_t count = 0;
    kernel_mappings = 0;
    expect(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long low, high;
        expect(sscanf(line, "%lx-%lx %7s", &low, &high, text) == 3);
        if (high <= start || low >= end)
            continue;
        kernel_mappings++;
        host_mapping m = {low > start ? low : start, high < end ? high : end, perm_of_text(text)};
        if (count > 0 && list[count - 1].end == m.start && list[count - 1].perm == m.perm) {
            list[count - 1].end = m.end;
        } else {
            expect(count < capacity);
            list[count++] = m;
        }
    }
    fclose(maps);
    return count;
}

static inline size_t count_mappings(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    size_t lines = 0;
    expect(maps != NULL);
    for (int c = getc(maps); c != EOF; c = getc(maps))
        lines += c == '\n';
    fclose(maps);
    return lines;
}

static inline uint64_t address_space_bytes(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    expect(file != NULL && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

#define MAX_MAPPINGS 70000

/*
 * The host's permission of every page of the window is the table's, nothing above 4 GiB is accessible, and
 * the guards are there. Returns how many mappings the window is.
 */
static inline size_t expect_host_agrees(mf_memory *memory) {
    static host_mapping list[MAX_MAPPINGS];
    uint64_t base = (uint64_t)(uintptr_t)mf_memory_view(memory)->base;
    uint64_t bytes = mf_memory_index_of(memory) == MF_MEMORY_U32 ? WINDOW_U32_BYTES : WINDOW_BYTES;
    size_t count = list_mappings(base - GUARD_BYTES, base + bytes + GUARD_BYTES, list, MAX_MAPPINGS);
    uint64_t at = base - GUARD_BYTES;
    for (size_t i = 0; i < count; i++) {
        expect(list[i].start == at);
        at = list[i].end;
        bool guest = list[i].start >= base && list[i].end <= base + TOP;
        expect(guest || list[i].perm == MF_PERM_NONE);
        uint64_t first = list[i].start > base ? list[i].start - base : 0;
        for (uint64_t index = first; index < TOP && base + index < at; index += PAGE)
            expect((int)mf_memory_perm_of(memory, (uint32_t)index) == list[i].perm);
    }
    expect(at == base + bytes + GUARD_BYTES);
    return count;
}

/* ---- Children ------------------------------------------------------------------------------ */

/* Only the default actions, whatever a sanitizer has installed. */
static inline void forget_handlers(void) {
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}

/* Runs `body` in a child and returns its wait status. */
static inline int in_child(void (*body)(void)) {
    fflush(stdout);
    pid_t child = fork();
    expect(child >= 0);
    if (child == 0) {
        prctl(PR_SET_DUMPABLE, 0);
        body();
        fflush(stdout);
        _exit(0);
    }
    int status = 1;
    expect(waitpid(child, &status, 0) == child);
    return status;
}

static inline bool succeeds(void (*body)(void)) {
    return in_child(body) == 0;
}

static inline bool dies_by(int signal_number, void (*body)(void)) {
    int status = in_child(body);
    return WIFSIGNALED(status) && WTERMSIG(status) == signal_number;
}

/* ---- Refused system calls ------------------------------------------------------------------ */

#define ANY UINT32_MAX

/*
 * From here on a system call fails with `error` if its third argument is `third`, and the low half of its
 * first is `first`; ANY is any.
 */
static inline void refuse(uint32_t system_call, uint32_t first, uint32_t third, int error) {
    const uint32_t first_offset = offsetof(struct seccomp_data, args[0]);
    const uint32_t third_offset = offsetof(struct seccomp_data, args[2]);
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, first_offset),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 0, first == ANY ? 0 : 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, third_offset),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, third, 0, third == ANY ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

#endif
