/*
 * Each system call that the backend makes, refused: a clear status, nothing changed, nothing left behind.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t 2>&1 | FileCheck %s
 *
 * CHECK: mmap
 * CHECK-NEXT: mprotect
 * CHECK-NEXT: mprotect to none
 * CHECK-NEXT: mprotect to read-only
 * CHECK-NEXT: mprotect to read-write
 * CHECK-NEXT: mprotect and files
 * CHECK-NEXT: madvise
 * CHECK-NEXT: huge pages
 * CHECK-NEXT: sigaction
 * CHECK-NEXT: in the middle of reset
 * CHECK-NEXT: in the middle of a clone
 * CHECK-NEXT: {{^}}memfold: the kernel does not give back the permissions that guest pages had: 0x0 to 0x1000{{$}}
 * CHECK-NEXT: no way back
 */
#include "host.h"

#include <memfold/fault_handler.h>

static mf_memory *memory;
static size_t mappings;
static uint64_t stamp;

/* Pages: 0 and 1 read-only "abc", 2 read-write "xyz", 3 without permission "hid", heap from page 8. */
static mf_memory *new_memory(void) {
    mf_memory *m = memory_of(&(mf_region){0, PAGE, MF_READ_WRITE}, 1, (mf_heap){8 * PAGE, 8});
    expect_ok(mf_memory_map_region(m, 0, 2 * PAGE, MF_READ_ONLY, "abc", 3, NULL));
    expect_ok(mf_memory_map_region(m, 2 * PAGE, PAGE, MF_READ_WRITE, "xyz", 3, NULL));
    expect_ok(mf_memory_map_region(m, 3 * PAGE, PAGE, MF_READ_WRITE, "hid", 3, NULL));
    expect_ok(mf_memory_protect(m, 3 * PAGE, PAGE, MF_PERM_NONE, NULL));
    return m;
}

static void prepare(void) {
    memory = new_memory();
    mf_layout *layout;
    expect_ok(mf_memory_layout(memory, &layout, NULL));
    mf_layout_release(layout);
    stamp = mf_memory_view(memory)->layout_stamp;
    mappings = expect_host_agrees(memory);
}

static void expect_unchanged(void) {
    expect(expect_host_agrees(memory) == mappings);
    expect(mf_memory_view(memory)->layout_stamp == stamp);
    expect(mf_memory_heap_top(memory) == 8 * PAGE && mf_memory_len(memory) == 3 * PAGE);
    expect(byte_at(memory, 0) == 'a' && byte_at(memory, 2 * PAGE + 2) == 'z');
}

static bool is_exhausted(mf_status status) {
    if (status == MF_OK)
        return false;
    expect(status == MF_OUT_OF_MEMORY);
    expect_unchanged();
    return true;
}

/* Creates and clones are refused as well, and leave no address space behind. */
static void expect_no_new_memories(void) {
    uint64_t space = address_space_bytes();
    for (int i = 0; i < 50; i++) {
        mf_memory *made = NULL;
        mf_layout *layout = layout_of(&(mf_region){PAGE, PAGE, MF_READ_ONLY}, 1, (mf_heap){0});
        expect(mf_memory_create(layout, NULL, backend, &made, NULL) == MF_OUT_OF_MEMORY && made == NULL);
        expect(is_exhausted(mf_memory_clone(memory, &made, NULL)) && made == NULL);
        mf_layout_release(layout);
    }
    expect(address_space_bytes() - space < 1 << 21);
}

static void without_mmap(void) {
    prepare();
    refuse(SYS_mmap, ANY, PROT_NONE, ENOMEM);
    expect_no_new_memories();
}

static void without_mprotect(void) {
    uint64_t old;
    prepare();
    refuse(SYS_mprotect, ANY, ANY, ENOMEM);
    expect_no_new_memories();
    expect(is_exhausted(mf_memory_protect(memory, 0, PAGE, MF_PERM_RW, NULL)));
    expect(is_exhausted(mf_memory_protect(memory, PAGE, 3 * PAGE, MF_PERM_NONE, NULL)));
    expect(is_exhausted(mf_memory_unmap(memory, 2 * PAGE, PAGE, NULL)));
    expect(is_exhausted(mf_memory_map_region(memory, 5 * PAGE, PAGE, MF_READ_WRITE, "b", 1, NULL)));
    expect(is_exhausted(mf_memory_map_region(memory, 0, PAGE, MF_READ_ONLY, "b", 1, NULL)));
    expect(is_exhausted(mf_memory_sbrk(memory, 1, &old, NULL)));
    expect(is_exhausted(mf_memory_reset(memory, NULL)));
}

/*
 * Nobody can say what the pages have, but nothing has changed. With another error the kernel says so itself;
 * one that is the kernel's own is refused for a change that changes nothing, too.
 */
static void without_mprotect_and_files(int error) {
    uint64_t old;
    prepare();
    refuse(SYS_mprotect, ANY, ANY, error);
    refuse(SYS_openat, ANY, ANY, EPERM);
    expect(mf_memory_protect(memory, 0, PAGE, MF_PERM_RW, NULL) == MF_OUT_OF_MEMORY);
    expect(mf_memory_protect(memory, PAGE, 3 * PAGE, MF_PERM_NONE, NULL) == MF_OUT_OF_MEMORY);
    expect(mf_memory_unmap(memory, 2 * PAGE, PAGE, NULL) == MF_OUT_OF_MEMORY);
    expect(mf_memory_map_region(memory, 5 * PAGE, PAGE, MF_READ_WRITE, "b", 1, NULL) == MF_OUT_OF_MEMORY);
    expect(mf_memory_map_region(memory, 0, PAGE, MF_READ_ONLY, "b", 1, NULL) == MF_OUT_OF_MEMORY);
    expect(mf_memory_sbrk(memory, 1, &old, NULL) == MF_OUT_OF_MEMORY);
    expect(mf_memory_reset(memory, NULL) == MF_OUT_OF_MEMORY);
    mf_memory *made = NULL;
    expect(mf_memory_clone(memory, &made, NULL) == MF_OUT_OF_MEMORY && made == NULL);
    expect(byte_at(memory, 0) == 'a' && byte_at(memory, 2 * PAGE + 2) == 'z');
    set_byte(memory, 2 * PAGE, 'y');
    expect(mf_memory_perm_of(memory, 3 * PAGE) == MF_PERM_NONE);
}

static void without_permission_and_files(void) {
    without_mprotect_and_files(EPERM);
}

static void without_mappings_and_files(void) {
    without_mprotect_and_files(ENOMEM);
}

static void without_none(void) {
    prepare();
    refuse(SYS_mprotect, ANY, PROT_NONE, ENOMEM);
    expect(is_exhausted(mf_memory_protect(memory, PAGE, PAGE, MF_PERM_NONE, NULL)));
    expect(is_exhausted(mf_memory_unmap(memory, 2 * PAGE, PAGE, NULL)));
}

static void without_read_only(void) {
    mf_memory *made = NULL;
    prepare();
    refuse(SYS_mprotect, ANY, PROT_READ, ENOMEM);
    expect(is_exhausted(mf_memory_map_region(memory, 2 * PAGE, PAGE, MF_READ_ONLY, "b", 1, NULL)));
    expect(is_exhausted(mf_memory_protect(memory, 2 * PAGE, PAGE, MF_PERM_RO, NULL)));
    expect(is_exhausted(mf_memory_clone(memory, &made, NULL)));
}

/* Bytes for a read-only region are refused before its old ones are gone. */
static void without_read_write(void) {
    uint64_t old;
    prepare();
    refuse(SYS_mprotect, ANY, PROT_READ | PROT_WRITE, ENOMEM);
    expect(is_exhausted(mf_memory_map_region(memory, 0, 2 * PAGE, MF_READ_ONLY, "b", 1, NULL)));
    expect(is_exhausted(mf_memory_map_region(memory, 4 * PAGE, PAGE, MF_READ_ONLY, "b", 1, NULL)));
    expect(is_exhausted(mf_memory_sbrk(memory, PAGE, &old, NULL)));
    expect(is_exhausted(mf_memory_reset(memory, NULL)));
    expect_no_new_memories();
}

/* Pages that cannot be given back are overwritten, by every kind of reset. */
static void without_madvise(void) {
    uint64_t old;
    prepare();
    mf_heap heap = {8 * PAGE, 8};
    mf_memory *with_heap = memory_of(&(mf_region){PAGE, 2 * PAGE, MF_READ_WRITE}, 1, heap);
    refuse(SYS_madvise, ANY, ANY, EINVAL);
    expect_ok(mf_memory_sbrk(with_heap, 3 * PAGE, &old, NULL));
    set_byte(with_heap, 9 * PAGE, 1);
    set_byte(with_heap, PAGE, 1);
    expect_ok(mf_memory_reset(with_heap, NULL));
    expect(mf_memory_perm_of(with_heap, 9 * PAGE) == MF_PERM_NONE && byte_at(with_heap, PAGE) == 0);
    expect_ok(mf_memory_sbrk(with_heap, 3 * PAGE, &old, NULL));
    expect(byte_at(with_heap, 9 * PAGE) == 0);
    set_byte(with_heap, 9 * PAGE, 1);
    expect_ok(mf_memory_unmap(with_heap, PAGE, 9 * PAGE, NULL));
    expect_ok(mf_memory_protect(with_heap, 0, 16 * PAGE, MF_PERM_RO, NULL));
    expect(byte_at(with_heap, 9 * PAGE) == 0 && byte_at(with_heap, PAGE) == 0);
    mf_memory_destroy(with_heap);
    expect_ok(mf_memory_reset(memory, NULL));
    expect_ok(mf_memory_sbrk(memory, PAGE, &old, NULL));
    expect(byte_at(memory, 8 * PAGE) == 0);
    mf_memory *grown = memory_of(&(mf_region){0, 4096 * PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    set_byte(grown, 4095 * PAGE, 1);
    expect_ok(mf_memory_reset(grown, NULL));
    expect(byte_at(grown, 4095 * PAGE) == 0);
}

static void without_huge_pages(void) {
    prepare();
    refuse(SYS_madvise, ANY, MADV_HUGEPAGE, EINVAL);
    mf_memory *m = memory_of(&(mf_region){0, 4096 * PAGE, MF_READ_WRITE}, 1, (mf_heap){0});
    set_byte(m, 5, 1);
    mf_memory_destroy(m);
}

static void without_sigaction(void) {
    refuse(SYS_rt_sigaction, ANY, ANY, EPERM);
    mf_memory *made = NULL;
    mf_diag diag = {0};
    for (int i = 0; i < 50; i++) {
        expect(mf_memory_create(NULL, NULL, backend, &made, &diag) == MF_IO && made == NULL);
        expect(diag.status == MF_IO && diag.value == EPERM && mf_fault_handler_install(NULL) == MF_IO);
    }
}

/* ---- In the middle ------------------------------------------------------------------------- */

/* The first part of a change is done and taken back, because a later part is refused. */
static void second_part_of_reset(void) {
    const mf_region regions[] = {{0, PAGE, MF_READ_WRITE}, {2 * PAGE, PAGE, MF_READ_ONLY}};
    memory = memory_of(regions, 2, (mf_heap){0});
    expect_ok(mf_memory_map_region(memory, 0, PAGE, MF_READ_ONLY, "abc", 3, NULL));
    expect_ok(mf_memory_map_region(memory, 2 * PAGE, PAGE, MF_READ_WRITE, "xyz", 3, NULL));
    mappings = expect_host_agrees(memory);
    refuse(SYS_mprotect, (uint32_t)(uintptr_t)mf_memory_view(memory)->base + 2 * PAGE, PROT_READ, ENOMEM);
    expect(mf_memory_reset(memory, NULL) == MF_OUT_OF_MEMORY);
    expect(expect_host_agrees(memory) == mappings);
    expect(byte_at(memory, 0) == 'a' && byte_at(memory, 2 * PAGE) == 'x');
}

/* The page without permission cannot be read; the clone is given up. */
static void hidden_part_of_clone(void) {
    mf_memory *made = NULL;
    prepare();
    refuse(SYS_mprotect, (uint32_t)(uintptr_t)mf_memory_view(memory)->base + 3 * PAGE, PROT_READ, ENOMEM);
    uint64_t space = address_space_bytes();
    expect(is_exhausted(mf_memory_clone(memory, &made, NULL)) && made == NULL);
    expect(address_space_bytes() - space < 1 << 21);
}

/* Page 0 was opened for the reset and cannot be closed again: nobody may go on with that. */
static void no_way_back(void) {
    const mf_region regions[] = {{0, PAGE, MF_READ_WRITE}, {2 * PAGE, PAGE, MF_READ_ONLY}};
    memory = memory_of(regions, 2, (mf_heap){0});
    expect_ok(mf_memory_protect(memory, 0, PAGE, MF_PERM_NONE, NULL));
    expect_ok(mf_memory_protect(memory, PAGE, PAGE, MF_PERM_RW, NULL));
    refuse(SYS_mprotect, ANY, PROT_NONE, ENOMEM);
    mf_memory_reset(memory, NULL);
}

static void passes(const char *name, bool condition) {
    expect(condition);
    puts(name);
    fflush(stdout);
}

int main(void) {
    backend = MF_BACKEND_X86_PAGED;
    passes("mmap", succeeds(without_mmap));
    passes("mprotect", succeeds(without_mprotect));
    passes("mprotect to none", succeeds(without_none));
    passes("mprotect to read-only", succeeds(without_read_only));
    passes("mprotect to read-write", succeeds(without_read_write));
    passes("mprotect and files",
           succeeds(without_permission_and_files) && succeeds(without_mappings_and_files));
    passes("madvise", succeeds(without_madvise));
    passes("huge pages", succeeds(without_huge_pages));
    passes("sigaction", succeeds(without_sigaction));
    passes("in the middle of reset", succeeds(second_part_of_reset));
    passes("in the middle of a clone", succeeds(hidden_part_of_clone));
    passes("no way back", dies_by(SIGABRT, no_way_back));
    return 0;
}
