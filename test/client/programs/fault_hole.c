/* Follows a list whose last link leads nowhere, and not to NULL. */
#include "fault.h"

static uint32_t links[] = {1, 2, 3, 0x30000000};

int program(void) {
    uint32_t next = 0;
    print("before\n");
    for (;;) {
        const uint32_t *link = next < 4 ? &links[next] : (const uint32_t *)(uintptr_t)next;
        next = FAULTING_LOAD(lw, link);
    }
}
