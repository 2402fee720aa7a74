/*
 * The entrance: everything of memfold that needs no header of LLVM's. The headers are the manual; this one
 * says in which order to read them.
 *
 * Words. A guest address is a uint32_t in the guest's space of 2^32 bytes; host pointers are another thing. A
 * page is 4096 bytes of that space and has a permission: none, read-only, or read-write. A region is a run of
 * pages with one permission; a layout is the permission of every page as a list of regions, plus an optional
 * heap, and never changes; an image is the initial bytes that go with it. A window is a maximal run of pages
 * that one operation may touch: a load read-only and read-write ones together, a store read-write ones. A
 * plan says which check one kind of access needs in one layout, with which constants, and an accessor is the
 * function made from a plan: it loads or stores 1, 2, 4 or 8 bytes, or refuses. A memory is one guest's bytes
 * with its live permissions and heap. A view is what an accessor is handed, one per thread and memory. A
 * fault is the record of what the guest did wrong: data, not an error.
 *
 * Read first, whoever you are: status.h (errors), layout.h, memory.h, accessors.h (the functions and their
 * signatures), and mf_view and mf_fault in abi.h. Then,
 *
 * - to run guests without LLVM: generic.h, accessors in plain C;
 * - to make accessors while you run: jit.h, or stencil.h for code memory of your own, llvm_maker.h to have
 *   LLVM make them, and layout_file.h to read layouts from YAML or ELF files;
 * - to make them ahead of time: aot.h, or the command `memfold emit`. Programs with such an object link the
 *   runtime only;
 * - to put them into code that you generate: with LLVM embed.h, and orc.hpp for LLVM's JITs in C++, which
 *   need LLVM's headers and are not included here; with an assembler of your own inline.h;
 * - to prove accessors of this process or of an object from their machine code: verify.h and object.h, and
 *   sweep.h to run them at addresses;
 * - to run guests in a kernel: bare.h, whose library is another one, and which is not included here;
 * - from C++: memfold.hpp, owners and exceptions around all of this; from other languages: version.h.
 *
 * When you need it: options.h (byte order, check policy, trap or status, ...), guard.h (where trapping
 * accessors go), fault_handler.h and exception_table.h (how the backend x86_paged turns faults of the CPU
 * into records), pool.h (memories that are used again), plan.h (which check, as a value), panic.h (mistakes
 * of the program), version.h. public.h is for the other headers.
 *
 * This header belongs to the installation of the runtime, so that every program can include it. An
 * installation without the jit, proofs or the generator lacks their headers: what is not there is left out,
 * and a program that needs one of them includes it by its own name, which says at once what is missing.
 *
 * Example, which needs the runtime only:
 *
 *     #include <memfold/memfold.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mf_memory *memory;
 *         mf_diag diag;
 *         if (mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &memory, &diag) ||
 *             mf_memory_map_region(memory, 0x20000, 4096, MF_READ_WRITE, NULL, 0, &diag)) {
 *             fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         const mf_accessors *guest = mf_generic_accessors(NULL);
 *         mf_view *view = mf_memory_view(memory);
 *         guest->store_u32(view, 0x20000, 42);
 *         printf("%d\n", (int)guest->load_u32(view, 0x20000).value);
 *         mf_load_result across = guest->load_u32(view, 0x20ffe); // two of its bytes lie outside
 *         if (across.status != MF_FAULT_NONE)
 *             printf("fault on page 0x%llx\n", (unsigned long long)view->fault.page);
 *         mf_memory_destroy(memory);
 *         return across.status == MF_PAGE_FAULT ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_MEMFOLD_H
#define MEMFOLD_MEMFOLD_H

/* The runtime. */
#include <memfold/status.h>
#include <memfold/layout.h>
#include <memfold/memory.h>
#include <memfold/accessors.h>
#include <memfold/abi.h>
#include <memfold/generic.h>
#include <memfold/options.h>
#include <memfold/guard.h>
#include <memfold/fault_handler.h>
#include <memfold/exception_table.h>
#include <memfold/pool.h>
#include <memfold/panic.h>
#include <memfold/version.h>

/* The jit, proofs and the generator, as far as they are installed. */
#ifdef __has_include
#if __has_include(<memfold/jit.h>)
#include <memfold/plan.h>
#include <memfold/inline.h>
#include <memfold/jit.h>
#include <memfold/stencil.h>
#endif
#if __has_include(<memfold/verify.h>)
#include <memfold/object.h>
#include <memfold/sweep.h>
#include <memfold/verify.h>
#endif
#if __has_include(<memfold/aot.h>)
#include <memfold/layout_file.h>
#include <memfold/llvm_maker.h>
#include <memfold/aot.h>
#endif
#endif

#endif
