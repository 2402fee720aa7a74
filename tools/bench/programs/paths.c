/*
 * Shortest paths in a sparse graph: Dijkstra with a binary heap. An edge is its target and its length; the
 * edges of a node are those from firsts[node] on. An entry of the heap is a distance and a node; entries that
 * were overtaken by a shorter path are dropped when they come up.
 */
#include "program.h"

enum { NODES = 1000, DEGREE = 6, EDGES = NODES * DEGREE, SOURCES = 16, EDGE_BYTES = 8, ENTRY_BYTES = 8 };
#define FAR UINT32_MAX

static uint32_t distance_at(guest g, place heap, int i) {
    return load_u32(g, heap + i * ENTRY_BYTES, 0);
}

static uint32_t node_at(guest g, place heap, int i) {
    return load_u32(g, heap + i * ENTRY_BYTES, 4);
}

static void put_entry(guest g, place heap, int i, uint32_t distance, uint32_t node) {
    store_u32(g, heap + i * ENTRY_BYTES, 0, distance);
    store_u32(g, heap + i * ENTRY_BYTES, 4, node);
}

static void heap_push(guest g, place heap, int count, uint32_t distance, uint32_t node) {
    int at = count;
    while (at > 0) {
        int parent = (at - 1) / 2;
        if (distance_at(g, heap, parent) <= distance)
            break;
        put_entry(g, heap, at, distance_at(g, heap, parent), node_at(g, heap, parent));
        at = parent;
    }
    put_entry(g, heap, at, distance, node);
}

/* Takes the first of `count` entries away: the last one sinks from its place. */
static void heap_pop(guest g, place heap, int count) {
    uint32_t distance = distance_at(g, heap, count - 1);
    uint32_t node = node_at(g, heap, count - 1);
    int at = 0;
    for (int child; (child = 2 * at + 1) < count - 1; at = child) {
        if (child + 1 < count - 1 && distance_at(g, heap, child + 1) < distance_at(g, heap, child))
            child++;
        if (distance_at(g, heap, child) >= distance)
            break;
        put_entry(g, heap, at, distance_at(g, heap, child), node_at(g, heap, child));
    }
    put_entry(g, heap, at, distance, node);
}

static void find_paths(guest g, const program_work *work, place distances, uint32_t source) {
    place firsts = program_place(g, work, 0);
    place edges = program_place(g, work, 1);
    place heap = program_place(g, work, 3);
    int count = 1;
    for (int i = 0; i < NODES; i++)
        put_u32(g, distances, i, FAR);
    put_u32(g, distances, (int)source, 0);
    put_entry(g, heap, 0, 0, source);
    while (count > 0) {
        uint32_t distance = distance_at(g, heap, 0);
        int node = (int)node_at(g, heap, 0);
        heap_pop(g, heap, count--);
        if (distance > get_u32(g, distances, node))
            continue;
        int end = (int)get_u32(g, firsts, node + 1);
        for (int i = (int)get_u32(g, firsts, node); i < end; i++) {
            int target = (int)load_u32(g, edges + i * EDGE_BYTES, 0);
            uint32_t length = distance + load_u32(g, edges + i * EDGE_BYTES, 4);
            if (length < get_u32(g, distances, target)) {
                put_u32(g, distances, target, length);
                heap_push(g, heap, count++, length, (uint32_t)target);
            }
        }
    }
}

static uint64_t run(guest g, const program_work *work) {
    place distances = program_place(g, work, 2);
    uint64_t sum = 0;
    for (int source = 0; source < SOURCES; source++) {
        find_paths(g, work, distances, (uint32_t)source * 61);
        for (int i = 0; i < NODES; i++)
            sum = sum * 31 + get_u32(g, distances, i);
    }
    return sum;
}

static void fill(unsigned char *const *arrays) {
    uint64_t random = 4;
    uint32_t *firsts = (uint32_t *)(void *)arrays[0];
    uint32_t *edges = (uint32_t *)(void *)arrays[1];
    for (uint32_t i = 0; i <= NODES; i++)
        firsts[i] = i * DEGREE;
    for (int i = 0; i < EDGES; i++) {
        edges[2 * i] = program_random(&random) % NODES;
        edges[2 * i + 1] = 1 + program_random(&random) % 1000;
    }
}

PROGRAM(paths, "shortest paths, a heap and 32-bit integers", PROGRAM_READ_ONLY((NODES + 1) * 4),
        PROGRAM_READ_ONLY(EDGES *EDGE_BYTES), PROGRAM_WRITABLE(NODES * 4),
        PROGRAM_WRITABLE((EDGES + 1) * ENTRY_BYTES))
