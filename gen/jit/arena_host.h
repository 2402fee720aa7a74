/* What the arena asks of the host: memory under two addresses or one, a barrier for instructions, forks. */
#ifndef MEMFOLD_GEN_JIT_ARENA_HOST_H
#define MEMFOLD_GEN_JIT_ARENA_HOST_H

#include <stdbool.h>
#include <stddef.h>

/* Huge pages have this size and alignment. */
#define HOST_HUGE_BYTES ((size_t)2 << 20)

/* One range of memory. With two views the bytes written at `write` are executed at `run`, and no address is
 * both; with one view `run` is `write`, and nothing of it is executable at first. */
typedef struct host_range {
    unsigned char *write;
    unsigned char *run;
    size_t bytes;
    bool has_two_views;
} host_range;

/*
 * Maps `bytes` zero bytes, a multiple of HOST_HUGE_BYTES and aligned to it where there is room. The range
 * with two views is shared with children of fork, which do not have `write`. Returns 0 or an errno; then
 * nothing is mapped.
 */
int host_map_two_views(size_t bytes, host_range *range);
int host_map_one_view(size_t bytes, host_range *range);

/* `has_write` is false in a child that has a range with two views from its parent. */
void host_unmap(const host_range *range, bool has_write);

/* Only the view that is written goes, so that this process cannot change the range any more. */
void host_unmap_write(const host_range *range);

/*
 * Gives [at, at + bytes) its memory, so that the first writes neither wait for the kernel nor end the process
 * where it has none left. False if it has none; a kernel that cannot be asked gives it when it is touched.
 */
bool host_populate(const host_range *range, size_t at, size_t bytes);

/* Makes [at, at + HOST_HUGE_BYTES) one huge page. False if the kernel does not. */
bool host_collapse(const host_range *range, size_t at);

/* Of a range with one view: what was writable is executable, or the other way round. Returns 0 or an errno.
 */
int host_set_executable(const host_range *range, size_t at, size_t bytes, bool is_executable);

size_t host_page_bytes(void);

/* Once before the first barrier, best before there are threads. False if the host has none. */
bool host_barrier_foresee(void);

/*
 * When it returns, every thread of the process has executed a serialising instruction since the call. False
 * if the host refuses.
 */
bool host_barrier(void);

/* From now on forks are counted. False if the host has no memory for that. */
bool host_follow_forks(void);

/*
 * How often forks have begun and ended in this process and those that it stems from: as long as this stays
 * the same, and no fork of this process has begun without having ended, no child has come to be. Between the
 * two a child may come to be at any moment.
 */
unsigned host_fork_stamp(void);
bool host_is_forking(void);

/* How many processes this one stems from that were made by fork, itself included. */
unsigned host_births(void);

#endif
