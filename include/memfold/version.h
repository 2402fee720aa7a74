/*
 * The version of the library and of the memfold command. Until 1.0 another minor version is another
 * interface. What emitted objects and the runtime agree on has a number of its own, MF_ABI_VERSION in abi.h.
 * Example:
 *
 *     #include <memfold/version.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         puts("made with memfold " MF_VERSION);
 *         return MF_VERSION_MAJOR > 0 || MF_VERSION_MINOR >= 1 ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_VERSION_H
#define MEMFOLD_VERSION_H

/* The three numbers, for comparisons, and all of them as text. */
#define MF_VERSION_MAJOR 0
#define MF_VERSION_MINOR 1
#define MF_VERSION_PATCH 0
#define MF_VERSION "0.1.0"

#endif
