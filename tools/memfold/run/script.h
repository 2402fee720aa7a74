/* The scripts of `memfold run`: parsed whole, before the first line runs. */
#ifndef MEMFOLD_TOOLS_RUN_SCRIPT_H
#define MEMFOLD_TOOLS_RUN_SCRIPT_H

#include <memfold/status.h>

#include <stddef.h>
#include <stdint.h>

typedef enum script_verb {
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
} script_verb;

/* The most operands that are numbers: copy and fill have three. */
#define SCRIPT_NUMBERS 3

/*
 * One command. The numbers stand in the order of the script. `choice` is the accessor (mf_accessor_id) of
 * load and store, the permission (mf_perm) of map and protect, the operation of accessible.
 */
struct script_command {
    uint64_t line; /* 1-based */
    uint64_t numbers[SCRIPT_NUMBERS];
    size_t payload_start; /* of write and map: into the payload of the script */
    size_t payload_bytes;
    uint8_t verb;
    uint8_t choice;
};

struct script {
    struct script_command *commands;
    size_t command_count, command_room;
    unsigned char *payload;
    size_t payload_bytes, payload_room;
};

/* The words by mf_perm and mf_operation; NULL behind the last. */
extern const char *const script_perm_words[];
extern const char *const script_operation_words[];

/* The words of a script for a permission (mf_perm), an operation and the kind of an accessor. */
const char *script_perm_word(unsigned perm);
const char *script_operation_word(unsigned operation);
const char *script_kind_word(unsigned accessor);

/*
 * Reads `path` ("-": standard input). `index_max` is the highest address of load and store. On MF_OK the
 * caller gives the script back with script_fini. MF_BAD_INPUT, MF_IO, MF_OUT_OF_MEMORY: `*bad_line` is the
 * line that the diagnostic is about, 0 if it is about the whole file.
 */
mf_status script_read(const char *path, uint64_t index_max, struct script *script, mf_diag *diag,
                      uint64_t *bad_line);
void script_fini(struct script *script);

#endif
