/*
 * Accessors as function pointers, made at run time: by stencils, machine code with holes for a layout's
 * numbers that is copied and filled in about a microsecond, or by whom the client names (llvm_maker.h).
 *
 * An mf_jit caches what it has made by layout content and options; an mf_code is one counted reference to
 * one accessor set. Example:
 *
 *     #include <memfold/jit.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         mf_memory *memory;
 *         mf_jit *jit;
 *         mf_code *code;
 *         mf_diag diag;
 *         if (mf_layout_builder_map_region(builder, 0x20000, 4096, MF_READ_WRITE, NULL, 0, &diag) ||
 *             mf_layout_builder_finish(builder, &layout, NULL, &diag) ||
 *             mf_memory_create(layout, NULL, MF_BACKEND_COPY, &memory, &diag) ||
 *             mf_jit_create(NULL, &jit, &diag) || mf_jit_get_for(jit, memory, NULL, &code, &diag)) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         const mf_accessors *guest = mf_code_accessors(code);
 *         mf_view *view = mf_memory_view(memory);
 *         guest->store_u32(view, 0x20000, 42);
 *         mf_load_result inside = guest->load_u32(view, 0x20000);
 *         mf_load_result across = guest->load_u32(view, 0x20ffe); // two of its bytes lie outside
 *         printf("%d, then a fault on page 0x%llx\n", (int)inside.value,
 *                (unsigned long long)view->fault.page);
 *         mf_code_release(code);
 *         mf_jit_destroy(jit);
 *         mf_memory_destroy(memory);
 *         mf_layout_release(layout);
 *         mf_layout_builder_destroy(builder);
 *         return inside.value == 42 && across.status == MF_PAGE_FAULT ? 0 : 1;
 *     }
 *
 * Thread rule: every function here may run in any thread, several at once on one mf_jit, except that
 * mf_jit_destroy excludes all others on that mf_jit. None of them runs in a signal handler, and none is left
 * by a jump out of one that has interrupted it, not even a request for known code: what it holds would stay
 * held, and the next change of the cache would wait for ever. Who jumps like that blocks the signal
 * meanwhile.
 *
 * Fork. The child of a process goes on with its jits, known code and new code, whatever other threads were
 * doing: fork waits until none of them is making or freeing code. It is not called in a signal handler. Code
 * of stencils that was made before is then shared by both and written by neither: its memory is used again
 * only when all of it has been released. A child that does not run the handlers of pthread_atfork, as after
 * _Fork, runs known code and asks for none.
 *
 * Debuggers. gdb names all code and walks through it. In code of stencils, whose pages are shared and not
 * writable where they are executed, it can set hardware breakpoints only (hbreak). Exceptions of C++, such as
 * one that the panic hook throws, pass through code of stencils where the program has an unwinder.
 *
 * Assertions. A library that was built with them (without NDEBUG, as in CMake's build type Debug) makes all
 * code of a jit with stale = check, whatever the options say, so that accessors that are not exact for a
 * memory's layout panic instead of serving it. A set that was asked for with stale = trust is then the same
 * set as one with check. Objects and embedded accessors (aot.h, embed.h) follow their options in every build.
 */
#ifndef MEMFOLD_JIT_H
#define MEMFOLD_JIT_H

#include <memfold/accessors.h>
#include <memfold/layout.h>
#include <memfold/memory.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>
#include <memfold/version.h>

#include <stdbool.h>

MF_PUBLIC_BEGIN

/* A code generator with its cache. */
typedef struct mf_jit mf_jit;

/* A reference to the accessors of one layout under one set of options. */
typedef struct mf_code mf_code;

/* Who makes the code of a jit: stencils, or see llvm_maker.h. */
typedef struct mf_code_maker mf_code_maker;

/* How a jit names its code, and who makes it. All zero is the default. */
typedef struct mf_jit_config {
    const char *symbol_prefix;  /* names in gdb and perf: <prefix>_<n>_load_u8; NULL: "memfold" */
    bool perf_map;              /* append every accessor to /tmp/perf-<pid>.map */
    const mf_code_maker *maker; /* NULL: stencils, which need no compiler */
} mf_jit_config;

/*
 * Writes a new code generator for the machine it runs on. `config` may be NULL, and is not needed afterwards.
 * The caller owns the jit and destroys it after it has released every mf_code. MF_INVALID_ARGUMENT (the
 * prefix is no C identifier of at most 128 bytes, or the maker is of another version of memfold),
 * MF_OUT_OF_MEMORY, MF_UNKNOWN_TARGET (this is no machine that code can be made for), MF_LLVM, MF_IO (the
 * perf map cannot be opened, or what stands in its place is not a regular file of this user with one name).
 */
mf_status mf_jit_create(const mf_jit_config *config, mf_jit **jit, mf_diag *diag);

/* The jit and what it has cached are gone; every mf_code has been released before. NULL does nothing. */
void mf_jit_destroy(mf_jit *jit);

/*
 * Writes a reference to the accessors of `layout` under `options` (NULL: the default): the known ones, or
 * new ones. Two threads that ask for the same at once get the same: one makes it and the other waits. The
 * caller releases the reference; at the last one the code is freed. The code is never writable and executable
 * at once. `layout` and `options` are not needed afterwards. A request for known code takes no lock.
 * MF_INVALID_ARGUMENT and MF_INEXACT_STRATEGY as mf_plan_make, MF_OUT_OF_MEMORY, MF_IO (the host refuses
 * memory for code), MF_UNKNOWN_TARGET (no stencil is for such a check), MF_LLVM (also where the host refuses
 * LLVM executable memory, and the message says so); a failed request leaves nothing in the cache.
 */
mf_status mf_jit_get(mf_jit *jit, const mf_layout *layout, const mf_accessor_options *options, mf_code **code,
                     mf_diag *diag);

/*
 * The same for the layout that `memory` has now. Ask again after map_region, protect, unmap or reset; sbrk
 * needs no new accessors. `options` name the memory's backend themselves. MF_INVALID_ARGUMENT also for
 * another backend, and for index = u33 on a memory that was made for u32. Counts as a change of the memory
 * for its thread rule.
 */
mf_status mf_jit_get_for(mf_jit *jit, mf_memory *memory, const mf_accessor_options *options, mf_code **code,
                         mf_diag *diag);

/* One more reference to `code`, which is not NULL: returns its argument. Never fails. */
mf_code *mf_code_retain(mf_code *code);

/* One reference less; at the last one no thread is inside the accessors, and they are freed. NULL does
 * nothing. */
void mf_code_release(mf_code *code);

/* Borrow the accessors and the layout they are for, as long as the reference is held. They never fail. */
const mf_accessors *mf_code_accessors(const mf_code *code);
const mf_layout *mf_code_layout(const mf_code *code);

/* Borrows the sizes of all structs that jit.h, plan.h, inline.h and stencil.h define, as mf_abi_sizes
 * (version.h). */
const mf_abi_size *mf_jit_abi_sizes(void);

MF_PUBLIC_END

#endif
