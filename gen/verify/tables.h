/*
 * Constant tables. A lookup is proved for a table of arbitrary content; here the content that is there is
 * compared with the layout's pages, granule by granule.
 */
#ifndef MEMFOLD_GEN_VERIFY_TABLES_H
#define MEMFOLD_GEN_VERIFY_TABLES_H

#include "verify/code.h"

/* How a table speaks of granules: by a byte, 0 or 1, or by a bit, the lowest of a byte first. */
typedef struct table_form {
    uint32_t granule_log2;
    bool is_bits;
} table_form;

/* The bytes of a table in that form: an entry for each granule of the space. */
uint64_t table_bytes(table_form form);

/*
 * True if the table at `address` says of each granule what `pages` says (one byte a page, 1: accessible) of
 * all of its pages. If not, `page` is the first of which it does not.
 */
bool table_agrees(const verify_code *code, uint64_t address, table_form form, const uint8_t *pages,
                  uint64_t *page);

#endif
