#include "contents.h"

#include <stdlib.h>
#include <string.h>

mf_status mf_out_of_memory(mf_diag *diag) {
    return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "%s", mf_status_message(MF_OUT_OF_MEMORY));
}

char *mf_text_copy(const char *text, size_t count, mf_diag *diag) {
    char *copy = malloc(count + 1);
    if (!copy) {
        mf_out_of_memory(diag);
        return NULL;
    }
    memcpy(copy, text, count);
    copy[count] = '\0';
    return copy;
}

mf_status mf_contents_init(mf_contents *contents, mf_diag *diag) {
    *contents = (mf_contents){.builder = mf_layout_builder_create()};
    return contents->builder ? MF_OK : mf_out_of_memory(diag);
}

static void regions_free(mf_named_region *regions, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(regions[i].name);
    free(regions);
}

void mf_contents_fini(mf_contents *contents) {
    mf_layout_builder_destroy(contents->builder);
    regions_free(contents->regions, contents->region_count);
    free(contents->name);
    *contents = (mf_contents){0};
}

static mf_status reserve_region(mf_contents *contents, mf_diag *diag) {
    if (contents->region_count < contents->region_capacity)
        return MF_OK;
    size_t capacity = contents->region_capacity ? 2 * contents->region_capacity : 16;
    mf_named_region *grown = realloc(contents->regions, capacity * sizeof *grown);
    if (!grown)
        return mf_out_of_memory(diag);
    contents->regions = grown;
    contents->region_capacity = capacity;
    return MF_OK;
}

mf_status mf_contents_add_region(mf_contents *contents, const mf_region *region, const char *name,
                                 mf_diag *diag) {
    if (contents->region_count == MF_FILE_MAX_REGIONS)
        return mf_diag_set(diag, MF_BAD_INPUT, MF_FILE_MAX_REGIONS, "there are more than %d regions",
                           MF_FILE_MAX_REGIONS);
    mf_status status = reserve_region(contents, diag);
    if (status != MF_OK)
        return status;
    char *copy = mf_text_copy(name, strlen(name), diag);
    if (!copy)
        return MF_OUT_OF_MEMORY;
    contents->regions[contents->region_count++] = (mf_named_region){.region = *region, .name = copy};
    return MF_OK;
}

mf_status mf_contents_finish(mf_contents *contents, const char *default_name, mf_layout_file *file,
                             mf_diag *diag) {
    if (!contents->name)
        contents->name = mf_text_copy(default_name, strlen(default_name), diag);
    if (!contents->name)
        return MF_OUT_OF_MEMORY;
    mf_layout_file result = {0};
    mf_status status = mf_layout_builder_finish(contents->builder, &result.layout, &result.image, diag);
    if (status != MF_OK)
        return status;
    result.name = contents->name;
    result.regions = contents->regions;
    result.region_count = contents->region_count;
    contents->name = NULL;
    contents->regions = NULL;
    contents->region_count = 0;
    *file = result;
    return MF_OK;
}

void mf_layout_file_fini(mf_layout_file *file) {
    free(file->name);
    mf_layout_release(file->layout);
    mf_image_release(file->image);
    regions_free(file->regions, file->region_count);
    *file = (mf_layout_file){0};
}
