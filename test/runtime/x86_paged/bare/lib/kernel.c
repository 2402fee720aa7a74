/* The kernel of kernel.h: segments, gates, frames, windows, and what a test finds in a C library. */
#include "kernel.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

kernel_state kernel;
volatile uint64_t timer_ticks;
mf_guard *kernel_guard;

extern char level4[], kernel_end[], exception_entries[], boot_stack_end[];
extern void timer_entry(void);
extern void (*init_array_start[])(void);
extern void (*init_array_end[])(void);

#define KERNEL_BASE UINT64_C(0xffffffff80000000)

/* ---- Ports --------------------------------------------------------------------------------- */

static void port_write(uint16_t port, uint8_t byte) {
    __asm__ volatile("outb %0, %1" : : "a"(byte), "Nd"(port));
}

static void serial_put(char c) {
    port_write(0x3f8, (uint8_t)c);
}

void exit(int status) {
    port_write(0xf4, (uint8_t)status);
    for (;;)
        __asm__ volatile("hlt");
}

void abort(void) {
    exit(99);
}

/* ---- Text ---------------------------------------------------------------------------------- */

FILE *stdout, *stderr;

static void put_text(const char *text) {
    while (*text != '\0')
        serial_put(*text++);
}

static int print(const char *format, va_list arguments) {
    char text[1024];
    size_t length = mf_os_format(text, sizeof text, format, arguments);
    put_text(text);
    return (int)length;
}

int vprintf(const char *format, va_list arguments) {
    return print(format, arguments);
}

int printf(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = print(format, arguments);
    va_end(arguments);
    return length;
}

int fprintf(FILE *file, const char *format, ...) {
    (void)file;
    va_list arguments;
    va_start(arguments, format);
    int length = print(format, arguments);
    va_end(arguments);
    return length;
}

int vsnprintf(char *text, size_t room, const char *format, va_list arguments) {
    return (int)mf_os_format(text, room, format, arguments);
}

int puts(const char *text) {
    put_text(text);
    serial_put('\n');
    return 0;
}

int putchar(int c) {
    serial_put((char)c);
    return c;
}

int fputs(const char *text, FILE *file) {
    (void)file;
    put_text(text);
    return 0;
}

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *file) {
    (void)file;
    for (size_t i = 0; i < size * count; i++)
        serial_put(((const char *)bytes)[i]);
    return count;
}

int fflush(FILE *file) {
    (void)file;
    return 0;
}

char *getenv(const char *name) {
    (void)name;
    return NULL;
}

unsigned long long strtoull(const char *text, char **end, int radix) {
    (void)text, (void)end, (void)radix;
    return 0;
}

/* ---- Bytes: by words, because an emulated CPU takes as long for a byte ----------------------- */

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    void *at = to;
    size_t words = count / 8;
    __asm__ volatile("rep movsq" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
    words = count % 8;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
    return to;
}

void *memset(void *to, int byte, size_t count) {
    void *at = to;
    size_t words = count / 8;
    __asm__ volatile("rep stosq"
                     : "+D"(at), "+c"(words)
                     : "a"((unsigned char)byte * UINT64_C(0x0101010101010101))
                     : "memory");
    words = count % 8;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(words) : "a"(byte) : "memory");
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
    for (uint64_t p, q; count >= 8; x += 8, y += 8, count -= 8) {
        __asm__("mov %1, %0" : "=r"(p) : "m"(*(const unsigned char(*)[8])x));
        __asm__("mov %1, %0" : "=r"(q) : "m"(*(const unsigned char(*)[8])y));
        if (p != q)
            break;
    }
    for (size_t i = 0; i < count; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}

char *strchr(const char *text, int c) {
    while (*text != (char)c && *text != '\0')
        text++;
    return *text == (char)c ? (char *)(uintptr_t)text : NULL;
}

int strcmp(const char *a, const char *b) {
    while (*a != '\0' && *a == *b)
        a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

/* ---- Objects: blocks of powers of two, after a header that says which ---------------------- */

#define HEAP_START (DIRECT_MAP + (32u << 20))
#define HEAP_END (DIRECT_MAP + (256u << 20))

typedef struct block {
    uint64_t order;
    struct block *next;
} block;

static block *free_blocks[40];
static uint64_t heap_top = HEAP_START;

void *malloc(size_t bytes) {
    unsigned order = 5;
    while ((UINT64_C(1) << order) < bytes + sizeof(block))
        order++;
    block *b = free_blocks[order];
    if (bytes > kernel.heap_left || (b == NULL && HEAP_END - heap_top < UINT64_C(1) << order))
        return NULL;
    if (b != NULL) {
        free_blocks[order] = b->next;
    } else {
        b = (block *)heap_top;
        heap_top += UINT64_C(1) << order;
    }
    b->order = order;
    return b + 1;
}

void free(void *object) {
    if (object == NULL)
        return;
    block *b = (block *)object - 1;
    b->next = free_blocks[b->order];
    free_blocks[b->order] = b;
}

/* In a volatile way, or the compiler makes it a call of itself. */
void *calloc(size_t count, size_t bytes) {
    void *(*volatile get)(size_t) = malloc;
    void *object = get(count * bytes);
    return object == NULL ? NULL : memset(object, 0, count * bytes);
}

void *realloc(void *object, size_t bytes) {
    void *larger = malloc(bytes);
    if (object != NULL && larger != NULL) {
        size_t old = (UINT64_C(1) << ((block *)object - 1)->order) - sizeof(block);
        memcpy(larger, object, old < bytes ? old : bytes);
        free(object);
    }
    return larger;
}

/* ---- Frames: single ones from the top, huge ones from the bottom --------------------------- */

enum { FRAMES_FIRST = 256 << 8, FRAMES = 248 << 8, PER_HUGE = 512, HUGE_FRAMES = FRAMES / PER_HUGE };

static bool is_taken[FRAMES];
static unsigned taken_of[HUGE_FRAMES];

static uint64_t frame_hand_out(unsigned i, unsigned count) {
    for (unsigned k = i; k < i + count; k++)
        is_taken[k] = true;
    taken_of[i / PER_HUGE] += count;
    kernel.frames_taken += count;
    uint64_t frame = (uint64_t)(FRAMES_FIRST + i) * MF_PAGE_SIZE;
    memset((void *)(DIRECT_MAP + frame), 0xcc, (size_t)count * MF_PAGE_SIZE);
    return frame;
}

uint64_t kernel_frame_take(void) {
    if (kernel.frames_taken >= kernel.frames_most)
        return MF_BARE_NO_FRAME;
    for (unsigned h = HUGE_FRAMES; h-- > 0;)
        for (unsigned i = PER_HUGE; taken_of[h] < PER_HUGE && i-- > 0;)
            if (!is_taken[h * PER_HUGE + i])
                return frame_hand_out(h * PER_HUGE + i, 1);
    return MF_BARE_NO_FRAME;
}

static uint64_t take_huge(void) {
    if (kernel.frames_taken + PER_HUGE > kernel.frames_most)
        return MF_BARE_NO_FRAME;
    for (unsigned h = 0; h < HUGE_FRAMES; h++)
        if (taken_of[h] == 0) {
            kernel.huge_taken++;
            return frame_hand_out(h * PER_HUGE, PER_HUGE);
        }
    return MF_BARE_NO_FRAME;
}

void kernel_frame_give(uint64_t frame) {
    unsigned i = (unsigned)(frame / MF_PAGE_SIZE) - FRAMES_FIRST;
    CHECK(frame % MF_PAGE_SIZE == 0 && i < FRAMES && is_taken[i]);
    is_taken[i] = false;
    taken_of[i / PER_HUGE]--;
    kernel.frames_taken--;
}

/* ---- The host ------------------------------------------------------------------------------ */

static uint64_t host_take(void *context) {
    (void)context;
    return kernel_frame_take();
}

static uint64_t host_take_huge(void *context) {
    (void)context;
    return take_huge();
}

static void host_give(void *context, uint64_t frame) {
    (void)context;
    kernel_frame_give(frame);
}

static void *host_allocate(void *context, size_t bytes) {
    (void)context;
    void *object = malloc(bytes);
    kernel.objects += object != NULL;
    return object != NULL ? memset(object, 0xcc, bytes) : NULL;
}

static void host_free(void *context, void *object) {
    (void)context;
    CHECK(object != NULL);
    kernel.objects--;
    free(object);
}

static bool host_open_window(void *context, mf_bare_window *window) {
    (void)context;
    if (kernel.window_is_refused)
        return false;
    *window = kernel.next_window;
    kernel.next_window.base += kernel.window_stays ? 0 : UINT64_C(16) << 30;
    kernel.windows++;
    return true;
}

static void host_close_window(void *context, const mf_bare_window *window) {
    (void)context, (void)window;
    kernel.windows--;
}

static mf_guard **host_thread_guard(void *context) {
    (void)context;
    return &kernel_guard;
}

static void host_print(void *context, const char *text) {
    (void)context;
    put_text(text);
}

static void host_halt(void *context) {
    (void)context;
    exit(98);
}

static void host_foreign_fault(void *context, mf_bare_registers *registers, uint64_t address) {
    (void)context;
    kernel.foreign_faults++;
    kernel.foreign_address = address;
    if (kernel.foreign_resume == 0) {
        printf("foreign fault at 0x%lx, rip 0x%lx, error 0x%lx\n", address, registers->rip,
               registers->error_code);
        exit(97);
    }
    registers->rip = kernel.foreign_resume;
    registers->rflags &= ~UINT64_C(0x40000);
}

/* ---- Segments and gates -------------------------------------------------------------------- */

typedef struct __attribute__((packed)) task_state { /* Intel SDM volume 3A, 7.7 */
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} task_state;

typedef struct __attribute__((packed)) table_pointer {
    uint16_t limit;
    uint64_t address;
} table_pointer;

static task_state tss;
static uint64_t gdt[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0,
                         0};
static _Alignas(16) mf_bare_gate idt[256];
static _Alignas(16) unsigned char fault_stack[8192];

static void load_segments(void) {
    uint64_t at = (uint64_t)(uintptr_t)&tss;
    gdt[5] = (sizeof tss - 1) | (at & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (at >> 24 & 0xff) << 56;
    gdt[6] = at >> 32;
    tss.io_map = sizeof tss;
    table_pointer pointer = {sizeof gdt - 1, (uint64_t)(uintptr_t)gdt};
    __asm__ volatile("lgdt %0; ltr %w1" : : "m"(pointer), "r"(0x28));
}

void kernel_set_ring0_stack(uint64_t stack) {
    tss.rsp[0] = stack;
}

static mf_bare_gate gate_to(uint64_t entry) {
    return (mf_bare_gate){
        (uint16_t)entry, KERNEL_CODE, 0, 0x8e, (uint16_t)(entry >> 16), (uint32_t)(entry >> 32), 0};
}

static void load_gates(void) {
    for (unsigned v = 0; v < 32; v++)
        idt[v] = gate_to((uint64_t)(uintptr_t)exception_entries + 16 * v);
    idt[MF_BARE_PAGE_FAULT_VECTOR] = mf_bare_page_fault_gate(KERNEL_CODE, 0);
    idt[32] = gate_to((uint64_t)(uintptr_t)timer_entry);
    table_pointer pointer = {sizeof idt - 1, (uint64_t)(uintptr_t)idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
    tss.rsp[0] = (uint64_t)(uintptr_t)(fault_stack + sizeof fault_stack);
}

/* The interrupt controller's lines begin at vector 32; only the timer's is open. */
void kernel_timer_start(void) {
    static const uint8_t primary[] = {0x11, 32, 4, 1, 0xfe}, secondary[] = {0x11, 40, 2, 1, 0xff};
    for (unsigned i = 0; i < 5; i++) {
        port_write(i == 0 ? 0x20 : 0x21, primary[i]);
        port_write(i == 0 ? 0xa0 : 0xa1, secondary[i]);
    }
    port_write(0x43, 0x34);
    port_write(0x40, 1193 & 0xff);
    port_write(0x40, 1193 >> 8);
    __asm__ volatile("sti");
}

void kernel_forbid_user_pages(void) {
    uint64_t cr4;
    __asm__ volatile("mov %%cr4, %0; or $0x300000, %0; mov %0, %%cr4" : "=&r"(cr4));
}

uint64_t kernel_root(void) {
    return (uint64_t)(uintptr_t)level4 - KERNEL_BASE;
}

_Noreturn void kernel_exception(const uint64_t *frame);
_Noreturn void kernel_exception(const uint64_t *frame) {
    printf("exception %lu, error 0x%lx, rip 0x%lx, rsp 0x%lx\n", frame[0], frame[1], frame[2], frame[5]);
    exit(96);
}

/* ---- Starting ------------------------------------------------------------------------------ */

extern int main(void);
_Noreturn void kernel_start(void);
_Noreturn void kernel_start(void) {
    static const mf_bare_host host = {
        .direct_map = (unsigned char *)DIRECT_MAP,
        .take_frame = host_take,
        .take_huge_frame = host_take_huge,
        .give_frame = host_give,
        .allocate = host_allocate,
        .free = host_free,
        .open_window = host_open_window,
        .close_window = host_close_window,
        .thread_guard = host_thread_guard,
        .print = host_print,
        .halt = host_halt,
        .foreign_fault = host_foreign_fault,
    };
    kernel.frames_most = FRAMES;
    kernel.heap_left = UINT64_MAX;
    kernel.next_window = (mf_bare_window){UINT64_C(1) << 40, MF_BARE_WINDOW_U33_BYTES, kernel_root(), false};
    load_segments();
    load_gates();
    static mf_diag diag;
    mf_bare_host incomplete = host;
    incomplete.take_frame = NULL;
    CHECK(mf_bare_start(&incomplete, &diag) == MF_INVALID_ARGUMENT);
    if (mf_bare_start(&host, &diag) != MF_OK) {
        puts(diag.message);
        exit(95);
    }
    CHECK(mf_bare_start(&host, &diag) == MF_INVALID_ARGUMENT);
    for (void (**function)(void) = init_array_start; function < init_array_end; function++)
        (*function)();
    exit(main());
}
