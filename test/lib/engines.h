/*
 * Every engine that gives accessors, in one table. A contract test runs all of them on memories of their own
 * and compares each with the reference.
 */
#ifndef MEMFOLD_TEST_ENGINES_H
#define MEMFOLD_TEST_ENGINES_H

#include <memfold/accessors.h>
#include <memfold/jit.h>
#include <memfold/memory.h>
#include <memfold/options.h>

#include <stdbool.h>
#include <stddef.h>

/* Accessors that are in use, and what keeps them alive. */
typedef struct engine_code {
    const mf_accessors *set;
    mf_code *code;
} engine_code;

typedef struct engine {
    const char *name;
    mf_backend backend;
    /* Whether the engine has accessors for such options. */
    bool (*serves)(const mf_accessor_options *options);
    /* Accessors for the layout that `memory` has now. Ends the program if there are none. */
    engine_code (*acquire)(mf_memory *memory, const mf_accessor_options *options);
    void (*release)(engine_code code);
} engine;

/* Room enough for one of everything per engine. */
#define ENGINE_MAX 12

extern const engine ENGINES[];
extern const size_t ENGINE_COUNT; /* at most ENGINE_MAX */

/* What engines share in this process: before the first use, and after the last release. */
void engines_start(void);
void engines_stop(void);

/*
 * A clone, made anew or, where there are pools, out of one: in turn. And what nobody needs any more, which
 * may be the next clone. Both say which empty ranges pass in the memory, which cannot be asked.
 */
mf_memory *engines_clone(const mf_memory *memory, mf_empty_range empty_range);
void engines_discard(mf_memory *memory, mf_empty_range empty_range);

/* Whether all accessors can be made with options->strategy and answer exactly for this layout. */
bool engines_strategy_is_exact(const mf_layout *layout, const mf_accessor_options *options);

/* Ends the program with a message unless `status` is MF_OK. */
void engines_must(mf_status status, const mf_diag *diag, const char *doing);

/* ---- An engine at work --------------------------------------------------------------------- */

/* What came out of one access. `caught` is the record that the guard frame gave, for trap accessors. */
typedef struct engine_result {
    uint64_t value; /* of a load that succeeded, otherwise 0 */
    uint32_t status;
    mf_fault caught;
} engine_result;

typedef struct subject {
    const engine *engine;
    mf_memory *memory;
    mf_view *view; /* the memory's own, or `further` */
    mf_view further;
    mf_accessor_options options;
    engine_code code;
} subject;

/* `memory` becomes the subject's own; with `use_further_view` it is accessed through an attached view. */
void subject_init(subject *s, const engine *engine, mf_memory *memory, const mf_accessor_options *options,
                  bool use_further_view);
void subject_fini(subject *s);

/* Takes accessors for the layout that the memory has now, instead of those held. */
void subject_renew(subject *s);

/* The subject goes on with `memory`, whose layout is the same; the caller owns the old one, returned. */
mf_memory *subject_move(subject *s, mf_memory *memory);

/* One access by accessor `id` with the signature that the options ask for. */
engine_result subject_access(subject *s, mf_accessor_id id, uint64_t index, uint64_t value);

#endif
