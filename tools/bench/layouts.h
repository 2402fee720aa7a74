/* The layouts that `memfold bench` brings along. */
#ifndef MEMFOLD_TOOLS_BENCH_LAYOUTS_H
#define MEMFOLD_TOOLS_BENCH_LAYOUTS_H

#include <memfold/layout.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bench_layout {
    char name[64];
    mf_layout *layout; /* owned */
    uint64_t regions;  /* the point on the picture's axis; 0: a layout with a name, which is not drawn */
    bool large;        /* measured with the large working set only */
} bench_layout;

#define BENCH_LAYOUTS_MAX 64

typedef struct bench_layouts {
    bench_layout all[BENCH_LAYOUTS_MAX];
    size_t count;
} bench_layouts;

/*
 * `count` regions of a few pages, or of more if they are few, with holes between them, at irregular places.
 * Layouts come back NULL if the host has no memory.
 */
mf_layout *bench_layout_regions(uint64_t count);

/* `count` regions that are 1 GiB together. */
mf_layout *bench_layout_large(uint64_t count);

/* A program of JAM's PVM. */
mf_layout *bench_layout_pvm(void);

/* Read-only data, data with the heap behind it, which is meant to grow so far, and a stack on top. */
#define BENCH_HEAP_GROWN_BYTES UINT64_C(0x100000)
mf_layout *bench_layout_heap(void);

/* A small program on 32-bit Linux. */
mf_layout *bench_layout_process(void);

/* The segments of this command itself. */
mf_layout *bench_layout_elf(void);

/* One read-write region. */
mf_layout *bench_layout_block(uint64_t start, uint64_t bytes);

#endif
