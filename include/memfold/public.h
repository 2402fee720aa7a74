/*
 * The brackets around the declarations of every public header: C linkage, and visible from outside the
 * library, which hides everything else it defines. Other headers include it; programs need it only for a
 * library of their own that is made the same way.
 */
#ifndef MEMFOLD_PUBLIC_H
#define MEMFOLD_PUBLIC_H

/* What is declared between the two has C linkage and default visibility. They do not nest. */
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
