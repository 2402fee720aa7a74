/* What holds for every layout file, however hostile: it is refused with a reason, or the layout is what it
 * says. */
#ifndef MEMFOLD_TEST_FUZZ_LAYOUT_H
#define MEMFOLD_TEST_FUZZ_LAYOUT_H

#include "fuzz.h"

#include <memfold/layout_file.h>

/* What the file's regions say of a byte: in YAML the last one, in ELF the one that gives most. */
static inline mf_perm fuzz_wanted_perm(const mf_layout_file *file, mf_layout_format format, uint64_t index) {
    mf_perm perm = MF_PERM_NONE;
    for (size_t i = 0; i < file->region_count; i++) {
        const mf_region *region = &file->regions[i].region;
        mf_perm given = (mf_perm)region->access;
        if (index - region->start < region->size && (format == MF_FORMAT_YAML || given > perm))
            perm = given;
    }
    return perm;
}

static inline void fuzz_check_byte(const mf_layout_file *file, mf_layout_format format, uint64_t index) {
    if (index < MF_SPACE_BYTES)
        fuzz_expect(mf_layout_perm_of(file->layout, (uint32_t)index) ==
                    fuzz_wanted_perm(file, format, index));
}

static inline void fuzz_check_layout(const mf_layout_file *file, mf_layout_format format) {
    fuzz_expect(file->region_count > 0 && file->name != NULL && file->image != NULL);
    size_t count = file->region_count < 64 ? file->region_count : 64;
    for (size_t i = 0; i < count; i++) {
        const mf_region *region = &file->regions[i].region;
        fuzz_expect(region->size > 0 && region->start % 4096 == 0 && region->size % 4096 == 0);
        fuzz_expect(region->size <= MF_SPACE_BYTES && region->start <= MF_SPACE_BYTES - region->size);
        fuzz_check_byte(file, format, region->start - 1);
        fuzz_check_byte(file, format, region->start);
        fuzz_check_byte(file, format, region->start + region->size - 1);
        fuzz_check_byte(file, format, region->start + region->size);
    }
}

static inline int fuzz_layout(const uint8_t *data, size_t bytes, mf_layout_format format) {
    mf_layout_file file;
    mf_diag diag = {0};
    mf_status status = mf_layout_file_read(fuzz_file(data, bytes), format, &file, &diag);
    if (status == MF_OK) {
        fuzz_check_layout(&file, format);
        mf_layout_file_fini(&file);
        return 0;
    }
    fuzz_expect(status == MF_BAD_INPUT || status == MF_IO || status == MF_OVERFLOW ||
                status == MF_UNALIGNED_START || status == MF_UNALIGNED_SIZE);
    fuzz_expect(diag.status == status && diag.message[0] != '\0');
    return 0;
}

#endif
