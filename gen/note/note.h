/*
 * The note that an emitted object carries: with what it was made, as text, a line for each fact in a fixed
 * order:
 *
 *     memfold 0.1.0
 *     abi 3
 *     prefix sandbox
 *     fingerprint 0x0123456789abcdef
 *     backend 0
 *     ...
 *
 * and so on for every field of MF_ACCESSOR_OPTIONS, decimal. There is one way to write a note, so that two
 * notes are equal exactly if their bytes are.
 */
#ifndef MEMFOLD_GEN_NOTE_NOTE_H
#define MEMFOLD_GEN_NOTE_NOTE_H

#include <memfold/object.h>

/* No text of a note is longer, without a terminator. */
#define NOTE_TEXT_BYTES_MAX 1024

/* Writes the text, terminated, and returns its length. */
size_t note_print(const mf_object_note *note, char text[NOTE_TEXT_BYTES_MAX + 1]);

/*
 * Reads a text that is `text_bytes` long. MF_BAD_INPUT, and the diag says which line, unless note_print
 * writes exactly these bytes for what has been read, and the options go together.
 */
mf_status note_parse(const char *text, size_t text_bytes, mf_object_note *note, mf_diag *diag);

#endif
