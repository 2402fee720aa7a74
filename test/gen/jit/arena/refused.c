/*
 * A host that refuses: where two views are refused, for whatever reason, slots are pages that change from
 * writable to executable and are never both; where that is refused as well, it is a status that says why;
 * where there is no barrier, slots are not reused. Nothing is left half done, and what was there goes on.
 *
 * RUN: %arena-cc %s -Wl,--wrap=memfd_create -o %t %arena
 * RUN: %t | FileCheck %s
 *
 * CHECK: no file in memory: works with one view
 * CHECK-NEXT: no descriptor: works with one view
 * CHECK-NEXT: no size of files: works with one view
 * CHECK-NEXT: no mapping that is executable: works with one view
 * CHECK-NEXT: no word for executable files: works with two views
 * CHECK-NEXT: no advice: works with two views
 * CHECK-NEXT: no change of permissions: works with two views
 * CHECK-NEXT: neither: io: the host refuses memory for code: Permission denied
 * CHECK-NEXT: neither any more: io: the host refuses memory for code: Permission denied
 * CHECK-NEXT: no way back to writable: works with one view, and no page is used twice
 * CHECK-NEXT: no barrier: works with two views, and no slot is used twice
 * CHECK-NEXT: no barrier with one view: works with one view, and no page is used twice
 * CHECK-NEXT: no barrier any more: works with two views, and no slot is used twice
 */
#include "refuse.h"

#include <signal.h>
#include <sys/resource.h>

enum { EXECUTABLE = PROT_READ | PROT_EXEC, WRITABLE = PROT_READ | PROT_WRITE };

/* A kernel that does not know MFD_EXEC. */
static bool is_old;

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags) {
    if (is_old && (flags & ~3u) != 0) {
        errno = EINVAL;
        return -1;
    }
    return __real_memfd_create(name, flags);
}

/* ---- Works ---- */

static void expect_permissions(const arena_slot *slot, const char *writes, const char *runs) {
    char text[5];
    permissions_of((uintptr_t)slot->write, text);
    expect(strncmp(text, writes, 3) == 0);
    permissions_of(slot->run, text);
    expect(strncmp(text, runs, 3) == 0);
}

/* Each slot while it is written and when it is executed; with two views nothing changes. */
static bool expect_exclusive(arena *a, size_t bytes) {
    arena_slot slot = take(a, bytes);
    bool is_one = slot.run == (uintptr_t)slot.write;
    expect_permissions(&slot, "rw-", is_one ? "rw-" : "r-x");
    write_answer(&slot, 12);
    publish(a, &slot);
    expect_permissions(&slot, is_one ? "r-x" : "rw-", "r-x");
    expect(answers(&slot, 12));
    arena_give(a, &slot);
    return is_one;
}

/* More is given back and taken again than a range has. */
static bool change_often(arena *a) {
    enum { HELD = 50, CHANGES = 6000 };
    static arena_slot held[HELD];
    for (uint32_t n = 0; n < CHANGES; n++) {
        if (held[n % HELD].own != NULL) {
            expect(answers(&held[n % HELD], n - HELD));
            arena_give(a, &held[n % HELD]);
        }
        held[n % HELD] = make_answer(a, 100 + n % 17 * 400, n);
    }
    bool is_one = held[0].run == (uintptr_t)held[0].write;
    for (size_t i = 0; i < HELD; i++)
        arena_give(a, &held[i]);
    return is_one;
}

/* Ten mappings are more than what the C library may need for itself. */
static void work_with(arena *a, const char *and) {
    size_t mappings = count_mappings();
    bool is_one = expect_exclusive(a, 100);
    expect(expect_exclusive(a, 9000) == is_one && change_often(a) == is_one);
    expect(arena_usage_get(a).taken_bytes == 0);
    arena_destroy(a);
    expect(count_mappings() <= mappings + 10);
    printf("works with %s%s\n", is_one ? "one view" : "two views", and);
}

static void work(void) {
    work_with(make_arena(), "");
}

static void without_file(void) {
    refuse(SYS_memfd_create, ANY, EPERM);
    work();
}

static void without_descriptor(void) {
    refuse(SYS_memfd_create, ANY, EMFILE);
    work();
}

/* A file that is too large would end the process by SIGXFSZ. */
static void without_size(void) {
    struct rlimit limit = {4096, 4096};
    expect(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    work();
}

static void without_executable_mapping(void) {
    refuse(SYS_mmap, EXECUTABLE, EACCES);
    work();
}

static void without_word(void) {
    is_old = true;
    work();
}

static void without_advice(void) {
    refuse(SYS_madvise, ANY, EINVAL);
    work();
}

static void without_change(void) {
    refuse(SYS_mprotect, ANY, EACCES);
    work();
}

/* ---- Neither ---- */

static void expect_refused(arena *a) {
    arena_slot slot = {0};
    mf_diag diag = {0};
    size_t mappings = count_mappings();
    mf_status status = arena_take(a, 100, &slot, &diag);
    if (status == MF_OK) {
        status = arena_publish(a, &slot, &diag);
        arena_give(a, &slot);
    } else {
        expect(slot.own == NULL && count_mappings() == mappings);
    }
    expect(diag.status == status);
    printf("%s: %s\n", mf_status_name(status), diag.message);
}

static void without_either(void) {
    refuse(SYS_mmap, EXECUTABLE, EACCES);
    refuse(SYS_mprotect, EXECUTABLE, EACCES);
    arena *a = make_arena();
    expect_refused(a);
    arena_destroy(a);
}

/* What was published before still answers. */
static void without_either_any_more(void) {
    refuse(SYS_mmap, EXECUTABLE, EACCES);
    arena *a = make_arena();
    arena_slot slot = make_answer(a, 100, 5);
    refuse(SYS_mprotect, EXECUTABLE, EACCES);
    expect_refused(a);
    expect(answers(&slot, 5));
    arena_give(a, &slot);
    arena_destroy(a);
}

/* ---- Once ---- */

/* Whether a slot is ever where one was before, while a slot that stays keeps the range from going. */
static void expect_used_once(arena *a, const char *once) {
    enum { TAKEN = 300 };
    static uintptr_t runs[TAKEN];
    arena_slot stays = make_answer(a, 100, 5);
    for (size_t i = 0; i < TAKEN; i++) {
        arena_slot slot = make_answer(a, 4000, (uint32_t)i);
        expect(answers(&slot, (uint32_t)i));
        runs[i] = slot.run;
        arena_give(a, &slot);
        for (size_t k = 0; k < i; k++)
            expect(runs[k] != runs[i]);
    }
    expect(answers(&stays, 5));
    arena_give(a, &stays);
    work_with(a, once);
}

static void without_way_back(void) {
    refuse(SYS_mmap, EXECUTABLE, EACCES);
    arena *a = make_arena();
    refuse(SYS_mprotect, WRITABLE, ENOMEM);
    expect_used_once(a, ", and no page is used twice");
}

static void without_barrier(void) {
    refuse(SYS_membarrier, ANY, EPERM);
    expect_used_once(make_arena(), ", and no slot is used twice");
}

static void without_barrier_with_one_view(void) {
    refuse(SYS_membarrier, ANY, EPERM);
    refuse(SYS_mmap, EXECUTABLE, EACCES);
    expect_used_once(make_arena(), ", and no page is used twice");
}

static void without_barrier_any_more(void) {
    arena *a = make_arena();
    arena_slot slot = make_answer(a, 100, 5);
    arena_give(a, &slot);
    refuse(SYS_membarrier, ANY, ENOSYS);
    expect_used_once(a, ", and no slot is used twice");
}

int main(void) {
    in_child("no file in memory", without_file);
    in_child("no descriptor", without_descriptor);
    in_child("no size of files", without_size);
    in_child("no mapping that is executable", without_executable_mapping);
    in_child("no word for executable files", without_word);
    in_child("no advice", without_advice);
    in_child("no change of permissions", without_change);
    in_child("neither", without_either);
    in_child("neither any more", without_either_any_more);
    in_child("no way back to writable", without_way_back);
    in_child("no barrier", without_barrier);
    in_child("no barrier with one view", without_barrier_with_one_view);
    in_child("no barrier any more", without_barrier_any_more);
    return 0;
}
