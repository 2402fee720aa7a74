#include "pieces.h"

static void add(pieces *p, uint32_t number) {
    p->numbers[p->count++] = number;
}

static bool find_check(const check_shape *shape, uint32_t *number) {
    for (uint32_t i = 0; i < STENCIL_TABLE.check_count; i++) {
        const check_shape *listed = &STENCIL_TABLE.checks[i].shape;
        *number = i;
        if (listed->steps == shape->steps && listed->variant == shape->variant)
            return true;
    }
    return false;
}

/* What is asked for many times is found at once. */
static bool remember_check(const check_shape *shape, uint32_t *number) {
    static struct {
        check_shape shape;
        uint32_t number;
        bool is_known;
    } remembered[4096];
    uint32_t at = check_shape_hash(shape) % 4096;
    check_shape *last = &remembered[at].shape;
    if (!remembered[at].is_known || last->steps != shape->steps || last->variant != shape->variant) {
        if (!find_check(shape, number))
            return false;
        *last = *shape;
        remembered[at].number = *number;
        remembered[at].is_known = true;
    }
    *number = remembered[at].number;
    return true;
}

bool pieces_find(pieces *p, const mf_plan *plan, const mf_accessor_options *options) {
    mf_accessor_id id = (mf_accessor_id)plan->accessor;
    shape_way way = shape_way_of(options);
    uint32_t first = shape_first_step(plan);
    const mf_plan_step *step = &plan->steps[first];
    check_shape shape;
    *p = (pieces){0};
    if (first > 0)
        add(p, shape_stamp(plan));
    if (step->kind == MF_STEP_MMU) {
        add(p, shape_paged(id, &way));
    } else if (step->kind == MF_STEP_ALWAYS && step->on_pass == MF_EXIT_ALLOWED) {
        add(p, shape_plain(id, &way, way.is_u33));
    } else if (step->kind == MF_STEP_ALWAYS) {
        add(p, shape_fault(id, &way, plan->limit != 0));
    } else {
        bool masks = plan->steps[plan->step_count - 1].kind == MF_STEP_MASK;
        p->has_check = true;
        if (!check_shape_make(plan, options, &shape) || !remember_check(&shape, &p->check))
            return false;
        add(p, SHAPE_PART_COUNT + p->check);
        add(p, shape_plain(id, &way, masks ? 1 : way.is_u33));
        add(p, shape_fault(id, &way, plan->limit != 0));
    }
    return true;
}
