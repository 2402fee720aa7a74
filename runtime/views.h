/* The views of a memory: its own and those that are attached, in one list. */
#ifndef MEMFOLD_RUNTIME_VIEWS_H
#define MEMFOLD_RUNTIME_VIEWS_H

#include <memfold/memory.h>

/*
 * All views have this layout stamp, this end of the live heap, or no fault recorded. The end is written with
 * release order, while accesses through these views run.
 */
void views_publish_stamp(mf_memory *memory, uint64_t stamp);
void views_publish_heap_end(mf_memory *memory, uint64_t heap_end);
void views_clear_faults(mf_memory *memory);

/*
 * With assertions: panics if `view` has a memory but is not in its list, because the struct was moved or
 * copied while attached. Then the memory goes on telling its changes to the place where the view was. Costs a
 * walk over the views. Without assertions it does nothing.
 */
#ifdef NDEBUG
static inline void view_check(const mf_view *view) {
    (void)view;
}
#else
void view_check(const mf_view *view);
#endif

#endif
