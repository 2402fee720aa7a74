/*
 * Every call that making a layout takes, from the API and from files, refused in its turn: a status that says
 * why, nothing left behind, and the same layout at the next attempt. libyaml and libelf are linked
 * statically, so that their allocations are refused too.
 *
 * RUN: split-file %s %t
 * RUN: %cc -D_GNU_SOURCE -DDIRECTORY='"%t"' -DELF='"/bin/true"' %s %S/lib/refuse_calls.c %S/lib/libelf_trees.c %refuse-calls -o %t.exe %build/gen/libmemfold_layout.a %build/runtime/libmemfold_runtime.a -l:libyaml.a -l:libelf.a -lz
 * RUN: printf 0123456789 > %t/ten
 * RUN: %t.exe | FileCheck %s
 *
 * UNSUPPORTED: sanitize-thread
 *
 * CHECK: builder: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: another builder: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: YAML file: {{[1-9][0-9]*}} calls
 * CHECK-NEXT: ELF file: {{[1-9][0-9]*}} calls
 */
#include "lib/every_call.h"

#include <memfold/layout_file.h>

typedef struct result {
    mf_layout *layout;
    mf_image *image;
} result;

static uint64_t known; /* the fingerprint without refusals */

static void release(result *r) {
    mf_layout_release(r->layout);
    mf_image_release(r->image);
    *r = (result){0};
}

static mf_status build(const void *context, result *r, mf_diag *diag) {
    (void)context;
    mf_layout_builder *builder = mf_layout_builder_create();
    if (builder == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no builder");
    mf_status status = MF_OK;
    for (uint64_t page = 0; status == MF_OK && page < 40; page += 2)
        status = mf_layout_builder_map_region(builder, page * 4096, 4096, MF_READ_ONLY, "bytes", 5, diag);
    if (status == MF_OK)
        status = mf_layout_builder_set_bytes(builder, 5000, "more", 4, diag);
    if (status == MF_OK)
        status = mf_layout_builder_finish(builder, &r->layout, &r->image, diag);
    mf_layout_builder_destroy(builder);
    return status;
}

static mf_status begin_another(const void *context, result *r, mf_diag *diag) {
    result first = {0};
    mf_status status = build(context, &first, diag);
    mf_layout_builder *builder = status == MF_OK ? mf_layout_builder_create() : NULL;
    if (status == MF_OK && builder == NULL)
        status = mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no builder");
    if (status == MF_OK)
        status = mf_layout_builder_add(builder, first.layout, first.image, diag);
    if (status == MF_OK)
        status = mf_layout_builder_finish(builder, &r->layout, &r->image, diag);
    mf_layout_builder_destroy(builder);
    release(&first);
    return status;
}

static mf_status read_file(const void *path, result *r, mf_diag *diag) {
    mf_layout_file file = {0};
    mf_status status = mf_layout_file_read(path, MF_FORMAT_AUTO, &file, diag);
    if (status == MF_OK)
        *r = (result){mf_layout_retain(file.layout), mf_image_retain(file.image)};
    mf_layout_file_fini(&file);
    return status;
}

typedef struct scenario {
    mf_status (*make)(const void *context, result *r, mf_diag *diag);
    const void *context;
} scenario;

static void run(const void *context) {
    const scenario *s = context;
    result made = {0};
    mf_diag diag = {0};
    refusals_begin();
    mf_status status = s->make(s->context, &made, &diag);
    refusals_end();
    if (was_refused(status, &diag)) {
        expect_here(made.layout == NULL && made.image == NULL);
        expect_here(s->make(s->context, &made, &diag) == MF_OK);
    }
    expect_here(mf_layout_fingerprint(made.layout) == known);
    release(&made);
}

static void refuse(const char *name, const scenario *s) {
    result made = {0};
    mf_diag diag = {0};
    expect_here(s->make(s->context, &made, &diag) == MF_OK);
    known = mf_layout_fingerprint(made.layout);
    release(&made);
    refuse_every_call(name, run, s, true);
}

int main(void) {
    refuse("builder", &(scenario){build, NULL});
    refuse("another builder", &(scenario){begin_another, NULL});
    refuse("YAML file", &(scenario){read_file, DIRECTORY "/layout.yaml"});
    refuse("ELF file", &(scenario){read_file, ELF});
    return 0;
}

/*
//--- layout.yaml
name: sandbox
regions:
  - { name: text, start: 0x10000, size: 0x4000, access: ro, init: ten }
  - { name: data, start: 0x20000, size: 0x4000, access: rw }
heap: { base: 0x40000, max_pages: 16 }
//--- end
*/
