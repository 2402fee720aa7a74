/* A serial port, QEMU's exit, and memory: frames below 32 MiB, the heap from there to 64 MiB. */
#include "machine.h"

enum { FRAME_BYTES = 4096, HEAP_START = 32 << 20, HEAP_END = 64 << 20, HEADER_BYTES = 16 };

static void port_write(uint16_t port, uint8_t byte) {
    __asm__ volatile("outb %0, %1" : : "a"(byte), "Nd"(port));
}

void console_write(const char *text) {
    while (*text != '\0')
        port_write(0x3f8, (uint8_t)*text++);
}

void console_write_hex(uint64_t number) {
    char text[19] = "0x";
    int length = 2, shift = 60;
    while (shift > 0 && number >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        text[length++] = "0123456789abcdef"[number >> shift & 15];
    text[length] = '\0';
    console_write(text);
}

/* QEMU ends with the status 2 * status + 1. */
void machine_stop(uint8_t status) {
    port_write(0xf4, status);
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* ---- Frames: those that came back first, then the ones behind the kernel ---- */

extern char kernel_end[];
static uint64_t given = NO_FRAME, fresh;

uint64_t frames_take(void) {
    uint64_t frame = given;
    if (frame != NO_FRAME) {
        given = *(uint64_t *)(DIRECT_MAP + frame);
        return frame;
    }
    if (fresh == 0)
        fresh = ((uintptr_t)kernel_end - UINT64_C(0xffffffff80000000) + FRAME_BYTES - 1) & ~UINT64_C(0xfff);
    frame = fresh;
    fresh += FRAME_BYTES;
    return fresh <= HEAP_START ? frame : NO_FRAME;
}

void frames_give(uint64_t frame) {
    *(uint64_t *)(DIRECT_MAP + frame) = given;
    given = frame;
}

/* ---- Heap: objects of powers of two with their size before them, and a list of free ones for each ---- */

typedef struct object {
    uint64_t log2;
    struct object *next;
} object;

static object *unused[64];
static uint64_t heap_top = DIRECT_MAP + HEAP_START;

void *kmalloc(size_t bytes) {
    uint64_t log2 = 5;
    while (UINT64_C(1) << log2 < bytes + HEADER_BYTES)
        log2++;
    object *o = unused[log2];
    if (o != NULL) {
        unused[log2] = o->next;
    } else {
        if (heap_top + (UINT64_C(1) << log2) > DIRECT_MAP + HEAP_END)
            return NULL;
        o = (object *)heap_top;
        heap_top += UINT64_C(1) << log2;
    }
    o->log2 = log2;
    return (char *)o + HEADER_BYTES;
}

void kfree(void *pointer) {
    object *o = (object *)(void *)((char *)pointer - HEADER_BYTES);
    o->next = unused[o->log2];
    unused[o->log2] = o;
}

/* ---- What compilers take for granted ---- */

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(count) : : "memory");
    return to;
}

void *memset(void *to, int byte, size_t count) {
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(byte) : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t count) {
    if ((uintptr_t)to - (uintptr_t)from >= count)
        return memcpy(to, from, count);
    for (volatile unsigned char *t = to; count-- > 0;)
        t[count] = ((const unsigned char *)from)[count];
    return to;
}

int memcmp(const void *a, const void *b, size_t count) {
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < count; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}
