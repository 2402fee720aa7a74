/* The bytes of a clone. */
#include "cloning.h"
#include "os.h"
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

/* ---- Huge pages ---------------------------------------------------------------------------- */

#define BLOCK_PAGES ((uint32_t)(OS_HUGE_PAGE_BYTES >> MF_PAGE_LOG2))

/*
 * So many pages of a block, or fewer, are few: as small pages they take a third of the time of a huge page.
 */
#define SPARSE_PAGES_MAX 32

/* Every page is read once: the few that have bytes are noted. */
static void copy_block(const clone_job *job, page_run block) {
    const unsigned char *base = job->from->view.base;
    uint32_t found[SPARSE_PAGES_MAX];
    size_t count = 0;
    for (uint32_t page = block.first; page < block.end; page++) {
        if (page_is_zero(base + page_bytes(page)))
            continue;
        if (count == SPARSE_PAGES_MAX) {
            if (!run_list_append(job->dense, block))
                job->copy(job, block, OS_COPY_NONZERO);
            return;
        }
        found[count++] = page;
    }
    for (size_t i = 0; i < count; i++)
        job->copy(job, (page_run){found[i], found[i] + 1}, OS_COPY_ALL);
}

/* Pages that read as zero in the clone. */
static void copy_to_zeros(const clone_job *job, page_run run) {
    page_run blocks = {(run.first + BLOCK_PAGES - 1) / BLOCK_PAGES * BLOCK_PAGES,
                       run.end / BLOCK_PAGES * BLOCK_PAGES};
    if (job->dense == NULL || run_is_empty(blocks)) {
        job->copy(job, run, OS_COPY_NONZERO);
        return;
    }
    job->copy(job, (page_run){run.first, blocks.first}, OS_COPY_NONZERO);
    for (uint32_t first = blocks.first; first < blocks.end; first += BLOCK_PAGES)
        copy_block(job, (page_run){first, first + BLOCK_PAGES});
    job->copy(job, (page_run){blocks.end, run.end}, OS_COPY_NONZERO);
}

void clone_rest(clone_job *job) {
    for (size_t i = 0; i < job->dense->count; i++)
        job->copy(job, job->dense->runs[i], OS_COPY_NONZERO);
    run_list_fini(job->dense);
}

/* ---- Bytes ---------------------------------------------------------------------------------- */

/*
 * Pages that are no mapping in the clone and read as zero there, unless they began with bytes. Those that did
 * are written in any case: reset looks for them among the written ones.
 */
static void copy_unmapped(const clone_job *job, page_run part) {
    while (!run_is_empty(part)) {
        page_run begun = sharing_first_begun(job->to, part);
        page_run before = {part.first, begun.first};
        if (!run_is_empty(before))
            copy_to_zeros(job, before);
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
