/* Lives: every row of a size once in each round. Guests have one read-write region, and small pages unless a
 * row says otherwise: the page map names a huge page as a whole, so that what was written is 2 MiB each. */
#include "bench/lives.h"

#include "bench/clock.h"
#include "bench/costs.h"
#include "bench/crowd.h"
#include "bench/layouts.h"
#include "bench/life_peers.h"

#include <memfold/memory.h>
#include <memfold/pool.h>

#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 96

/* A row at work: its guest, and what it has measured. */
typedef struct life_row {
    const struct life_kind *kind;
    mf_backend backend;
    const mf_layout *layout;
    const mf_image *image;
    mf_memory *memory; /* of rows that keep one */
    mf_image *frozen;  /* of what that memory has, where that is asked for */
    mf_pool *pool;     /* of rows with one */
    life_peer *peer;
    uint64_t bytes;
    uint64_t pages; /* written before, or in, what is measured */
    double *samples;
} life_row;

/* Does it once and adds the nanoseconds of the part that counts. */
typedef mf_status life_run(life_row *row, double *ns, mf_diag *diag);

/* The rows; those with `peer_run` are peers. */
typedef struct life_kind {
    const char *name;
    life_run *run;
    life_peer_run *peer_run;
    const char *peer;
    uint64_t pages; /* written */
    bool has_image; /* the guest begins with bytes in every page */
    bool keeps;     /* one memory for all rounds */
    bool allows_huge;
    bool pools;
} life_kind;

/* ---- What is measured ---------------------------------------------------------------------- */

static void write_pages(mf_memory *memory, const life_row *row) {
    unsigned char *base = mf_memory_view(memory)->base;
    for (uint64_t i = 0; i < row->pages; i++)
        base[life_page(row->bytes, row->pages, i)] = 1;
}

static mf_status create(const life_row *row, mf_memory **memory, mf_diag *diag) {
    mf_memory_config config = {
        .backend = row->backend,
        .huge_pages = row->kind->allows_huge ? MF_HUGE_PAGES_ALLOWED : MF_HUGE_PAGES_NEVER,
    };
    return mf_memory_create_with(row->layout, row->kind->has_image ? row->image : NULL, &config, memory,
                                 diag);
}

static mf_status run_create(life_row *row, double *ns, mf_diag *diag) {
    mf_memory *memory;
    double from = bench_clock_ns();
    mf_status status = create(row, &memory, diag);
    *ns += bench_clock_ns() - from;
    if (status == MF_OK)
        mf_memory_destroy(memory);
    return status;
}

static mf_status run_destroy(life_row *row, double *ns, mf_diag *diag) {
    mf_memory *memory;
    mf_status status = create(row, &memory, diag);
    if (status != MF_OK)
        return status;
    write_pages(memory, row);
    double from = bench_clock_ns();
    mf_memory_destroy(memory);
    *ns += bench_clock_ns() - from;
    return MF_OK;
}

static mf_status run_life(life_row *row, double *ns, mf_diag *diag) {
    mf_memory *memory;
    double from = bench_clock_ns();
    mf_status status = create(row, &memory, diag);
    if (status != MF_OK)
        return status;
    write_pages(memory, row);
    mf_memory_destroy(memory);
    *ns += bench_clock_ns() - from;
    return MF_OK;
}

/* The writes count too: they are where pages come back that a reset has dropped. */
static mf_status run_life_by_reset(life_row *row, double *ns, mf_diag *diag) {
    double from = bench_clock_ns();
    write_pages(row->memory, row);
    mf_status status = mf_memory_reset(row->memory, diag);
    *ns += bench_clock_ns() - from;
    return status;
}

static mf_status run_pooled(life_row *row, double *ns, mf_diag *diag) {
    mf_memory *memory;
    double from = bench_clock_ns();
    mf_status status =
        mf_pool_take(row->pool, row->layout, row->kind->has_image ? row->image : NULL, &memory, diag);
    if (status != MF_OK)
        return status;
    write_pages(memory, row);
    mf_pool_give(row->pool, memory);
    *ns += bench_clock_ns() - from;
    return MF_OK;
}

/* The pool has what it needs but for the first, and gets it back. */
static mf_status run_pooled_clone(life_row *row, double *ns, mf_diag *diag) {
    mf_memory *clone;
    write_pages(row->memory, row);
    double from = bench_clock_ns();
    mf_status status = mf_pool_clone(row->pool, row->memory, &clone, diag);
    *ns += bench_clock_ns() - from;
    if (status == MF_OK)
        mf_pool_give(row->pool, clone);
    return status;
}

/* A freeze ends what was written since the one before, so it is written again. */
static mf_status run_freeze(life_row *row, double *ns, mf_diag *diag) {
    mf_image *image;
    write_pages(row->memory, row);
    double from = bench_clock_ns();
    mf_status status = mf_memory_freeze(row->memory, &image, diag);
    *ns += bench_clock_ns() - from;
    if (status == MF_OK)
        mf_image_release(image);
    return status;
}

static mf_status run_create_frozen(life_row *row, double *ns, mf_diag *diag) {
    const mf_memory_config config = {.backend = row->backend, .huge_pages = MF_HUGE_PAGES_NEVER};
    mf_memory *memory;
    mf_status status = MF_OK;
    write_pages(row->memory, row);
    if (row->frozen == NULL)
        status = mf_memory_freeze(row->memory, &row->frozen, diag);
    double from = bench_clock_ns();
    if (status == MF_OK)
        status = mf_memory_create_with(NULL, row->frozen, &config, &memory, diag);
    *ns += bench_clock_ns() - from;
    if (status == MF_OK)
        mf_memory_destroy(memory);
    return status;
}

static mf_status measure_reset(const life_row *row, double *ns, mf_diag *diag) {
    double from = bench_clock_ns();
    mf_status status = mf_memory_reset(row->memory, diag);
    *ns += bench_clock_ns() - from;
    return status;
}

static mf_status run_reset(life_row *row, double *ns, mf_diag *diag) {
    write_pages(row->memory, row);
    return measure_reset(row, ns, diag);
}

/* Of a guest that has made one of its pages read-only, got one behind its region, or lost one. */
static mf_status run_reset_protected(life_row *row, double *ns, mf_diag *diag) {
    uint64_t page = life_page(row->bytes, 2, 1);
    write_pages(row->memory, row);
    mf_status status = mf_memory_protect(row->memory, page, MF_PAGE_SIZE, MF_PERM_RO, diag);
    return status == MF_OK ? measure_reset(row, ns, diag) : status;
}

static mf_status run_reset_mapped(life_row *row, double *ns, mf_diag *diag) {
    write_pages(row->memory, row);
    mf_status status =
        mf_memory_map_region(row->memory, row->bytes, MF_PAGE_SIZE, MF_READ_WRITE, "guest", 5, diag);
    return status == MF_OK ? measure_reset(row, ns, diag) : status;
}

static mf_status run_reset_unmapped(life_row *row, double *ns, mf_diag *diag) {
    uint64_t page = life_page(row->bytes, 2, 1);
    write_pages(row->memory, row);
    mf_status status = mf_memory_unmap(row->memory, page, MF_PAGE_SIZE, diag);
    return status == MF_OK ? measure_reset(row, ns, diag) : status;
}

static mf_status run_clone(life_row *row, double *ns, mf_diag *diag) {
    mf_memory *clone;
    write_pages(row->memory, row);
    double from = bench_clock_ns();
    mf_status status = mf_memory_clone(row->memory, &clone, diag);
    *ns += bench_clock_ns() - from;
    if (status == MF_OK)
        mf_memory_destroy(clone);
    return status;
}

static mf_status run_protect(life_row *row, double *ns, mf_diag *diag) {
    uint64_t page = life_page(row->bytes, 2, 1);
    write_pages(row->memory, row);
    double from = bench_clock_ns();
    mf_status status = mf_memory_protect(row->memory, page, MF_PAGE_SIZE, MF_PERM_RO, diag);
    if (status == MF_OK)
        status = mf_memory_protect(row->memory, page, MF_PAGE_SIZE, MF_PERM_RW, diag);
    *ns += bench_clock_ns() - from;
    return status;
}

static mf_status run_peer(life_row *row, double *ns, mf_diag *diag) {
    double taken = row->kind->peer_run(row->peer, row->pages);
    if (taken < 0)
        return mf_diag_set(diag, MF_IO, 0, "the host refuses what the peer '%s' does", row->kind->name);
    *ns += taken;
    return MF_OK;
}

/* Of each: name, what is done, by a peer, ratio to, pages written, image, keeps one, huge pages, pool. */
static const life_kind kinds[] = {
    {"scan + copy, 0 written", run_peer, life_peer_scan_and_copy, NULL, 0, 0, 0, 0, 0},
    {"scan + copy", run_peer, life_peer_scan_and_copy, NULL, LIFE_WRITTEN_PAGES, 0, 0, 0, 0},
    {"scan + copy, 256 written", run_peer, life_peer_scan_and_copy, NULL, 256, 0, 0, 0, 0},
    {"scan + copy, mprotect", run_peer, life_peer_protect_scan_and_copy, NULL, LIFE_WRITTEN_PAGES, 0, 0, 0,
     0},
    {"map + copy", run_peer, life_peer_map_and_copy, NULL, LIFE_WRITTEN_PAGES, 0, 0, 0, 0},
    {"map, copy of all", run_peer, life_peer_map_all, NULL, 0, 0, 0, 0, 0},
    {"map, write, unmap", run_peer, life_peer_map_write_unmap, NULL, LIFE_WRITTEN_PAGES, 0, 0, 0, 0},
    {"mprotect pair", run_peer, life_peer_mprotect_pair, NULL, 0, 0, 0, 0, 0},
    {"fork, child exits", run_peer, life_peer_fork, NULL, 0, 0, 0, 0, 0},
    {"create", run_create, NULL, NULL, 0, 0, 0, 0, 0},
    {"create, image", run_create, NULL, "map, copy of all", 0, 1, 0, 0, 0},
    {"create, frozen", run_create_frozen, NULL, "map, copy of all", LIFE_WRITTEN_PAGES, 1, 1, 0, 0},
    {"destroy", run_destroy, NULL, NULL, LIFE_WRITTEN_PAGES, 0, 0, 0, 0},
    {"create, write, destroy", run_life, NULL, "map, write, unmap", LIFE_WRITTEN_PAGES, 0, 0, 0, 0},
    {"write, reset", run_life_by_reset, NULL, "map, write, unmap", LIFE_WRITTEN_PAGES, 0, 1, 0, 0},
    {"pool: take, give", run_pooled, NULL, NULL, 0, 0, 0, 0, 1},
    {"pool: take, write, give", run_pooled, NULL, "map, write, unmap", LIFE_WRITTEN_PAGES, 0, 0, 0, 1},
    {"pool: the same, image", run_pooled, NULL, "map, write, unmap", LIFE_WRITTEN_PAGES, 1, 0, 0, 1},
    {"reset, 0 written", run_reset, NULL, "scan + copy, 0 written", 0, 0, 1, 0, 0},
    {"reset", run_reset, NULL, "scan + copy", LIFE_WRITTEN_PAGES, 0, 1, 0, 0},
    {"reset, 256 written", run_reset, NULL, "scan + copy, 256 written", 256, 0, 1, 0, 0},
    {"reset, image", run_reset, NULL, "scan + copy", LIFE_WRITTEN_PAGES, 1, 1, 0, 0},
    {"reset, huge pages", run_reset, NULL, "scan + copy", LIFE_WRITTEN_PAGES, 0, 1, 1, 0},
    {"reset, page protected", run_reset_protected, NULL, "scan + copy, mprotect", LIFE_WRITTEN_PAGES, 0, 1, 0,
     0},
    {"reset, page mapped", run_reset_mapped, NULL, "scan + copy, mprotect", LIFE_WRITTEN_PAGES, 0, 1, 0, 0},
    {"reset, page unmapped", run_reset_unmapped, NULL, "scan + copy, mprotect", LIFE_WRITTEN_PAGES, 0, 1, 0,
     0},
    {"clone", run_clone, NULL, "map + copy", LIFE_WRITTEN_PAGES, 0, 1, 0, 0},
    {"clone, image", run_clone, NULL, "map + copy", LIFE_WRITTEN_PAGES, 1, 1, 0, 0},
    {"clone, huge pages", run_clone, NULL, "map + copy", LIFE_WRITTEN_PAGES, 0, 1, 1, 0},
    {"pool: clone", run_pooled_clone, NULL, "map + copy", LIFE_WRITTEN_PAGES, 0, 1, 0, 1},
    {"pool: clone, image", run_pooled_clone, NULL, "map + copy", LIFE_WRITTEN_PAGES, 1, 1, 0, 1},
    {"freeze", run_freeze, NULL, NULL, LIFE_WRITTEN_PAGES, 0, 1, 0, 0},
    {"protect pair", run_protect, NULL, "mprotect pair", LIFE_WRITTEN_PAGES, 0, 1, 0, 0},
};
#define KIND_COUNT (sizeof kinds / sizeof kinds[0])

MF_STATIC_ASSERT(2 * KIND_COUNT <= ROWS_MAX, "rows of both backends");

/* ---- Rows of one size ---------------------------------------------------------------------- */

typedef struct life_table {
    mf_layout *layout;
    mf_image *image;
    life_peer peer;
    uint64_t bytes;
    unsigned rounds;
    size_t count;
    life_row rows[ROWS_MAX];
} life_table;

/* One region, and an image with bytes in every page of it. */
static mf_status make_guest(life_table *table, mf_diag *diag) {
    mf_layout_builder *builder = mf_layout_builder_create();
    unsigned char *bytes = malloc(table->bytes);
    mf_status status = builder == NULL || bytes == NULL ? bench_out_of_memory(diag) : MF_OK;
    if (status == MF_OK) {
        memset(bytes, 3, table->bytes);
        status =
            mf_layout_builder_map_region(builder, 0, table->bytes, MF_READ_WRITE, bytes, table->bytes, diag);
    }
    if (status == MF_OK)
        status = mf_layout_builder_finish(builder, &table->layout, &table->image, diag);
    free(bytes);
    mf_layout_builder_destroy(builder);
    return status;
}

static mf_status add_row(life_table *table, const life_kind *kind, mf_backend backend, mf_diag *diag) {
    if (kind->pages * MF_PAGE_SIZE > table->bytes)
        return MF_OK;
    life_row *row = &table->rows[table->count++];
    *row = (life_row){.kind = kind,
                      .backend = backend,
                      .layout = table->layout,
                      .image = table->image,
                      .peer = &table->peer,
                      .bytes = table->bytes,
                      .pages = kind->pages,
                      .samples = calloc(table->rounds, sizeof(double))};
    if (row->samples == NULL)
        return bench_out_of_memory(diag);
    mf_status status = kind->keeps ? create(row, &row->memory, diag) : MF_OK;
    const mf_memory_config memory = {.backend = backend, .huge_pages = MF_HUGE_PAGES_NEVER};
    const mf_pool_config config = {.memory = &memory};
    return status == MF_OK && kind->pools ? mf_pool_create(&config, &row->pool, diag) : status;
}

static mf_status make_rows(life_table *table, mf_diag *diag) {
    mf_status status = make_guest(table, diag);
    if (status == MF_OK && !life_peer_init(&table->peer, table->bytes))
        status = bench_out_of_memory(diag);
    for (size_t i = 0; status == MF_OK && i < KIND_COUNT; i++)
        if (kinds[i].peer_run != NULL)
            status = add_row(table, &kinds[i], MF_BACKEND_COPY, diag);
    for (int backend = MF_BACKEND_COPY; backend <= MF_BACKEND_X86_PAGED; backend++)
        for (size_t i = 0; status == MF_OK && i < KIND_COUNT; i++)
            if (kinds[i].peer_run == NULL)
                status = add_row(table, &kinds[i], (mf_backend)backend, diag);
    return status;
}

/* A small thing is done often, as the clock and what it interrupts would weigh too much. */
static mf_status run_rounds(life_table *table, mf_diag *diag) {
    unsigned times = table->bytes < 1 << 24 ? 8 : table->bytes < 1 << 28 ? 2 : 1;
    for (unsigned round = 0; round < table->rounds; round++)
        for (size_t i = 0; i < table->count; i++) {
            life_row *row = &table->rows[i];
            double ns = 0;
            for (unsigned time = 0; time < times; time++) {
                mf_status status = row->kind->run(row, &ns, diag);
                if (status != MF_OK)
                    return status;
            }
            row->samples[round] = ns / times / 1e3;
        }
    return MF_OK;
}

static const life_row *find_peer(const life_table *table, const char *name) {
    for (size_t i = 0; name != NULL && i < table->count; i++)
        if (strcmp(table->rows[i].kind->name, name) == 0)
            return &table->rows[i];
    return NULL;
}

static void report_rows(const life_table *table, bench_lives *lives) {
    bench_life *all = realloc(lives->all, (lives->count + table->count) * sizeof *all);
    if (all == NULL)
        abort();
    lives->all = all;
    for (size_t i = 0; i < table->count; i++) {
        const life_row *row = &table->rows[i];
        const life_row *peer = find_peer(table, row->kind->peer);
        bench_life *life = &lives->all[lives->count++];
        *life = (bench_life){.name = row->kind->name,
                             .side = row->kind->peer_run != NULL ? "peer" : bench_backend_name(row->backend),
                             .peer = row->kind->peer,
                             .bytes = table->bytes,
                             .us = bench_summarise_copy(row->samples, table->rounds)};
        if (peer != NULL)
            life->ratio = bench_summarise_ratio(row->samples, peer->samples, table->rounds);
    }
}

static void destroy_rows(life_table *table) {
    for (size_t i = 0; i < table->count; i++) {
        mf_memory_destroy(table->rows[i].memory);
        mf_image_release(table->rows[i].frozen);
        mf_pool_destroy(table->rows[i].pool);
        free(table->rows[i].samples);
    }
    life_peer_fini(&table->peer);
    mf_image_release(table->image);
    mf_layout_release(table->layout);
}

static mf_status measure_size(bench_lives *lives, uint64_t bytes, unsigned rounds, mf_diag *diag) {
    life_table table = {.bytes = bytes, .rounds = rounds, .peer = {.page_map = -1}};
    mf_status status = make_rows(&table, diag);
    if (status == MF_OK)
        status = run_rounds(&table, diag);
    if (status == MF_OK)
        report_rows(&table, lives);
    destroy_rows(&table);
    return status;
}

mf_status bench_lives_measure(bench_lives *lives, unsigned rounds, bool quick, mf_diag *diag) {
    static const uint64_t sizes[] = {1 << 16, 1 << 20, 1 << 24, 1 << 28};
    mf_status status = MF_OK;
    for (size_t i = 0; status == MF_OK && i < (quick ? 2 : 4); i++)
        status = measure_size(lives, sizes[i], rounds, diag);
    for (int backend = MF_BACKEND_COPY; status == MF_OK && backend <= MF_BACKEND_X86_PAGED; backend++)
        status = bench_crowd_measure(&lives->crowds[backend], (mf_backend)backend, quick, diag);
    lives->there = status == MF_OK;
    return status;
}

void bench_lives_fini(bench_lives *lives) {
    free(lives->all);
    *lives = (bench_lives){0};
}
