/*
 * The contract as plainly as it can be said: a guest memory of its own that looks at every byte of every
 * access, one after the other. It shares no code with the library (only names of the ABI) and is what every
 * engine is compared with.
 */
#ifndef MEMFOLD_TEST_REFERENCE_H
#define MEMFOLD_TEST_REFERENCE_H

#include <memfold/abi.h>
#include <memfold/layout.h>
#include <memfold/options.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A guest page that has ever been given a byte. */
typedef struct reference_page {
    uint32_t number;
    unsigned char bytes[MF_PAGE_SIZE];
} reference_page;

/* What reset brings back and clone copies. */
typedef struct reference_state {
    unsigned char *perms;   /* MF_SPACE_PAGES of them */
    reference_page **table; /* by page number; NULL: all zero */
    reference_page **pages; /* the same pages, as a list */
    size_t page_count;
    size_t page_capacity;
    uint64_t heap_top;
} reference_state;

typedef struct reference {
    reference_state now;
    reference_state created;
    mf_heap heap;               /* of creation */
    mf_empty_range empty_range; /* as the memory's configuration */
    mf_fault fault;
    uint64_t bounds_end; /* remembered between changes; UINT64_MAX: not known */
} reference;

/* A reference with no page and this heap. Build it up with map_region and poke, then seal it. */
reference *reference_create(mf_heap heap);
void reference_destroy(reference *r);

/* What is there now is the state of creation. */
void reference_seal(reference *r);

/* A copy of its own, with a clear fault record. */
reference *reference_clone(const reference *r);

/* ---- Single bytes -------------------------------------------------------------------------- */

/* Whether the byte at `index` may be touched, by permission. */
bool reference_byte_allows(const reference *r, uint64_t index, mf_operation operation);
unsigned char reference_peek(const reference *r, uint64_t index);
void reference_poke(reference *r, uint64_t index, unsigned char byte);

/* ---- Accesses: false, the fault recorded and nothing changed, or true ------------------------ */

/* The end of what the bounds policy lets through on the layout that the memory has now. */
uint64_t reference_bounds_end(reference *r);

/* `value` is the bytes in guest order, zero-extended. */
bool reference_load(reference *r, mf_policy policy, mf_endian endian, uint64_t index, uint32_t width_bytes,
                    uint64_t *value);
bool reference_store(reference *r, mf_policy policy, mf_endian endian, uint64_t index, uint32_t width_bytes,
                     uint64_t value);

/* The end of the highest page that the operation may touch. */
uint64_t reference_end_for(const reference *r, mf_operation operation);

bool reference_is_accessible(const reference *r, uint64_t index, uint64_t length, mf_operation operation);

/* As is_accessible, but a refusal is recorded, as span does. */
bool reference_check(reference *r, uint64_t index, uint64_t length, mf_operation operation);
bool reference_read(reference *r, uint64_t index, unsigned char *to, uint64_t length);
bool reference_write(reference *r, uint64_t index, const unsigned char *from, uint64_t length);
bool reference_fill(reference *r, uint64_t index, unsigned char byte, uint64_t length);
bool reference_copy(reference *r, uint64_t to, uint64_t from, uint64_t length);

/* ---- Changes ------------------------------------------------------------------------------- */

/* The status of a refused change, with the offending number, or MF_OK. */
mf_status reference_map_region(reference *r, uint64_t start, uint64_t size, mf_access access,
                               const unsigned char *init, size_t init_bytes, uint64_t *offending);
mf_status reference_protect(reference *r, uint64_t start, uint64_t size, mf_perm perm, uint64_t *offending);
mf_status reference_unmap(reference *r, uint64_t start, uint64_t size, uint64_t *offending);
bool reference_sbrk(reference *r, uint64_t bytes, uint64_t *old_top);
void reference_reset(reference *r);

/* The end of the highest page that is not MF_PERM_NONE. */
uint64_t reference_len(const reference *r);

#endif
