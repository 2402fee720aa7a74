/*
 * The brackets around the declarations of every public header: C linkage, and visible from outside the
 * library, which hides everything else it defines.
 */
#ifndef MEMFOLD_PUBLIC_H
#define MEMFOLD_PUBLIC_H

#ifdef __cplusplus
#define MF_PUBLIC_BEGIN                                                                                      \
    extern "C" {                                                                                             \
    _Pragma("GCC visibility push(default)")
#define MF_PUBLIC_END                                                                                        \
    _Pragma("GCC visibility pop")                                                                            \
    }
#else
#define MF_PUBLIC_BEGIN _Pragma("GCC visibility push(default)")
#define MF_PUBLIC_END _Pragma("GCC visibility pop")
#endif

#endif
