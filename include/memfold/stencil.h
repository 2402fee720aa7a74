/*
 * Accessors of a layout written into a buffer of your own: no jit, no cache, no lock, no system call. For
 * JITs that have memory for code already and want the accessors to lie beside their own. Example:
 *
 *     #include <memfold/memory.h>
 *     #include <memfold/stencil.h>
 *     #include <stdio.h>
 *     #include <sys/mman.h>
 *
 *     int main(void) {
 *         mf_memory *memory;
 *         mf_layout *layout;
 *         mf_stencil_set set;
 *         mf_accessors guest;
 *         mf_diag diag;
 *         size_t bytes;
 *         if (mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &memory, &diag) ||
 *             mf_memory_map_region(memory, 0x20000, 4096, MF_READ_ONLY, "\x2a", 1, &diag) ||
 *             mf_memory_layout(memory, &layout, &diag) || mf_stencil_size(layout, NULL, &bytes, &diag)) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         void *code = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
 *         if (code == MAP_FAILED || mf_stencil_emit(layout, NULL, code, bytes, &set, &diag) ||
 *             mprotect(code, bytes, PROT_READ | PROT_EXEC))
 *             return 1;
 *         mf_stencil_accessors(&set, code, &guest);
 *         mf_load_result loaded = guest.load_u8(mf_memory_view(memory), 0x20000);
 *         printf("%d from %zu bytes\n", (int)loaded.value, bytes);
 *         munmap(code, bytes);
 *         mf_layout_release(layout);
 *         mf_memory_destroy(memory);
 *         return loaded.value == 42 ? 0 : 1;
 *     }
 *
 * Unwinders and debuggers know nothing of your buffer. Where backtraces or an exception of C++ (panic.h) are
 * to pass, you register an unwind entry over it (__register_frame): at every instruction of a set the
 * canonical frame address is (rsp and -16) + 16, and the return address lies 8 bytes below it; where a set
 * calls, all registers that a function keeps are as they were.
 *
 * Thread rule: every function here may run in any thread, several at once, each with its own buffer.
 */
#ifndef MEMFOLD_STENCIL_H
#define MEMFOLD_STENCIL_H

#include <memfold/accessors.h>
#include <memfold/layout.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>

MF_PUBLIC_BEGIN

/* What the place where code runs is a multiple of, and each set's size. */
#define MF_STENCIL_ALIGNMENT 64

/* Where things are in what was written, in bytes from its start; and which memories it serves. */
typedef struct mf_stencil_set {
    uint32_t functions[MF_ACCESSOR_COUNT];
    uint32_t entries; /* mf_exception_entry (exception_table.h) of what may fault */
    uint32_t entry_count;
    uint32_t bytes;
    uint32_t policy;
    uint64_t layout_stamp; /* this and the two around it as in mf_accessors */
    uint32_t backends;
    uint32_t unused;
} mf_stencil_set;

/*
 * Writes how many bytes the accessors of `layout` under `options` (NULL: the default) take, a multiple of
 * MF_STENCIL_ALIGNMENT. MF_INVALID_ARGUMENT and MF_INEXACT_STRATEGY as mf_plan_make, MF_OUT_OF_MEMORY,
 * MF_UNKNOWN_TARGET if there is no code for such a check, or none for this machine.
 */
mf_status mf_stencil_size(const mf_layout *layout, const mf_accessor_options *options, size_t *bytes,
                          mf_diag *diag);

/*
 * Writes the accessors to `buffer`, and what was written where to `set`. The code is position-independent and
 * may be moved as a whole, or be mapped at another address: it runs at any multiple of MF_STENCIL_ALIGNMENT
 * in this process. Data lies behind the code, and is never written. Before paged accessors with a status run
 * their entries are registered at the place where they are read then (mf_exception_table_register); they are
 * unregistered before the code goes. Statuses as above, and MF_INVALID_ARGUMENT if buffer_bytes are too few;
 * then nothing is written.
 */
mf_status mf_stencil_emit(const mf_layout *layout, const mf_accessor_options *options, void *buffer,
                          size_t buffer_bytes, mf_stencil_set *set, mf_diag *diag);

/* Writes the accessors of a set that runs at `run`. */
void mf_stencil_accessors(const mf_stencil_set *set, const void *run, mf_accessors *accessors);

MF_PUBLIC_END

#endif
