/*
 * What a kernel gives may run out anywhere: every operation fails with a status and leaves all as it was, and
 * in the end every frame, reservation and object is back.
 *
 * RUN: %bare-cc %s -o %t && %boot %t | FileCheck %s
 *
 * With frames at touch fewer are needed, and none for a heap that grows beside what is there:
 * RUN: %bare-cc -DKERNEL_FRAMES=MF_BARE_FRAMES_AT_TOUCH %s -o %t.touch
 * RUN: %boot %t.touch | FileCheck %s --check-prefix=TOUCH
 *
 * CHECK: create: {{[1-9][0-9]+}} refusals
 * CHECK-NEXT: clone: {{[1-9][0-9]+}} refusals
 * CHECK-NEXT: map: {{[1-9][0-9]*}} refusals
 * CHECK-NEXT: protect: {{[1-9][0-9]*}} refusals
 * CHECK-NEXT: split: {{[1-9][0-9]*}} refusals
 * CHECK-NEXT: sbrk: {{[1-9][0-9]*}} refusals
 * CHECK-NEXT: reset: {{[1-9][0-9]*}} refusals
 * CHECK-NEXT: reset that is robbed: {{[1-9][0-9]*}} refusals
 * CHECK-NEXT: no reservation, no object: refused
 * CHECK-NEXT: all given back
 *
 * TOUCH: create: {{[1-9][0-9]*}} refusals
 * TOUCH-NEXT: clone: {{[1-9][0-9]*}} refusals
 * TOUCH-NEXT: map: {{[1-9][0-9]*}} refusals
 * TOUCH-NEXT: protect: {{[0-9]+}} refusals
 * TOUCH-NEXT: split: {{[0-9]+}} refusals
 * TOUCH-NEXT: sbrk: {{[0-9]+}} refusals
 * TOUCH-NEXT: reset: {{[1-9][0-9]*}} refusals
 * TOUCH-NEXT: reset that is robbed: {{[1-9][0-9]*}} refusals
 * TOUCH-NEXT: no reservation, no object: refused
 * TOUCH-NEXT: all given back
 */
#include "kernel.h"

#include <memfold/layout.h>
#include <memfold/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mf_layout *layout;
static mf_image *image;
static unsigned all_frames;

static void make_layout(void) {
    static const unsigned char bytes[5000] = {1, 2, 3};
    mf_layout_builder *b = mf_layout_builder_create();
    CHECK(mf_layout_builder_map_region(b, 0x10000, 0x3000, MF_READ_ONLY, bytes, sizeof bytes, NULL) == MF_OK);
    CHECK(mf_layout_builder_map_region(b, 0x40000000, 0x2000, MF_READ_WRITE, bytes, 10, NULL) == MF_OK);
    CHECK(mf_layout_builder_map_region(b, 0x80000000, 4 << 20, MF_READ_WRITE, NULL, 0, NULL) == MF_OK);
    CHECK(mf_layout_builder_set_bytes(b, 0xc0000000, bytes, 3, NULL) == MF_OK);
    CHECK(mf_layout_builder_set_heap(b, 0xf0000000, 16, NULL) == MF_OK);
    CHECK(mf_layout_builder_finish(b, &layout, &image, NULL) == MF_OK);
    mf_layout_builder_destroy(b);
}

static mf_memory *create(void) {
    mf_memory *m;
    CHECK(mf_memory_create(layout, image, MF_BACKEND_X86_PAGED, &m, NULL) == MF_OK);
    return m;
}

/* A number that changes if any permission or any byte that can be read does. */
static uint64_t state_of(mf_memory *m) {
    static const uint64_t starts[] = {0x0f000, 0x40000000, 0x80000000, 0xc0000000, 0xf0000000};
    uint64_t sum = mf_memory_heap_top(m) * 31 + mf_memory_len(m);
    for (unsigned i = 0; i < 5; i++)
        for (uint64_t at = starts[i]; at < starts[i] + 0x10000; at += MF_PAGE_SIZE) {
            static unsigned char page[MF_PAGE_SIZE];
            sum = sum * 31 + mf_memory_perm_of(m, (uint32_t)at);
            if (mf_memory_read(m, (uint32_t)at, page, sizeof page))
                for (unsigned k = 0; k < MF_PAGE_SIZE; k++)
                    sum = sum * 31 + page[k];
        }
    return sum;
}

static mf_memory *subject;
typedef mf_status operation(void);

/* Does the operation with one frame more each time, until it has enough. Says how often it was refused. */
static void refuse(const char *name, operation *run) {
    unsigned refusals = 0;
    uint64_t before = subject != NULL ? state_of(subject) : 0;
    unsigned frames = kernel.frames_taken;
    mf_status status;
    for (unsigned more = 0;; more++, refusals++) {
        kernel.frames_most = frames + more;
        status = run();
        kernel.frames_most = all_frames;
        if (status == MF_OK)
            break;
        CHECK(status == MF_OUT_OF_MEMORY);
        CHECK(kernel.frames_taken == frames);
        CHECK(subject == NULL || state_of(subject) == before);
    }
    printf("%s: %u refusals\n", name, refusals);
}

static mf_memory *made;

static mf_status run_create(void) {
    return mf_memory_create(layout, image, MF_BACKEND_X86_PAGED, &made, NULL);
}

static mf_status run_clone(void) {
    return mf_memory_clone(subject, &made, NULL);
}

static mf_status run_map(void) {
    return mf_memory_map_region(subject, 0x20000000, 0x3000, MF_READ_ONLY, "abc", 3, NULL);
}

static mf_status run_protect(void) {
    return mf_memory_protect(subject, 0x11000, 0x4000, MF_PERM_RW, NULL);
}

static mf_status run_split(void) {
    return mf_memory_protect(subject, 0x80005000, 0x1000, MF_PERM_NONE, NULL);
}

static mf_status run_sbrk(void) {
    uint64_t old_top;
    return mf_memory_sbrk(subject, 0x5000, &old_top, NULL);
}

static mf_status run_reset(void) {
    return mf_memory_reset(subject, NULL);
}

/* Whatever it gives back is gone: it must not need that again. */
static mf_status run_robbed_reset(void) {
    kernel.keeps_given_frames = true;
    mf_status status = mf_memory_reset(subject, NULL);
    kernel.keeps_given_frames = false;
    return status;
}

/* Fewer pages than at creation, and others, so that a reset both takes and gives. */
static void change_pages(void) {
    CHECK(mf_memory_unmap(subject, 0x10000, 0x8000, NULL) == MF_OK);
    CHECK(mf_memory_unmap(subject, 0x40000000, 0x1000, NULL) == MF_OK);
    CHECK(mf_memory_map_region(subject, 0x50000000, 0x5000, MF_READ_WRITE, NULL, 0, NULL) == MF_OK);
    CHECK(mf_memory_map_region(subject, 0xc0000000, 0x1000, MF_READ_WRITE, NULL, 0, NULL) == MF_OK);
}

/* Objects that run out at each of the first allocations. */
static void refuse_objects(void) {
    mf_memory *m;
    unsigned objects = kernel.objects;
    unsigned frames = kernel.frames_taken;
    for (uint64_t room = 0; room < 4096; room += 16) {
        kernel.heap_left = room;
        CHECK(mf_memory_create(layout, image, MF_BACKEND_X86_PAGED, &m, NULL) == MF_OUT_OF_MEMORY);
        CHECK(kernel.objects == objects && kernel.frames_taken == frames && kernel.reservations == 0);
    }
    kernel.heap_left = UINT64_MAX;
    kernel.reservation_is_refused = true;
    CHECK(mf_memory_create(layout, image, MF_BACKEND_X86_PAGED, &m, NULL) == MF_OUT_OF_MEMORY);
    kernel.reservation_is_refused = false;
    CHECK(kernel.objects == objects && kernel.frames_taken == frames);
    static mf_diag diag;
    CHECK(mf_memory_create(layout, image, MF_BACKEND_COPY, &m, &diag) == MF_INVALID_ARGUMENT);
    puts("no reservation, no object: refused");
}

int main(void) {
    all_frames = kernel.frames_most;
    make_layout();
    mf_memory_destroy(create()); /* the image has its frames, if it has any */
    refuse("create", run_create);
    mf_memory_destroy(made);
    subject = create();
    refuse("clone", run_clone);
    CHECK(state_of(made) == state_of(subject));
    mf_memory_destroy(made);
    refuse("map", run_map);
    refuse("protect", run_protect);
    refuse("split", run_split);
    refuse("sbrk", run_sbrk);
    mf_memory *fresh = create();
    change_pages();
    refuse("reset", run_reset);
    CHECK(state_of(subject) == state_of(fresh));
    change_pages();
    refuse("reset that is robbed", run_robbed_reset);
    CHECK(state_of(subject) == state_of(fresh));
    mf_memory_destroy(fresh);
    mf_memory_destroy(subject);
    refuse_objects();
    mf_layout_release(layout);
    mf_image_release(image);
    CHECK(kernel.frames_taken == 0 && kernel.reservations == 0 && kernel.objects == 0);
    puts("all given back");
    return 0;
}
