/* Rules for arguments: which ranges are whole pages of the guest space, and what may be done with them. */
#include "pages.h"

#include <string.h>

bool page_is_zero(const unsigned char *bytes) {
    static const unsigned char zeros[MF_PAGE_SIZE];
    return memcmp(bytes, zeros, MF_PAGE_SIZE) == 0;
}

mf_status access_check(mf_access access, mf_diag *diag) {
    if (access == MF_READ_ONLY || access == MF_READ_WRITE)
        return MF_OK;
    return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint32_t)access, "there is no access %u",
                       (unsigned)access);
}

mf_status perm_check(mf_perm perm, mf_diag *diag) {
    if (perm == MF_PERM_NONE || perm == MF_PERM_RO || perm == MF_PERM_RW)
        return MF_OK;
    return mf_diag_set(diag, MF_INVALID_ARGUMENT, (uint32_t)perm, "there is no permission %u",
                       (unsigned)perm);
}

mf_status space_range_check(uint64_t start, uint64_t size, mf_diag *diag) {
    uint64_t end = saturating_add(start, size);
    if (end > MF_SPACE_BYTES) {
        return mf_diag_set(diag, MF_OVERFLOW, end, "the range ends past 2^32, at 0x%llx",
                           (unsigned long long)end);
    }
    return MF_OK;
}

mf_status page_range_check(uint64_t start, uint64_t size, mf_diag *diag) {
    if (start % MF_PAGE_SIZE != 0) {
        return mf_diag_set(diag, MF_UNALIGNED_START, start, "the start 0x%llx is not a multiple of %d",
                           (unsigned long long)start, MF_PAGE_SIZE);
    }
    if (size % MF_PAGE_SIZE != 0) {
        return mf_diag_set(diag, MF_UNALIGNED_SIZE, size, "the size 0x%llx is not a multiple of %d",
                           (unsigned long long)size, MF_PAGE_SIZE);
    }
    return space_range_check(start, size, diag);
}
