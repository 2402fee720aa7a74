/*
 * LLVM as the maker of a jit's code. Example:
 *
 *     #include <memfold/llvm_maker.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         static mf_jit_config config;
 *         mf_memory *memory;
 *         mf_jit *jit;
 *         mf_code *code;
 *         mf_diag diag;
 *         config.maker = mf_llvm_maker();
 *         if (mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &memory, &diag) ||
 *             mf_memory_map_region(memory, 0x20000, 4096, MF_READ_ONLY, "\x2a", 1, &diag) ||
 *             mf_jit_create(&config, &jit, &diag) || mf_jit_get_for(jit, memory, NULL, &code, &diag)) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         mf_load_result loaded = mf_code_accessors(code)->load_u8(mf_memory_view(memory), 0x20000);
 *         printf("%d by LLVM\n", (int)loaded.value);
 *         mf_code_release(code);
 *         mf_jit_destroy(jit);
 *         mf_memory_destroy(memory);
 *         return loaded.value == 42 ? 0 : 1;
 *     }
 *
 * It serves every layout, option and machine that LLVM has code for, and takes milliseconds and
 * megabytes for each new accessor set.
 *
 * Fork. What jit.h says holds; fork also waits until nobody is emitting (aot.h). What the client itself does
 * in LLVM in other threads is not waited for.
 *
 * The end of the process. Threads may ask for code, and run it, while main returns or another thread calls
 * exit: that waits until nobody is compiling or emitting, and then new code is refused with MF_LLVM, because
 * LLVM's own state is destroyed. Known code can be had and run until the last thread is gone.
 *
 * Host memory. MF_OUT_OF_MEMORY says that memfold itself could not get memory, or that the host would not
 * give 32 MiB before LLVM is entered, much more than it takes for usual layouts; so a limit such as RLIMIT_AS
 * is met by a status. Where memory ends later, LLVM ends the process: its bad-alloc handler prints "LLVM
 * ERROR: out of memory" and aborts, or std::bad_alloc ends it by std::terminate. memfold installs no handler
 * of LLVM's. Do not catch such an exception outside: it would leave locks held behind it. mf_jit_create,
 * mf_jit_destroy, a request for code that is not known yet and the release of a last reference enter LLVM; a
 * program that must go on without memory makes its code early or ahead of time (aot.h), or uses generic.h.
 */
#ifndef MEMFOLD_LLVM_MAKER_H
#define MEMFOLD_LLVM_MAKER_H

#include <memfold/jit.h>
#include <memfold/public.h>

MF_PUBLIC_BEGIN

/* The maker, for mf_jit_config. It lives as long as the library. Any thread. */
const mf_code_maker *mf_llvm_maker(void);

MF_PUBLIC_END

#endif
