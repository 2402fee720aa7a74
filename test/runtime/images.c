/*
 * What images cost and who has them: memories of one program hold its pages once, descriptors are few, nobody
 * can change the pages, children of fork are on their own, and a host without memory files gives the same
 * answers.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * UNSUPPORTED: sanitize-thread
 *
 * CHECK: many_memories_hold_an_image_once
 * CHECK-NEXT: a_frozen_memory_is_held_once
 * CHECK-NEXT: a_reset_shares_again
 * CHECK-NEXT: frozen_pages_that_the_host_keeps
 * CHECK-NEXT: small_images_share_descriptors
 * CHECK-NEXT: nobody_can_change_an_image
 * CHECK-NEXT: many_written_pages_go_back
 * CHECK-NEXT: zeros_over_bytes_do_not_last
 * CHECK-NEXT: zeros_of_a_split_huge_page_do_not_last
 * CHECK-NEXT: children_are_on_their_own
 * CHECK-NEXT: the_same_without_memory_files
 * CHECK-NEXT: a_closed_page_map_is_opened_again
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_COLD
#define MADV_COLD 20 /* since Linux 5.4 */
#endif

#define HUGE (UINT32_C(2) << 20)

static long resident_bytes(void) {
    long total_pages = 0, resident_pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    expect(file != NULL && fscanf(file, "%ld %ld", &total_pages, &resident_pages) == 2);
    fclose(file);
    return resident_pages * sysconf(_SC_PAGESIZE);
}

static uint8_t pattern(uint64_t i) {
    return (uint8_t)(i / PAGE % 250 + 1);
}

/* An image of so many bytes from page 3 on, half of them read-only. */
static void program_of(uint32_t bytes, mf_layout **layout, mf_image **image) {
    unsigned char *text = malloc(bytes);
    mf_layout_builder *builder = mf_layout_builder_create();
    for (uint32_t i = 0; i < bytes; i++)
        text[i] = pattern(i);
    expect_ok(
        mf_layout_builder_map_region(builder, 3 * PAGE, bytes / 2, MF_READ_ONLY, text, bytes / 2, NULL));
    expect_ok(mf_layout_builder_map_region(builder, 3 * PAGE + bytes / 2, bytes / 2, MF_READ_WRITE,
                                           text + bytes / 2, bytes / 2, NULL));
    expect_ok(mf_layout_builder_finish(builder, layout, image, NULL));
    mf_layout_builder_destroy(builder);
    free(text);
}

static mf_memory *memory_with(const mf_layout *layout, const mf_image *image) {
    mf_memory *m;
    mf_memory_config config = {.backend = backend, .huge_pages = MF_HUGE_PAGES_NEVER};
    expect_ok(mf_memory_create_with(layout, image, &config, &m, NULL));
    return m;
}

static void expect_pattern(mf_memory *m, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i += PAGE / 2)
        expect(byte_at(m, 3 * PAGE + i) == pattern(i));
}

/* 100 KB each, and the table of permissions is among them. */
static void many_memories_hold_an_image_once(void) {
    enum { MEMORIES = 150, BYTES = 16 << 20 };
    static mf_memory *memories[MEMORIES];
    mf_layout *layout;
    mf_image *image;
    program_of(BYTES, &layout, &image);
    long before = resident_bytes();
    for (size_t i = 0; i < MEMORIES; i++) {
        memories[i] = memory_with(layout, image);
        set_byte(memories[i], 3 * PAGE + BYTES - 1, (uint8_t)i);
    }
    expect((resident_bytes() - before) / MEMORIES < 100 * 1000);
    for (size_t i = 0; i < MEMORIES; i += 2)
        expect_ok(mf_memory_reset(memories[i], NULL));
    for (size_t i = 0; i < MEMORIES; i++) {
        expect(byte_at(memories[i], 3 * PAGE + BYTES - 1) == (i % 2 == 0 ? pattern(BYTES - 1) : (uint8_t)i));
        mf_memory_destroy(memories[i]);
    }
    mf_layout_release(layout);
    mf_image_release(image);
}

/* Its own pages too, and those of its clones. */
static void a_frozen_memory_is_held_once(void) {
    enum { BYTES = 16 << 20, CLONES = 8 };
    mf_memory *m = memory_of(&(mf_region){0, BYTES, MF_READ_WRITE}, 1, (mf_heap){0}), *clones[CLONES];
    mf_image *image;
    expect(mf_memory_fill(m, 0, 0x5a, BYTES));
    long before = resident_bytes();
    expect_ok(mf_memory_freeze(m, &image, NULL));
    for (size_t i = 0; i < CLONES; i++)
        expect_ok(mf_memory_clone(m, &clones[i], NULL));
    expect(resident_bytes() - before < BYTES / 2);
    mf_memory *frozen = memory_with(NULL, image);
    for (uint32_t i = 0; i < BYTES; i += 64 * PAGE)
        expect(byte_at(m, i) == 0x5a && byte_at(clones[1], i) == 0x5a && byte_at(frozen, i) == 0x5a);
    set_byte(clones[1], 5 * PAGE, 1);
    expect(byte_at(m, 5 * PAGE) == 0x5a && byte_at(clones[2], 5 * PAGE) == 0x5a);
    expect_ok(mf_memory_reset(clones[1], NULL));
    expect(byte_at(clones[1], 5 * PAGE) == 0 && byte_at(clones[1], 0) == 0);
    for (size_t i = 0; i < CLONES; i++)
        mf_memory_destroy(clones[i]);
    mf_memory_destroy(m);
    mf_image_release(image);
    expect(byte_at(frozen, BYTES - 1) == 0x5a);
    mf_memory_destroy(frozen);
}

/* Pages that were lost, or are another image's, are mappings again and no copies. */
static void a_reset_shares_again(void) {
    enum { BYTES = 16 << 20 };
    mf_layout *layout;
    mf_image *image, *frozen;
    program_of(BYTES, &layout, &image);
    mf_memory *m = memory_with(layout, image);
    for (int i = 0; i < 2; i++) {
        long before = resident_bytes();
        expect_ok(mf_memory_unmap(m, 3 * PAGE, BYTES, NULL));
        if (i == 1) {
            expect_ok(mf_memory_map_region(m, 3 * PAGE, BYTES / 2, MF_READ_WRITE, NULL, 0, NULL));
            expect(mf_memory_fill(m, 3 * PAGE, 0x5a, BYTES / 2));
            expect_ok(mf_memory_freeze(m, &frozen, NULL));
            mf_image_release(frozen);
        }
        expect_ok(mf_memory_reset(m, NULL));
        expect(resident_bytes() - before < BYTES / 4);
        expect_pattern(m, BYTES);
    }
    mf_memory_destroy(m);
    mf_layout_release(layout);
    mf_image_release(image);
}

static size_t count_descriptors(void) {
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    expect(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void small_images_share_descriptors(void) {
    enum { IMAGES = 300 };
    static mf_image *images[IMAGES];
    size_t before = count_descriptors();
    for (size_t i = 0; i < IMAGES; i++) {
        mf_layout *layout;
        program_of(16 * PAGE, &layout, &images[i]);
        mf_layout_release(layout);
    }
    size_t taken = count_descriptors() - before;
    expect(taken >= 1 && taken <= 4);
    for (size_t i = 0; i < IMAGES; i++)
        mf_image_release(images[i]);
    expect(count_descriptors() == before);
}

/* Every memory file that the process has is tried. */
static void nobody_can_change_an_image(void) {
    mf_layout *layout;
    mf_image *image;
    char path[64], target[64];
    size_t found = 0;
    program_of(8 << 20, &layout, &image);
    mf_memory *m = memory_with(layout, image);
    for (int file = 0; file < 64; file++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        if (strstr(target, "memfd:memfold") == NULL)
            continue;
        found++;
        expect(ftruncate(file, 0) != 0 && pwrite(file, "x", 1, 0) != 1);
        expect(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED);
        expect((fcntl(file, F_GETFD) & FD_CLOEXEC) != 0);
    }
    expect(found == 1);
    expect_pattern(m, 8 << 20);
    mf_memory_destroy(m);
    mf_layout_release(layout);
    mf_image_release(image);
}

/* More than reset overwrites, among them pages of the image, and a piece of it that is no mapping. */
static void many_written_pages_go_back(void) {
    enum { BYTES = 32 << 20 };
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_image *image;
    static unsigned char text[64 * MF_PAGE_SIZE];
    memset(text, 0x11, sizeof text);
    expect_ok(mf_layout_builder_map_region(builder, 0, BYTES, MF_READ_WRITE, text, sizeof text, NULL));
    expect_ok(mf_layout_builder_set_bytes(builder, 25 << 20, "piece", 5, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    mf_memory *m = memory_with(layout, image);
    long before = resident_bytes();
    for (int i = 0; i < 2; i++) {
        expect(mf_memory_fill(m, 0, 0x22, BYTES));
        expect(resident_bytes() - before > BYTES / 2);
        expect_ok(mf_memory_reset(m, NULL));
        expect(resident_bytes() - before < BYTES / 2);
        expect(byte_at(m, 0) == 0x11 && byte_at(m, sizeof text - 1) == 0x11 && byte_at(m, sizeof text) == 0);
        expect(byte_at(m, BYTES - 1) == 0 && byte_at(m, (25 << 20) + 4) == 'e' && byte_at(m, 24 << 20) == 0);
    }
    mf_memory_destroy(m);
    mf_layout_builder_destroy(builder);
    mf_layout_release(layout);
    mf_image_release(image);
}

/* ---- Children ---- */

static void wait_for(pid_t child) {
    int status = 1;
    expect(waitpid(child, &status, 0) == child && status == 0);
}

/* A child by fork, and one that the C library knows nothing of. */
static pid_t new_child(bool by_fork) {
    fflush(stdout);
    return by_fork ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void live_in_child(mf_memory *m, mf_memory *other, uint32_t bytes) {
    mf_layout *layout;
    mf_image *image;
    mf_memory *clone;
    expect(byte_at(m, 3 * PAGE + bytes - 1) == 0x99);
    set_byte(other, 3 * PAGE + bytes / 2, 0x77); /* which the parent has not written */
    expect_ok(mf_memory_clone(other, &clone, NULL));
    expect(byte_at(clone, 3 * PAGE + bytes / 2) == 0x77);
    expect_ok(mf_memory_reset(m, NULL));
    expect_ok(mf_memory_reset(other, NULL));
    expect_pattern(m, bytes);
    expect_pattern(other, bytes);
    for (int i = 0; i < 3; i++) {
        program_of(18 * PAGE, &layout, &image);
        mf_layout_release(layout);
        mf_image_release(image);
    }
    mf_memory_destroy(clone);
}

/* The image of the test shares its file with those that parent and child make afterwards. */
static void child_and_parent(bool by_fork) {
    enum { BYTES = 200 * MF_PAGE_SIZE };
    mf_layout *layout;
    mf_image *image;
    program_of(BYTES, &layout, &image);
    mf_memory *m = memory_with(layout, image), *other = memory_with(layout, image);
    set_byte(m, 3 * PAGE + BYTES - 1, 1);
    expect_ok(mf_memory_reset(m, NULL));
    set_byte(m, 3 * PAGE + BYTES - 1, 0x99);
    pid_t child = new_child(by_fork);
    expect(child >= 0);
    if (child == 0) {
        live_in_child(m, other, BYTES);
        _exit(0);
    }
    mf_layout *later_layout;
    mf_image *later;
    program_of(22 * PAGE, &later_layout, &later);
    mf_memory *last = memory_with(later_layout, later);
    wait_for(child);
    expect_pattern(last, 22 * PAGE);
    expect(byte_at(m, 3 * PAGE + BYTES - 1) == 0x99);
    expect_ok(mf_memory_reset(m, NULL));
    expect_pattern(m, BYTES);
    mf_memory_destroy(last);
    mf_memory_destroy(m);
    mf_memory_destroy(other);
    mf_layout_release(layout);
    mf_image_release(image);
    mf_layout_release(later_layout);
    mf_image_release(later);
}

/* 8 MiB that can be written, in which the two pages of `start` begin with other bytes than zero. */
static mf_memory *memory_with_island(uint64_t start, mf_huge_pages huge_pages) {
    static unsigned char bytes[2 * PAGE];
    mf_memory_config config = {.backend = backend, .huge_pages = huge_pages};
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_image *image;
    mf_memory *m;
    memset(bytes, 7, sizeof bytes);
    expect_ok(mf_layout_builder_map_region(builder, 0, 8 << 20, MF_READ_WRITE, NULL, 0, NULL));
    expect_ok(mf_layout_builder_set_bytes(builder, start, bytes, sizeof bytes, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    expect_ok(mf_memory_create_with(layout, image, &config, &m, NULL));
    mf_image_release(image);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
    return m;
}

/* A clone has them although nothing need be written for a page to be zero, so its reset takes them back. */
static void zeros_over_bytes_do_not_last(void) {
    mf_memory *m = memory_with_island(PAGE, MF_HUGE_PAGES_NEVER), *clone, *again;
    expect(mf_memory_fill(m, PAGE, 0, PAGE));
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect_ok(mf_memory_clone(clone, &again, NULL));
    expect(byte_at(again, PAGE) == 0 && byte_at(again, 2 * PAGE) == 7);
    expect_ok(mf_memory_reset(clone, NULL));
    expect_ok(mf_memory_reset(again, NULL));
    expect(byte_at(clone, PAGE) == 7 && byte_at(again, PAGE) == 7 && byte_at(m, PAGE) == 0);
    mf_memory_destroy(again);
    mf_memory_destroy(clone);
    mf_memory_destroy(m);
}

/*
 * A kernel that splits a huge page puts the page of zeros in the place of those that hold nothing else (since
 * 6.12). It splits one of which a part is to be reclaimed first.
 */
static void zeros_of_a_split_huge_page_do_not_last(void) {
    mf_memory *m = memory_with_island(HUGE, MF_HUGE_PAGES_ALLOWED), *clone;
    expect(mf_memory_fill(m, HUGE, 0, 2 * PAGE) && mf_memory_fill(m, HUGE + HUGE / 2, 1, PAGE));
    unsigned char *host = mf_memory_span(m, HUGE, HUGE, MF_LOAD);
    madvise(host + HUGE / 2 + HUGE / 4, HUGE / 8, MADV_COLD);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    expect(byte_at(clone, HUGE) == 0);
    expect_ok(mf_memory_reset(m, NULL));
    expect_ok(mf_memory_reset(clone, NULL));
    for (uint32_t i = 0; i < 3 * PAGE; i += PAGE)
        expect(byte_at(m, HUGE + i) == (i < 2 * PAGE ? 7 : 0) &&
               byte_at(clone, HUGE + i) == byte_at(m, HUGE + i));
    mf_memory_destroy(clone);
    mf_memory_destroy(m);
}

static void children_are_on_their_own(void) {
    child_and_parent(true);
    child_and_parent(false);
}

/* ---- Without ---- */

static void forbid(uint32_t system_call) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void live_without(uint32_t system_call) {
    enum { BYTES = 1 << 20 };
    mf_layout *layout;
    mf_image *image, *frozen;
    forbid(system_call);
    program_of(BYTES, &layout, &image);
    mf_memory *m = memory_with(layout, image), *again;
    expect_pattern(m, BYTES);
    set_byte(m, 3 * PAGE + BYTES - 1, 0x99);
    expect_ok(mf_memory_freeze(m, &frozen, NULL));
    expect_ok(mf_memory_reset(m, NULL));
    expect_pattern(m, BYTES);
    again = memory_with(NULL, frozen);
    expect(byte_at(again, 3 * PAGE + BYTES - 1) == 0x99 && byte_at(again, 3 * PAGE) == pattern(0));
    set_byte(again, 3 * PAGE + BYTES - 1, 1);
    expect_ok(mf_memory_reset(again, NULL));
    expect(byte_at(again, 3 * PAGE + BYTES - 1) == 0x99);
}

/*
 * Mappings of what was frozen that the host does not replace show its bytes, which are overwritten: on pages
 * that can be written and on others.
 */
static void keep_frozen_pages(void) {
    enum { BYTES = 1 << 20 };
    mf_layout *layout;
    mf_image *image, *frozen;
    program_of(BYTES, &layout, &image);
    mf_memory *m = memory_with(layout, image);
    mf_memory *plain = memory_of(&(mf_region){0, BYTES, MF_READ_WRITE}, 1, (mf_heap){0});
    expect_ok(mf_memory_map_region(m, 3 * PAGE, 40 * PAGE, MF_READ_ONLY, "changed", 7, NULL));
    expect(mf_memory_fill(m, 3 * PAGE + BYTES / 2, 0x5a, BYTES / 2));
    expect(mf_memory_fill(plain, 0, 0x5a, BYTES));
    expect_ok(mf_memory_freeze(m, &frozen, NULL));
    mf_image_release(frozen);
    expect_ok(mf_memory_freeze(plain, &frozen, NULL));
    mf_image_release(frozen);
    forbid(SYS_mmap);
    expect_ok(mf_memory_reset(m, NULL));
    expect_ok(mf_memory_reset(plain, NULL));
    expect_pattern(m, BYTES);
    for (uint32_t at = 0; at < BYTES; at += PAGE / 2)
        expect(byte_at(plain, at) == 0);
    set_byte(plain, 5, 1);
    expect_ok(mf_memory_reset(plain, NULL));
    expect(byte_at(plain, 5) == 0);
}

static void frozen_pages_that_the_host_keeps(void) {
    pid_t child = new_child(true);
    expect(child >= 0);
    if (child == 0) {
        keep_frozen_pages();
        _exit(0);
    }
    wait_for(child);
}

static void the_same_without_memory_files(void) {
    static const uint32_t calls[] = {SYS_memfd_create, SYS_fcntl, SYS_fallocate, SYS_ioctl, SYS_madvise};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        pid_t child = new_child(true);
        expect(child >= 0);
        if (child == 0) {
            live_without(calls[i]);
            _exit(0);
        }
        wait_for(child);
    }
}

/* A program that closes all descriptors, and opens another file that gets the same number. */
static void a_closed_page_map_is_opened_again(void) {
    mf_memory *m = memory_of(&(mf_region){0, 100 * PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    set_byte(m, 5, 1);
    expect_ok(mf_memory_reset(m, NULL));
    expect(byte_at(m, 5) == 0);
    for (int file = 3; file < 64; file++)
        close(file);
    int other = open("/dev/zero", O_RDONLY);
    set_byte(m, 7 * PAGE, 1);
    expect_ok(mf_memory_reset(m, NULL));
    expect(byte_at(m, 7 * PAGE) == 0);
    mf_memory_destroy(m);
    expect(fcntl(other, F_GETFD) >= 0);
    close(other);
}

static const test tests[] = {
    TEST(many_memories_hold_an_image_once),
    TEST(a_frozen_memory_is_held_once),
    TEST(a_reset_shares_again),
    TEST(frozen_pages_that_the_host_keeps),
    TEST(small_images_share_descriptors),
    TEST(nobody_can_change_an_image),
    TEST(many_written_pages_go_back),
    TEST(zeros_over_bytes_do_not_last),
    TEST(zeros_of_a_split_huge_page_do_not_last),
    TEST(children_are_on_their_own),
    TEST(the_same_without_memory_files),
    TEST(a_closed_page_map_is_opened_again),
};

int main(void) {
    return RUN_TESTS(tests);
}
