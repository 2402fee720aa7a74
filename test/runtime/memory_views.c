/*
 * Further views of a memory see its changes as its own view does, and keep fault records of their own.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: a_view_is_attached_as_the_memory_is_now
 * CHECK-NEXT: faults_belong_to_one_view
 * CHECK-NEXT: detaching_in_any_order
 * CHECK-NEXT: views_in_threads
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

#include <pthread.h>

static const mf_region region = {0, 16 * MF_PAGE_SIZE, MF_READ_WRITE};

static void a_view_is_attached_as_the_memory_is_now(void) {
    mf_memory *m = memory_of(&region, 1, (mf_heap){64 * PAGE, 2});
    uint64_t old;
    expect_ok(mf_memory_sbrk(m, 1, &old, NULL));
    expect(!mf_memory_fill(m, 16 * PAGE, 0, 1));
    mf_view view;
    memset(&view, 0xee, sizeof view);
    mf_view_attach(&view, m);
    const mf_view *own = mf_memory_view(m);
    expect(view.base == own->base && view.perms == own->perms && view.memory == m);
    expect(view.heap_end == 65 * PAGE && view.layout_stamp == own->layout_stamp);
    expect(view.fault.kind == 0 && view.fault.page == 0 && view.guard == NULL);
    mf_view_detach(&view);
    expect(view.base == NULL && view.memory == NULL && own->next == NULL);
    mf_view_detach(&view);
    mf_memory_destroy(m);
}

static void faults_belong_to_one_view(void) {
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    mf_view view;
    mf_view_attach(&view, m);
    expect(!mf_view_fill(&view, 20 * PAGE, 1, 8));
    expect(fault_is(view.fault, MF_PAGE_FAULT, MF_STORE, 20 * PAGE, 20 * PAGE, 8));
    expect(mf_memory_last_fault(m).kind == MF_FAULT_NONE);
    uint8_t byte = 4;
    expect(mf_view_write(&view, 5, &byte, 1) && byte_at(m, 5) == 4);
    mf_view_detach(&view);
    mf_memory_destroy(m);
}

static void detaching_in_any_order(void) {
    mf_memory *m = memory_of(&region, 1, (mf_heap){64 * PAGE, 8});
    mf_view a, b, c;
    uint64_t old;
    mf_view_attach(&a, m);
    mf_view_attach(&b, m);
    mf_view_attach(&c, m);
    mf_view_detach(&b);
    expect_ok(mf_memory_sbrk(m, PAGE, &old, NULL));
    expect(a.heap_end == 65 * PAGE && c.heap_end == 65 * PAGE && b.heap_end == 0);
    mf_view_detach(&a);
    expect_ok(mf_memory_sbrk(m, PAGE, &old, NULL));
    expect(a.heap_end == 0 && c.heap_end == 66 * PAGE);
    mf_view_detach(&c);
    expect(mf_memory_view(m)->next == NULL);
    mf_memory_destroy(m);
}

typedef struct job {
    mf_view view;
    uint32_t page;
} job;

static void *work(void *argument) {
    job *mine = argument;
    const mf_accessors *accessors = mf_generic_accessors(NULL);
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t address = mine->page * PAGE + i % PAGE / 8 * 8;
        expect(accessors->store_u64(&mine->view, address, i) == MF_FAULT_NONE);
        expect(accessors->load_u64(&mine->view, address).value == i);
        expect(accessors->load_u8(&mine->view, (16 + mine->page) * PAGE).status == MF_PAGE_FAULT);
        expect(mine->view.fault.page == (16 + mine->page) * PAGE);
    }
    return NULL;
}

static void views_in_threads(void) {
    enum { THREADS = 4 };
    mf_memory *m = memory_of(&region, 1, (mf_heap){0});
    pthread_t threads[THREADS];
    job jobs[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        mf_view_attach(&jobs[i].view, m);
        jobs[i].page = i;
    }
    for (uint32_t i = 0; i < THREADS; i++)
        expect(pthread_create(&threads[i], NULL, work, &jobs[i]) == 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        expect(pthread_join(threads[i], NULL) == 0);
        mf_view_detach(&jobs[i].view);
    }
    expect(mf_memory_last_fault(m).kind == MF_FAULT_NONE);
    mf_memory_destroy(m);
}

static const test tests[] = {
    TEST(a_view_is_attached_as_the_memory_is_now),
    TEST(faults_belong_to_one_view),
    TEST(detaching_in_any_order),
    TEST(views_in_threads),
};

int main(void) {
    return RUN_TESTS(tests);
}
