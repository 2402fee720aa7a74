/*
 * Changed objects as they run: linked by the system's linker, loaded, and swept, each access in a process of
 * its own. What a proof has said of an object is compared with what its code does.
 */
#ifndef MEMFOLD_TEST_FLIP_RUN_H
#define MEMFOLD_TEST_FLIP_RUN_H

#include <memfold/object.h>
#include <memfold/sweep.h>

/* An object that is loaded. */
typedef struct loaded {
    void *handle;
    const mf_accessors *set;
} loaded;

/* Links and loads an object whose files are called `path` with something behind. False, and it is said why
 * not. */
bool load_object(const char *path, const void *bytes, size_t byte_count, const mf_object_note *note,
                 loaded *object);
void unload_object(loaded *object);

/* Whether a sweep of the accessors in `accessors` (bit n, or 0 for all) around all edges finds nothing wrong.
 */
bool sweep_finds_nothing(const loaded *object, const mf_layout *layout, const mf_accessor_options *options,
                         uint32_t accessors);

/* Whether a sweep of the pages around a counterexample finds something wrong with its accessor. */
bool sweep_finds_counterexample(const loaded *object, const mf_layout *layout,
                                const mf_accessor_options *options, const mf_verify_result *refuted);

#endif
