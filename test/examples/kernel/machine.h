/* What any kernel has: a console, an end, frames of memory, and a heap. */
#include <stddef.h>
#include <stdint.h>

#define DIRECT_MAP UINT64_C(0xffff800000000000)
#define NO_FRAME UINT64_MAX

void console_write(const char *text);
void console_write_hex(uint64_t number);
_Noreturn void machine_stop(uint8_t status);
uint64_t frames_take(void);
void frames_give(uint64_t frame);
void *kmalloc(size_t bytes);
void kfree(void *object);
