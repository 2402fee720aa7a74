#include "verify/object_cover.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The linker aligns functions to so many bytes, and fills up with less. */
#define PADDING_BYTES_MAX 15

/* ---- While accessors are proved ---- */

__attribute__((format(printf, 2, 3))) static void note_problem(object_cover *c, const char *format, ...) {
    if (c->problem[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->problem, sizeof c->problem, format, arguments);
    va_end(arguments);
}

static const object_site *find_site(const object *o, uint64_t start, uint64_t bytes) {
    for (size_t i = 0; i < o->site_count; i++)
        if (o->sites[i].start == start && o->sites[i].bytes == bytes)
            return &o->sites[i];
    return NULL;
}

static bool is_jump(const instruction *i) {
    return i->id == INSTRUCTION_JMP || i->id == INSTRUCTION_JCC || i->id == INSTRUCTION_CALL;
}

/*
 * An instruction may speak of a place relative to itself, without a relocation, if that is in the same
 * function: all else moves when the object is linked.
 */
static bool is_movable(const object *o, const instruction *i, const object_function *f) {
    uint64_t text = o->images[OBJECT_TEXT].address;
    if (find_site(o, i->address - text, i->byte_count) != NULL)
        return true;
    for (uint8_t n = 0; n < i->operand_count; n++) {
        const operand *operand = &i->operands[n];
        bool is_target = is_jump(i) && operand->kind == OPERAND_IMMEDIATE;
        if (is_target && operand->value - text - f->start >= f->bytes)
            return false;
        if (operand->kind == OPERAND_MEMORY &&
            (operand->base == REGISTER_RIP || operand->index == REGISTER_RIP))
            return false;
    }
    return i->id != INSTRUCTION_CALL;
}

/* The first time that an instruction is met. */
static void take_instruction(object_cover *c, const object_function *f, uint64_t at, uint32_t count) {
    const object_image *text = &c->o->images[OBJECT_TEXT];
    instruction i;
    for (uint64_t byte = at; byte < at + count; byte++)
        if (c->is_inside[byte])
            note_problem(c, "the code at 0x%" PRIx64 " is executed as two different instructions", byte);
    if (!decoder_decode(c->decoder, text->address + at, text->bytes + at, count, &i) || i.byte_count != count)
        note_problem(c, "the code at 0x%" PRIx64 " is no instruction of %u bytes", at, count);
    else if (!is_movable(c->o, &i, f))
        note_problem(c, "the %s at 0x%" PRIx64 " leads out of its function without a relocation",
                     instruction_name(i.id), at);
    c->instructions[at] = (uint8_t)count;
    memset(c->is_inside + at, true, count);
}

static void take_executed(void *context, mf_accessor_id id, uint64_t address, uint32_t count) {
    object_cover *c = context;
    const object_function *f = &c->o->functions[id];
    uint64_t at = address - c->o->images[OBJECT_TEXT].address;
    if (at - f->start >= f->bytes || count == 0 || count > f->bytes - (at - f->start))
        note_problem(c, "'%s' executes 0x%" PRIx64 " bytes from its start, outside of itself",
                     mf_accessor_info_get(id)->name, at - f->start);
    else if (c->instructions[at] != count)
        take_instruction(c, f, at, count);
}

static void take_entry(void *context, mf_accessor_id id, uint64_t access) {
    object_cover *c = context;
    for (size_t i = 0; i < c->o->entry_count; i++)
        if (c->o->entries[i].access == access) {
            c->is_used[i] = true;
            return;
        }
    note_problem(c, "the access of '%s' has no exception entry", mf_accessor_info_get(id)->name);
}

/* Besides tables, words of the offset table are read. */
static void take_read(void *context, mf_accessor_id id, uint64_t address, uint64_t count) {
    object_cover *c = context;
    const object_image *tables = &c->o->images[OBJECT_TABLES];
    uint64_t at = address - tables->address;
    (void)id;
    if (at < tables->count && count <= tables->count - at)
        memset(c->is_read + at, true, count);
}

verify_observer object_cover_observer(object_cover *c) {
    return (verify_observer){c, take_executed, take_entry, take_read};
}

/* ---- When they are ---- */

/* The bytes of the longest instruction from `code` on that does nothing, as assemblers fill up, or 0. */
static uint64_t padding_at(const unsigned char *code, uint64_t left) {
    static const struct {
        unsigned char bytes[9];
        unsigned char count;
    } FORMS[] = {{{0x0f, 0x1f, 0x84}, 8},
                 {{0x0f, 0x1f, 0x80}, 7},
                 {{0x0f, 0x1f, 0x44}, 5},
                 {{0x0f, 0x1f, 0x40}, 4},
                 {{0x0f, 0x1f, 0x00}, 3},
                 {{0x90}, 1},
                 {{0xcc}, 1}};
    uint64_t prefixes = 0;
    while (prefixes < left && (code[prefixes] == 0x66 || code[prefixes] == 0x2e))
        prefixes++;
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++)
        if (FORMS[i].count <= left - prefixes && memcmp(code + prefixes, FORMS[i].bytes, FORMS[i].count) == 0)
            return prefixes + FORMS[i].count;
    return 0;
}

static bool is_padding(const unsigned char *code, uint64_t count) {
    uint64_t at = 0;
    while (at < count) {
        uint64_t bytes = padding_at(code + at, count - at);
        if (bytes == 0)
            return false;
        at += bytes;
    }
    return count <= PADDING_BYTES_MAX;
}

/* The two functions that are no accessors have been compared byte by byte. */
static bool is_in_hook(const object *o, uint64_t at) {
    for (size_t i = OBJECT_REGISTER; i < OBJECT_FUNCTION_COUNT; i++)
        if (at - o->functions[i].start < o->functions[i].bytes)
            return true;
    return false;
}

static bool is_known(const object_cover *c, uint64_t at) {
    return c->is_inside[at] || is_in_hook(c->o, at);
}

static bool is_in_accessor(const object *o, uint64_t at) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (at - o->functions[id].start < o->functions[id].bytes)
            return true;
    return false;
}

/* Between functions there is padding, and in them nothing that is not executed. */
static mf_status check_code(const object_cover *c) {
    const object_image *text = &c->o->images[OBJECT_TEXT];
    for (uint64_t at = 0; at < text->count;) {
        uint64_t end = at;
        while (end < text->count && !is_known(c, end) && !is_in_accessor(c->o, end))
            end++;
        if (!is_padding(text->bytes + at, end - at))
            return object_refuse(c->o, OBJECT_TEXT, at,
                                 "the %" PRIu64 " bytes at 0x%" PRIx64
                                 " are neither code of an accessor nor padding",
                                 end - at, at);
        if (end < text->count && !is_known(c, end))
            return object_refuse(c->o, OBJECT_TEXT, end,
                                 "the byte at 0x%" PRIx64 " is within an accessor that never executes it",
                                 end);
        at = end < text->count ? end + 1 : end;
    }
    return MF_OK;
}

static mf_status check_sites(const object_cover *c) {
    for (size_t i = 0; i < c->o->site_count; i++) {
        const object_site *site = &c->o->sites[i];
        if (!is_in_hook(c->o, site->start) && c->instructions[site->start] != site->bytes)
            return object_refuse(
                c->o, OBJECT_TEXT, site->start,
                "the relocation behind 0x%" PRIx64 " is not in an instruction that is executed", site->start);
    }
    return MF_OK;
}

static mf_status check_entries(const object_cover *c) {
    for (size_t i = 0; i < c->o->entry_count; i++)
        if (!c->is_used[i])
            return object_refuse(c->o, OBJECT_ENTRIES, i * sizeof(mf_exception_entry),
                                 "the entry at 0x%zx is of no access", i * sizeof(mf_exception_entry));
    return MF_OK;
}

/* Tables begin at multiples of 64, and there is nothing between them. */
static mf_status check_tables(const object_cover *c) {
    const object_image *tables = &c->o->images[OBJECT_TABLES];
    uint64_t unread = 0;
    for (uint64_t at = 0; at < tables->count; at++) {
        unread = c->is_read[at] ? 0 : unread + 1;
        if (unread != 0 && (unread >= 64 || tables->bytes[at] != 0 || at + 1 == tables->count))
            return object_refuse(c->o, OBJECT_TABLES, at, "no accessor reads the byte at 0x%" PRIx64, at);
    }
    return MF_OK;
}

mf_status object_cover_check(const object_cover *c) {
    if (c->problem[0] != '\0')
        return object_refuse(c->o, OBJECT_TEXT, 0, "%s", c->problem);
    mf_status status = check_code(c);
    if (status == MF_OK)
        status = check_sites(c);
    if (status == MF_OK)
        status = check_entries(c);
    return status == MF_OK ? check_tables(c) : status;
}

/* ---- Life ---- */

mf_status object_cover_init(object_cover *c, object *o) {
    uint64_t text_bytes = o->images[OBJECT_TEXT].count;
    *c = (object_cover){.o = o, .decoder = decoder_create()};
    c->instructions = calloc(text_bytes + 1, sizeof *c->instructions);
    c->is_inside = calloc(text_bytes + 1, sizeof *c->is_inside);
    c->is_read = calloc(o->images[OBJECT_TABLES].count + 1, sizeof *c->is_read);
    c->is_used = calloc(o->entry_count + 1, sizeof *c->is_used);
    if (c->decoder == NULL || c->instructions == NULL || c->is_inside == NULL || c->is_read == NULL ||
        c->is_used == NULL)
        return mf_diag_set(o->diag, MF_OUT_OF_MEMORY, text_bytes, "no memory for an object");
    return MF_OK;
}

void object_cover_fini(object_cover *c) {
    decoder_destroy(c->decoder);
    free(c->instructions);
    free(c->is_inside);
    free(c->is_read);
    free(c->is_used);
}
