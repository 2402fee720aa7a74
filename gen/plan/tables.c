/* The constant data that plans read: made for the heap at its maximum, one entry a granule. */
#include "plan/tables.h"

#include "plan/growth.h"

#include <stdlib.h>
#include <string.h>

/* The first step that reads the table, or NULL: all that do have the same granule. */
static const mf_plan_step *find_reader(const mf_plan *plan) {
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const mf_plan_step *step = &plan->steps[i];
        if (step->kind == MF_STEP_TABLE_BYTE || step->kind == MF_STEP_TABLE_BIT)
            return step;
    }
    return NULL;
}

size_t mf_plan_table_bytes(const mf_plan *plan) {
    const mf_plan_step *reader = find_reader(plan);
    if (reader == NULL)
        return 0;
    size_t granules = (size_t)(MF_SPACE_BYTES >> reader->granule_log2);
    return reader->kind == MF_STEP_TABLE_BYTE ? granules : granules / 8;
}

/* Sets bits first, ..., end - 1. */
static void set_bits(uint8_t *bytes, uint64_t first, uint64_t end) {
    while (first < end && first % 8 != 0) {
        bytes[first / 8] |= (uint8_t)(1 << first % 8);
        first++;
    }
    memset(&bytes[first / 8], 0xff, (size_t)((end - first) / 8));
    for (first = end - (end - first) % 8; first < end; first++)
        bytes[first / 8] |= (uint8_t)(1 << first % 8);
}

void mf_plan_fill_table(const mf_layout *layout, const mf_plan *plan, uint8_t *bytes) {
    const mf_plan_step *reader = find_reader(plan);
    mf_operation operation = (mf_operation)plan->operation;
    mf_window window;
    if (reader == NULL)
        return;
    memset(bytes, 0, mf_plan_table_bytes(plan));
    for (uint64_t from = 0; plan_grown_window_lookup(layout, operation, from, &window);
         from = window.start + window.size) {
        uint64_t first = window.start >> reader->granule_log2;
        uint64_t end = (window.start + window.size) >> reader->granule_log2;
        if (reader->kind == MF_STEP_TABLE_BYTE)
            memset(&bytes[first], 1, (size_t)(end - first));
        else
            set_bits(bytes, first, end);
    }
}

mf_status plan_table_make(const mf_layout *layout, const mf_plan *plan, plan_table *table, mf_diag *diag) {
    *table = (plan_table){0};
    size_t byte_count = mf_plan_table_bytes(plan);
    if (byte_count == 0)
        return MF_OK;
    uint8_t *bytes = malloc(byte_count);
    if (bytes == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, byte_count, "no memory for a granule table");
    mf_plan_fill_table(layout, plan, bytes);
    *table = (plan_table){bytes, byte_count};
    return MF_OK;
}

int plan_table_compare(const plan_table *a, const plan_table *b) {
    int order = (a->byte_count > b->byte_count) - (a->byte_count < b->byte_count);
    return order != 0 || a->byte_count == 0 ? order : memcmp(a->bytes, b->bytes, a->byte_count);
}
