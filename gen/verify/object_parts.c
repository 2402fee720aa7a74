/* What the data of an object say, and the two functions that are no accessors. */
#include "verify/object.h"

#include <stdlib.h>
#include <string.h>

/* ---- Fields ---- */

static bool is_relocated(const object_image *image, uint64_t at, uint64_t count) {
    for (uint64_t i = at; i < at + count; i++)
        if (!image->is_relocated[i])
            return false;
    return true;
}

/* Which address the 64-bit field at `at` is, or 0 if it is no address. */
static uint64_t address_at(const object_image *image, uint64_t at) {
    uint64_t address = 0;
    if (is_relocated(image, at, sizeof address))
        memcpy(&address, image->bytes + at, sizeof address);
    return address;
}

static uint64_t function_address(const object *o, size_t function) {
    return o->images[OBJECT_TEXT].address + o->functions[function].start;
}

/* ---- The set ---- */

static mf_status check_members(const object *o) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (address_at(&o->images[OBJECT_SET], 8 * (uint64_t)id) != function_address(o, id))
            return object_refuse(o, OBJECT_SET, id, "member '%s' of the set is another function",
                                 mf_accessor_info_get(id)->name);
    return MF_OK;
}

static mf_status check_set(const object *o) {
    mf_accessors set;
    mf_status status = check_members(o);
    if (status != MF_OK)
        return status;
    memcpy(&set, o->images[OBJECT_SET].bytes, sizeof set);
    uint64_t stamp = MF_LAYOUT_STAMP(o->note.fingerprint, o->note.options.backend);
    if (set.layout_stamp != 0 && set.layout_stamp != stamp)
        return object_refuse(o, OBJECT_SET, set.layout_stamp,
                             "layout_stamp of the set is 0x%llx, that of the note's layout 0x%llx",
                             (unsigned long long)set.layout_stamp, (unsigned long long)stamp);
    uint32_t backends = MF_ACCESSORS_SERVE(o->note.options.backend);
    if (o->note.options.index == MF_INDEX_U32)
        backends |= MF_ACCESSORS_SERVE_U32(o->note.options.backend);
    if (set.backends != backends)
        return object_refuse(o, OBJECT_SET, set.backends, "backends of the set is 0x%x, not the note's one",
                             set.backends);
    if (set.policy != (uint32_t)o->note.options.policy)
        return object_refuse(o, OBJECT_SET, set.policy, "policy of the set is %u, that of the note %u",
                             set.policy, (unsigned)o->note.options.policy);
    return MF_OK;
}

/* ---- The exception table ---- */

static bool is_in_accessor(const object *o, uint64_t address) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        if (address - function_address(o, id) < o->functions[id].bytes)
            return true;
    return false;
}

static uint64_t relative_address(const object_image *image, uint64_t at) {
    int32_t distance;
    memcpy(&distance, image->bytes + at, sizeof distance);
    return image->address + at + (uint64_t)(int64_t)distance;
}

static mf_status take_entry(object *o, uint64_t at) {
    const object_image *image = &o->images[OBJECT_ENTRIES];
    if (!is_relocated(image, at, sizeof(mf_exception_entry)))
        return object_refuse(o, OBJECT_ENTRIES, at, "the entry at 0x%llx has a field that is no address",
                             (unsigned long long)at);
    verify_entry entry = {relative_address(image, at), relative_address(image, at + sizeof(int32_t))};
    if (!is_in_accessor(o, entry.access) || !is_in_accessor(o, entry.resume))
        return object_refuse(o, OBJECT_ENTRIES, at, "the entry at 0x%llx is of no accessor",
                             (unsigned long long)at);
    for (size_t i = 0; i < o->entry_count; i++)
        if (o->entries[i].access == entry.access)
            return object_refuse(o, OBJECT_ENTRIES, at,
                                 "the entries at 0x%zx and 0x%llx are of the same instruction",
                                 i * sizeof(mf_exception_entry), (unsigned long long)at);
    o->entries[o->entry_count++] = entry;
    return MF_OK;
}

/* Each accessor has one at most, so there are few. */
static mf_status take_entries(object *o) {
    uint64_t bytes = o->images[OBJECT_ENTRIES].count;
    uint64_t count = bytes / sizeof(mf_exception_entry);
    if (bytes % sizeof(mf_exception_entry) != 0 || count == 0 || count > MF_ACCESSOR_COUNT)
        return object_refuse(o, OBJECT_ENTRIES, bytes,
                             "it has %llu bytes; entries have %zu, and there are 1 to %d",
                             (unsigned long long)bytes, sizeof(mf_exception_entry), MF_ACCESSOR_COUNT);
    o->entries = calloc(count, sizeof *o->entries);
    if (o->entries == NULL)
        return mf_diag_set(o->diag, MF_OUT_OF_MEMORY, count, "no memory for an object");
    for (uint64_t i = 0; i < count; i++) {
        mf_status status = take_entry(o, i * sizeof(mf_exception_entry));
        if (status != MF_OK)
            return status;
    }
    return MF_OK;
}

/* Both fields of its description are relative to themselves. */
static mf_status check_bounds_note(const object *o) {
    static const unsigned char HEADER[20] = {sizeof MF_EXCEPTION_NOTE_NAME,
                                             0,
                                             0,
                                             0,
                                             sizeof(mf_exception_note),
                                             0,
                                             0,
                                             0,
                                             MF_EXCEPTION_NOTE_TYPE,
                                             0,
                                             0,
                                             0,
                                             'm',
                                             'e',
                                             'm',
                                             'f',
                                             'o',
                                             'l',
                                             'd',
                                             0};
    const object_image *image = &o->images[OBJECT_BOUNDS];
    const object_image *table = &o->images[OBJECT_ENTRIES];
    uint64_t begin = address_at(image, 20) + image->address + 20;
    uint64_t end = address_at(image, 28) + image->address + 28;
    if (memcmp(image->bytes, HEADER, sizeof HEADER) != 0 || begin != table->address ||
        end != table->address + table->count)
        return object_refuse(o, OBJECT_BOUNDS, 0, "it is not the note of the object's exception table");
    return MF_OK;
}

/* ---- The functions that register the table ---- */

#define HOOK_BYTES 22

/* The distance to `target` of the 4 bytes at `at` of the hook, before which a relocation must be. */
static bool put_distance(const object *o, size_t hook, unsigned char *code, uint64_t at, uint64_t target) {
    uint64_t start = o->functions[hook].start;
    uint32_t distance = (uint32_t)(target - (function_address(o, hook) + at + 4));
    memcpy(code + at, &distance, sizeof distance);
    return is_relocated(&o->images[OBJECT_TEXT], start + at, sizeof distance);
}

/* push rax; lea rdi, [rip + start]; lea rsi, [rip + stop]; call the entry; pop rax; ret: in this form only.
 */
static mf_status check_hook(const object *o, size_t hook, mf_rt_entry entry, object_section list) {
    unsigned char code[HOOK_BYTES] = {0x50, 0x48, 0x8d, 0x3d, 0,    0, 0, 0, 0x48, 0x8d, 0x35,
                                      0,    0,    0,    0,    0xe8, 0, 0, 0, 0,    0x58, 0xc3};
    const object_image *table = &o->images[OBJECT_ENTRIES];
    const object_function *f = &o->functions[hook];
    bool is_relocated = put_distance(o, hook, code, 4, table->address) &&
                        put_distance(o, hook, code, 11, table->address + table->count) &&
                        put_distance(o, hook, code, 16, o->words[entry]);
    if (f->bytes != HOOK_BYTES || !is_relocated ||
        memcmp(o->images[OBJECT_TEXT].bytes + f->start, code, HOOK_BYTES) != 0)
        return object_refuse(
            o, OBJECT_TEXT, f->start,
            "the function at 0x%llx does not hand the exception table to the runtime as memfold's",
            (unsigned long long)f->start);
    if (address_at(&o->images[list], 0) != function_address(o, hook))
        return object_refuse(o, list, 0, "it calls another function than memfold's");
    return MF_OK;
}

static mf_status check_table(object *o) {
    mf_status status = take_entries(o);
    if (status == MF_OK)
        status = check_bounds_note(o);
    if (status == MF_OK)
        status = check_hook(o, OBJECT_REGISTER, MF_RT_REGISTER, OBJECT_INIT);
    return status == MF_OK ? check_hook(o, OBJECT_UNREGISTER, MF_RT_UNREGISTER, OBJECT_FINI) : status;
}

mf_status object_check_parts(object *o) {
    if (address_at(&o->images[OBJECT_STAMP], 0) == 0)
        return object_refuse(o, OBJECT_STAMP, 0, "it does not refer to '" MF_ABI_STAMP_SYMBOL "'");
    mf_status status = check_set(o);
    return status == MF_OK && o->sections[OBJECT_ENTRIES] != 0 ? check_table(o) : status;
}
