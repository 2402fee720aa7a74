/*
 * Threads look up without a pause while others register and unregister: what is in force is always found,
 * what is gone never, and unregister comes to an end though there is a reader at every moment. First with as
 * many threads as run side by side, then with so many that they are stopped in the middle of a lookup.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: 1 reader, 1 writer, 10000 rounds
 * CHECK-NEXT: 8 readers, 2 writers, 20 rounds
 */
#include "support.h"

#include <memfold/exception_table.h>

#include <pthread.h>
#include <stdatomic.h>

enum { MAX_READERS = 8, MAX_WRITERS = 2, COUNT = 64 };

static char code[1 << 16];
static mf_exception_entry stable[COUNT], gone[COUNT], changing[MAX_WRITERS][COUNT];
static atomic_bool stop;
static atomic_uint running;
static size_t rounds;

/* Entries at every `step`-th byte from `start` on. Those that change continue at a place of their own. */
static void fill(mf_exception_entry *entries, size_t start, intptr_t resume) {
    for (size_t i = 0; i < COUNT; i++) {
        uintptr_t fault = (uintptr_t)&code[start + 16 * i];
        entries[i].fault = (int32_t)(intptr_t)(fault - (uintptr_t)&entries[i].fault);
        entries[i].resume = (int32_t)(intptr_t)(fault + (uintptr_t)resume - (uintptr_t)&entries[i].resume);
    }
}

static uintptr_t lookup(size_t start, size_t i) {
    return mf_exception_table_lookup((uintptr_t)&code[start + 16 * i]);
}

static void *read_on_and_on(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument + 1;
    atomic_fetch_add(&running, 1);
    while (!atomic_load(&stop)) {
        size_t i = next_random(&random) % COUNT;
        expect(lookup(0, i) == (uintptr_t)&code[16 * i + 3]);
        expect(lookup(8, i) == 0);
        for (size_t writer = 0; writer < MAX_WRITERS; writer++) {
            uintptr_t resume = lookup(1 + writer, i);
            expect(resume == 0 || resume == (uintptr_t)&code[1 + writer + 16 * i + 5]);
        }
    }
    return NULL;
}

/* Its own entries are there as soon as register returns and gone as soon as unregister returns. */
static void *change_on_and_on(void *argument) {
    size_t writer = (size_t)(uintptr_t)argument;
    for (size_t round = 0; round < rounds; round++) {
        expect(lookup(1 + writer, round % COUNT) == 0);
        expect_ok(mf_exception_table_register(changing[writer], COUNT, NULL));
        expect(lookup(1 + writer, round % COUNT) != 0);
        mf_exception_table_unregister(changing[writer]);
    }
    return NULL;
}

static void run(size_t reader_count, size_t writer_count, size_t round_count) {
    pthread_t readers[MAX_READERS], writers[MAX_WRITERS];
    rounds = round_count;
    atomic_store(&stop, false);
    atomic_store(&running, 0);
    for (uintptr_t i = 0; i < reader_count; i++)
        expect(pthread_create(&readers[i], NULL, read_on_and_on, (void *)i) == 0);
    while (atomic_load(&running) < reader_count) {
    }
    for (uintptr_t i = 0; i < writer_count; i++)
        expect(pthread_create(&writers[i], NULL, change_on_and_on, (void *)i) == 0);
    for (size_t i = 0; i < writer_count; i++)
        expect(pthread_join(writers[i], NULL) == 0);
    atomic_store(&stop, true);
    for (size_t i = 0; i < reader_count; i++)
        expect(pthread_join(readers[i], NULL) == 0);
    printf("%zu reader%s, %zu writer%s, %zu rounds\n", reader_count, reader_count == 1 ? "" : "s",
           writer_count, writer_count == 1 ? "" : "s", round_count);
}

int main(void) {
    fill(stable, 0, 3);
    fill(gone, 8, 4);
    for (size_t i = 0; i < MAX_WRITERS; i++)
        fill(changing[i], 1 + i, 5);
    expect_ok(mf_exception_table_register(stable, COUNT, NULL));
    expect_ok(mf_exception_table_register(gone, COUNT, NULL));
    mf_exception_table_unregister(gone);
    run(1, 1, 10000);
    run(8, 2, 20);
    mf_exception_table_unregister(stable);
    expect(lookup(0, 0) == 0);
    return 0;
}
