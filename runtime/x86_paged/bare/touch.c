/*
 * Frames at first touch. Fault handlers take no lock, so an entry changes by compare-and-exchange from what
 * was seen, and who loses gives back what it has brought and lets the access be tried again. A change of
 * permissions that comes in between, which accesses exclude by contract, wins for the same reason. Tables on
 * the way to a page that is touched are not empty and so stay.
 */
#include "x86_paged/bare/touch.h"
#include "x86_paged/bare/cpu.h"
#include "x86_paged/bare/pte.h"

#include <string.h>

static touch_answer answer_of(const walk_end *at, mf_operation operation) {
    pte e = at->read;
    if ((e.bits & PTE_BUSY) != 0)
        return TOUCH_WAITS;
    if (operation == MF_STORE && perm_of(e) != MF_PERM_RW)
        return TOUCH_REFUSED;
    if (is_promised(e) || (operation == MF_STORE && is_shared(e)))
        return TOUCH_WANTS_FRAME;
    uint64_t needed = PTE_PRESENT | (operation == MF_STORE ? PTE_WRITE : 0);
    return (at->granted & needed) == needed ? TOUCH_ALLOWED : TOUCH_REFUSED;
}

/*
 * Other CPUs may change the tables meanwhile, and the walk takes no lock. It never reads a frame that was
 * given back: an unlinked table is given back after a shootdown, which returns only when this CPU has left
 * its fault handler.
 */
touch_answer page_touch_ask(unsigned char *direct_map, uint64_t root, uint64_t address,
                            mf_operation operation, bool *is_user_page) {
    walk_end at = walk(direct_map, root, address);
    touch_answer answer = answer_of(&at, operation);
    if (answer != TOUCH_REFUSED)
        *is_user_page = (at.granted & PTE_USER) != 0;
    return answer;
}

static unsigned char *bytes_at(const frame_source *frames, uint64_t frame) {
    return frames->direct_map + frame;
}

/* True if the frame is where it was meant to be; else it is given back. */
static bool put(const frame_source *frames, const walk_end *at, uint64_t frame, uint64_t bits) {
    bool is_put = pte_replace(at->pte, at->read, frame | bits);
    if (!is_put)
        frames->give(frames->context, frame);
    return is_put;
}

static uint64_t own_bits(pte e, mf_operation operation) {
    uint64_t used = PTE_ACCESSED | (operation == MF_STORE ? PTE_DIRTY : 0);
    return PTE_HAS_FRAME | used | rights_of(perm_of(e), e.bits & PTE_USER);
}

/* What is not present is cached nowhere (4.10.2.3), so promises are kept without a shootdown. */
static bool keep_huge(const frame_source *frames, const walk_end *at, mf_operation operation) {
    bool may_be = at->level == HUGE_LEVEL && (at->read.bits & PTE_HUGE) != 0 && frames->take_huge != NULL;
    uint64_t frame = may_be ? frames->take_huge(frames->context) : NO_FRAME;
    if (frame == NO_FRAME)
        return false;
    memset(bytes_at(frames, frame), 0, (size_t)HUGE_LEAF_PAGES * MF_PAGE_SIZE);
    if (!pte_replace(at->pte, at->read, frame | PTE_HUGE | own_bits(at->read, operation)))
        for (uint64_t i = 0; i < HUGE_LEAF_PAGES; i++)
            frames->give(frames->context, frame + i * MF_PAGE_SIZE);
    return true;
}

/* One frame further: the page's, or a table's on the way to it. */
static bool keep_promise(const frame_source *frames, const walk_end *at, mf_operation operation) {
    uint64_t frame = frames->take(frames->context);
    if (frame == NO_FRAME)
        return false;
    if (at->level == 1) {
        memset(bytes_at(frames, frame), 0, MF_PAGE_SIZE);
        put(frames, at, frame, own_bits(at->read, operation));
    } else {
        fill_with_promises(table_at(frames->direct_map, frame), at->read);
        put(frames, at, frame, table_bits(at->read.bits & PTE_USER));
    }
    return true;
}

/*
 * Another CPU that has read the shared frame may have its translation cached, and would go on reading it
 * after stores to the copy. So nobody can access the page while every CPU drops it. A CPU that comes
 * meanwhile tries again until the copy is there. The pages of a leaf that no CPU has used are cached nowhere
 * (4.10.2.3): then the copy replaces the shared frame at once.
 *
 * While this CPU waits in the shootdown it may answer those of others, as if it had left its handler: the
 * only entry that it touches afterwards is the busy one, in a table that cannot go, and only if it is still
 * busy.
 */
static void copy_for_store(const frame_source *frames, const walk_end *at, uint64_t address, uint64_t frame) {
    pte busy = {(at->read.bits & ~PTE_PRESENT) | PTE_BUSY};
    uint64_t bits = own_bits(at->read, MF_STORE);
    memcpy(bytes_at(frames, frame), bytes_at(frames, frame_of(at->read)), MF_PAGE_SIZE);
    if ((at->read.bits & PTE_ACCESSED) == 0) {
        put(frames, at, frame, bits);
    } else if (!pte_replace(at->pte, at->read, busy.bits)) {
        frames->give(frames->context, frame);
    } else {
        cpu_invlpg(address);
        if (frames->shootdown != NULL)
            frames->shootdown(frames->context, address, 1);
        put(frames, &(walk_end){.pte = at->pte, .read = busy}, frame, bits);
    }
}

/* Takes one step. False if there is no frame for it. */
static bool step(const frame_source *frames, const walk_end *at, uint64_t address, mf_operation operation) {
    if (is_promised(at->read))
        return keep_huge(frames, at, operation) || keep_promise(frames, at, operation);
    uint64_t frame = frames->take(frames->context);
    if (frame == NO_FRAME)
        return false;
    copy_for_store(frames, at, address & ~(uint64_t)(MF_PAGE_SIZE - 1), frame);
    return true;
}

/* Where there was no frame another CPU may have brought one. */
bool page_touch(const frame_source *frames, uint64_t root, uint64_t address, mf_operation operation) {
    bool has_frames = true;
    for (;;) {
        walk_end at = walk(frames->direct_map, root, address);
        if (answer_of(&at, operation) != TOUCH_WANTS_FRAME)
            return true;
        if (!has_frames)
            return false;
        has_frames = step(frames, &at, address, operation);
    }
}
