/*
 * System calls: the number is in a7, the arguments are in a0 to a2, the result comes back in a0.
 *
 *     64    write(file, address, length)   length, or -EFAULT, or -EBADF: files 1 and 2 are there
 *     93    exit(status)
 *     1024  sbrk(bytes)                    the old end of the heap, or -ENOMEM
 *     else                                 -ENOSYS
 *
 * The numbers of write and exit, and the errors, are those of Linux on RISC-V.
 */
#include "guest.h"

#include <errno.h>
#include <stdio.h>

enum { CALL_WRITE = 64, CALL_EXIT = 93, CALL_SBRK = 1024 };

/* memfold checks the guest's range once and lends its bytes. */
static uint32_t call_write(guest *g) {
    const uint32_t *x = g->state.x;
    FILE *file = x[GUEST_A0] == 1 ? stdout : x[GUEST_A0] == 2 ? stderr : NULL;
    if (file == NULL)
        return (uint32_t)-EBADF;
    const void *bytes = mf_view_span(g->view, x[GUEST_A1], x[GUEST_A2], MF_LOAD);
    if (bytes == NULL)
        return (uint32_t)-EFAULT;
    return (uint32_t)fwrite(bytes, 1, x[GUEST_A2], file);
}

/* The heap's new pages need no new code: generated checks read where it ends. */
static uint32_t call_sbrk(guest *g) {
    uint64_t old_top;
    mf_diag diag;
    mf_status status = mf_memory_sbrk(g->memory, g->state.x[GUEST_A0], &old_top, &diag);
    return status == MF_OK ? (uint32_t)old_top : (uint32_t)-ENOMEM;
}

bool guest_system_call(guest *g, int *status) {
    uint32_t *x = g->state.x;
    switch (x[GUEST_A7]) {
    case CALL_WRITE:
        x[GUEST_A0] = call_write(g);
        break;
    case CALL_EXIT:
        *status = (int)(x[GUEST_A0] & 0xFF);
        return false;
    case CALL_SBRK:
        x[GUEST_A0] = call_sbrk(g);
        break;
    default:
        x[GUEST_A0] = (uint32_t)-ENOSYS;
    }
    return true;
}
