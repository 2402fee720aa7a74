/*
 * A million faults from eight threads, half by table and half by frame, each counted, while another thread
 * registers and unregisters tables and a third creates, clones, resets and destroys memories.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: 1000000 faults
 */
#include "asm_accessors.h"
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 8, FAULTS_PER_THREAD = 125000 };

typedef struct job {
    mf_memory *memory;
    mf_view view;
    uint64_t random;
    uint64_t loads;
    uint64_t stores;
    uint64_t frames;
} job;

static atomic_bool stop;

/* Page 0 is read-write, page 1 read-only; the others fault. */
static void touch(mf_view *view, void *context) {
    *(volatile uint32_t *)(view->base + *(uint64_t *)context) = 1;
}

static void fault_once(job *j) {
    mf_view *view = &j->view;
    uint64_t index = (2 + next_random(&j->random) % 1000) * PAGE + next_random(&j->random) % PAGE / 4 * 4;
    mf_fault fault;
    switch (next_random(&j->random) % 4) {
    case 0:
        j->loads += asm_load_u32(view, index).status == MF_PAGE_FAULT;
        expect(fault_is(view->fault, MF_PAGE_FAULT, MF_LOAD, index / PAGE * PAGE, index, 4));
        break;
    case 1:
        j->stores += asm_store_u32(view, PAGE + index % PAGE, 1) == MF_WRITE_PROTECTED;
        expect(fault_is(view->fault, MF_WRITE_PROTECTED, MF_STORE, PAGE, PAGE + index % PAGE, 4));
        break;
    default:
        j->frames += !mf_guard_run(view, touch, &index, &fault);
        expect(fault_is(fault, MF_PAGE_FAULT, MF_STORE, index / PAGE * PAGE, index, 0));
    }
    uint32_t mine = (uint32_t)(j->random & 0xff0);
    expect(asm_store_u8(view, mine, 1) == 0 && asm_load_u8(view, mine).status == 0);
}

static void *fault_often(void *argument) {
    job *j = argument;
    for (int i = 0; i < FAULTS_PER_THREAD; i++)
        fault_once(j);
    return NULL;
}

/* The same entries again, elsewhere: copies of them speak of addresses in `code`, where nobody faults. */
static void *change_tables(void *argument) {
    static mf_exception_entry entries[8][16];
    static char code[8][1024];
    for (size_t t = 0; t < 8; t++) {
        for (size_t i = 0; i < 16; i++) {
            entries[t][i].fault = (int32_t)((intptr_t)&code[t][i] - (intptr_t)&entries[t][i].fault);
            entries[t][i].resume = (int32_t)((intptr_t)&code[t][i + 1] - (intptr_t)&entries[t][i].resume);
        }
    }
    for (size_t round = 0; !atomic_load(&stop); round++) {
        size_t t = round % 8;
        expect(round < 8 || mf_exception_table_lookup((uintptr_t)&code[t][3]) == (uintptr_t)&code[t][4]);
        if (round >= 8) {
            mf_exception_table_unregister(entries[t]);
            expect(mf_exception_table_lookup((uintptr_t)&code[t][3]) == 0);
        }
        expect_ok(mf_exception_table_register(entries[t], 16, NULL));
        register_accessors();
        unregister_accessors();
    }
    return argument;
}

static void *change_memories(void *argument) {
    while (!atomic_load(&stop)) {
        mf_memory *m = memory_of(&(mf_region){PAGE, 3 * PAGE, MF_READ_WRITE}, 1, (mf_heap){0}), *clone;
        mf_view *view = mf_memory_view(m);
        expect(asm_store_u32(view, PAGE, 5) == 0 && asm_load_u32(view, 0).status == MF_PAGE_FAULT);
        expect_ok(mf_memory_clone(m, &clone, NULL));
        expect_ok(mf_memory_reset(m, NULL));
        expect(asm_load_u32(view, PAGE).value == 0 && byte_at(clone, PAGE) == 5);
        mf_memory_destroy(m);
        mf_memory_destroy(clone);
    }
    return argument;
}

int main(void) {
    static job jobs[THREADS];
    pthread_t threads[THREADS], tables, memories;
    uint64_t faults = 0;
    backend = MF_BACKEND_X86_PAGED;
    register_accessors();
    const mf_region regions[] = {{0, PAGE, MF_READ_WRITE}, {PAGE, PAGE, MF_READ_ONLY}};
    mf_memory *shared = memory_of(regions, 2, (mf_heap){0});
    expect(pthread_create(&tables, NULL, change_tables, NULL) == 0);
    expect(pthread_create(&memories, NULL, change_memories, NULL) == 0);
    for (int i = 0; i < THREADS; i++) {
        jobs[i].memory = i % 2 ? shared : memory_of(regions, 2, (mf_heap){0});
        jobs[i].random = (uint64_t)i + 1;
        mf_view_attach(&jobs[i].view, jobs[i].memory);
        expect(pthread_create(&threads[i], NULL, fault_often, &jobs[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        expect(pthread_join(threads[i], NULL) == 0);
        faults += jobs[i].loads + jobs[i].stores + jobs[i].frames;
    }
    atomic_store(&stop, true);
    expect(pthread_join(tables, NULL) == 0 && pthread_join(memories, NULL) == 0);
    for (int i = 0; i < THREADS; i++) {
        mf_view_detach(&jobs[i].view);
        if (jobs[i].memory != shared)
            mf_memory_destroy(jobs[i].memory);
    }
    mf_memory_destroy(shared);
    printf("%llu faults\n", (unsigned long long)faults);
    return 0;
}
