#include "evaluate.h"

#include <stdio.h>
#include <stdlib.h>

static bool in_range(uint64_t start, uint64_t bytes, evaluated_access access) {
    uint64_t offset = access.index - start;
    return offset <= bytes && access.length <= bytes - offset;
}

static bool permission_holds(const mf_plan *plan, const evaluated_memory *memory, uint64_t at) {
    if (at >> MF_PAGE_LOG2 >= MF_PERM_TABLE_PAGES) {
        printf("the permission table has no entry for 0x%llx\n", (unsigned long long)at);
        exit(1);
    }
    return memory->perms[at >> MF_PAGE_LOG2] >= (plan->operation == MF_STORE ? MF_PERM_RW : MF_PERM_RO);
}

/* The runtime's answer for a range, page by page. */
static bool range_permission_holds(const mf_plan *plan, const evaluated_memory *memory,
                                   evaluated_access access) {
    uint64_t end = access.index + access.length;
    if (end < access.index || end > MF_SPACE_BYTES)
        return false;
    for (uint64_t page = access.index >> MF_PAGE_LOG2; page <= (end - 1) >> MF_PAGE_LOG2; page++)
        if (!permission_holds(plan, memory, page << MF_PAGE_LOG2))
            return false;
    return true;
}

/* The table has an entry for every byte of the space and no more. */
static uint64_t entry_of(const mf_plan_step *step, uint64_t at) {
    if (at >= MF_SPACE_BYTES) {
        printf("the table has no entry for 0x%llx\n", (unsigned long long)at);
        exit(1);
    }
    return at >> step->granule_log2;
}

static bool holds(const mf_plan *plan, const mf_plan_step *step, const evaluated_memory *memory,
                  evaluated_access access) {
    uint64_t at = step->at == MF_AT_LAST ? access.index + access.length - 1 : access.index;
    switch ((mf_step_kind)step->kind) {
    case MF_STEP_ALWAYS:
    case MF_STEP_MASK:
        return true;
    case MF_STEP_SAME_LAYOUT:
        return memory->fingerprint == step->start;
    case MF_STEP_SAME_BACKEND:
        return (memory->fingerprint >> step->start & 1) == 0;
    case MF_STEP_IN_WINDOW:
        return at - step->start <= step->last;
    case MF_STEP_NOT_IN_HOLE:
        return at - step->start > step->last;
    case MF_STEP_BELOW_HEAP_END:
        if (memory->heap_end <= step->last)
            abort();
        return at - step->start < memory->heap_end - step->last;
    case MF_STEP_IN_HEAP:
        return memory->heap_end > step->last && at - step->start < memory->heap_end - step->last;
    case MF_STEP_NOT_IN_GROWTH:
        if (memory->heap_end + MF_PAGE_SIZE - 1 > step->last)
            abort();
        return !(memory->heap_end <= at && at <= step->last);
    case MF_STEP_IN_SPACE:
        return at <= step->last;
    case MF_STEP_PERMISSION:
        return permission_holds(plan, memory, at);
    case MF_STEP_TABLE_BYTE:
        return memory->table[entry_of(step, at)] == 1;
    case MF_STEP_TABLE_BIT:
        return (memory->table[entry_of(step, at) / 8] >> entry_of(step, at) % 8 & 1) == 1;
    case MF_STEP_IMMEDIATE_BIT:
        if ((at - step->start) >> step->granule_log2 > 63)
            abort();
        return (step->bits >> ((at - step->start) >> step->granule_log2) & 1) == 1;
    case MF_STEP_IN_GRANULE:
        return (at & ((UINT64_C(1) << step->granule_log2) - 1)) <= step->last;
    case MF_STEP_IS_EMPTY:
        return access.length == 0;
    case MF_STEP_EMPTY_UP_TO:
        return access.length == 0 && access.index <= step->last;
    case MF_STEP_EMPTY_IN_HEAP:
        return access.length == 0 && access.index <= memory->heap_end && step->start < memory->heap_end;
    case MF_STEP_RANGE_IN_WINDOW:
        return in_range(step->start, step->last + 1, access);
    case MF_STEP_RANGE_BELOW_HEAP_END:
        return in_range(step->start, memory->heap_end - step->start, access);
    case MF_STEP_RANGE_PERMISSION:
        return range_permission_holds(plan, memory, access);
    case MF_STEP_MMU: /* asks no software */
    case MF_STEP_COUNT:
        break;
    }
    abort();
}

mf_exit evaluate(const mf_plan *plan, const evaluated_memory *memory, evaluated_access access,
                 uint64_t *touched) {
    *touched = access.index;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const mf_plan_step *step = &plan->steps[i];
        if (step->kind == MF_STEP_MASK)
            *touched = step->start;
        mf_exit next = (mf_exit)(holds(plan, step, memory, access) ? step->on_pass : step->on_fail);
        if (next != MF_EXIT_NEXT)
            return next;
    }
    printf("the steps lead nowhere\n");
    exit(1);
}
