/* What others do in a life: the host's own calls on plain memory, as the least that the same effect costs. */
#ifndef MEMFOLD_TOOLS_BENCH_LIFE_PEERS_H
#define MEMFOLD_TOOLS_BENCH_LIFE_PEERS_H

#include <stdbool.h>
#include <stdint.h>

/* Memory of a size with bytes in every page, beside a copy of them. */
typedef struct life_peer {
    unsigned char *area;
    unsigned char *saved;
    uint64_t bytes;
    int page_map;
} life_peer;

bool life_peer_init(life_peer *peer, uint64_t bytes);
void life_peer_fini(life_peer *peer);

/*
 * Each does its work once and returns the nanoseconds of the part that counts, or a negative number where the
 * host refuses. `pages` are written at equal distances before it, or in it.
 */
typedef double life_peer_run(life_peer *peer, uint64_t pages);

/* One PAGEMAP_SCAN over the memory, and a copy of the written pages back. */
double life_peer_scan_and_copy(life_peer *peer, uint64_t pages);

/* The same of memory of which a page is read-only, and is made read-write first. */
double life_peer_protect_scan_and_copy(life_peer *peer, uint64_t pages);

/* A new mapping of a whole window with the pages copied into it. */
double life_peer_map_and_copy(life_peer *peer, uint64_t pages);

/* A page made read-only and read-write again. */
double life_peer_mprotect_pair(life_peer *peer, uint64_t pages);

/* A new mapping and a copy of all bytes into it. */
double life_peer_map_all(life_peer *peer, uint64_t pages);

/* A new mapping, the pages written, and the mapping gone. */
double life_peer_map_write_unmap(life_peer *peer, uint64_t pages);

/* A fork of this process, whose child exits at once, until it has been waited for. */
double life_peer_fork(life_peer *peer, uint64_t pages);

/* Where page `i` of `pages` lies in `bytes`. */
static inline uint64_t life_page(uint64_t bytes, uint64_t pages, uint64_t i) {
    return bytes / 4096 * i / pages * 4096;
}

#endif
