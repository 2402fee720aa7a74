/*
 * How to leave a function of the arena, for those who walk the stack: one entry for all code of a range.
 *
 * Code here keeps every register that its caller wants back, and has pushed nothing or one register of eight
 * bytes that nobody wants back, as accessors do before they call the runtime. The stack pointer is a multiple
 * of 16 at each call (System V ABI), so it is 8 mod 16 where nothing is pushed and 0 where something is; in
 * both cases the caller's is (rsp and -16) + 16. That holds at every instruction, whatever code stands there.
 */
#ifndef MEMFOLD_GEN_JIT_UNWIND_H
#define MEMFOLD_GEN_JIT_UNWIND_H

#include <stddef.h>
#include <stdint.h>

#define UNWIND_BYTES 80

/* One CIE and one FDE as they stand in .eh_frame, with absolute addresses, and the end of the section. */
typedef struct unwind_info {
    _Alignas(8) unsigned char bytes[UNWIND_BYTES];
} unwind_info;

void unwind_info_init(unwind_info *info, uintptr_t start, size_t bytes);

/*
 * The unwinder of C++ knows the code, until it is told to forget it; `info` stays where it is meanwhile.
 * Without an unwinder in the process nothing happens.
 */
void unwind_register(unwind_info *info);
void unwind_unregister(unwind_info *info);

#endif
