/* Output files that are complete or not there. */
#ifndef MEMFOLD_TOOLS_OUTPUT_H
#define MEMFOLD_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/* A file being written. `stream` is the caller's to write to; the rest is private. */
typedef struct output_file {
    FILE *stream;
    const char *path; /* as the user named it */
    char *target;     /* what is replaced at the end; NULL if the stream writes to it directly */
    char *temporary;  /* beside it */
} output_file;

/*
 * Opens `path` ("-": standard output) for writing. A regular file, or one that is not there yet, keeps its
 * content until output_finish; anything else, such as /dev/null, is written directly, and so is the file that
 * standard output is. The new file has the mode of the old one without its set-ID bits, and its owner where
 * that is allowed. A link is followed, and one that leads nowhere is refused. On failure prints why and
 * returns false. `path` stays borrowed. A signal that ends the command leaves no trace; one file at a time.
 */
bool output_open(output_file *output, const char *path);

/* Puts the written file in its place. On failure prints why, leaves no trace and returns false. */
bool output_finish(output_file *output);

/*
 * To be called first. From now on a write error on standard output ends the process with EXIT_BAD_INPUT; and
 * a standard stream that was closed stays useless: no file that is opened later takes its number.
 */
void standard_streams_watch(void);

#endif
