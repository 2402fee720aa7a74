#include "jit/shapes.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

struct shape {
    plan_set plans;
    mf_accessor_options options;
    plan_fit fit; /* of the layout that it was made for first */
    size_t references;
    made_set set;
};

static int compare_shapes(const void *a, const void *b) {
    const shape *shape_a = a;
    const shape *shape_b = b;
    int order = plan_compare_options(&shape_a->options, &shape_b->options);
    return order != 0 ? order : plan_set_compare(&shape_a->plans, &shape_b->plans);
}

static void shape_destroy(shape *s) {
    plan_set_fini(&s->plans);
    free(s);
}

static mf_status make_set(shapes *all, shape *made, mf_diag *diag) {
    char prefix[192];
    snprintf(prefix, sizeof prefix, "%s_%" PRIu64, all->symbol_prefix, all->next_serial++);
    maker_input input = {
        .plans = &made->plans, .options = &made->options, .fit = made->fit, .prefix = prefix};
    return all->maker->make(all->maker_state, &input, &made->set, diag);
}

/* Takes `made`, of which only the key is filled in. */
static mf_status add(shapes *all, shape *made, mf_diag *diag) {
    mf_status status = make_set(all, made, diag);
    if (status != MF_OK) {
        shape_destroy(made);
        return status;
    }
    if (tsearch(made, &all->root, compare_shapes) == NULL) {
        all->maker->unmake(all->maker_state, &made->set);
        shape_destroy(made);
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for code");
    }
    return MF_OK;
}

mf_status shape_retain(shapes *all, const mf_layout *layout, const mf_accessor_options *options,
                       shape **found, mf_diag *diag) {
    shape *key = calloc(1, sizeof *key);
    if (key == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *key, "no memory for code");
    key->options = *options;
    mf_status status = plan_set_make(layout, options, &key->plans, diag);
    if (status == MF_OK)
        key->fit = plan_fit_make(layout, options, &key->plans);
    void *known = status == MF_OK ? tfind(key, &all->root, compare_shapes) : NULL;
    if (status != MF_OK || known != NULL)
        shape_destroy(key);
    else
        status = add(all, key, diag);
    if (status != MF_OK)
        return status;
    *found = known != NULL ? *(shape **)known : key;
    (*found)->references++;
    return MF_OK;
}

void shape_release(shapes *all, shape *released) {
    if (--released->references > 0)
        return;
    tdelete(released, &all->root, compare_shapes);
    all->maker->unmake(all->maker_state, &released->set);
    shape_destroy(released);
}

mf_accessors accessors_of_shape(const shape *s, const mf_layout *layout) {
    mf_accessors set = *s->set.accessors;
    set.layout_stamp = plan_fit_make(layout, &s->options, &s->plans).layout_stamp;
    return set;
}
