/* One access that faults, at a label of its own, so that the test knows its address. */
#ifndef FAULT_H
#define FAULT_H

#include "program.h"

#define FAULTING_LOAD(instruction, address)                                                                  \
    ({                                                                                                       \
        uint32_t loaded;                                                                                     \
        __asm__ volatile(".globl faulting\nfaulting: " #instruction " %0, 0(%1)"                             \
                         : "=r"(loaded)                                                                      \
                         : "r"(address));                                                                    \
        loaded;                                                                                              \
    })

#define FAULTING_STORE(instruction, address, value)                                                          \
    __asm__ volatile(".globl faulting\nfaulting: " #instruction " %0, 0(%1)" ::"r"(value), "r"(address)      \
                     : "memory")

#endif
