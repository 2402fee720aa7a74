// Accesses inside a client's own modules, optimised by its own pipeline and linked by its own JIT: every
// scene, operation and edge, under changing options, pipelines, offsets and types; value, status, fault
// record and memory against the reference.
//
// RUN: %cc %llvm %s %client %embed_engines -o %t %gen
// RUN: %t | FileCheck %s
//
// CHECK: always-fault: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-COUNT-28: {{^[a-z-]+}}: {{[1-9][0-9]*}} accesses, {{[1-9][0-9]*}} faults
// CHECK-NEXT: none: {{[1-9][0-9]*}} accesses, 0 faults
// CHECK-NEXT: copy/define: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: copy/builder: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: paged/define: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: paged/builder: {{[1-9][0-9]*}} accesses
// CHECK-NEXT: all agree
#include "client.h"
#include "embed_engines.h"
#include "reference_compare.h"
#include "scene.h"

#include <memfold/plan.h>

#include <inttypes.h>
#include <stdio.h>

/* How far from an edge an access of at most 8 bytes still says something. */
#define EDGE_REACH 9

static const char *const PIPELINES[] = {NULL, "default<O0>", "default<O1>", "default<O2>", "default<O3>"};
#define PIPELINE_COUNT (sizeof PIPELINES / sizeof PIPELINES[0])

static const uint32_t OFFSETS[] = {0, 1, 0xFFF, 0x80000000, 0xFFFFF000, 0xFFFFFFFF};
#define OFFSET_COUNT (sizeof OFFSETS / sizeof OFFSETS[0])

typedef struct sweep {
    stage stage;
    mf_accessor_options options;
    subject subjects[ENGINE_MAX];
    size_t subject_count;
    uint64_t accesses;
    uint64_t faults;
} sweep;

static sweep now;
static random_source source = {2};
static uint64_t accesses_by_engine[ENGINE_MAX];

static void describe(void) {
    const mf_accessor_options *o = &now.options;
    printf("scene %s, endian %d on_fault %d base %d index %d spectre %d, %s, offset 0x%x, type %d, state %d, "
           "hot "
           "%u at 0x%x\n",
           now.stage.scene->name, (int)o->endian, (int)o->on_fault, (int)o->base, (int)o->index,
           (int)o->spectre, embed_style_now.pipeline == NULL ? "as emitted" : embed_style_now.pipeline,
           embed_style_now.offset, (int)embed_style_now.type, (int)embed_style_now.keeps_state,
           embed_style_now.hot_percent, embed_style_now.hot_address);
}

/* Under the policy none only what the client has checked may be asked. */
static bool may_ask(access a) {
    const mf_accessor_info *info = mf_accessor_info_get(a.id);
    if (now.options.index == MF_INDEX_U32 && a.index >= MF_SPACE_BYTES)
        return false;
    if (now.options.index == MF_INDEX_U33 && a.index - embed_style_now.offset >= MF_SPACE_BYTES)
        return false;
    return now.options.policy != MF_POLICY_NONE ||
           reference_is_accessible(now.stage.reference, a.index, info->width_bytes, info->operation);
}

/* On paged a trap tells the first inaccessible byte; only an access that needs no MMU to fail says more. */
static mf_fault trapped_record(const subject *s, access a, mf_fault fault) {
    mf_plan plan;
    mf_diag diag;
    mf_accessor_options options = s->options;
    options.backend = s->engine->backend;
    client_must(mf_plan_make(now.stage.layout, a.id, &options, &plan, &diag), &diag, "mf_plan_make");
    if (plan.check != MF_CHECK_PAGED || s->options.on_fault != MF_ON_FAULT_TRAP)
        return fault;
    fault.address = fault.address > fault.page ? fault.address : fault.page;
    fault.length = 0;
    return fault;
}

static void ask(access a) {
    reference *r = now.stage.reference;
    static mf_fault records[ENGINE_MAX];
    expectation expected = reference_access(r, &now.options, a);
    mf_fault fault = r->fault;
    for (size_t i = 0; i < now.subject_count; i++) {
        if (expected.status != 0)
            records[i] = trapped_record(&now.subjects[i], a, fault);
        else if (now.accesses == 0)
            records[i] = fault;
        r->fault = records[i];
        compare_access(r, expected, &now.subjects[i], a);
        accesses_by_engine[now.subjects[i].engine - EMBED_ENGINES]++;
    }
    now.accesses++;
    now.faults += expected.status != 0;
}

static void ask_around_edges(mf_accessor_id id) {
    for (size_t i = 0; i < now.stage.edge_count; i++)
        for (uint64_t delta = 0; delta <= 2 * EDGE_REACH; delta++) {
            uint64_t index = now.stage.edges[i] + delta - EDGE_REACH;
            uint64_t far = index > MF_SPACE_BYTES + EDGE_REACH ? (uint32_t)index : index;
            access near = {id, far, random_u64(&source)};
            access above = {id, far + embed_style_now.offset, random_u64(&source)};
            if (may_ask(near))
                ask(near);
            if (above.index != near.index && may_ask(above))
                ask(above);
        }
}

static void sweep_options(void) {
    const scene *scene = now.stage.scene;
    stage_reset(&now.stage, scene->sbrk_bytes);
    now.subject_count = 0;
    uint64_t accesses = now.accesses;
    now.accesses = 0;
    for (size_t i = 0; i < EMBED_ENGINE_COUNT; i++)
        if (EMBED_ENGINES[i].serves(&now.options))
            subject_init(&now.subjects[now.subject_count++], &EMBED_ENGINES[i],
                         stage_memory(&now.stage, EMBED_ENGINES[i].backend, scene->sbrk_bytes), &now.options,
                         false);
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        ask_around_edges(id);
    for (size_t i = 0; i < now.subject_count; i++) {
        compare_bytes(now.stage.reference, &now.subjects[i]);
        compare_pages_state(now.stage.reference, &now.subjects[i]);
        subject_fini(&now.subjects[i]);
    }
    now.accesses += accesses;
}

/*
 * Bits of a number choose among the options that have two values. Base, pipeline, offset and type go round at
 * their own paces, so that in all scenes together each value meets each of another.
 */
static void run_scene(const scene *scene) {
    static unsigned round;
    now = (sweep){0};
    stage_open(&now.stage, scene);
    for (unsigned bits = 0; bits < 8; bits++, round++) {
        now.options = (mf_accessor_options){
            .policy = scene->policy,
            .strategy = scene->strategy,
            .base = (mf_base)(round % 3),
            .on_fault = bits & 1 ? MF_ON_FAULT_TRAP : MF_ON_FAULT_RETURN,
            .index = bits & 2 ? MF_INDEX_U33 : MF_INDEX_U32,
            .spectre = bits & 4 ? MF_SPECTRE_MASK : MF_SPECTRE_NONE,
            .endian = random_one_in(&source, 2) ? MF_BIG_ENDIAN : MF_LITTLE_ENDIAN,
        };
        embed_style_now.pipeline = PIPELINES[round % PIPELINE_COUNT];
        embed_style_now.offset = bits & 2 ? OFFSETS[random_below(&source, OFFSET_COUNT)] : 0;
        embed_style_now.type = (embed_type)random_below(&source, EMBED_TYPE_COUNT);
        embed_style_now.keeps_state = random_one_in(&source, 2);
        embed_style_now.hot_percent = random_one_in(&source, 2) ? 90 : 0;
        embed_style_now.hot_address = (uint32_t)now.stage.edges[random_below(&source, now.stage.edge_count)];
        sweep_options();
    }
    stage_close(&now.stage);
    printf("%s: %" PRIu64 " accesses, %" PRIu64 " faults\n", scene->name, now.accesses, now.faults);
}

int main(void) {
    compare_describe = describe;
    client_start();
    for (size_t i = 0; i < SCENE_COUNT; i++)
        run_scene(&SCENES[i]);
    client_stop();
    for (size_t i = 0; i < EMBED_ENGINE_COUNT; i++)
        printf("%s: %" PRIu64 " accesses\n", EMBED_ENGINES[i].name, accesses_by_engine[i]);
    printf("all agree\n");
    return 0;
}
