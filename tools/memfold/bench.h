/*
 * The parts of `memfold bench`: layouts, engines, the work they are given, the measuring, the reports.
 *
 * One scene per layout: both memories, and every engine compiled for it. In a scene one cell per pattern and
 * working set: every engine does the same accesses, first compared with a reference, then timed in turn.
 */
#ifndef MEMFOLD_TOOLS_BENCH_H
#define MEMFOLD_TOOLS_BENCH_H

#include "bench/guest.h"
#include "command.h"

#include <memfold/jit.h>
#include <memfold/layout.h>
#include <memfold/memory.h>
#include <memfold/options.h>

#include <stdbool.h>
#include <stdio.h>

/* ---- Layouts (bench_layouts.c) ---- */

struct bench_layout {
    char name[64];
    mf_layout *layout; /* owned */
    uint64_t regions;  /* the point on the picture's axis; 0: a layout with a name, which is not drawn */
    bool large;        /* measured with the large working set only */
};

/* `count` regions of a few pages, or of more if they are few, with holes between them, at irregular places.
 */
mf_layout *bench_layout_regions(uint64_t count);
/* `count` regions that are 1 GiB together. */
mf_layout *bench_layout_large(uint64_t count);
mf_layout *bench_layout_pvm(void);
mf_layout *bench_layout_process(void);
mf_layout *bench_layout_elf(void);

/* ---- Engines (bench_engines.c) ---- */

#define ENGINE_NAME_BYTES 40
#define MOST_ENGINES 32

enum engine_form {
    FORM_PEER,    /* C from tools/bench/peers.c, inlined */
    FORM_INLINED, /* memfold's accessors in the loop's own module */
    FORM_CALLED,  /* memfold's accessors through pointers */
    FORM_GENERIC  /* the runtime's accessors through pointers */
};

struct engine_spec {
    char name[ENGINE_NAME_BYTES];
    enum engine_form form;
    const char *peer; /* the prefix of its functions, for FORM_PEER */
    mf_accessor_options options;
    bool exact;     /* it may be given accesses that fault */
    bool is_rival;  /* an exact peer, of which memfold is to be ahead */
    bool by_signal; /* a fault of it costs microseconds, so it is given fewer */
};

struct engine_list {
    struct engine_spec all[MOST_ENGINES];
    size_t count;
};

/* The usual engines; then `strategies`, "a,b" (NULL: none), as further ones. Bad words are bad usage. */
void engine_list_make(struct engine_list *list, const char *wanted, const char *strategies);

/* In the order of tools/bench/loops.c. */
enum loop_id { LOOP_RANDOM, LOOP_DEPENDENT, LOOP_SEQUENTIAL, LOOP_SCALAR, LOOP_COUNT };

typedef struct bench_compiler bench_compiler;

/* The loops of one engine, ready to run. */
struct engine_code {
    bench_loop *loops[LOOP_COUNT]; /* NULL: the layout has no such engine */
    mf_code *called;
    const void *entries;           /* registered exception table, or NULL */
    void *tracker;                 /* LLVM's hold on the code, or NULL if the compiler keeps it */
    const mf_accessors *accessors; /* for engines that are called */
};

bench_compiler *bench_compiler_create(mf_diag *diag);
void bench_compiler_destroy(bench_compiler *compiler);

/*
 * Compiles the loops of an engine for a layout. MF_INEXACT_STRATEGY: its strategy is refused there. Peers are
 * compiled once and stay with the compiler.
 */
mf_status engine_compile(bench_compiler *compiler, const struct engine_spec *spec, const mf_layout *layout,
                         struct engine_code *code, mf_diag *diag);
void engine_code_fini(struct engine_code *code);

/* ---- Work (bench_work.c) ---- */

enum pattern {
    PATTERN_UNIFORM,
    PATTERN_HOT,
    PATTERN_SEQUENTIAL,
    PATTERN_SCALAR,
    PATTERN_DEPENDENT,
    PATTERN_MISSES
};
#define PATTERN_COUNT 6
extern const char pattern_names[]; /* "uniform|hot|..." in the order of the enum */
extern const char *const pattern_titles[PATTERN_COUNT];

enum working_set { SET_L1, SET_L2, SET_1G, SET_COUNT };
extern const char *const set_names[SET_COUNT];

/* A cache line of guest bytes. Its first word is the address of the next line, which nothing stores to. */
struct line {
    uint32_t address;
    bool writable;
};

/* The bytes that a cell touches, and the addresses in them. */
struct work {
    enum pattern pattern;
    struct line *lines;
    size_t line_count;
    uint32_t *addresses;
    bench_run *runs;
    bench_work batch; /* a whole one, with repeats 1 */
    uint64_t reduced; /* `count` of a shorter one, for engines that are slow */
};

/* False if the layout has nothing of the kind, such as no page to miss or none to write. */
bool work_make(struct work *work, const mf_layout *layout, enum pattern pattern, enum working_set set);
void work_fini(struct work *work);
enum loop_id work_loop(const struct work *work);
/* The accesses of one repetition of a batch of `count`. */
uint64_t work_accesses(const struct work *work, uint64_t count);

/* ---- Scene (bench_scene.c) ---- */

/* A layout with its two memories and, for each, what engines read. */
struct scene {
    const struct bench_layout *layout;
    mf_memory *memories[2]; /* by mf_backend */
    bench_guest guests[2];
    bench_window *windows[2]; /* by mf_operation */
    bool huge_pages;
};

mf_status scene_init(struct scene *scene, const struct bench_layout *layout, mf_diag *diag);
void scene_fini(struct scene *scene);
/* Gives the lines their bytes in both memories, those of read-only pages too. */
mf_status scene_prepare(struct scene *scene, const struct work *work, mf_diag *diag);
/* Gives the writable lines of one memory their bytes again, and forgets faults and TLB entries. */
void scene_restore(struct scene *scene, mf_backend backend, const struct work *work);
uint64_t scene_checksum(const struct scene *scene, mf_backend backend, const struct work *work);

/* ---- Measuring (bench_measure.c) ---- */

/* What one engine did in one repetition, by which engines are compared. */
struct outcome {
    bench_tally first; /* on restored memory */
    bench_tally again; /* on memory as a repetition leaves it */
    uint64_t checksum; /* of the memory afterwards */
    mf_fault fault;    /* the last record */
};

/* Which field differs ("sum", "faults", ...), or NULL if both are the same. */
const char *outcome_difference(const struct outcome *a, const struct outcome *b);

struct summary {
    double median, low, high; /* quartiles */
};

/* Sorts `samples`. */
struct summary summarise(double *samples, size_t count);

struct measurement {
    bool there;           /* the engine was measured in this cell */
    struct summary ns;    /* per access */
    struct summary ratio; /* to the cell's baseline, round by round */
    double instructions;  /* per access; 0 if the kernel does not count them */
};

struct cell {
    const struct bench_layout *layout;
    enum pattern pattern;
    enum working_set set;
    struct measurement engines[MOST_ENGINES];
    size_t baseline;       /* engine that ratios are to: raw, or the first exact one where raw cannot be */
    uint64_t faults;       /* of one repetition, the same in all engines */
    struct summary rivals; /* the best inlined copy engine / the best exact peer, round by round; 0: none */
};

/*
 * Compares all engines with the reference and with each other, then times them in turn for `rounds` rounds.
 * Prints the difference and returns false if one disagrees.
 */
bool cell_measure(struct cell *cell, struct scene *scene, const struct work *work,
                  const struct engine_list *engines, const struct engine_code *codes,
                  const struct engine_code *reference, unsigned rounds);

double clock_ns(void);
/* Instructions of this thread since the last call; negative if the kernel does not count them. */
double instructions_take(void);

/* ---- Costs (bench_costs.c): what is not an access ---- */

struct cost {
    char name[80];
    const char *unit;
    struct summary value;
};

struct cost_list {
    struct cost *all;
    size_t count;
};

enum section {
    SECTION_ACCESS = 1,
    SECTION_SPECIALISE = 2,
    SECTION_FAULT = 4,
    SECTION_LIFE = 8,
    SECTION_SIZE = 16,
    SECTION_THREADS = 32
};
#define SECTION_NAMES "access|specialise|fault|life|size|threads"

/* Before anything of LLVM has run in this process. */
mf_status costs_cold(struct cost_list *costs, bool quick, mf_diag *diag);
mf_status costs_measure(struct cost_list *costs, unsigned sections, bool quick, mf_diag *diag);
void cost_add(struct cost_list *costs, const char *unit, struct summary value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- Threads (bench_threads.c) ---- */

/* Prints why and returns false if an engine gives another result in two threads than in one. */
bool threads_measure(struct cost_list *costs, struct scene *scene, const struct work *work,
                     const struct engine_list *engines, const struct engine_code *codes);

/* ---- Reports (bench_report.c, bench_json.c, bench_plot.c) ---- */

struct report {
    const struct engine_list *engines;
    struct bench_layout *layouts;
    size_t layout_count;
    struct cell *cells;
    size_t cell_count;
    struct cost_list costs;
    unsigned rounds;
    bool quick;
    bool huge_pages;
    bool counts_instructions;
};

void report_print(const struct report *report, FILE *to);
void report_json(const struct report *report, FILE *to);
/* Prints why not and returns false if gnuplot cannot draw it. */
bool report_plot(const struct report *report, const char *path);

#endif
