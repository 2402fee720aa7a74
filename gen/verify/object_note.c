/* The note of an object, and what two notes have in common: name bytes, description bytes, type, name. */
#include "verify/object.h"

#include "note/note.h"

#include <memfold/exception_table.h>

#include <string.h>

typedef struct note_header {
    uint32_t name_bytes;
    uint32_t description_bytes;
    uint32_t type;
    char name[8];
} note_header;

MF_STATIC_ASSERT(sizeof MF_OBJECT_NOTE_NAME == 8 && sizeof MF_EXCEPTION_NOTE_NAME == 8, "name");

mf_status object_take_note(object *o) {
    const unsigned char *bytes = elf_file_bytes(&o->file, o->sections[OBJECT_OPTIONS]);
    uint64_t count = o->file.sections[o->sections[OBJECT_OPTIONS]].sh_size;
    note_header header;
    if (count < sizeof header)
        return object_refuse(o, OBJECT_OPTIONS, count, "it is too short for a note");
    memcpy(&header, bytes, sizeof header);
    if (header.name_bytes != sizeof header.name || header.type != MF_OBJECT_NOTE_TYPE ||
        memcmp(header.name, MF_OBJECT_NOTE_NAME, sizeof header.name) != 0)
        return object_refuse(o, OBJECT_OPTIONS, header.type, "it is not a note of memfold's");
    uint64_t room = count - sizeof header;
    uint64_t padding = room - header.description_bytes;
    if (header.description_bytes > room || padding > 3 || count % 4 != 0)
        return object_refuse(o, OBJECT_OPTIONS, header.description_bytes,
                             "its note has %u bytes of text where there are %llu", header.description_bytes,
                             (unsigned long long)room);
    if (memcmp(bytes + count - padding, "\0\0\0", padding) != 0)
        return object_refuse(o, OBJECT_OPTIONS, padding, "there is something behind the note");
    mf_diag error = {0};
    mf_status status =
        note_parse((const char *)bytes + sizeof header, header.description_bytes, &o->note, &error);
    return status == MF_OK ? MF_OK : object_refuse(o, OBJECT_OPTIONS, error.value, "%s", error.message);
}
