/*
 * Threads that make, write, freeze, clone, reset and destroy memories of one image at the same time: each
 * finds its own bytes, and nothing is left.
 *
 * RUN: %cc -D_GNU_SOURCE %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

#include <dirent.h>
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 25, BYTES = 80 * MF_PAGE_SIZE };

static mf_layout *layout;
static mf_image *image;

static void make_program(void) {
    static unsigned char text[BYTES];
    mf_layout_builder *builder = mf_layout_builder_create();
    memset(text, 0x11, sizeof text);
    expect_ok(mf_layout_builder_map_region(builder, 0, BYTES, MF_READ_WRITE, text, BYTES, NULL));
    expect_ok(mf_layout_builder_finish(builder, &layout, &image, NULL));
    mf_layout_builder_destroy(builder);
}

/* The image goes with the last of those that have it, in whatever thread. */
static void live(uint8_t mine) {
    mf_memory *m, *clone, *warm;
    mf_image *frozen;
    expect_ok(mf_memory_create(layout, image, backend, &m, NULL));
    set_byte(m, 70 * PAGE, mine);
    expect_ok(mf_memory_freeze(m, &frozen, NULL));
    expect_ok(mf_memory_create(NULL, frozen, backend, &warm, NULL));
    mf_image_release(frozen);
    expect_ok(mf_memory_clone(m, &clone, NULL));
    set_byte(clone, 71 * PAGE, mine);
    set_byte(warm, 72 * PAGE, mine);
    expect_ok(mf_memory_reset(m, NULL));
    expect_ok(mf_memory_reset(warm, NULL));
    expect(byte_at(m, 70 * PAGE) == 0x11 && byte_at(m, 71 * PAGE) == 0x11);
    expect(byte_at(clone, 70 * PAGE) == mine && byte_at(clone, 71 * PAGE) == mine);
    expect(byte_at(warm, 70 * PAGE) == mine && byte_at(warm, 72 * PAGE) == 0x11);
    mf_memory_destroy(m);
    mf_memory_destroy(warm);
    mf_memory_destroy(clone);
}

static void *work(void *context) {
    for (int i = 0; i < ROUNDS; i++)
        live(*(uint8_t *)context);
    return NULL;
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

int main(void) {
    size_t before = count_descriptors();
    for (size_t b = 0; b < BACKEND_COUNT; b++) {
        pthread_t threads[THREADS];
        uint8_t own[THREADS];
        backend = BACKENDS[b].backend;
        make_program();
        for (size_t i = 0; i < THREADS; i++) {
            own[i] = (uint8_t)(0x20 + i);
            expect(pthread_create(&threads[i], NULL, work, &own[i]) == 0);
        }
        for (size_t i = 0; i < THREADS; i++)
            expect(pthread_join(threads[i], NULL) == 0);
        mf_image_release(image);
        mf_layout_release(layout);
        expect(count_descriptors() == before);
        printf("on %s\n", BACKENDS[b].name);
    }
    return 0;
}
