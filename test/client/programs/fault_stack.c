/* A word whose first two bytes are the last of the stack. */
#include "fault.h"

int program(void) {
    print("before\n");
    FAULTING_STORE(sw, (uintptr_t)0x7FFFFFFE, 0x12345678);
    print("after\n");
    return 0;
}
