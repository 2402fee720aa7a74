/*
 * The copy backend: the whole guest space is reserved once, so the base never moves; the low part that may
 * hold bytes is committed as it grows, which costs nothing until a byte is written. Permissions are
 * checked by software alone. The page above the top is never committed.
 */
#include "memory_impl.h"
#include "os.h"

#include <string.h>

#define RESERVED_BYTES (MF_SPACE_BYTES + MF_PAGE_SIZE)

/* A multiple of the page size of every Linux host, and a divisor of 2^32. */
#define COMMIT_BYTES (UINT64_C(1) << 16)

static bool copy_open(mf_memory *memory) {
    memory->view.base = mf_os_reserve(RESERVED_BYTES);
    return memory->view.base != NULL;
}

static void copy_close(mf_memory *memory) {
    mf_os_release(memory->view.base, RESERVED_BYTES);
}

static bool copy_extend(mf_memory *memory, uint64_t end) {
    uint64_t wanted_bytes = (end + COMMIT_BYTES - 1) / COMMIT_BYTES * COMMIT_BYTES;
    if (wanted_bytes <= memory->host_bytes) {
        return true;
    }
    if (!mf_os_commit(memory->view.base + memory->host_bytes, wanted_bytes - memory->host_bytes)) {
        return false;
    }
    memory->host_bytes = wanted_bytes;
    return true;
}

static bool copy_set_perms(mf_memory *memory, mf_page_run run, mf_perm perm) {
    return perm == MF_PERM_NONE || copy_extend(memory, mf_page_bytes(run.end));
}

static bool copy_set_layout(mf_memory *memory, const mf_layout *layout) {
    return copy_extend(memory, mf_layout_len(layout));
}

static void copy_write(mf_memory *memory, uint64_t start, const void *bytes, size_t count) {
    memcpy(memory->view.base + start, bytes, count);
}

static void copy_zero(mf_memory *memory, mf_page_run run) {
    uint64_t start = mf_page_bytes(run.first);
    uint64_t end = mf_page_bytes(run.end) < memory->host_bytes ? mf_page_bytes(run.end) : memory->host_bytes;
    if (start < end) {
        mf_os_zero(memory->view.base + start, end - start);
    }
}

static bool copy_copy(mf_memory *memory, const mf_memory *from) {
    if (!copy_extend(memory, from->host_bytes)) {
        return false;
    }
    mf_os_copy_nonzero(memory->view.base, from->view.base, from->host_bytes);
    return true;
}

const mf_backend_ops mf_backend_copy_ops = {
    .open = copy_open,
    .close = copy_close,
    .extend = copy_extend,
    .set_perms = copy_set_perms,
    .set_layout = copy_set_layout,
    .write = copy_write,
    .zero = copy_zero,
    .copy = copy_copy,
};
