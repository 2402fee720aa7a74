/*
 * The jit: a cache of code by layout, and behind it the shapes by plan, each with a lock, and who makes them.
 * Known code is found and retained without a lock. The cache's lock is never held while code is compiled: the
 * thread that compiles first inserts its code in the state CODE_COMPILING, and threads that ask for the same
 * code wait for a change of state.
 */
#include <memfold/jit.h>

#include "host/gate.h"
#include "jit/cache.h"
#include "jit/stencil_maker.h"
#include "plan/prefix.h"

#include <memfold/plan.h>
#include <memfold/version.h>

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct mf_jit {
    pthread_mutex_t cache_lock;
    pthread_cond_t compiled; /* some code has left CODE_COMPILING */
    cache cache;
    pthread_mutex_t link_lock; /* guards all below */
    shapes shapes;
    char *symbol_prefix;
    mf_jit *next; /* of the jits there are */
    mf_jit *previous;
};

/* ---- The jits there are ---- */

static pthread_mutex_t jits_lock = PTHREAD_MUTEX_INITIALIZER;
static mf_jit *jits;

/* A pair around each public function that takes a lock or enters a maker. */
static gate forks = GATE_INITIALIZER;

static void before_fork(void) {
    gate_before_fork(&forks);
}

static void after_fork(void) {
    gate_after_fork(&forks);
}

/* The threads that were readers do not exist in the child. Nobody held a lock: the gate has waited for them.
 */
static void in_child(void) {
    gate_in_child(&forks);
    for (mf_jit *jit = jits; jit != NULL; jit = jit->next)
        epoch_forget_readers(&jit->cache.readers);
}

static void follow_forks(void) {
    gate_follow_forks(before_fork, after_fork, in_child);
}

__attribute__((constructor)) static void foresee_forks(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, follow_forks);
}

static void jits_add(mf_jit *jit) {
    pthread_mutex_lock(&jits_lock);
    jit->next = jits;
    if (jits != NULL)
        jits->previous = jit;
    jits = jit;
    pthread_mutex_unlock(&jits_lock);
}

static void jits_remove(mf_jit *jit) {
    pthread_mutex_lock(&jits_lock);
    if (jit->next != NULL)
        jit->next->previous = jit->previous;
    if (jit->previous != NULL)
        jit->previous->next = jit->next;
    else
        jits = jit->next;
    pthread_mutex_unlock(&jits_lock);
}

/* ---- The jit ---- */

/* The two may come from different libraries, which agree on what passes between them in one version only. */
static mf_status check_version(const mf_code_maker *maker, mf_diag *diag) {
    if (strcmp(maker->version, MF_VERSION) == 0)
        return MF_OK;
    return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "the maker '%s' is of version %s, and the jit of %s",
                       maker->name, maker->version, MF_VERSION);
}

static mf_status jit_start(mf_jit *jit, const mf_jit_config *config, mf_diag *diag) {
    const char *prefix = config->symbol_prefix == NULL ? "memfold" : config->symbol_prefix;
    const mf_code_maker *maker = config->maker == NULL ? &stencil_maker : config->maker;
    mf_status status = prefix_validate(prefix, diag);
    if (status == MF_OK)
        status = check_version(maker, diag);
    if (status != MF_OK)
        return status;
    jit->symbol_prefix = strdup(prefix);
    if (jit->symbol_prefix == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for a jit");
    jit->shapes.symbol_prefix = jit->symbol_prefix;
    status = maker->open(config, &jit->shapes.maker_state, diag);
    if (status == MF_OK)
        jit->shapes.maker = maker;
    return status;
}

mf_status mf_jit_create(const mf_jit_config *config, mf_jit **jit, mf_diag *diag) {
    static const mf_jit_config DEFAULT_CONFIG;
    mf_jit *made = calloc(1, sizeof *made);
    if (made == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, sizeof *made, "no memory for a jit");
    pthread_mutex_init(&made->cache_lock, NULL);
    pthread_cond_init(&made->compiled, NULL);
    pthread_mutex_init(&made->link_lock, NULL);
    foresee_forks(); /* constructors may run before ours */
    gate_enter(&forks);
    jits_add(made);
    mf_status status = jit_start(made, config == NULL ? &DEFAULT_CONFIG : config, diag);
    gate_leave(&forks);
    if (status != MF_OK) {
        mf_jit_destroy(made);
        return status;
    }
    *jit = made;
    return MF_OK;
}

void mf_jit_destroy(mf_jit *jit) {
    if (jit == NULL)
        return;
    assert(jit->cache.count == 0 && "every mf_code is released before its jit is destroyed");
    gate_enter(&forks);
    jits_remove(jit);
    cache_fini(&jit->cache);
    if (jit->shapes.maker != NULL)
        jit->shapes.maker->close(jit->shapes.maker_state);
    pthread_mutex_destroy(&jit->link_lock);
    pthread_cond_destroy(&jit->compiled);
    pthread_mutex_destroy(&jit->cache_lock);
    free(jit->symbol_prefix);
    free(jit);
    gate_leave(&forks);
}

/* ---- Making code ---- */

static mf_code *code_create(mf_jit *jit, const mf_layout *layout, const mf_accessor_options *options) {
    mf_code *code = calloc(1, sizeof *code);
    if (code == NULL)
        return NULL;
    code->jit = jit;
    code->layout = mf_layout_retain(layout);
    code->options = *options;
    atomic_init(&code->references, 1);
    atomic_init(&code->state, CODE_COMPILING);
    return code;
}

static void code_destroy(mf_code *code) {
    mf_layout_release(code->layout);
    free(code);
}

static void code_compile(mf_code *code) {
    mf_jit *jit = code->jit;
    pthread_mutex_lock(&jit->link_lock);
    code->failure = shape_retain(&jit->shapes, code->layout, &code->options, &code->shape, &code->diag);
    if (code->failure == MF_OK)
        code->accessors = accessors_of_shape(code->shape, code->layout);
    pthread_mutex_unlock(&jit->link_lock);
}

/* ---- Known code ---- */

/* Frees code that has no references any more. */
static void dispose(mf_jit *jit, mf_code *code) {
    gate_enter(&forks);
    pthread_mutex_lock(&jit->cache_lock);
    cache_remove(&jit->cache, code);
    pthread_mutex_unlock(&jit->cache_lock);
    if (code->shape != NULL) {
        pthread_mutex_lock(&jit->link_lock);
        shape_release(&jit->shapes, code->shape);
        pthread_mutex_unlock(&jit->link_lock);
    }
    code_destroy(code);
    gate_leave(&forks);
}

/* Code that failed leaves the cache at once, so that the next request compiles again. Under the cache's lock.
 */
static void settle(mf_jit *jit, mf_code *code) {
    atomic_store(&code->state, code->failure == MF_OK ? CODE_READY : CODE_FAILED);
    if (code->failure != MF_OK)
        cache_remove(&jit->cache, code);
    pthread_cond_broadcast(&jit->compiled);
}

/*
 * Finds or adds the code with this key and adds a reference; `*is_new` tells the caller to compile it.
 * Dead code that is found is removed from the cache at once; the thread that dropped its last reference still
 * disposes of it. Under the cache's lock.
 */
static mf_code *claim(mf_jit *jit, const mf_layout *layout, const mf_accessor_options *options,
                      bool *is_new) {
    mf_code *code = cache_lookup(&jit->cache, layout, options);
    *is_new = code == NULL || !cache_retain(code);
    if (!*is_new)
        return code;
    if (code != NULL)
        cache_remove(&jit->cache, code);
    code = code_create(jit, layout, options);
    if (code != NULL && !cache_insert(&jit->cache, code)) {
        code_destroy(code);
        code = NULL;
    }
    return code;
}

/* ---- Public ---- */

/* Releases code that failed, and says why it did. */
static mf_status give_up(mf_code *code, mf_diag *diag) {
    mf_status failure = code->failure;
    if (diag != NULL)
        *diag = code->diag;
    mf_code_release(code);
    return failure;
}

/* For code that was not found, or not ready: compiles it, or waits for the thread that does. */
static mf_status get_or_compile(mf_jit *jit, const mf_layout *layout, const mf_accessor_options *options,
                                mf_code **code, mf_diag *diag) {
    bool is_new;
    gate_enter(&forks);
    pthread_mutex_lock(&jit->cache_lock);
    mf_code *claimed = claim(jit, layout, options, &is_new);
    if (claimed != NULL && is_new) {
        pthread_mutex_unlock(&jit->cache_lock);
        code_compile(claimed);
        pthread_mutex_lock(&jit->cache_lock);
        settle(jit, claimed);
    }
    while (claimed != NULL && atomic_load(&claimed->state) == CODE_COMPILING)
        pthread_cond_wait(&jit->compiled, &jit->cache_lock);
    bool failed = claimed != NULL && atomic_load(&claimed->state) == CODE_FAILED;
    pthread_mutex_unlock(&jit->cache_lock);
    gate_leave(&forks);
    if (claimed == NULL)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for code");
    if (failed)
        return give_up(claimed, diag);
    *code = claimed;
    return MF_OK;
}

mf_status mf_jit_get(mf_jit *jit, const mf_layout *layout, const mf_accessor_options *options, mf_code **code,
                     mf_diag *diag) {
    mf_accessor_options wanted = options == NULL ? (mf_accessor_options){0} : *options;
    mf_status status = mf_accessor_options_validate(&wanted, diag);
    if (status != MF_OK)
        return status;
#ifndef NDEBUG
    if (wanted.on_fault != MF_ON_FAULT_BRANCH) /* which is refused anyhow */
        wanted.stale = MF_STALE_CHECK;
#endif
    mf_code *known = cache_retain_ready(&jit->cache, layout, &wanted);
    if (known == NULL)
        return get_or_compile(jit, layout, &wanted, code, diag);
    *code = known;
    return MF_OK;
}

mf_status mf_jit_get_for(mf_jit *jit, mf_memory *memory, const mf_accessor_options *options, mf_code **code,
                         mf_diag *diag) {
    mf_layout *layout;
    mf_backend wanted = options == NULL ? MF_BACKEND_COPY : options->backend;
    if (wanted != mf_memory_backend(memory))
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint64_t)wanted,
                           "accessors for the other backend would not be exact for this memory");
    if (options != NULL && options->index == MF_INDEX_U33 && mf_memory_index_of(memory) == MF_MEMORY_U32)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, MF_INDEX_U33,
                           "accessors for 33-bit indices would reach beyond this memory, which was made for "
                           "32-bit ones");
    mf_status status = mf_memory_layout(memory, &layout, diag);
    if (status != MF_OK)
        return status;
    status = mf_jit_get(jit, layout, options, code, diag);
    mf_layout_release(layout);
    return status;
}

mf_code *mf_code_retain(mf_code *code) {
    atomic_fetch_add_explicit(&code->references, 1, memory_order_relaxed);
    return code;
}

void mf_code_release(mf_code *code) {
    if (code != NULL && atomic_fetch_sub_explicit(&code->references, 1, memory_order_acq_rel) == 1)
        dispose(code->jit, code);
}

const mf_accessors *mf_code_accessors(const mf_code *code) {
    return &code->accessors;
}

const mf_layout *mf_code_layout(const mf_code *code) {
    return code->layout;
}
