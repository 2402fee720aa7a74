/* Written pages get the bytes of creation again. */
#include "rewrite.h"

void rewrite_finish(rewrite *r) {
    for (size_t i = 0; i < r->waiting; i++)
        image_restore(r->memory->image, r->memory->view.base, r->runs[i].pages, !r->runs[i].is_certain);
    r->waiting = 0;
}

bool rewrite_add(rewrite *r, page_run pages, bool is_certain) {
    r->pages += pages.end - pages.first;
    if (r->has_limit && r->pages > KEPT_PAGES_MAX) {
        r->stopped = r->waiting > 0 ? r->runs[0].pages.first : pages.first;
        r->has_stopped = true;
        r->waiting = 0;
        return false;
    }
    if (r->waiting == REWRITE_RUNS)
        rewrite_finish(r);
    r->runs[r->waiting++] = (struct rewrite_run){pages, is_certain};
    return true;
}
