/* Encodings of instructions by the opcode maps: all that the decoder might take. */
#ifndef MEMFOLD_TEST_ENCODINGS_H
#define MEMFOLD_TEST_ENCODINGS_H

#include "random.h"

#include <verify/decode.h>

/*
 * The opcode alone, behind 0f, behind 0f 38, and the maps of the latter and of 0f 3a by VEX (SDM, 2.3).
 * Behind f3 0f is one instruction that the decoder takes.
 */
typedef enum encoding_map {
    MAP_ONE,
    MAP_0F,
    MAP_0F38,
    MAP_VEX_0F38,
    MAP_VEX_0F3A,
    MAP_F3_0F,
    MAP_COUNT
} encoding_map;

/* What is gone through one after the other; the rest of an encoding is random. All zero is the first. */
typedef struct encoding_slot {
    uint8_t map; /* encoding_map */
    uint8_t opcode;
    uint8_t prefixes; /* bit 0: 66, bit 1: 67; of VEX the two bits that stand for a prefix */
    uint8_t rex;      /* 0: none, 1: without W, 2: with W */
    uint8_t reg;      /* of the ModRM byte, as far as there is one */
    uint8_t is_memory;
} encoding_slot;

/* False behind the last. */
bool encoding_slot_next(encoding_slot *slot);

typedef struct encoding {
    uint8_t bytes[24];
    uint8_t opcode_at;
    uint8_t displacement_at; /* 0: there is none of 4 bytes */
} encoding;

void encoding_make(const encoding_slot *slot, random_source *random, encoding *e);

/*
 * Changes displacements so that the instruction, which has been decoded from the encoding, touches the
 * scratch memory, or jumps where it should (cpu_run.h). False if it cannot be run.
 */
bool encoding_aim(encoding *e, const instruction *i);

#endif
