/*
 * A guest that was translated to C beforehand, as wasm2c and its kind do: each access of the guest is a call
 * of the accessor that was made for the layout at build time, and the program links the runtime only, without
 * LLVM. What the guest may not touch ends it through a guard frame.
 *
 *     $ cmake -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build
 *     $ ./build/translated
 */
#include "sandbox.h"

#include <memfold/guard.h>
#include <memfold/layout.h>
#include <memfold/memory.h>
#include <stdio.h>

/* ---- The guest, as a translator would write it ---- */

static uint32_t load_u8(mf_view *view, uint32_t address) {
    return (uint32_t)sandbox_load_u8(view, address);
}

static uint32_t load_u32(mf_view *view, uint32_t address) {
    return (uint32_t)sandbox_load_u32(view, address);
}

/* Sorts `count` bytes of the table into words from `to` on, by insertion. */
static void guest_sort(mf_view *view, uint32_t from, uint32_t to, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t value = load_u8(view, from + i);
        uint32_t at = to + 4 * i;
        for (; at != to && load_u32(view, at - 4) > value; at -= 4)
            sandbox_store_u32(view, at, load_u32(view, at - 4));
        sandbox_store_u32(view, at, value);
    }
}

/* ---- The host ---- */

typedef struct request {
    uint32_t from;
    uint32_t to;
    uint32_t count;
} request;

static void run_guest(mf_view *view, void *context) {
    const request *r = (const request *)context;
    guest_sort(view, r->from, r->to, r->count);
}

static void answer(mf_memory *memory, request r) {
    mf_fault fault;
    if (!mf_guard_run(mf_memory_view(memory), run_guest, &r, &fault)) {
        printf("the guest ended: %s 0x%llx, page 0x%llx\n",
               fault.operation == MF_STORE ? "store to" : "load from", (unsigned long long)fault.address,
               (unsigned long long)fault.page);
        return;
    }
    const uint32_t *sorted = (const uint32_t *)mf_memory_span(memory, r.to, r.count * 4, MF_LOAD);
    for (uint32_t i = 0; i < r.count; i++)
        printf("%u ", (unsigned)sorted[i]);
    putchar('\n');
}

/* The header has the regions, so that nothing here repeats the layout. */
static mf_status make_memory(mf_memory **memory, mf_diag *diag) {
    static const unsigned char table[] = {5, 3, 9, 1, 7, 2, 8, 4};
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout = NULL;
    mf_image *image = NULL;
    if (builder == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a builder");
    mf_status status = MF_OK;
#define MAP(start, size, access)                                                                             \
    if (status == MF_OK)                                                                                     \
        status = mf_layout_builder_map_region(builder, start, size, access, NULL, 0, diag);
    SANDBOX_REGIONS(MAP)
#undef MAP
    if (status == MF_OK)
        status = mf_layout_builder_set_bytes(builder, 0x10000, table, sizeof table, diag);
    if (status == MF_OK)
        status = mf_layout_builder_finish(builder, &layout, &image, diag);
    if (status == MF_OK)
        status = mf_memory_create(layout, image, SANDBOX_BACKEND, memory, diag);
    mf_layout_builder_destroy(builder);
    mf_layout_release(layout);
    mf_image_release(image);
    return status;
}

int main(void) {
    mf_memory *memory;
    mf_diag diag;
    if (make_memory(&memory, &diag) != MF_OK) {
        fprintf(stderr, "%s\n", diag.message);
        return 1;
    }
    bool fits = sandbox_accessors_for(memory) != NULL;
    if (fits) {
        answer(memory, (request){0x10000, 0x20000, 8});
        answer(memory, (request){0x10000, 0x23ff0, 8}); // four words too many for the page
        answer(memory, (request){0x10000, 0x10100, 8}); // where it may not store
    }
    mf_memory_destroy(memory);
    return fits ? 0 : 1;
}
