// A hundred thousand layouts of mixed shapes are made, and released and made anew in any order: their code
// takes hardly more memory than it did at first. After a fork parent and child both make ten thousand layouts
// and release old ones, while a thread of each runs the code of those that it keeps.
//
// RUN: %arena-cc %s -o %t %makes && %t | FileCheck %s
//
// UNSUPPORTED: sanitizer, debug
//
// CHECK: 100000 layouts, and 100000 more in place of others: {{1[.][0-2][0-9]}} of the memory
// CHECK-DAG: the child's 10000 layouts answer
// CHECK-DAG: the parent's 10000 layouts answer
#include "arena_support.h"
#include "random.h"

#include <memfold/jit.h>
#include <memfold/memory.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAYOUTS = 100000, FORK_LAYOUTS = 10000 };

static mf_jit *jit;
static mf_code *codes[LAYOUTS];
static uint32_t first_pages[LAYOUTS]; /* of the layout's first window */
static random_source source = {4711};
static uint32_t next_layout = 1;

/* What all of them are run with. It has bytes and no permissions, so whether an access is allowed is said by
 * the code alone; builds that refuse to run code with a memory of another layout cannot have this test. */
static mf_memory *shared;

/* One to four windows and perhaps a heap. Each has a first page and a distance of its own. */
static mf_layout *make_layout(uint32_t number, uint32_t *first_page) {
    mf_layout *layout;
    mf_layout_builder *builder = mf_layout_builder_create();
    uint32_t page = 16 + number % 50000;
    uint32_t distance = 2 + number / 50000;
    uint32_t windows = 1 + number % 4;
    *first_page = page;
    for (uint32_t i = 0; i < windows; i++, page += distance)
        expect(mf_layout_builder_map_region(builder, page << 12, 4096,
                                            i % 2 == 0 ? MF_READ_WRITE : MF_READ_ONLY, NULL, 0,
                                            NULL) == MF_OK);
    expect(mf_layout_builder_finish(builder, &layout, NULL, NULL) == MF_OK);
    mf_layout_builder_destroy(builder);
    return layout;
}

static void make(size_t i) {
    mf_diag diag;
    mf_layout *layout = make_layout(next_layout++, &first_pages[i]);
    mf_status status = mf_jit_get(jit, layout, NULL, &codes[i], &diag);
    if (status != MF_OK)
        printf("%s: %s\n", mf_status_name(status), diag.message);
    expect(status == MF_OK);
    mf_layout_release(layout);
}

/* The last byte of the first window, and the first one behind it. */
static bool is_right(size_t i, mf_view *view) {
    const mf_accessors *guest = mf_code_accessors(codes[i]);
    uint32_t behind = (first_pages[i] + 1) << 12;
    return guest->load_u8(view, behind - 1).status == 0 &&
           guest->load_u8(view, behind).status == MF_PAGE_FAULT && view->fault.page == behind;
}

static void expect_right(size_t count) {
    for (size_t i = 0; i < count; i++)
        expect(is_right(i, mf_memory_view(shared)));
}

static unsigned long executed_kib(void) {
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512];
    bool is_code = false;
    unsigned long sum = 0, kib;
    expect(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        if (strchr(line, '-') != NULL && strstr(line, "00:") != NULL)
            is_code = strstr(line, "memfold-code") != NULL && strstr(line, "r-xs") != NULL;
        else if (is_code && sscanf(line, "Rss: %lu", &kib) == 1)
            sum += kib;
    fclose(maps);
    return sum;
}

static void many(void) {
    for (size_t i = 0; i < LAYOUTS; i++)
        make(i);
    expect_right(LAYOUTS);
    unsigned long first_kib = executed_kib();
    for (size_t n = 0; n < LAYOUTS; n++) {
        size_t i = random_below(&source, LAYOUTS);
        mf_code_release(codes[i]);
        make(i);
    }
    expect_right(LAYOUTS);
    expect(first_kib > LAYOUTS / 4);
    printf("%d layouts, and %d more in place of others: %.2f of the memory\n", LAYOUTS, LAYOUTS,
           (double)executed_kib() / (double)first_kib);
    for (size_t i = 0; i < LAYOUTS; i++)
        mf_code_release(codes[i]);
}

/* ---- Forks ---- */

static atomic_bool stop;

/* Shared with the child: how many of the two have come so far. */
static atomic_int *ready;

static void wait_for(int count) {
    atomic_fetch_add(ready, 1);
    while (atomic_load(ready) < count)
        usleep(100);
}

/* Every second one is kept. */
static void *run_always(void *view) {
    while (!atomic_load(&stop))
        for (size_t i = 0; i < FORK_LAYOUTS; i += 2)
            expect(is_right(i, view));
    return NULL;
}

static void change(const char *who) {
    enum { ROUNDS = 2 };
    pthread_t thread;
    mf_view view;
    mf_view_attach(&view, shared);
    wait_for(2);
    expect(pthread_create(&thread, NULL, run_always, &view) == 0);
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 1; i < FORK_LAYOUTS; i += 2) {
            mf_code_release(codes[i]);
            make(i);
        }
    wait_for(4);
    expect_right(FORK_LAYOUTS);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    mf_view_detach(&view);
    for (size_t i = 0; i < FORK_LAYOUTS; i++)
        mf_code_release(codes[i]);
    printf("the %s's %d layouts answer\n", who, FORK_LAYOUTS);
    fflush(stdout);
}

static void both_sides(void) {
    int status = 1;
    for (size_t i = 0; i < FORK_LAYOUTS; i++)
        make(i);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        next_layout += LAYOUTS;
        change("child");
        mf_jit_destroy(jit);
        _exit(0);
    }
    change("parent");
    expect(waitpid(child, &status, 0) == child && status == 0);
}

int main(void) {
    mf_layout *layout;
    mf_layout_builder *builder = mf_layout_builder_create();
    alarm(300);
    ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(ready != MAP_FAILED);
    expect(mf_layout_builder_map_region(builder, 0, UINT32_C(1) << 30, MF_READ_WRITE, NULL, 0, NULL) ==
               MF_OK &&
           mf_layout_builder_finish(builder, &layout, NULL, NULL) == MF_OK &&
           mf_memory_create(layout, NULL, MF_BACKEND_COPY, &shared, NULL) == MF_OK &&
           mf_memory_protect(shared, 0, UINT32_C(1) << 30, MF_PERM_NONE, NULL) == MF_OK &&
           mf_jit_create(NULL, &jit, NULL) == MF_OK);
    many();
    both_sides();
    mf_jit_destroy(jit);
    mf_memory_destroy(shared);
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
    return 0;
}
