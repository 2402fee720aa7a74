#include "layout/contents.h"

#include <stdlib.h>
#include <string.h>

mf_status diag_out_of_memory(mf_diag *diag) {
    return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "%s", mf_status_message(MF_OUT_OF_MEMORY));
}

char *text_copy(const char *text, size_t count, mf_diag *diag) {
    char *copy = malloc(count + 1);
    if (copy == NULL) {
        diag_out_of_memory(diag);
        return NULL;
    }
    memcpy(copy, text, count);
    copy[count] = '\0';
    return copy;
}

mf_status contents_init(contents *c, mf_diag *diag) {
    *c = (contents){.builder = mf_layout_builder_create()};
    return c->builder != NULL ? MF_OK : diag_out_of_memory(diag);
}

static void regions_free(mf_named_region *regions, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(regions[i].name);
    free(regions);
}

void contents_fini(contents *c) {
    mf_layout_builder_destroy(c->builder);
    regions_free(c->regions, c->region_count);
    free(c->name);
    *c = (contents){0};
}

static mf_status reserve_region(contents *c, mf_diag *diag) {
    if (c->region_count < c->region_capacity)
        return MF_OK;
    size_t capacity = c->region_capacity > 0 ? 2 * c->region_capacity : 16;
    mf_named_region *grown = realloc(c->regions, capacity * sizeof *grown);
    if (grown == NULL)
        return diag_out_of_memory(diag);
    c->regions = grown;
    c->region_capacity = capacity;
    return MF_OK;
}

mf_status contents_add_region(contents *c, const mf_region *region, const char *name, mf_diag *diag) {
    if (c->region_count == FILE_MAX_REGIONS)
        return mf_diag_set(diag, MF_BAD_INPUT, FILE_MAX_REGIONS, "there are more than %d regions",
                           FILE_MAX_REGIONS);
    mf_status status = reserve_region(c, diag);
    if (status != MF_OK)
        return status;
    char *copy = text_copy(name, strlen(name), diag);
    if (copy == NULL)
        return MF_OUT_OF_MEMORY;
    c->regions[c->region_count++] = (mf_named_region){.region = *region, .name = copy};
    return MF_OK;
}

mf_status contents_finish(contents *c, const char *default_name, mf_layout_file *file, mf_diag *diag) {
    if (c->name == NULL)
        c->name = text_copy(default_name, strlen(default_name), diag);
    if (c->name == NULL)
        return MF_OUT_OF_MEMORY;
    mf_layout_file result = {0};
    mf_status status = mf_layout_builder_finish(c->builder, &result.layout, &result.image, diag);
    if (status != MF_OK)
        return status;
    result.name = c->name;
    result.regions = c->regions;
    result.region_count = c->region_count;
    c->name = NULL;
    c->regions = NULL;
    c->region_count = 0;
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
