#include "verify/object.h"

#include <stdlib.h>

static mf_status open(object *o, const void *bytes, size_t byte_count, mf_diag *diag) {
    *o = (object){.diag = diag};
    mf_status status = elf_file_open(&o->file, bytes, byte_count, diag);
    if (status == MF_OK)
        status = object_take_sections(o);
    return status == MF_OK ? object_take_note(o) : status;
}

mf_status mf_object_note_read(const void *bytes, size_t byte_count, mf_object_note *note, mf_diag *diag) {
    object o;
    mf_status status = open(&o, bytes, byte_count, diag);
    if (status == MF_OK)
        *note = o.note;
    return status;
}

mf_status object_init(object *o, const void *bytes, size_t byte_count, mf_diag *diag) {
    mf_status status = open(o, bytes, byte_count, diag);
    if (status == MF_OK && o->note.abi_version != MF_ABI_VERSION)
        status = object_refuse(o, OBJECT_OPTIONS, o->note.abi_version,
                               "the object is of ABI version %u, this memfold of %d", o->note.abi_version,
                               MF_ABI_VERSION);
    if (status == MF_OK)
        status = object_take_symbols(o);
    if (status == MF_OK)
        status = object_relocate(o);
    return status == MF_OK ? object_check_parts(o) : status;
}

void object_fini(object *o) {
    for (object_section section = 0; section < OBJECT_LOADED_COUNT; section++) {
        free(o->images[section].bytes);
        free(o->images[section].is_relocated);
    }
    free(o->sites);
    free(o->entries);
}

/* Accessors call neither of the entry points that take tables. */
verify_code object_code(object *o, const verify_observer *observer) {
    const object_image *text = &o->images[OBJECT_TEXT];
    const object_image *tables = &o->images[OBJECT_TABLES];
    verify_code code = {.is_relocatable = true, .entries = o->entries, .entry_count = o->entry_count};
    o->ranges[0] = (verify_range){text->address, text->count, text->bytes};
    o->ranges[1] = (verify_range){o->words_address, sizeof o->words, (const unsigned char *)o->words};
    o->ranges[2] = (verify_range){tables->address, tables->count, tables->bytes};
    code.ranges = o->ranges;
    code.range_count = tables->count == 0 ? 2 : 3;
    for (mf_rt_entry entry = 0; entry < MF_RT_ENTRY_COUNT; entry++)
        if (o->is_declared[entry] && entry != MF_RT_REGISTER && entry != MF_RT_UNREGISTER)
            code.runtime[entry] = o->words[entry];
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        code.accessors[id] = text->address + o->functions[id].start;
    if (observer != NULL)
        code.observer = *observer;
    return code;
}
