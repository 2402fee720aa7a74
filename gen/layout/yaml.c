#include "layout/readers.h"
#include "layout/yaml_events.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values with their places, which range errors are reported at only when the whole mapping is known. */
typedef struct number_field {
    uint64_t value;
    yaml_mark_t mark;
} number_field;

typedef struct text_field {
    char *text; /* NULL if not given */
    yaml_mark_t mark;
} text_field;

typedef struct region_fields {
    text_field name, init;
    number_field start, size;
    mf_access access;
} region_fields;

typedef struct heap_fields {
    bool is_given;
    yaml_mark_t mark; /* of its key */
    number_field base, max_pages;
} heap_fields;

typedef struct layout_fields {
    text_field name;
    heap_fields heap;
} layout_fields;

typedef struct layout_reader {
    events events;
    yaml_mark_t key_mark; /* of the last key read */
    const char *path;
    contents *contents;
    uint64_t init_bytes_left; /* of FILE_MAX_CONTENT_BYTES */
} layout_reader;

/* One key of a mapping: `read` takes the value that is the current event into a field of the record. */
typedef struct key_rule {
    const char *name;
    bool is_required;
    mf_status (*read)(layout_reader *r, const char *key, void *field);
    size_t field_offset;
} key_rule;

typedef struct mapping_rule {
    const char *what;
    const key_rule *keys;
    size_t key_count;
} mapping_rule;

static yaml_mark_t mark_of(const layout_reader *r) {
    return r->events.event.start_mark;
}

/* ---- Mappings ---- */

static mf_status read_key(layout_reader *r, const mapping_rule *rule, uint32_t seen, size_t *index) {
    r->key_mark = mark_of(r);
    if (r->events.event.type != YAML_SCALAR_EVENT)
        return events_fail(&r->events, mark_of(r), MF_BAD_INPUT, 0, "a key of %s must be a word, not %s",
                           rule->what, events_kind(&r->events));
    const char *text = (const char *)r->events.event.data.scalar.value;
    size_t length = r->events.event.data.scalar.length;
    for (*index = 0; *index < rule->key_count; ++*index) {
        const char *name = rule->keys[*index].name;
        if (strlen(name) == length && memcmp(name, text, length) == 0)
            break;
    }
    excerpt shown = events_excerpt(&r->events);
    if (*index == rule->key_count)
        return events_fail(&r->events, mark_of(r), MF_BAD_INPUT, 0, "unknown key '%s' in %s", shown.text,
                           rule->what);
    if (seen >> *index & 1)
        return events_fail(&r->events, mark_of(r), MF_BAD_INPUT, 0, "repeated key '%s' in %s", shown.text,
                           rule->what);
    return MF_OK;
}

static mf_status check_required(layout_reader *r, const mapping_rule *rule, uint32_t seen,
                                yaml_mark_t begin) {
    for (size_t i = 0; i < rule->key_count; i++)
        if (rule->keys[i].is_required && !(seen >> i & 1))
            return events_fail(&r->events, begin, MF_BAD_INPUT, 0, "the key '%s' is missing in %s",
                               rule->keys[i].name, rule->what);
    return MF_OK;
}

/* Reads the mapping that the current event begins, up to its end. */
static mf_status read_mapping(layout_reader *r, const mapping_rule *rule, void *record) {
    yaml_mark_t begin = mark_of(r);
    if (r->events.event.type != YAML_MAPPING_START_EVENT)
        return events_fail(&r->events, begin, MF_BAD_INPUT, 0, "%s must be a mapping, not %s", rule->what,
                           events_kind(&r->events));
    mf_status status = events_next(&r->events);
    uint32_t seen = 0;
    while (status == MF_OK && r->events.event.type != YAML_MAPPING_END_EVENT) {
        size_t index = 0;
        status = read_key(r, rule, seen, &index);
        if (status == MF_OK)
            status = events_next(&r->events);
        if (status != MF_OK)
            break;
        const key_rule *key = &rule->keys[index];
        seen |= UINT32_C(1) << index;
        status = key->read(r, key->name, (char *)record + key->field_offset);
        if (status == MF_OK)
            status = events_next(&r->events);
    }
    return status == MF_OK ? check_required(r, rule, seen, begin) : status;
}

/* ---- Values ---- */

static mf_status read_number(layout_reader *r, const char *key, void *to) {
    number_field *field = to;
    field->mark = mark_of(r);
    return events_read_number(&r->events, key, &field->value);
}

static mf_status read_text(layout_reader *r, const char *key, void *to) {
    text_field *field = to;
    field->mark = mark_of(r);
    return events_read_text(&r->events, key, &field->text);
}

static mf_status read_access(layout_reader *r, const char *key, void *to) {
    mf_access *access = to;
    char *text = NULL;
    mf_status status = events_read_text(&r->events, key, &text);
    if (status != MF_OK)
        return status;
    bool is_ro = strcmp(text, "ro") == 0;
    bool is_rw = strcmp(text, "rw") == 0;
    free(text);
    if (!is_ro && !is_rw)
        return events_fail(&r->events, mark_of(r), MF_BAD_INPUT, 0, "'%s' must be ro or rw, not '%s'", key,
                           events_excerpt(&r->events).text);
    *access = is_ro ? MF_READ_ONLY : MF_READ_WRITE;
    return MF_OK;
}

/* ---- Regions ---- */

/* The builder has refused [start, start + size): the place is the number that is to blame. */
static mf_status place_range(layout_reader *r, mf_status status, const number_field *start,
                             const number_field *size) {
    bool is_start = status == MF_UNALIGNED_START || (status == MF_OVERFLOW && start->value >= MF_SPACE_BYTES);
    if (status != MF_OK)
        diag_place(r->events.diag, is_start ? start->mark : size->mark);
    return status;
}

/* Init files are relative to the directory of the YAML file; the caller frees the result. */
static char *init_path(const layout_reader *r, const char *init) {
    const char *slash = strrchr(r->path, '/');
    size_t directory_bytes = slash != NULL && init[0] != '/' ? (size_t)(slash - r->path) + 1 : 0;
    size_t init_bytes = strlen(init) + 1;
    char *path = malloc(directory_bytes + init_bytes);
    if (path == NULL)
        return NULL;
    memcpy(path, r->path, directory_bytes);
    memcpy(path + directory_bytes, init, init_bytes);
    return path;
}

static mf_status read_init_file(layout_reader *r, const char *path, const region_fields *fields,
                                source *source) {
    char subject[256];
    snprintf(subject, sizeof subject, "the init file '%s'", path);
    source_limit limit = {fields->size.value, "the size of its region"};
    if (r->init_bytes_left < limit.bytes)
        limit = (source_limit){r->init_bytes_left, "what is left for all init files together"};
    return source_read_init(path, subject, limit, source, r->events.diag);
}

static mf_status add_init(layout_reader *r, const region_fields *fields) {
    if (fields->init.text == NULL)
        return MF_OK;
    char *path = init_path(r, fields->init.text);
    if (path == NULL)
        return diag_out_of_memory(r->events.diag);
    source init;
    mf_status status = read_init_file(r, path, fields, &init);
    if (status == MF_OK) {
        r->init_bytes_left -= init.byte_count;
        status = mf_layout_builder_set_bytes(r->contents->builder, fields->start.value, init.bytes,
                                             init.byte_count, r->events.diag);
    }
    if (status != MF_OK)
        diag_place(r->events.diag, fields->init.mark);
    source_fini(&init);
    free(path);
    return status;
}

static mf_status add_region(layout_reader *r, const region_fields *fields, yaml_mark_t begin) {
    if (fields->size.value == 0)
        return events_fail(&r->events, fields->size.mark, MF_BAD_INPUT, 0, "the size is 0");
    mf_region region = {fields->start.value, fields->size.value, fields->access};
    mf_status status = mf_layout_builder_map_region(r->contents->builder, region.start, region.size,
                                                    region.access, NULL, 0, r->events.diag);
    if (status != MF_OK)
        return place_range(r, status, &fields->start, &fields->size);
    const char *name = fields->name.text != NULL ? fields->name.text : "";
    status = contents_add_region(r->contents, &region, name, r->events.diag);
    if (status != MF_OK)
        diag_place(r->events.diag, begin);
    return status == MF_OK ? add_init(r, fields) : status;
}

static mf_status read_region(layout_reader *r) {
    static const key_rule KEYS[] = {
        {"name", false, read_text, offsetof(region_fields, name)},
        {"start", true, read_number, offsetof(region_fields, start)},
        {"size", true, read_number, offsetof(region_fields, size)},
        {"access", true, read_access, offsetof(region_fields, access)},
        {"init", false, read_text, offsetof(region_fields, init)},
    };
    static const mapping_rule RULE = {"a region", KEYS, sizeof KEYS / sizeof KEYS[0]};
    yaml_mark_t begin = mark_of(r);
    region_fields fields = {0};
    mf_status status = read_mapping(r, &RULE, &fields);
    if (status == MF_OK)
        status = add_region(r, &fields, begin);
    free(fields.name.text);
    free(fields.init.text);
    return status;
}

static mf_status read_regions(layout_reader *r, const char *key, void *unused) {
    (void)unused;
    yaml_mark_t begin = mark_of(r);
    if (r->events.event.type != YAML_SEQUENCE_START_EVENT)
        return events_fail(&r->events, begin, MF_BAD_INPUT, 0, "'%s' must be a sequence, not %s", key,
                           events_kind(&r->events));
    mf_status status = events_next(&r->events);
    while (status == MF_OK && r->events.event.type != YAML_SEQUENCE_END_EVENT) {
        status = read_region(r);
        if (status == MF_OK)
            status = events_next(&r->events);
    }
    if (status == MF_OK && r->contents->region_count == 0)
        return events_fail(&r->events, begin, MF_BAD_INPUT, 0, "there are no regions");
    return status;
}

/* ---- Heap ---- */

static mf_status read_heap(layout_reader *r, const char *key, void *to) {
    static const key_rule KEYS[] = {
        {"base", true, read_number, offsetof(heap_fields, base)},
        {"max_pages", true, read_number, offsetof(heap_fields, max_pages)},
    };
    static const mapping_rule RULE = {"the heap", KEYS, sizeof KEYS / sizeof KEYS[0]};
    (void)key;
    heap_fields *heap = to;
    heap->is_given = true;
    heap->mark = r->key_mark;
    return read_mapping(r, &RULE, heap);
}

/* The builder has accepted the heap: its end is at most 2^32. */
static mf_status check_heap_is_free(layout_reader *r, const heap_fields *heap) {
    uint64_t base = heap->base.value;
    uint64_t end = base + heap->max_pages.value * MF_PAGE_SIZE;
    for (size_t i = 0; i < r->contents->region_count; i++) {
        const mf_named_region *named = &r->contents->regions[i];
        uint64_t region_end = named->region.start + named->region.size;
        bool is_apart = region_end <= base || end <= named->region.start;
        if (base < end && !is_apart)
            return events_fail(&r->events, heap->mark, MF_BAD_INPUT, named->region.start,
                               "the heap [0x%08" PRIx64 ", 0x%08" PRIx64
                               ") overlaps region '%s' [0x%08" PRIx64 ", 0x%08" PRIx64 ")",
                               base, end, named->name, named->region.start, region_end);
    }
    return MF_OK;
}

static mf_status set_heap(layout_reader *r, const heap_fields *heap) {
    if (!heap->is_given)
        return MF_OK;
    mf_status status = mf_layout_builder_set_heap(r->contents->builder, heap->base.value,
                                                  heap->max_pages.value, r->events.diag);
    if (status != MF_OK)
        return place_range(r, status, &heap->base, &heap->max_pages);
    return check_heap_is_free(r, heap);
}

/* ---- The text ---- */

static mf_status read_layout(layout_reader *r) {
    static const key_rule KEYS[] = {
        {"name", false, read_text, offsetof(layout_fields, name)},
        {"regions", true, read_regions, 0},
        {"heap", false, read_heap, offsetof(layout_fields, heap)},
    };
    static const mapping_rule RULE = {"the layout", KEYS, sizeof KEYS / sizeof KEYS[0]};
    layout_fields fields = {0};
    mf_status status = read_mapping(r, &RULE, &fields);
    if (status == MF_OK)
        status = set_heap(r, &fields.heap);
    r->contents->name = fields.name.text;
    return status;
}

/* One document, and in it one layout. */
static mf_status read_stream(layout_reader *r) {
    mf_status status = events_next(&r->events); /* begin of the stream */
    if (status == MF_OK)
        status = events_next(&r->events); /* begin of the document */
    if (status != MF_OK)
        return status;
    if (r->events.event.type == YAML_STREAM_END_EVENT)
        return events_fail(&r->events, mark_of(r), MF_BAD_INPUT, 0, "the file is empty: it has no layout");
    status = events_next(&r->events);
    if (status == MF_OK)
        status = read_layout(r);
    if (status == MF_OK)
        status = events_next(&r->events); /* end of the document */
    if (status == MF_OK)
        status = events_next(&r->events);
    if (status == MF_OK && r->events.event.type != YAML_STREAM_END_EVENT)
        return events_fail(&r->events, mark_of(r), MF_BAD_INPUT, 0, "there is a second YAML document");
    return status;
}

mf_status layout_read_yaml(const source *source, const char *path, contents *contents, mf_diag *diag) {
    layout_reader r = {.path = path, .contents = contents, .init_bytes_left = FILE_MAX_CONTENT_BYTES};
    mf_status status = events_init(&r.events, source, diag);
    if (status == MF_OK)
        status = read_stream(&r);
    events_fini(&r.events);
    return status;
}
