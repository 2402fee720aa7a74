/*
 * Accessors ahead of time: as an object file, assembly, LLVM IR, bitcode, or the C header that declares
 * them. Objects are linked with the runtime library and need no LLVM. `memfold emit` does the same from the
 * command line. Example:
 *
 *     #include <memfold/aot.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         static mf_aot_options options; // all zero: the default
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         mf_diag diag;
 *         char *bytes;
 *         size_t byte_count;
 *         options.symbol_prefix = "sandbox";
 *         if (mf_layout_builder_map_region(builder, 0x20000, 4096, MF_READ_WRITE, NULL, 0, &diag) ||
 *             mf_layout_builder_finish(builder, &layout, NULL, &diag) ||
 *             mf_aot_emit(layout, &options, MF_EMIT_HEADER, &bytes, &byte_count, &diag)) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         fwrite(bytes, 1, byte_count, stdout); // to be sandbox.h; MF_EMIT_OBJECT gives sandbox.o
 *         mf_aot_free(bytes);
 *         mf_layout_release(layout);
 *         mf_layout_builder_destroy(builder);
 *         return 0;
 *     }
 *
 * If LLVM finds no host memory it ends the process, as llvm_maker.h says; MF_OUT_OF_MEMORY is memfold's own.
 * When the process has begun to end nothing is emitted any more: MF_LLVM, as for a jit.
 */
#ifndef MEMFOLD_AOT_H
#define MEMFOLD_AOT_H

#include <memfold/layout.h>
#include <memfold/options.h>
#include <memfold/public.h>
#include <memfold/status.h>
#include <memfold/version.h>

MF_PUBLIC_BEGIN

/* What to write. */
typedef enum mf_emit_kind {
    MF_EMIT_IR = 0,   /* LLVM IR as text: functions that are inlined into every caller. Unlike machine code it
                         may use the red zone and vector registers */
    MF_EMIT_BITCODE,  /* the same in LLVM's binary form */
    MF_EMIT_ASSEMBLY, /* the target's assembly as text */
    MF_EMIT_OBJECT,   /* an ELF object, position-independent */
    MF_EMIT_HEADER    /* a C header, also for C++: prototypes, and the layout's constants as macros */
} mf_emit_kind;

/* For whom to emit. The strings are borrowed for the call. */
typedef struct mf_aot_options {
    mf_accessor_options accessors;
    const char *symbol_prefix; /* the functions are <prefix>_load_u8, ...: a C identifier of at most 128
                                  bytes, not "mf" and not beginning with "mf_" in either case; never NULL */
    const char *target; /* an LLVM triple of a 64-bit little-endian ELF target; NULL: this machine's. The
                           code runs on every CPU of the architecture */
} mf_aot_options;

/*
 * Writes `*byte_count` bytes of the wanted kind, followed by a NUL that is not counted, which the caller
 * frees with mf_aot_free. The same input always gives the same bytes. Beside the functions an object defines
 * `<prefix>_accessors`, an mf_accessors with all of them; with paged accessors that return a status it also
 * registers its exception table before main and unregisters it at the end (exception_table.h). Objects and
 * assembly carry a note with the options, which linkers leave out of what they link (object.h).
 *
 * `options` is not NULL. MF_INVALID_ARGUMENT: the prefix is not as above, the kind is none, options do not go
 * together, or the backend is x86_paged and the target another architecture. MF_UNKNOWN_TARGET, also where
 * only the header is asked for. MF_INEXACT_STRATEGY as mf_plan_make; MF_OUT_OF_MEMORY; MF_LLVM. Any thread;
 * not in a signal handler.
 */
mf_status mf_aot_emit(const mf_layout *layout, const mf_aot_options *options, mf_emit_kind kind, char **bytes,
                      size_t *byte_count, mf_diag *diag);

/* The bytes are gone. NULL does nothing. Any thread. */
void mf_aot_free(char *bytes);

/* Borrows the sizes of all structs that aot.h, layout_file.h and embed.h define, as mf_abi_sizes (version.h).
 */
const mf_abi_size *mf_gen_abi_sizes(void);

MF_PUBLIC_END

#endif
