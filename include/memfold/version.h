/*
 * The version of the library and of the memfold command, and the sizes of the structs that programs share
 * with it. What emitted objects and the runtime agree on has a number of its own, MF_ABI_VERSION in abi.h.
 *
 * How interfaces grow. Within one version of the interface no struct and no function changes. Until 1.0 that
 * is a minor version, which the soname does not tell from the next, so ask mf_version; from 1.0 on a major
 * one. From one to the next a struct that programs fill in grows only at its tail, by members whose zero is
 * what was done before they were there, and keeps the place of every member it had. So a program that zeroes
 * such a struct before it sets members keeps its meaning when it is compiled again, and so does a binding for
 * another language that allocates what mf_abi_sizes says, zeroes it and sets what it knows. Enumerations grow
 * at their end.
 *
 * A binding asks once, when it loads the library: mf_version for what it is, and the sizes for whether its
 * own description of the structs fits. memfold-ffi.h, installed beside this header, is all declarations in
 * one file, whose only directives give numbers their names, for tools that read C but run no preprocessor.
 * Those that do, such as Go's cgo, include memfold.h. Example:
 *
 *     #include <memfold/abi.h>
 *     #include <memfold/version.h>
 *     #include <stdio.h>
 *     #include <string.h>
 *
 *     int main(void) {
 *         if (mf_version() / 1000 != MF_VERSION_NUMBER / 1000) // patches do not count
 *             return 1;
 *         puts("made with memfold " MF_VERSION);
 *         for (const mf_abi_size *each = mf_abi_sizes(); each->name != NULL; each++)
 *             if (strcmp(each->name, "mf_fault") == 0)
 *                 return each->bytes == sizeof(mf_fault) ? 0 : 1;
 *         return 1;
 *     }
 */
#ifndef MEMFOLD_VERSION_H
#define MEMFOLD_VERSION_H

#include <memfold/public.h>

#include <stddef.h>
#include <stdint.h>

MF_PUBLIC_BEGIN

/* The three numbers, all of them as text, and all of them as one number: 1.2.3 is 1002003. */
#define MF_VERSION_MAJOR 0
#define MF_VERSION_MINOR 1
#define MF_VERSION_PATCH 0
#define MF_VERSION "0.1.0"
#define MF_VERSION_NUMBER (MF_VERSION_MAJOR * 1000000 + MF_VERSION_MINOR * 1000 + MF_VERSION_PATCH)

/* The MF_VERSION_NUMBER of the runtime that the program has been linked with or has loaded. Any thread. */
uint32_t mf_version(void);

/* A struct of the public headers, by its name in C, and its size in the library. */
typedef struct mf_abi_size {
    const char *name;
    size_t bytes;
} mf_abi_size;

/*
 * Borrows the sizes of all structs that the headers of the runtime define; static storage, a name of NULL
 * behind the last. The other libraries have such a list each: mf_jit_abi_sizes (jit.h),
 * mf_verify_abi_sizes (verify.h), mf_gen_abi_sizes (aot.h), and for kernels mf_bare_abi_sizes (bare.h). Never
 * fails. Any thread.
 */
const mf_abi_size *mf_abi_sizes(void);

MF_PUBLIC_END

#endif
