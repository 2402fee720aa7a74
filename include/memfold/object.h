/*
 * Emitted objects: the note that says with what an object was made, and the proof of a whole object, so that
 * whoever loads it need not trust who made it. gen/verify/README.md says what is proved and what is not.
 * Example:
 *
 *     #include <memfold/aot.h>
 *     #include <memfold/object.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         static mf_aot_options options; // all zero: the default
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         mf_object_note note;
 *         static mf_verify_report report;
 *         mf_diag diag;
 *         char *object;
 *         size_t byte_count;
 *         options.symbol_prefix = "sandbox";
 *         if (mf_layout_builder_map_region(builder, 0x20000, 4096, MF_READ_WRITE, NULL, 0, &diag) ||
 *             mf_layout_builder_finish(builder, &layout, NULL, &diag) ||
 *             mf_aot_emit(layout, &options, MF_EMIT_OBJECT, &object, &byte_count, &diag) ||
 *             mf_verify_object(object, byte_count, layout, NULL, NULL, &note, &report, &diag)) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         printf("%s: %s\n", note.prefix, report.all_proved ? "proved" : "not proved"); // sandbox: proved
 *         mf_aot_free(object);
 *         mf_layout_release(layout);
 *         mf_layout_builder_destroy(builder);
 *         return report.all_proved ? 0 : 1;
 *     }
 *
 * Thread rule: every function here may run in any thread, several at once; none in a signal handler.
 */
#ifndef MEMFOLD_OBJECT_H
#define MEMFOLD_OBJECT_H

#include <memfold/layout.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>
#include <memfold/verify.h>

MF_PUBLIC_BEGIN

/*
 * The section of the note, its name and its type. The section is in objects only: linkers leave it out of
 * executables and shared objects (SHF_EXCLUDE).
 */
#define MF_OBJECT_NOTE_SECTION ".note.memfold.options"
#define MF_OBJECT_NOTE_NAME "memfold"
#define MF_OBJECT_NOTE_TYPE 2

/* What the note says. */
typedef struct mf_object_note {
    char version[32];     /* of the memfold that emitted the object, "0.1.0" */
    uint32_t abi_version; /* MF_ABI_VERSION of that memfold */
    char prefix[129];     /* of the symbols */
    uint64_t fingerprint; /* of the layout, mf_layout_fingerprint */
    mf_accessor_options options;
} mf_object_note;

/*
 * Writes what the note of an object says. `bytes` is the whole file, and nothing of it is trusted.
 * MF_BAD_INPUT: it is no relocatable ELF object for x86-64, or has not exactly one such note, or one that
 * memfold does not write; the diag says where. MF_OUT_OF_MEMORY.
 */
mf_status mf_object_note_read(const void *bytes, size_t byte_count, mf_object_note *note, mf_diag *diag);

/*
 * Writes what is proved of the accessors in an object, against the contract of `layout` under the options of
 * its note. `bytes` is the whole file, and nothing of it is trusted. When it returns MF_OK, the object
 * contains nothing but what memfold emits: no other section, symbol, relocation or undefined name, the
 * accessors' code and padding, constant data that they read, one entry of the exception table for each of
 * their accesses that may fault, and mf_accessors with these functions and what they fit. When, besides,
 * report->all_proved is true, each accessor keeps the contract, wherever a linker or loader puts the
 * sections.
 *
 * MF_BAD_INPUT, and the diag says where and why: the object contains something else; its note says another
 * ABI version or layout; `options` is not NULL and the note says others. MF_OUT_OF_MEMORY. `limits` may be
 * NULL. `note` may be NULL. `report` is written with MF_OK only.
 */
mf_status mf_verify_object(const void *bytes, size_t byte_count, const mf_layout *layout,
                           const mf_accessor_options *options, const mf_verify_limits *limits,
                           mf_object_note *note, mf_verify_report *report, mf_diag *diag);

MF_PUBLIC_END

#endif
