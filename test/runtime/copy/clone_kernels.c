/*
 * A clone has all bytes also on a kernel that does not list runs of written pages, and where the page map
 * cannot be opened at all. A seccomp filter in a child plays those kernels.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: clones as the kernel is
 * CHECK-NEXT: clones without ioctl
 * CHECK-NEXT: clones without openat
 */
#include "../support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* From here on the system call fails with ENOTTY. */
static void forbid(uint32_t system_call) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* More runs of written pages than fit into one step of the walk, a long run, and a far hole. */
static void clone_many_runs(void) {
    enum { RUNS = 3000 };
    mf_memory *m = memory_of(&(mf_region){0, 256 << 20, MF_READ_WRITE}, 1, (mf_heap){0});
    mf_memory *clone;
    for (uint32_t i = 0; i < RUNS; i++) {
        set_byte(m, 3 * i * PAGE + i % PAGE, (uint8_t)(i % 255 + 1));
        set_byte(m, (3 * i + 1) * PAGE, (uint8_t)(i % 253 + 1));
    }
    expect(mf_memory_fill(m, 100 << 20, 0x3c, 5 << 20));
    set_byte(m, (256 << 20) - 1, 0x77);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    mf_memory_destroy(m);
    const unsigned char *bytes = mf_memory_span(clone, 0, 256 << 20, MF_LOAD);
    for (uint32_t i = 0; i < RUNS; i++) {
        expect(bytes[3 * i * PAGE + i % PAGE] == (uint8_t)(i % 255 + 1));
        expect(bytes[(3 * i + 1) * PAGE] == (uint8_t)(i % 253 + 1));
        expect(bytes[(3 * i + 2) * PAGE] == 0);
    }
    expect(bytes[(100 << 20) - 1] == 0 && bytes[105 << 20] == 0);
    for (uint32_t i = 0; i < 5 << 20; i += 512)
        expect(bytes[(100 << 20) + i] == 0x3c);
    expect(bytes[(256 << 20) - 1] == 0x77);
    mf_memory_destroy(clone);
}

static void clone_in_child(const char *name, bool filtered, uint32_t system_call) {
    pid_t child = fork();
    expect(child >= 0);
    if (child == 0) {
        if (filtered)
            forbid(system_call);
        clone_many_runs();
        _exit(0);
    }
    int status = 1;
    expect(waitpid(child, &status, 0) == child && status == 0);
    printf("clones %s\n", name);
    fflush(stdout);
}

int main(void) {
    clone_in_child("as the kernel is", false, 0);
    clone_in_child("without ioctl", true, SYS_ioctl);
    clone_in_child("without openat", true, SYS_openat);
    return 0;
}
