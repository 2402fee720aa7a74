#include "verify/tables.h"

uint64_t table_bytes(table_form form) {
    uint64_t granules = MF_SPACE_BYTES >> form.granule_log2;
    return form.is_bits ? granules / 8 : granules;
}

/* What the entry says of granule `n`. */
static uint8_t entry_of(table_form form, const uint8_t *bytes, uint64_t n) {
    return form.is_bits ? (uint8_t)(bytes[n / 8] >> n % 8 & 1) : bytes[n];
}

/* Tables are read in parts. */
#define PART_BYTES 4096

bool table_agrees(const verify_code *code, uint64_t address, table_form form, const uint8_t *pages,
                  uint64_t *page) {
    uint8_t part[PART_BYTES];
    uint64_t count = table_bytes(form);
    uint64_t granule_pages = UINT64_C(1) << (form.granule_log2 - MF_PAGE_LOG2);
    uint64_t part_pages = PART_BYTES * granule_pages * (form.is_bits ? 8 : 1);
    *page = 0;
    for (uint64_t at = 0; at < count; at += PART_BYTES) {
        uint64_t left = count - at < PART_BYTES ? count - at : PART_BYTES;
        if (!verify_code_read(code, address + at, part, left))
            return false;
        for (uint64_t n = 0; n < part_pages && *page < MF_SPACE_PAGES; n++, (*page)++)
            if (pages[*page] != entry_of(form, part, n / granule_pages))
                return false;
    }
    return true;
}
