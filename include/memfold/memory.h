/*
 * A memory: the bytes and the live permissions of one guest.
 *
 * It is made from a layout and an image (layout.h), or empty and then filled with mf_memory_map_region.
 * Generated code reaches it through a view; the functions below reach it directly, by the same fault
 * contract. Example:
 *
 *     #include <memfold/memory.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_memory *memory;
 *         uint64_t old_top;
 *         char text[6];
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         if (mf_layout_builder_map_region(builder, 0x1000, 4096, MF_READ_WRITE, NULL, 0, NULL) ||
 *             mf_layout_builder_set_heap(builder, 0x2000, 16, NULL) ||
 *             mf_layout_builder_finish(builder, &layout, NULL, NULL) ||
 *             mf_memory_create(layout, NULL, MF_BACKEND_COPY, &memory, NULL))
 *             return 1;
 *         mf_layout_builder_destroy(builder);
 *         mf_layout_release(layout); // the memory keeps a reference of its own
 *         bool early = mf_memory_write(memory, 0x1ffe, "hello", 6); // 0x2000 is not there yet:
 *         mf_fault fault = mf_memory_last_fault(memory);            // no byte was written
 *         mf_status status = mf_memory_sbrk(memory, 100, &old_top, NULL);
 *         bool done = mf_memory_write(memory, 0x1ffe, "hello", 6) && mf_memory_read(memory, 0x1ffe, text, 6);
 *         printf("first a fault on page 0x%llx, then %s\n", (unsigned long long)fault.page, text);
 *         mf_memory_destroy(memory);
 *         return !early && status == MF_OK && old_top == 0x2000 && done ? 0 : 1;
 *     }
 *
 * Thread rule, for every function here unless it says otherwise: accesses (read, write, fill, copy, span,
 * is_accessible, and accessors) may run in several threads at once, each with its own view; functions that
 * change the memory (map_region, protect, unmap, reset, clone, layout, attach, detach, destroy) exclude
 * everything else on the same memory, and that is the caller's to arrange. Different memories are
 * independent. Accesses take no lock, allocate nothing and are async-signal-safe, with a view that no
 * interrupted code is using; functions that change the memory, sbrk too, do not run in a signal handler,
 * and are not left by a jump out of one that has interrupted them.
 *
 * sbrk may run beside accesses, and beside perm_of, len, heap_top and itself: several are served one after
 * the other, by a lock of the memory. Each access beside it sees the heap end at some page boundary between
 * the old end and the new one, as a whole: it is done, or it faults on the lowest page that is inaccessible
 * with that end. Whoever sees a new page finds it zero, loses no store to it, and sees all that the thread
 * did before it called sbrk. A thread that has learned of the return of sbrk, by what orders memory between
 * threads, sees the new end; so does code that keeps view->heap_end in a register, once it reads it again. A
 * store under the policy BOUNDS or NONE to a page that is being added may be lost.
 *
 * The child of a fork that another thread's sbrk was running beside has that memory as it was in the middle;
 * it destroys it or lets it be.
 *
 * A value outside its enumeration is MF_INVALID_ARGUMENT (the diagnostic's value is that value) where a
 * status is returned. As an operation it is a programmer's mistake: a library that was built with assertions
 * panics, any other allows what a store is allowed.
 *
 * What returns neither a status nor a bool never fails; the pointers given are not NULL where nothing else is
 * said. A range ends at most at 2^32 where an mf_status is returned; where a bool is, what lies above faults.
 */
#ifndef MEMFOLD_MEMORY_H
#define MEMFOLD_MEMORY_H

#include <memfold/abi.h>
#include <memfold/accessors.h>
#include <memfold/layout.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>

#include <stdbool.h>

MF_PUBLIC_BEGIN

/* A memory. Its contents are the runtime's; programs hold pointers to it. */
typedef struct mf_memory mf_memory;

/* Whether runs of 2 MiB and more ask the host for huge pages. */
typedef enum mf_huge_pages { MF_HUGE_PAGES_ALLOWED = 0, MF_HUGE_PAGES_NEVER = 1 } mf_huge_pages;

/*
 * Which indices accessors of the memory may have. U33: sums of a 32-bit address and a 32-bit offset, for
 * which 8 GiB of host addresses stand behind the base (x86_paged). U32: 32-bit addresses alone, and in
 * embedded code offsets of at most MF_MEMORY_U32_OFFSET_MAX to them; 4 GiB are enough then, so that twice as
 * many memories fit into a process. Code for index = u33 is refused: mf_accessors_fit is false,
 * mf_jit_get_for is MF_INVALID_ARGUMENT, and code with stale = check, or mf_embed_check_view, panics. Any
 * other use of it is undefined, as it may reach what lies behind the memory. What the guest sees is the same.
 */
typedef enum mf_memory_index { MF_MEMORY_U33 = 0, MF_MEMORY_U32 = 1 } mf_memory_index;
#define MF_MEMORY_U32_OFFSET_MAX (UINT32_C(1) << 20)

/*
 * How a memory is made. All zero is the default: the copy backend, huge pages where the host allows them, and
 * empty ranges that always pass.
 */
typedef struct mf_memory_config {
    mf_backend backend;       /* where the bytes are; accessors are made for the same one */
    mf_huge_pages huge_pages; /* faster accesses to large regions, but the host may commit 2 MiB at a time */
    mf_empty_range empty_range; /* which ranges of length 0 pass in read, write, fill, copy, span and
                                 * is_accessible; a clone has the same */
    mf_memory_index index;      /* which accessors may be used; a clone takes the same */
    uint64_t max_bytes;         /* no page at or above ever has a permission or a byte; 0: 2^32. Rounded up to
                                 * whole pages. A clone has the same */
} mf_memory_config;

/* ---- Life ---------------------------------------------------------------------------------- */

/*
 * How many fit into a process on x86-64 Linux. There are 2^47 bytes of host addresses, and vm.max_map_count
 * mappings (65,530 unless it was changed). Measured with these, one region each:
 *
 *                     host addresses     mappings                              at most
 *   copy              4 GiB + 2 MiB      2: what may be written, the rest       32,734
 *   copy, max_bytes   max_bytes, to      1, and of neighbours that touch        more than 60,000
 *                     64 KiB             one for all
 *   x86_paged         8 GiB + 4 MiB      1 for each run of pages with one       16,370
 *   x86_paged, U32    4 GiB + 4 MiB      permission, and 1 for each hole        32,260
 *                                        behind one: 2 with one region
 *
 * and in each case 2 MiB + 64 KiB of addresses for the permissions, of which 64 memories share one or two
 * mappings. So of x86_paged with two regions that do not touch about 16,300 fit, whatever the index. A part
 * of an image that memories share is a mapping of its own, on both backends. A bound on copy counts as
 * writable from the start, also against RLIMIT_DATA, and takes away the pages that no access reaches: what
 * the CPU touches while it has predicted a check wrongly may be another memory's (options.h, spectre = mask).
 * On x86_paged it refuses the same and saves nothing.
 *
 * Writes a new memory with the pages of `layout` (NULL: no page, no heap; or, for an image of
 * mf_memory_freeze, what was frozen) and the bytes of `image` (NULL: all zero), of which it keeps references.
 * Bytes that the image gives to pages without permission are kept there. The caller owns the memory.
 * MF_OUT_OF_MEMORY (address space, bytes, or the kernel's limit of mappings), MF_INVALID_ARGUMENT for a
 * backend that is not there or another value of huge_pages, empty_range or index, MF_OVERFLOW if a region, an
 * image's byte or the heap's maximum lies past max_bytes (the diagnostic's value is where it ends), MF_IO if
 * the fault handler of x86_paged cannot be installed. Any thread.
 *
 * Memory of the host is committed page by page as bytes are touched, however long the layout is; in a kernel
 * (bare.h) frames are taken for every page that can be accessed, or at first touch, as it says. Clone, reset,
 * unmap and sbrk follow what was touched too, also in locked memory and where the host takes no pages back.
 * What hosts do beyond that:
 *
 *   - Memories hold the pages of an image once among them: runs of 64 KiB and more are mapped, at most 64 of
 *     an image, and a page is copied when it is written. The rest of the image is copied when a memory is
 *     made, and so are those runs where memory files or mappings are refused. An image takes at most one
 *     descriptor for each 4 MiB, small ones share one; all memories of a process share one for the page map.
 *     They are the library's and close on exec.
 *   - A huge page that was written anywhere counts as 512 written pages. A clone reads them, and where 32 or
 *     fewer have bytes it has small pages, until the host joins them.
 *   - Where madvise is refused, written pages are overwritten instead.
 *   - Limits on data (RLIMIT_DATA, and overcommit_memory = 2) count what may be written, not what was: for
 *     copy everything below the highest end of a region, an image or the heap's maximum, because the bounds
 *     policy lets accesses through there; for x86_paged the read-write pages. MF_OUT_OF_MEMORY beyond them.
 *   - mlockall(MCL_FUTURE) commits, and counts against RLIMIT_MEMLOCK, all of that at once; with MCL_ONFAULT
 *     only what is touched.
 *   - Clone, reset and freeze ask the page map (/proc/self/pagemap) which pages were written: by one system
 *     call since Linux 6.7. Without it they ask mincore. While anything is swapped out, or without both, they
 *     read every page below the end, which takes time, and memory on kernels that have no page of zeros.
 *   - copy works with host pages of any size up to 64 KiB, and commits whole ones; x86_paged is
 *     MF_INVALID_ARGUMENT where they are not 4096 bytes.
 */
mf_status mf_memory_create(const mf_layout *layout, const mf_image *image, mf_backend backend,
                           mf_memory **memory, mf_diag *diag);
mf_status mf_memory_create_with(const mf_layout *layout, const mf_image *image,
                                const mf_memory_config *config, mf_memory **memory, mf_diag *diag);

/* The memory and its own view are gone; further views have been detached before. NULL does nothing. */
void mf_memory_destroy(mf_memory *memory);

/*
 * Writes an independent memory: same backend, bytes, permissions and heap top; the same creation state, so
 * that reset gives both the same. What has been written since creation, or since the last freeze, is copied,
 * and the image's pages are shared; who clones a memory that has written much freezes it first, and who
 * clones one again and again does it by a pool (mf_pool_clone). Its fault record is clear and it has no
 * further views. The caller owns it. Counts as a change of `memory` for the thread rule. MF_OUT_OF_MEMORY.
 */
mf_status mf_memory_clone(const mf_memory *memory, mf_memory **clone, mf_diag *diag);

/*
 * The memory is as it was created: permissions, bytes, heap top. The fault record of every view is clear;
 * views stay attached. If the layout had changed since, accessors must be asked for again. Takes as long as
 * what was written is large: up to 8 MiB of it is overwritten and stays resident, more goes back to the host.
 * MF_OUT_OF_MEMORY, and then nothing has changed; never on the copy backend.
 */
mf_status mf_memory_reset(mf_memory *memory, mf_diag *diag);

/*
 * Writes an image of what the memory is now: bytes, permissions and heap top. The caller owns one reference.
 * A memory that is created from it, with NULL for its layout, begins there, and a reset brings it back there;
 * created with a layout it has the bytes of the image only. What was written since creation, or since the
 * last freeze, moves into the image, so that the host keeps it once for this memory, its clones and all who
 * begin with the image; the memory itself is as it was, its base too, and its reset goes where it went
 * before. Counts as a change for the thread rule, and ends what mf_memory_span has lent. MF_OUT_OF_MEMORY,
 * and then nothing has changed.
 */
mf_status mf_memory_freeze(mf_memory *memory, mf_image **image, mf_diag *diag);

/* ---- Views --------------------------------------------------------------------------------- */

/*
 * Borrows the memory's own view, which lives as long as the memory, at the same place. It is for one thread;
 * it is not detached, and a copy of the struct is not a view.
 */
mf_view *mf_memory_view(mf_memory *memory);

/*
 * `view` (the caller's storage, in any state but attached) is a further view of `memory`, for another thread,
 * with a clear fault record and no guard frame. It never fails.
 *
 * Until it is detached the view is neither moved nor copied, and its storage stays: the memory keeps its host
 * address in a list and writes to it when the heap grows, the layout changes, or the memory is reset. A
 * library that was built with assertions panics when it meets a view that was moved or copied.
 */
void mf_view_attach(mf_view *view, mf_memory *memory);

/*
 * `view`, which is a further view or all zero, belongs to no memory any more and is all zero. No guard frame
 * of it is active. Every further view is detached before the memory is destroyed. It never fails.
 */
void mf_view_detach(mf_view *view);

/* ---- Pages --------------------------------------------------------------------------------- */

/*
 * The pages of [start, start + size) have `access` and keep their bytes, except that those from `start`
 * on become `init` (at most `size` of its `init_bytes`; NULL for none). Size 0 is legal and does nothing.
 * MF_INVALID_ARGUMENT for another access; MF_UNALIGNED_START (the diagnostic's value is the start),
 * MF_UNALIGNED_SIZE (the size), MF_OVERFLOW past 2^32 or the memory's max_bytes (start + size, saturated);
 * MF_OUT_OF_MEMORY, also for the kernel's limit of mappings. After a failure nothing has changed.
 *
 * This, protect and unmap give the memory another layout if they change any permission: accessors made before
 * are for the old one, and are asked for again (mf_jit_get_for, or mf_memory_layout). Using the old ones is a
 * programmer's mistake, which those with stale = check answer with a panic and others with what their layout
 * said.
 */
mf_status mf_memory_map_region(mf_memory *memory, uint64_t start, uint64_t size, mf_access access,
                               const void *init, size_t init_bytes, mf_diag *diag);

/*
 * The pages have `perm` and keep their bytes, also to and from MF_PERM_NONE. Errors as map_region; NONE and
 * unmap pass past max_bytes, where nothing is.
 */
mf_status mf_memory_protect(mf_memory *memory, uint64_t start, uint64_t size, mf_perm perm, mf_diag *diag);

/* The pages are MF_PERM_NONE and their bytes zero, also when they come back. Errors as map_region. */
mf_status mf_memory_unmap(mf_memory *memory, uint64_t start, uint64_t size, mf_diag *diag);

/*
 * The heap is larger by `bytes`, and its old top, a guest index, is written. The pages in [roundup(old),
 * roundup(old + bytes)) are read-write and zero, roundup being to whole pages. 0 bytes ask for the top.
 * MF_HEAP_REFUSED (the value is `bytes`) beyond the heap's maximum or if one of those pages is not
 * MF_PERM_NONE; MF_OUT_OF_MEMORY; after both nothing has changed. Never makes accessors stale. The heap never
 * shrinks but by reset. It may run beside accesses and beside itself (above); it waits for another sbrk of
 * the same memory, and for nothing else.
 */
mf_status mf_memory_sbrk(mf_memory *memory, uint64_t bytes, uint64_t *old_top, mf_diag *diag);

/* ---- State --------------------------------------------------------------------------------- */

/* The permission that the page of `address` has now, pages of the heap included. */
mf_perm mf_memory_perm_of(const mf_memory *memory, uint32_t address);

/* The guest index where the highest page that is not MF_PERM_NONE ends, 0 if there is none. */
uint64_t mf_memory_len(const mf_memory *memory);

/* True if `address` lies below mf_memory_len, mapped or not. */
inline bool mf_memory_is_in_bounds(const mf_memory *memory, uint32_t address) {
    return address < mf_memory_len(memory);
}

/*
 * The heap: the guest address where it begins, the guest index of its top now, which is the base at first,
 * and its maximum in pages from the base on, both as they were at creation. All 0 if there is no heap.
 */
uint32_t mf_memory_heap_base(const mf_memory *memory);
uint64_t mf_memory_heap_top(const mf_memory *memory);
uint32_t mf_memory_max_heap_pages(const mf_memory *memory);

/* The backend that the memory was made with. */
mf_backend mf_memory_backend(const mf_memory *memory);

/* The indices that it was made for. */
mf_memory_index mf_memory_index_of(const mf_memory *memory);

/*
 * Writes the layout that the memory has now; the caller owns one reference. The pages that sbrk has added
 * are the heap's, not regions: after sbrk this is still the same layout. If a page below the heap's top
 * has been given another permission, those pages are regions and the heap begins at its top.
 * Counts as a change of the memory for the thread rule. MF_OUT_OF_MEMORY.
 */
mf_status mf_memory_layout(mf_memory *memory, mf_layout **layout, mf_diag *diag);

/*
 * True if `accessors` answer exactly for the memory as it is now: they are for its backend and its indices,
 * and for its layout or for every one. sbrk changes nothing of that; after map_region, protect, unmap or
 * reset ask again. What cannot be seen is the policy none, whose accessors ask nothing: of them only the
 * backend is compared. Emitted headers have <prefix>_accessors_for, which asks this. False as well if there
 * is no host memory for the live layout. Counts as a change of the memory for the thread rule.
 */
bool mf_accessors_fit(const mf_accessors *accessors, mf_memory *memory);

/* ---- Accesses ------------------------------------------------------------------------------ */

/*
 * All or nothing over the `length` bytes from guest address `address` on, by the fault contract: true if it
 * was done; otherwise no byte has changed, on either side, and the view's fault record says why. Length 0
 * succeeds always, or within what is accessible, as the memory was made (mf_empty_range), and then the host
 * pointer may be NULL. Host buffers never overlap guest bytes.
 */
bool mf_view_read(mf_view *view, uint32_t address, void *to, size_t length);
bool mf_view_write(mf_view *view, uint32_t address, const void *from, size_t length);
bool mf_view_fill(mf_view *view, uint32_t address, uint8_t byte, uint64_t length);

/*
 * The same for a copy within the guest: [to, to + length) becomes what [from, from + length) was, also where
 * the two overlap. The source is checked first, so if both fault the record is that of the load. Of length 0
 * both are checked, if empty ranges are.
 */
bool mf_view_copy(mf_view *view, uint32_t to, uint32_t from, uint64_t length);

/*
 * Borrows the host bytes of [address, address + length) for `operation`, until the next change of the
 * memory; sbrk leaves them where they are and what they are. NULL and the fault record if they are not all
 * accessible. With MF_LOAD they are only read. An empty range that passes gives a pointer to no bytes. In a
 * kernel whose reservation begins at host address 0 (bare.h), guest address 0 is NULL too: there ask
 * mf_view_is_accessible.
 */
void *mf_view_span(mf_view *view, uint32_t address, uint64_t length, mf_operation operation);

/*
 * True if `operation` may touch all of [address, address + length), as it is with an empty range that passes.
 * Never writes the fault record.
 */
bool mf_view_is_accessible(const mf_view *view, uint32_t address, uint64_t length, mf_operation operation);

/* The same six through the memory's own view, and so on the thread that it belongs to. */
inline bool mf_memory_read(mf_memory *memory, uint32_t address, void *to, size_t length) {
    return mf_view_read(mf_memory_view(memory), address, to, length);
}
inline bool mf_memory_write(mf_memory *memory, uint32_t address, const void *from, size_t length) {
    return mf_view_write(mf_memory_view(memory), address, from, length);
}
inline bool mf_memory_fill(mf_memory *memory, uint32_t address, uint8_t byte, uint64_t length) {
    return mf_view_fill(mf_memory_view(memory), address, byte, length);
}
inline bool mf_memory_copy(mf_memory *memory, uint32_t to, uint32_t from, uint64_t length) {
    return mf_view_copy(mf_memory_view(memory), to, from, length);
}
inline void *mf_memory_span(mf_memory *memory, uint32_t address, uint64_t length, mf_operation operation) {
    return mf_view_span(mf_memory_view(memory), address, length, operation);
}
inline bool mf_memory_is_accessible(mf_memory *memory, uint32_t address, uint64_t length,
                                    mf_operation operation) {
    return mf_view_is_accessible(mf_memory_view(memory), address, length, operation);
}

/* The last fault through the memory's own view; kind 0 if there was none since creation or reset. */
inline mf_fault mf_memory_last_fault(mf_memory *memory) {
    return mf_memory_view(memory)->fault;
}

MF_PUBLIC_END

#endif
