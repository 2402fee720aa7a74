/* The bytes of a clone. */
#include "cloning.h"
#include "sharing.h"

typedef struct written_visit {
    sharing_visit *visit;
    clone_job *job;
} written_visit;

static bool visit_written_run(void *context, size_t offset, size_t bytes, bool is_certain) {
    const written_visit *written = context;
    written->job->is_certain = is_certain;
    return written->visit(written->job, page_run_of(offset, bytes));
}

/* The parts of a mapping of the source that the clone has not. */
static bool visit_refused(const written_visit *written, page_run run) {
    const backed_list *list = &written->job->to->backed;
    while (!run_is_empty(run)) {
        size_t at = backed_find(list, run.first);
        page_run next = at < list->count ? list->runs[at].pages : (page_run){run.end, run.end};
        page_run gap = {run.first, next.first < run.end ? next.first : run.end};
        if (!run_is_empty(gap) && !written->visit(written->job, gap))
            return false;
        run.first = next.end > gap.end ? next.end : gap.end;
    }
    return true;
}

bool clone_visit(clone_job *job, sharing_visit *visit) {
    mf_memory *from = job->from;
    written_visit written = {visit, job};
    bool goes_on = from->ops->visit_written(from, visit_written_run, &written);
    for (size_t i = 0; goes_on && i < from->backed.count; i++)
        goes_on = visit_refused(&written, from->backed.runs[i].pages);
    return goes_on;
}

bool follow_visit(clone_job *job, sharing_visit *visit, bool may_lack_image) {
    mf_memory *from = job->from;
    written_visit written = {visit, job};
    if (!from->ops->visit_written(from, visit_written_run, &written))
        return false;
    job->is_certain = false;
    return !may_lack_image || sharing_visit_unshared(from, (page_run){0, MF_SPACE_PAGES}, visit, job);
}

/*
 * Pages that are no mapping in the clone and read as zero there, unless they began with bytes. Those that did
 * are written in any case: reset looks for them among the written ones.
 */
static void copy_unmapped(const clone_job *job, page_run part) {
    while (!run_is_empty(part)) {
        page_run begun = sharing_first_begun(job->to, part);
        page_run before = {part.first, begun.first};
        if (!run_is_empty(before))
            job->copy(job, before, OS_COPY_NONZERO);
        if (!run_is_empty(begun))
            job->copy(job, begun, OS_COPY_ALL);
        part.first = begun.end;
    }
}

void clone_bytes(const clone_job *job, page_run pages) {
    const backed_list *list = &job->to->backed;
    while (!run_is_empty(pages)) {
        size_t at = backed_find(list, pages.first);
        page_run backed = at < list->count ? list->runs[at].pages : (page_run){pages.end, pages.end};
        bool is_mapping = backed.first <= pages.first;
        uint32_t limit = is_mapping ? backed.end : backed.first;
        page_run part = {pages.first, limit < pages.end ? limit : pages.end};
        if (is_mapping)
            job->copy(job, part, job->is_certain ? OS_COPY_ALL : OS_COPY_CHANGED);
        else
            copy_unmapped(job, part);
        pages.first = part.end;
    }
}
