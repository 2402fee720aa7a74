/* The scripts of `memfold run`: parsed whole, before the first line runs. */
#ifndef MEMFOLD_TOOLS_RUN_SCRIPT_H
#define MEMFOLD_TOOLS_RUN_SCRIPT_H

#include <memfold/status.h>

#include <stddef.h>
#include <stdint.h>

typedef enum run_verb {
    VERB_LOAD,
    VERB_STORE,
    VERB_READ,
    VERB_WRITE,
    VERB_FILL,
    VERB_COPY,
    VERB_PERM,
    VERB_ACCESSIBLE,
    VERB_MAP,
    VERB_PROTECT,
    VERB_UNMAP,
    VERB_SBRK,
    VERB_RESET
} run_verb;

/* The most operands that are numbers: copy and fill have three. */
#define RUN_NUMBERS_MAX 3

/*
 * One command. The numbers stand in the order of the script. `choice` is the accessor (mf_accessor_id) of
 * load and store, the permission (mf_perm) of map and protect, the operation of accessible.
 */
typedef struct run_command {
    uint64_t line; /* 1-based */
    uint64_t numbers[RUN_NUMBERS_MAX];
    size_t payload_start; /* of write and map: into the payload of the script */
    size_t payload_bytes;
    uint8_t verb;
    uint8_t choice;
} run_command;

typedef struct run_script {
    run_command *commands;
    size_t command_count, command_room;
    unsigned char *payload;
    size_t payload_bytes, payload_room;
} run_script;

/* The words by mf_perm and mf_operation; NULL behind the last. */
extern const char *const run_perm_words[];
extern const char *const run_operation_words[];

/* The words of a script for a permission (mf_perm), an operation and the kind of an accessor. */
const char *run_perm_word(unsigned perm);
const char *run_operation_word(unsigned operation);
const char *run_kind_word(unsigned accessor);

/*
 * Reads `path` ("-": standard input). `index_max` is the highest address of load and store. On MF_OK the
 * caller gives the script back with run_script_fini. MF_BAD_INPUT, MF_IO, MF_OUT_OF_MEMORY: `*bad_line` is
 * the line that the diagnostic is about, 0 if it is about the whole file.
 */
mf_status run_script_read(const char *path, uint64_t index_max, run_script *script, mf_diag *diag,
                          uint64_t *bad_line);
void run_script_fini(run_script *script);

#endif
