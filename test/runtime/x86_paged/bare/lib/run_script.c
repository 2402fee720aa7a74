/*
 * `memfold run` in a kernel: the same code performs the commands of a packed script, by accessors that were
 * emitted ahead of time and by generic ones.
 */
#include "kernel.h"
#include "packed.h"
#include "run/perform.h"

#include <memfold/generic.h>

#include <stdio.h>
#include <stdlib.h>

extern const mf_accessors guest_accessors;

/* Neither set depends on the layout of the moment. */
void run_engine_layout_changed(run_engine *engine) {
    (void)engine;
}

mf_status run_engine_renew(run_engine *engine, mf_diag *diag) {
    (void)engine;
    return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "a kernel makes no code");
}

static mf_memory *create(void) {
    mf_layout_builder *b = mf_layout_builder_create();
    mf_layout *layout;
    mf_image *image;
    mf_memory *memory;
    for (size_t i = 0; i < packed_region_count; i++) {
        mf_region r = packed_regions[i].region;
        CHECK(mf_layout_builder_map_region(b, r.start, r.size, r.access, packed_regions[i].bytes, r.size,
                                           NULL) == MF_OK);
    }
    CHECK(mf_layout_builder_set_heap(b, packed_heap.base, packed_heap.max_pages, NULL) == MF_OK);
    CHECK(mf_layout_builder_finish(b, &layout, &image, NULL) == MF_OK);
    CHECK(mf_memory_create(layout, image, MF_BACKEND_X86_PAGED, &memory, NULL) == MF_OK);
    mf_layout_builder_destroy(b);
    mf_layout_release(layout);
    mf_image_release(image);
    return memory;
}

/* What is there before stays: the exception table of the emitted object. */
static void run(const mf_accessors *accessors) {
    unsigned objects = kernel.objects;
    static run_session session;
    kernel.next_reservation.base = 0;
    session = (run_session){.memory = create(), .script = &packed_script};
    session.engine.memory = session.memory;
    session.engine.view = mf_memory_view(session.memory);
    session.engine.accessors = accessors;
    session.engine.options.backend = MF_BACKEND_X86_PAGED;
    for (size_t i = 0; i < packed_script.command_count; i++)
        if (run_command_perform(&session, &packed_script.commands[i]) != MF_OK) {
            puts(session.diag.message);
            exit(1);
        }
    mf_memory_destroy(session.memory);
    CHECK(kernel.frames_taken == 0 && kernel.reservations == 0 && kernel.objects == objects);
}

int main(void) {
    run(&guest_accessors);
    run(mf_generic_accessors(NULL));
    return 0;
}
