/* The bytes of one memory in another that was just opened: what the backends have in common. */
#ifndef MEMFOLD_RUNTIME_CLONING_H
#define MEMFOLD_RUNTIME_CLONING_H

#include "memory_impl.h"
#include "sharing.h"

/*
 * Pages that may have other bytes in `from` than a memory just opened with the mappings of sharing_clone:
 * those that have been written, and mappings that the host has refused.
 */
typedef struct clone_job {
    mf_memory *to;
    mf_memory *from;
    void (*copy)(const struct clone_job *job, page_run run, os_copy_mode mode);
    bool is_certain; /* what is visited has been written, or may be as it was mapped */
    run_list *dense; /* huge pages with more than a few bytes wait here for clone_rest; NULL: none do */
} clone_job;
bool clone_visit(clone_job *job, sharing_visit *visit);

/*
 * Pages that may have other bytes in `from` than at creation: those that have been written, and, if it may
 * have lost pages of its image without writing to them, those. It has no mapping of another image.
 */
bool follow_visit(clone_job *job, sharing_visit *visit, bool may_lack_image);

/*
 * The pages of job->to have the bytes of job->from, by job->copy. They are as at creation, or nothing but
 * zeros and mappings. A mapping shows the image's bytes, so there zeros are copied too.
 */
void clone_bytes(const clone_job *job, page_run pages);

/*
 * What waits has its bytes, too; it has been writable meanwhile. A memory that may have huge pages asks for
 * them between the two: so what has few bytes has small pages at first, which the host may join later. It
 * would take 2 MiB of memory, and the time to clear them, for each huge page of which a page is written.
 */
void clone_rest(clone_job *job);

#endif
