/* A byte behind the heap is not there before the heap grows over it, and neither when it has grown too
 * little. */
#include "fault.h"

int program(void) {
    char *heap = platform_sbrk(1);
    heap[4095] = 'a';
    platform_sbrk(4096);
    heap[8191] = 'b';
    print("heap grown\n");
    FAULTING_STORE(sh, heap + 8191, 'c');
    return 0;
}
