#include "shape_walk.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOTS_MAX 6

/* How windows lie in the space: four granules from one to the next, of which each takes two. */
typedef struct spread {
    uint64_t granule;
    uint64_t first;         /* the granule of the first window */
    uint64_t end;           /* where the last one ends; 0: where its turn is */
    bool is_long;           /* the first takes half of the space */
    bool is_beside_another; /* behind each begins one for loads only */
} spread;

#define TOP MF_SPACE_BYTES
#define SIGNED_32_END UINT64_C(0x80000000)

static const spread SPREADS[] = {{.granule = 0x4000000, .first = 0, .end = TOP},
                                 {.granule = 0x4000000, .first = 1, .end = TOP},
                                 {.granule = 0x4000000, .first = 0, .end = TOP, .is_long = true},
                                 {.granule = 0x4000000, .first = 1, .end = TOP, .is_long = true},
                                 {.granule = 0x1000, .first = 0xfff00, .end = TOP},
                                 {.granule = 0x10000, .first = 4, .end = SIGNED_32_END},
                                 {.granule = 0x1000, .first = 0, .end = SIGNED_32_END},
                                 {.granule = 0x10000, .first = 4, .is_beside_another = true},
                                 {.granule = 0x1000, .first = 1, .is_beside_another = true},
                                 {.granule = 0x10000, .first = 0},
                                 {.granule = 0x10000, .first = 4}};

/* One layout; the heap is in slot `heap`, SLOTS_MAX for none, and below it may be pages that are its own. */
typedef struct plot {
    const spread *spread;
    uint32_t slots;
    uint32_t heap;
    bool is_fixed;
} plot;

typedef struct slot {
    uint64_t start;
    uint64_t fixed;
    uint64_t growth;
} slot;

static slot slot_of(const plot *p, uint32_t number) {
    const spread *s = p->spread;
    uint64_t granules = s->is_long && number == 0 ? 32 : 1;
    bool is_heap = number == p->heap;
    slot at = {.start = (s->first + 4 * number) * s->granule,
               .fixed = is_heap ? p->is_fixed * s->granule : (granules + 1) * s->granule,
               .growth = is_heap ? granules * s->granule : 0};
    if (s->is_long && number > 0)
        at.start += 32 * s->granule;
    if (s->end != 0 && number == p->slots - 1)
        at.start = s->end - at.fixed - at.growth;
    return at;
}

static void must(bool holds, const char *what) {
    if (holds)
        return;
    printf("shapes: %s failed\n", what);
    exit(1);
}

static void map_slot(mf_layout_builder *builder, const plot *p, uint32_t number) {
    const spread *s = p->spread;
    slot at = slot_of(p, number);
    uint64_t end = at.start + at.fixed;
    must(mf_layout_builder_map_region(builder, at.start, at.fixed, MF_READ_WRITE, NULL, 0, NULL) == MF_OK,
         "map");
    if (s->is_beside_another && number != p->heap)
        must(mf_layout_builder_map_region(builder, end, s->granule, MF_READ_ONLY, NULL, 0, NULL) == MF_OK,
             "map");
    if (number == p->heap)
        must(mf_layout_builder_set_heap(builder, end, at.growth / MF_PAGE_SIZE, NULL) == MF_OK, "heap");
}

static mf_layout *make_layout(const plot *p) {
    mf_layout *layout;
    mf_layout_builder *builder = mf_layout_builder_create();
    for (uint32_t i = 0; i < p->slots; i++)
        map_slot(builder, p, i);
    must(mf_layout_builder_finish(builder, &layout, NULL, NULL) == MF_OK, "layout");
    mf_layout_builder_destroy(builder);
    return layout;
}

static uint32_t hot_address(const plot *p, uint32_t number) {
    return (uint32_t)slot_of(p, number).start;
}

/* A mask takes no hint. */
static void visit_hints(const plot *p, const mf_layout *layout, mf_accessor_options options,
                        shape_visit *visit, void *context) {
    visit(context, layout, &options);
    for (uint32_t i = 0; options.spectre == MF_SPECTRE_NONE && i < p->slots; i++) {
        options.hot_address = hot_address(p, i);
        options.hot_percent = 90;
        visit(context, layout, &options);
    }
}

static void visit_options(const plot *p, shape_visit *visit, void *context) {
    mf_layout *layout = make_layout(p);
    for (uint32_t i = 0; i < 4; i++) {
        mf_accessor_options options = {.index = (mf_index)(i / 2), .spectre = (mf_spectre)(i % 2)};
        for (mf_strategy strategy = MF_STRATEGY_AUTO; strategy <= MF_STRATEGY_PERM_TABLE; strategy++) {
            options.strategy = strategy;
            visit_hints(p, layout, options, visit, context);
        }
        options.strategy = MF_STRATEGY_AUTO;
        options.policy = MF_POLICY_BOUNDS;
        visit(context, layout, &options);
    }
    mf_layout_release(layout);
}

void shape_walk(shape_visit *visit, void *context) {
    for (size_t n = 0; n < sizeof SPREADS / sizeof SPREADS[0]; n++)
        for (uint32_t slots = 1; slots <= SLOTS_MAX; slots++)
            for (uint32_t heap = 0; heap <= slots; heap++) {
                plot p = {.spread = &SPREADS[n], .slots = slots, .heap = heap < slots ? heap : SLOTS_MAX};
                visit_options(&p, visit, context);
                p.is_fixed = true;
                if (heap < slots)
                    visit_options(&p, visit, context);
            }
}
