// Ranges after the first one are huge pages, where the kernel makes huge pages of such memory at all; a
// program with little code has no more memory than it needs.
//
// RUN: %arena-cc %s -o %t %arena && %t | FileCheck %s
//
// CHECK: a little code has {{64|2048}} KiB
// CHECK-NEXT: {{more code is on huge pages, of which there are [1-9]|the kernel has no huge pages for code}}
#include "arena_support.h"

#include <sys/mman.h>
#include <unistd.h>

enum { HUGE = 2 << 20, COLLAPSE = 25 };

/* What the kernel says of the mappings that are executed of the arena's ranges, in KiB. */
static unsigned long executed_kib(const char *what) {
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512];
    bool is_code = false;
    unsigned long sum = 0, kib;
    expect(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "memfold-code") != NULL)
            is_code = strstr(line, "r-xs") != NULL;
        else if (is_code && strncmp(line, what, strlen(what)) == 0 && sscanf(line, "%*s %lu", &kib) == 1)
            sum += kib;
    fclose(maps);
    return sum;
}

/* Whether memory of a file without a name becomes a huge page when that is asked for. */
static bool kernel_has_huge_pages(void) {
    int file = memfd_create("probe", MFD_CLOEXEC);
    expect(file >= 0 && ftruncate(file, HUGE) == 0);
    char *room = mmap(NULL, 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(room != MAP_FAILED);
    char *page = (char *)(((uintptr_t)room + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
    expect(mmap(page, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == page);
    *page = 1;
    bool has = madvise(page, HUGE, COLLAPSE) == 0;
    munmap(room, 2 * HUGE);
    close(file);
    return has;
}

int main(void) {
    enum { SLOTS = 3000 };
    static arena_slot slots[SLOTS];
    arena *a = make_arena();
    slots[0] = make_answer(a, 1000, 0);
    printf("a little code has %lu KiB\n", executed_kib("Rss:"));
    for (uint32_t i = 1; i < SLOTS; i++)
        slots[i] = make_answer(a, 1000, i);
    unsigned long huge = executed_kib("ShmemPmdMapped:") / (HUGE >> 10);
    if (kernel_has_huge_pages())
        printf("more code is on huge pages, of which there are %lu\n", huge);
    else
        printf("the kernel has no huge pages for code\n");
    for (uint32_t i = 0; i < SLOTS; i++) {
        expect(answers(&slots[i], i));
        arena_give(a, &slots[i]);
    }
    arena_destroy(a);
    return 0;
}
