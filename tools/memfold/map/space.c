/* The guest space as spans, windows, and the rows there is room for. */
#include "map/space.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above this many spans the picture keeps some at both ends and around the heap. */
#define SPANS_SHOWN_MAX 32
#define SPANS_SHOWN_AT_END 12
#define SPANS_SHOWN_BY_HEAP 2

/* The same for lists of windows. */
#define LIST_SHOWN_MAX 24
#define LIST_SHOWN_AT_END 8

const char *map_span_perm_word(map_span_kind kind) {
    static const char *const words[SPAN_KINDS] = {"--", "ro", "rw", "--"};
    return words[kind];
}

uint64_t map_row_start(const map_space *space, const map_row *row) {
    return space->spans[row->first].start;
}

uint64_t map_row_end(const map_space *space, const map_row *row) {
    const map_span *last = &space->spans[row->first + row->count - 1];
    return last->start + last->size;
}

unsigned map_size_magnitude(uint64_t bytes) {
    uint64_t pages = bytes / MF_PAGE_SIZE;
    unsigned magnitude = 0;
    while (magnitude < 3 && (pages >>= 6) != 0)
        magnitude++;
    return magnitude;
}

/* ---- Spans ---- */

/* Adds [*end, to) as `kind` and moves on; nothing if it is empty. */
static void append_span(map_space *space, uint64_t *end, uint64_t to, map_span_kind kind) {
    if (to <= *end)
        return;
    space->spans[space->span_count++] = (map_span){*end, to - *end, kind};
    space->bytes[kind] += to - *end;
    *end = to;
}

/* Adds what lies between regions: hole, then the heap's reserve if it is there, then hole. */
static void append_gap(map_space *space, uint64_t *end, uint64_t to) {
    mf_heap heap = mf_layout_heap(space->file->layout);
    uint64_t heap_end = heap.base + (uint64_t)heap.max_pages * MF_PAGE_SIZE;
    uint64_t reserve_start = heap.base < to ? heap.base : to;
    uint64_t reserve_end = heap_end < to ? heap_end : to;
    if (reserve_end > *end && reserve_end > reserve_start) {
        append_span(space, end, reserve_start, SPAN_HOLE);
        append_span(space, end, reserve_end, SPAN_HEAP);
    }
    append_span(space, end, to, SPAN_HOLE);
}

static bool init_spans(map_space *space) {
    size_t region_count = mf_layout_region_count(space->file->layout);
    /* At most hole, heap and hole come before each region and the end. */
    space->spans = calloc(4 * region_count + 3, sizeof *space->spans);
    if (space->spans == NULL)
        return false;
    uint64_t end = 0;
    for (size_t i = 0; i < region_count; i++) {
        mf_region region = mf_layout_region(space->file->layout, i);
        append_gap(space, &end, region.start);
        append_span(space, &end, region.start + region.size,
                    region.access == MF_READ_ONLY ? SPAN_RO : SPAN_RW);
    }
    append_gap(space, &end, MF_SPACE_BYTES);
    return true;
}

/* ---- Rows ---- */

static bool span_is_shown(const map_space *space, size_t index) {
    if (space->span_count <= SPANS_SHOWN_MAX || index < SPANS_SHOWN_AT_END ||
        index >= space->span_count - SPANS_SHOWN_AT_END)
        return true;
    size_t first = index - SPANS_SHOWN_BY_HEAP;
    for (size_t i = first; i <= index + SPANS_SHOWN_BY_HEAP; i++)
        if (space->spans[i].kind == SPAN_HEAP)
            return true;
    return false;
}

static bool init_rows(map_space *space) {
    space->rows = calloc(space->span_count, sizeof *space->rows);
    if (space->rows == NULL)
        return false;
    bool was_shown = true;
    for (size_t i = 0; i < space->span_count; i++) {
        bool shown = span_is_shown(space, i);
        if (shown || was_shown)
            space->rows[space->row_count++] = (map_row){i, 0};
        space->rows[space->row_count - 1].count++;
        was_shown = shown;
    }
    return true;
}

size_t map_list_elide(size_t count, size_t *left_out) {
    *left_out = count <= LIST_SHOWN_MAX ? 0 : count - 2 * LIST_SHOWN_AT_END;
    return *left_out == 0 ? count : LIST_SHOWN_AT_END;
}

/* ---- Windows ---- */

static bool init_windows(map_space *space, mf_operation operation) {
    const mf_layout *layout = space->file->layout;
    map_windows *list = &space->windows[operation];
    /* A window holds at least one region. */
    list->windows = calloc(mf_layout_region_count(layout) + 1, sizeof *list->windows);
    if (list->windows == NULL)
        return false;
    mf_window window;
    for (uint64_t from = 0; mf_layout_window_lookup(layout, operation, from, &window);
         from = window.start + window.size) {
        list->windows[list->count++] = window;
        list->bytes += window.size;
    }
    return true;
}

const mf_window *map_window_find(const map_space *space, mf_operation operation, uint64_t index) {
    const map_windows *list = &space->windows[operation];
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->windows[middle].start + list->windows[middle].size <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->count && list->windows[low].start <= index ? &list->windows[low] : NULL;
}

void map_window_label(const map_space *space, mf_operation operation, const mf_window *window,
                      char to[MAP_WINDOW_LABEL_BYTES]) {
    size_t place = (size_t)(window - space->windows[operation].windows);
    snprintf(to, MAP_WINDOW_LABEL_BYTES, "%c%zu", operation == MF_LOAD ? 'L' : 'S', place + 1);
}

/* ---- Words ---- */

/* Names of a span, as they are collected. `reserve` columns stay free for ", +N". */
typedef struct name_list {
    char *to;
    size_t to_bytes, used_bytes;
    unsigned columns, used_columns, reserve;
    size_t left_out;
    bool ascii_only;
} name_list;

/* ", +65535" */
#define LEFT_OUT_COLUMNS 8

static void add_name(name_list *names, const char *name) {
    unsigned separator = names->used_columns == 0 ? 0 : 2;
    unsigned room = names->columns - names->reserve;
    bool fits = names->used_columns + separator + text_columns(name) <= room;
    if (names->left_out > 0 || (separator != 0 && !fits)) {
        names->left_out++;
        return;
    }
    char clipped[512];
    names->used_columns += separator + text_clip(name, room - names->used_columns - separator,
                                                 names->ascii_only, clipped, sizeof clipped);
    names->used_bytes += (size_t)snprintf(names->to + names->used_bytes, names->to_bytes - names->used_bytes,
                                          "%s%s", separator == 0 ? "" : ", ", clipped);
}

static bool name_is_in(const mf_named_region *named, const map_span *span) {
    return named->region.start < span->start + span->size &&
           named->region.start + named->region.size > span->start && named->name[0] != '\0';
}

void map_span_names(const map_space *space, const map_span *span, unsigned columns, bool ascii_only, char *to,
                    size_t to_bytes) {
    name_list names = {.to = to, .to_bytes = to_bytes, .columns = columns, .ascii_only = ascii_only};
    const mf_layout_file *file = space->file;
    size_t count = 0;
    to[0] = '\0';
    for (size_t i = 0; i < file->region_count; i++)
        count += name_is_in(&file->regions[i], span);
    names.reserve = count > 1 ? LEFT_OUT_COLUMNS : 0;
    if (span->kind == SPAN_HEAP)
        add_name(&names, "heap (reserved)");
    for (size_t i = 0; i < file->region_count; i++)
        if (name_is_in(&file->regions[i], span))
            add_name(&names, file->regions[i].name);
    if (names.left_out > 0)
        snprintf(to + names.used_bytes, to_bytes - names.used_bytes, ", +%zu", names.left_out);
}

const char *map_row_summary(const map_space *space, const map_row *row, char to[MAP_ROW_SUMMARY_BYTES]) {
    uint64_t bytes[SPAN_KINDS] = {0};
    char ro[SIZE_TEXT_BYTES], rw[SIZE_TEXT_BYTES];
    for (size_t i = row->first; i < row->first + row->count; i++)
        bytes[space->spans[i].kind] += space->spans[i].size;
    snprintf(to, MAP_ROW_SUMMARY_BYTES, "%zu runs left out: %s ro, %s rw", row->count,
             size_print(bytes[SPAN_RO], ro), size_print(bytes[SPAN_RW], rw));
    return to;
}

void map_space_summary(const map_space *space, char *to, size_t to_bytes) {
    char mapped[SIZE_TEXT_BYTES], ro[SIZE_TEXT_BYTES], rw[SIZE_TEXT_BYTES], heap[SIZE_TEXT_BYTES];
    int used = snprintf(to, to_bytes, "%zu region%s, %s mapped: %s ro, %s rw", space->file->region_count,
                        space->file->region_count == 1 ? "" : "s",
                        size_print(space->bytes[SPAN_RO] + space->bytes[SPAN_RW], mapped),
                        size_print(space->bytes[SPAN_RO], ro), size_print(space->bytes[SPAN_RW], rw));
    if (space->bytes[SPAN_HEAP] != 0)
        snprintf(to + used, to_bytes - (size_t)used, "; heap of up to %s",
                 size_print(space->bytes[SPAN_HEAP], heap));
}

/* ---- Life ---- */

bool map_space_init(map_space *space, const mf_layout_file *file) {
    *space = (map_space){.file = file};
    return init_spans(space) && init_rows(space) && init_windows(space, MF_LOAD) &&
           init_windows(space, MF_STORE);
}

void map_space_fini(map_space *space) {
    free(space->spans);
    free(space->rows);
    free(space->windows[MF_LOAD].windows);
    free(space->windows[MF_STORE].windows);
}
