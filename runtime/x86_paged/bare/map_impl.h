/* A reservation and its page tables, shared by the verbs of map.h and the lives of memories. */
#ifndef MEMFOLD_RUNTIME_X86_PAGED_BARE_MAP_IMPL_H
#define MEMFOLD_RUNTIME_X86_PAGED_BARE_MAP_IMPL_H

#include "x86_paged/map.h"
#include "x86_paged/bare/tables.h"
#include "x86_paged/reservations.h"

#include <memfold/bare.h>

struct map {
    reservation reservation;
    unsigned long changes;
    mf_bare_reservation place;
    frame_source frames;
    page_tables tables;
};

static inline virtual_run map_run(const map *map, page_run run) {
    return (virtual_run){map->place.base + page_bytes(run.first), run.end - run.first};
}

/* One at a time on the tables of one root. */
void map_lock(const map *map);
void map_unlock(const map *map);

#endif
