/*
 * Whatever bytes an object has: it is refused with a reason, or what it says of itself lies within it.
 *
 * RUN: rm -rf %t.new %t.seeds && mkdir %t.new %t.seeds
 * RUN: %memfold emit %inputs/window.yaml --emit=obj -o %t.seeds/window
 * RUN: %memfold emit %inputs/window.yaml --backend=paged --emit=obj -o %t.seeds/paged
 * RUN: %memfold emit %inputs/window.yaml --strategy=granule-bitmap --on-fault=trap --emit=obj -o %t.seeds/bitmap
 * RUN: %fuzz-cc -I%source/gen %s -o %t %fuzz
 * RUN: %t -seed=1 -runs=20000 -max_len=8192 -artifact_prefix=%t. %t.new %t.seeds 2>&1 | FileCheck %s
 *
 * REQUIRES: fuzz
 *
 * CHECK: Done {{[0-9]+}} runs
 */
#include "lib/fuzz.h"

#include "note/note.h"
#include "verify/object.h"

static bool is_in(const verify_range *range, uint64_t address) {
    return address - range->start < range->count;
}

static void check_object(object *o) {
    verify_code code = object_code(o, NULL);
    const verify_range *text = &code.ranges[0];
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        fuzz_expect(is_in(text, code.accessors[id]));
        fuzz_expect(is_in(text, code.accessors[id] + o->functions[id].bytes - 1));
    }
    for (size_t i = 0; i < code.entry_count; i++)
        fuzz_expect(is_in(text, code.entries[i].access) && is_in(text, code.entries[i].resume));
    for (size_t i = 0; i < code.range_count; i++)
        for (size_t j = 0; j < i; j++)
            fuzz_expect(!is_in(&code.ranges[i], code.ranges[j].start) &&
                        !is_in(&code.ranges[j], code.ranges[i].start));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    object o;
    mf_diag diag = {0};
    mf_object_note note;
    mf_status status = object_init(&o, data, bytes, &diag);
    if (status == MF_OK) {
        fuzz_expect(mf_object_note_read(data, bytes, &note, NULL) == MF_OK);
        check_object(&o);
    } else {
        fuzz_expect(status == MF_BAD_INPUT && diag.status == status && diag.message[0] != '\0');
    }
    object_fini(&o);
    return 0;
}
