// Eight threads ask one jit for the same thousand layouts, each in an order of its own, and for a few layouts
// whose code dies and is made again all the time; what they get is used and must answer for the right layout.
//
// RUN: %cc %s -o %t %gen
// RUN: %t | FileCheck %s
//
// By stencils:
// RUN: %cc %by-stencils %s -o %t.stencil %gen
// RUN: %t.stencil | FileCheck %s
//
// CHECK: all layouts: 8 threads, 1000 layouts, 8000 uses
// CHECK-NEXT: churn: 8 threads, 4 layouts, {{[1-9][0-9]*}} uses
// CHECK-NEXT: no thread saw a wrong answer
#include "jit_maker.h"
#include "random.h"

#include <memfold/memory.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 8
#define LAYOUTS 1000
/* The threads go through the layouts block by block, so that they mostly want the same ones at a time. */
#define BLOCK_LAYOUTS 40
#define CHURN_LAYOUTS 4
#define CHURN_ROUNDS 60
/* Apart, so that threads may store to one memory at once. */
#define SLOT_BYTES 64

typedef struct worker {
    pthread_t thread;
    unsigned number;
    random_source random;
    uint64_t uses;
    /* Of the block under way and of the one before: other threads still find them. */
    mf_code *held[2][BLOCK_LAYOUTS];
} worker;

static mf_jit *jit;
static mf_layout *layouts[LAYOUTS];
static mf_memory *churn_memories[CHURN_LAYOUTS];
static mf_view churn_views[THREADS][CHURN_LAYOUTS];
static atomic_uint mistakes;

/* A mistake of one layout, counted so that the others are still tried. */
static void require(bool is_right, const char *what, unsigned layout) {
    if (is_right)
        return;
    printf("layout %u: %s\n", layout, what);
    atomic_fetch_add(&mistakes, 1);
}

static void must(mf_status status, const mf_diag *diag) {
    if (status == MF_OK)
        return;
    printf("%s: %s\n", mf_status_name(status), diag->message);
    exit(1);
}

/* ---- Layouts: a read-write window of 1 to 3 pages, and in every other one a read-only page after a hole
 * ---- */

static uint32_t window_start(unsigned number) {
    return (number + 1) * 8 * MF_PAGE_SIZE;
}

static uint32_t window_end(unsigned number) {
    return window_start(number) + (1 + number % 3) * MF_PAGE_SIZE;
}

static mf_layout *make_layout(unsigned number) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag;
    uint32_t start = window_start(number);
    uint32_t end = window_end(number);
    must(mf_layout_builder_map_region(builder, start, end - start, MF_READ_WRITE, NULL, 0, &diag), &diag);
    if (number % 2 == 1)
        must(mf_layout_builder_map_region(builder, end + MF_PAGE_SIZE, MF_PAGE_SIZE, MF_READ_ONLY, NULL, 0,
                                          &diag),
             &diag);
    must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag);
    mf_layout_builder_destroy(builder);
    return layout;
}

static mf_code *get(unsigned number) {
    mf_code *code;
    mf_diag diag;
    must(mf_jit_get(jit, layouts[number], NULL, &code, &diag), &diag);
    return code;
}

/* ---- Use ---- */

static void use_window(const mf_accessors *set, mf_view *view, unsigned number, uint32_t address,
                       uint64_t value) {
    require(set->store_u64(view, address, value) == MF_FAULT_NONE, "a store in the window failed", number);
    mf_load_result loaded = set->load_u64(view, address);
    require(loaded.status == MF_FAULT_NONE && loaded.value == value, "the value is gone", number);
}

static void use_edges(const mf_accessors *set, mf_view *view, unsigned number) {
    uint32_t end = window_end(number);
    mf_load_result straddle = set->load_u32(view, end - 3);
    require(straddle.status == MF_PAGE_FAULT, "a straddle of the end succeeded", number);
    require(view->fault.page == end && view->fault.address == end - 3, "the fault is another's", number);
    require(set->load_u8(view, window_start(number) - 1).status == MF_PAGE_FAULT, "below the window", number);
    uint32_t expected = number % 2 == 1 ? MF_WRITE_PROTECTED : MF_PAGE_FAULT;
    require(set->store_u8(view, end + MF_PAGE_SIZE, 1) == expected, "the page after the hole", number);
}

static void use(worker *w, const mf_code *code, mf_view *view, unsigned number) {
    const mf_accessors *set = mf_code_accessors(code);
    uint32_t slot = window_start(number) + w->number * SLOT_BYTES;
    require(mf_layout_equal(mf_code_layout(code), layouts[number]), "the code is for another layout", number);
    use_window(set, view, number, slot, random_u64(&w->random));
    use_edges(set, view, number);
    w->uses++;
}

/* ---- All layouts ---- */

static void shuffle(random_source *random, unsigned *numbers, unsigned count) {
    for (unsigned i = count; i > 1; i--) {
        unsigned other = (unsigned)random_below(random, i);
        unsigned moved = numbers[i - 1];
        numbers[i - 1] = numbers[other];
        numbers[other] = moved;
    }
}

static void use_on_memory_of_its_own(worker *w, const mf_code *code, unsigned number) {
    mf_memory *memory;
    mf_diag diag;
    mf_view view;
    must(mf_memory_create(layouts[number], NULL, MF_BACKEND_COPY, &memory, &diag), &diag);
    mf_view_attach(&view, memory);
    use(w, code, &view, number);
    mf_view_detach(&view);
    mf_memory_destroy(memory);
}

static void drop_held(mf_code **held) {
    for (unsigned i = 0; i < BLOCK_LAYOUTS; i++) {
        mf_code_release(held[i]);
        held[i] = NULL;
    }
}

static void *ask_for_all(void *context) {
    worker *w = context;
    for (unsigned block = 0; block < LAYOUTS / BLOCK_LAYOUTS; block++) {
        unsigned numbers[BLOCK_LAYOUTS];
        mf_code **held = w->held[block % 2];
        for (unsigned i = 0; i < BLOCK_LAYOUTS; i++)
            numbers[i] = block * BLOCK_LAYOUTS + i;
        shuffle(&w->random, numbers, BLOCK_LAYOUTS);
        drop_held(held);
        for (unsigned i = 0; i < BLOCK_LAYOUTS; i++) {
            held[i] = get(numbers[i]);
            use_on_memory_of_its_own(w, held[i], numbers[i]);
        }
    }
    drop_held(w->held[0]);
    drop_held(w->held[1]);
    return NULL;
}

/* ---- Churn: nobody keeps the code, and all threads use the same memories at once ---- */

static void *churn(void *context) {
    worker *w = context;
    for (unsigned round = 0; round < CHURN_ROUNDS; round++) {
        unsigned number = (unsigned)random_below(&w->random, CHURN_LAYOUTS);
        mf_code *code = get(number);
        mf_code *again = mf_code_retain(code);
        mf_code_release(code);
        use(w, again, &churn_views[w->number][number], number);
        mf_code_release(again);
    }
    return NULL;
}

static void open_churn(void) {
    mf_diag diag;
    for (unsigned i = 0; i < CHURN_LAYOUTS; i++) {
        must(mf_memory_create(layouts[i], NULL, MF_BACKEND_COPY, &churn_memories[i], &diag), &diag);
        for (unsigned t = 0; t < THREADS; t++)
            mf_view_attach(&churn_views[t][i], churn_memories[i]);
    }
}

static void close_churn(void) {
    for (unsigned i = 0; i < CHURN_LAYOUTS; i++) {
        for (unsigned t = 0; t < THREADS; t++)
            mf_view_detach(&churn_views[t][i]);
        mf_memory_destroy(churn_memories[i]);
    }
}

/* ---- Threads ---- */

static void run_threads(const char *name, unsigned layout_count, void *(*work)(void *)) {
    static worker workers[THREADS];
    uint64_t uses = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        workers[t] = (worker){.number = t, .random = {t + 1}};
        if (pthread_create(&workers[t].thread, NULL, work, &workers[t]) != 0)
            abort();
    }
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_join(workers[t].thread, NULL);
        uses += workers[t].uses;
    }
    printf("%s: %d threads, %u layouts, %" PRIu64 " uses\n", name, THREADS, layout_count, uses);
}

int main(void) {
    const mf_jit_config config = {.maker = JIT_MAKER};
    mf_diag diag;
    must(mf_jit_create(&config, &jit, &diag), &diag);
    for (unsigned i = 0; i < LAYOUTS; i++)
        layouts[i] = make_layout(i);
    run_threads("all layouts", LAYOUTS, ask_for_all);
    open_churn();
    run_threads("churn", CHURN_LAYOUTS, churn);
    close_churn();
    for (unsigned i = 0; i < LAYOUTS; i++)
        mf_layout_release(layouts[i]);
    mf_jit_destroy(jit);
    if (atomic_load(&mistakes) != 0)
        return 1;
    printf("no thread saw a wrong answer\n");
    return 0;
}
