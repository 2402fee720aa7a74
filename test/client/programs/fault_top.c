/* A word whose first two bytes are the last of the address space, where the stack ends. */
#include "fault.h"

int program(void) {
    print("before\n");
    return (int)FAULTING_LOAD(lw, (uintptr_t)0xFFFFFFFE);
}
