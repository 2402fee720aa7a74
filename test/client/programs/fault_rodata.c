/* Writes to a constant. */
#include "fault.h"

static const char text[4096] __attribute__((aligned(4096))) = "constant";

int program(void) {
    print(text);
    print("\n");
    FAULTING_STORE(sb, &text[3], 'X');
    print(text);
    return 0;
}
