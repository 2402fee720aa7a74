/*
 * A pool: memories that are kept for the next guest, whichever layout it has.
 *
 * A guest that runs for microseconds pays more for its windows, tables and first page faults than for what it
 * does. A pool keeps the memories of guests that have ended, as they were created, and hands them out again.
 * What is handed out is a memory like any other. Example:
 *
 *     #include <memfold/pool.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         mf_pool *pool;
 *         if (mf_layout_builder_map_region(builder, 0x1000, 4096, MF_READ_WRITE, NULL, 0, NULL) ||
 *             mf_layout_builder_finish(builder, &layout, NULL, NULL) || mf_pool_create(NULL, &pool, NULL))
 *             return 1;
 *         unsigned char left = 0;
 *         for (int guest = 0; guest < 3; guest++) {
 *             mf_memory *memory;
 *             if (mf_pool_take(pool, layout, NULL, &memory, NULL))
 *                 return 1;
 *             mf_memory_read(memory, 0x1000, &left, 1); // 0 for each
 *             printf("guest %d finds %d\n", guest, left);
 *             mf_memory_write(memory, 0x1000, "x", 1);
 *             mf_pool_give(pool, memory);
 *         }
 *         mf_pool_destroy(pool);
 *         mf_layout_release(layout);
 *         mf_layout_builder_destroy(builder);
 *         return left;
 *     }
 *
 * Where all guests go through the same preparation, one is prepared and mf_pool_clone makes the others of it.
 *
 * System calls. What is given is reset first, so that nothing of a guest is left while its memory waits. On
 * Linux neither mf_pool_give nor the next mf_pool_take of the same layout and image, or mf_pool_clone of a
 * memory that began with them, makes a system call, and none of them allocates, if
 *
 *   - of the memory at most MF_POOL_SMALL_PAGES pages can have been written: on x86_paged the read-write
 *     pages of its layout count, on copy everything below its highest page, image byte or heap maximum;
 *   - the guest, and what was cloned, has changed no permission (map_region, protect, unmap) and grown no
 *     heap (sbrk);
 *   - no other thread holds the list of this CPU, which is waited for by sleeping after a while.
 *
 * Otherwise mf_pool_give costs what mf_memory_reset costs, which is one system call or more, and
 * mf_pool_clone asks for what its source has written. mf_pool_take of a layout that no kept memory has
 * changes the permissions of one that is there: one system call for each run of pages that differs on
 * x86_paged, none on copy, and some for each image; so does mf_pool_clone. If there is none they create one.
 *
 * Thread rule: all functions may run in any thread, several at once on one pool, except that mf_pool_destroy
 * excludes all others on that pool. None runs in a signal handler, or is left by a jump out of one.
 *
 * Fork. The child has the pool and what it keeps, whatever other threads were doing, if it runs the handlers
 * of pthread_atfork. fork is not called in a signal handler that has interrupted a function of a pool.
 *
 * Pools are for hosts with an operating system; libmemfold-bare has none.
 */
#ifndef MEMFOLD_POOL_H
#define MEMFOLD_POOL_H

#include <memfold/layout.h>
#include <memfold/memory.h>
#include <memfold/public.h>
#include <memfold/status.h>

#include <stdint.h>

MF_PUBLIC_BEGIN

/* A pool. Its contents are the runtime's. */
typedef struct mf_pool mf_pool;

/* Memories with so few pages that can be written are made clean without asking the host which were. */
#define MF_POOL_SMALL_PAGES 64

/* How a pool makes its memories, and what it keeps. All zero is the default. */
typedef struct mf_pool_config {
    const mf_memory_config *memory; /* how all of them are made; NULL: the default. Copied */
    uint64_t max_resident_bytes;    /* so much of the host's memory is kept at most; 0: 64 MiB */
    uint32_t max_memories;          /* and so many memories; 0: 64 */
} mf_pool_config;

/*
 * Writes a pool that keeps nothing yet. `config` may be NULL, and is not needed afterwards. The caller owns
 * it. MF_OUT_OF_MEMORY.
 */
mf_status mf_pool_create(const mf_pool_config *config, mf_pool **pool, mf_diag *diag);

/* The pool and what it keeps are gone; memories that were taken stay their owners'. NULL does nothing. */
void mf_pool_destroy(mf_pool *pool);

/*
 * Writes a memory that is as mf_memory_create_with makes it of `layout`, `image` and the pool's
 * configuration; its views, bytes, rights and fault record are nobody's before. The caller owns it, and gives
 * it back or destroys it. Fails as mf_memory_create_with.
 */
mf_status mf_pool_take(mf_pool *pool, const mf_layout *layout, const mf_image *image, mf_memory **memory,
                       mf_diag *diag);

/*
 * Writes a memory that is as mf_memory_clone makes it of `memory`, out of one that the pool keeps if the two
 * have one configuration: what `memory` has written is copied into pages that are there already, so that a
 * host which prepares one guest and forks it for each request pays for no mapping and no page fault. The
 * caller owns it, and gives it to the pool or destroys it; a reset brings it back to what `memory` began
 * with. A memory that was frozen since its last reset is cloned anew: take it from its image instead
 * (mf_memory_freeze, mf_pool_take). Fails as mf_memory_clone, and counts as a change of `memory` for its
 * thread rule.
 */
mf_status mf_pool_clone(mf_pool *pool, const mf_memory *memory, mf_memory **clone, mf_diag *diag);

/*
 * Takes the memory, whose further views have been detached and which nobody uses any more. It is reset, and
 * kept unless that would be more than the pool keeps; then it is destroyed. One that another pool or
 * mf_memory_create has made is welcome if its configuration is the pool's, and is destroyed if not. NULL does
 * nothing; it never fails.
 */
void mf_pool_give(mf_pool *pool, mf_memory *memory);

/* What the pool keeps is destroyed, but for what other threads give meanwhile. */
void mf_pool_trim(mf_pool *pool);

/*
 * What the pool keeps at this moment: memories, and an upper bound of the resident bytes that are theirs
 * alone, which is what max_resident_bytes is compared with. Of images that memories share nothing is counted.
 */
typedef struct mf_pool_kept {
    uint32_t memories;
    uint64_t resident_bytes;
} mf_pool_kept;
mf_pool_kept mf_pool_count(const mf_pool *pool);

MF_PUBLIC_END

#endif
