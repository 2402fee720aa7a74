/* The kernel of kernel.h: segments, gates, frames, reservations, and what a test finds in a C library. */
#include "kernel.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

kernel_state kernel;
volatile uint64_t timer_ticks;

extern char kernel_end[], exception_entries[], boot_stack_end[], second_start[], second_end[];
extern uint64_t level4[512], level3_low[512], level2_devices[512];
extern void timer_entry(void);
extern void shootdown_entry(void);
extern void kernel_page_fault_entry(void);
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

/* 16 more, so that QEMU's own failures look like none of a kernel's ends. */
void exit(int status) {
    port_write(0xf4, (uint8_t)(status + 16));
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
    size_t length = os_format(text, sizeof text, format, arguments);
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
    return (int)os_format(text, room, format, arguments);
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

/* ---- One CPU at a time where frames and objects are counted --------------------------------- */

#define FLAG_INTERRUPTS UINT64_C(0x200)

static uint64_t read_flags(void) {
    uint64_t flags;
    __asm__ volatile("pushfq; pop %0" : "=r"(flags));
    return flags;
}

static bool interrupts_are_on(void) {
    return (read_flags() & FLAG_INTERRUPTS) != 0;
}

static volatile int kernel_lock;
static bool unlock_turns_interrupts_on;

/* Page faults take frames, so interrupts are off while the lock is held. */
static void lock(void) {
    bool are_on = interrupts_are_on();
    __asm__ volatile("cli");
    while (__atomic_exchange_n(&kernel_lock, 1, __ATOMIC_ACQUIRE) != 0)
        __asm__ volatile("pause");
    unlock_turns_interrupts_on = are_on;
}

static void unlock(void) {
    bool turns_on = unlock_turns_interrupts_on;
    __atomic_store_n(&kernel_lock, 0, __ATOMIC_RELEASE);
    if (turns_on)
        __asm__ volatile("sti");
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

static void *take_block(size_t bytes) {
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

void *malloc(size_t bytes) {
    lock();
    void *object = take_block(bytes);
    unlock();
    return object;
}

void free(void *object) {
    if (object == NULL)
        return;
    block *b = (block *)object - 1;
    lock();
    b->next = free_blocks[b->order];
    free_blocks[b->order] = b;
    unlock();
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

static uint64_t find_frame(void) {
    if (kernel.frames_taken >= kernel.frames_most)
        return MF_BARE_NO_FRAME;
    for (unsigned h = HUGE_FRAMES; h-- > 0;)
        for (unsigned i = PER_HUGE; taken_of[h] < PER_HUGE && i-- > 0;)
            if (!is_taken[h * PER_HUGE + i])
                return frame_hand_out(h * PER_HUGE + i, 1);
    return MF_BARE_NO_FRAME;
}

static uint64_t find_huge_frame(void) {
    if (kernel.frames_taken + PER_HUGE > kernel.frames_most)
        return MF_BARE_NO_FRAME;
    for (unsigned h = 0; h < HUGE_FRAMES; h++)
        if (taken_of[h] == 0) {
            kernel.huge_taken++;
            return frame_hand_out(h * PER_HUGE, PER_HUGE);
        }
    return MF_BARE_NO_FRAME;
}

uint64_t kernel_frame_take(void) {
    lock();
    uint64_t frame = find_frame();
    unlock();
    return frame;
}

uint64_t kernel_huge_frame_take(void) {
    lock();
    uint64_t frame = find_huge_frame();
    unlock();
    return frame;
}

void kernel_frame_give(uint64_t frame) {
    unsigned i = (unsigned)(frame / MF_PAGE_SIZE) - FRAMES_FIRST;
    lock();
    CHECK(frame % MF_PAGE_SIZE == 0 && i < FRAMES && is_taken[i]);
    is_taken[i] = false;
    taken_of[i / PER_HUGE]--;
    kernel.frames_taken--;
    if (kernel.keeps_given_frames)
        kernel.frames_most--;
    unlock();
}

/* ---- Address spaces ------------------------------------------------------------------------ */

uint64_t kernel_root(void) {
    uint64_t cr3;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return cr3;
}

uint64_t kernel_physical(const void *address) {
    return (uint64_t)(uintptr_t)address - KERNEL_BASE;
}

uint64_t kernel_root_make(void) {
    uint64_t root = kernel_frame_take();
    memset((void *)(DIRECT_MAP + root), 0, MF_PAGE_SIZE / 2);
    memcpy((void *)(DIRECT_MAP + root + MF_PAGE_SIZE / 2), &level4[256], MF_PAGE_SIZE / 2);
    return root;
}

void kernel_root_use(uint64_t root) {
    __asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

/* ---- The host ------------------------------------------------------------------------------ */

static uint64_t host_take(void *context) {
    (void)context;
    return kernel_frame_take();
}

static uint64_t host_take_huge(void *context) {
    (void)context;
    return kernel_huge_frame_take();
}

static void host_give(void *context, uint64_t frame) {
    (void)context;
    kernel_frame_give(frame);
}

static void *host_allocate(void *context, size_t bytes) {
    (void)context;
    void *object = malloc(bytes);
    __atomic_fetch_add(&kernel.objects, object != NULL, __ATOMIC_RELAXED);
    return object != NULL ? memset(object, 0xcc, bytes) : NULL;
}

static void host_free(void *context, void *object) {
    (void)context;
    CHECK(object != NULL);
    __atomic_fetch_sub(&kernel.objects, 1, __ATOMIC_RELAXED);
    free(object);
}

enum { RESERVATIONS_MAX = 8 };
static mf_bare_reservation reserved[RESERVATIONS_MAX]; /* bytes are 0: free */

static bool is_free(const mf_bare_reservation *wanted) {
    for (unsigned i = 0; i < RESERVATIONS_MAX; i++) {
        const mf_bare_reservation *w = &reserved[i];
        if (w->bytes != 0 && w->root == wanted->root && wanted->base < w->base + w->bytes &&
            w->base < wanted->base + wanted->bytes)
            return false;
    }
    return true;
}

static bool host_reserve(void *context, mf_bare_reservation *reservation) {
    (void)context;
    if (kernel.reservation_is_refused)
        return false;
    lock();
    kernel.asked_bytes = reservation->bytes;
    *reservation = kernel.next_reservation;
    if (reservation->bytes == 0)
        reservation->bytes = kernel.asked_bytes;
    reservation->frames = kernel.frames;
    while (!is_free(reservation))
        reservation->base += UINT64_C(16) << 30;
    unsigned i = 0;
    while (reserved[i].bytes != 0)
        i++;
    CHECK(i < RESERVATIONS_MAX);
    reserved[i] = *reservation;
    kernel.reservations++;
    unlock();
    return true;
}

static void host_release(void *context, const mf_bare_reservation *reservation) {
    (void)context;
    lock();
    for (unsigned i = 0; i < RESERVATIONS_MAX; i++)
        if (reserved[i].base == reservation->base && reserved[i].root == reservation->root)
            reserved[i].bytes = 0;
    kernel.reservations--;
    unlock();
}

static mf_guard **host_thread_guard(void *context) {
    (void)context;
    return &this_cpu()->guard;
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

#ifdef KERNEL_HAS_NO_OUT_OF_FRAMES
#define KERNEL_OUT_OF_FRAMES NULL
#else
#define KERNEL_OUT_OF_FRAMES host_out_of_frames

static void host_out_of_frames(void *context, mf_bare_registers *registers, uint64_t address) {
    (void)context;
    kernel.frames_missed++;
    if (kernel.out_of_frames == NULL) {
        printf("no frame for 0x%lx\n", address);
        exit(95);
    }
    kernel.out_of_frames(registers, address);
}
#endif

void kernel_page_fault(mf_bare_registers *registers, uint64_t address);
void kernel_page_fault(mf_bare_registers *registers, uint64_t address) {
    uint64_t rip = registers->rip;
    if (!mf_bare_page_fault_resolve(registers, address))
        host_foreign_fault(NULL, registers, address);
    else if (registers->rip == rip)
        __atomic_fetch_add(&kernel.retries, 1, __ATOMIC_RELAXED);
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

typedef struct __attribute__((packed)) table_pointer { /* figure 2-6 */
    uint16_t limit;
    uint64_t address;
} table_pointer;

_Static_assert(sizeof(task_state) == 104 && offsetof(task_state, rsp) == 4, "the CPU's task state");
_Static_assert(offsetof(task_state, ist) == 36 && offsetof(task_state, io_map) == 102,
               "the CPU's task state");
_Static_assert(sizeof(table_pointer) == 10 && offsetof(table_pointer, address) == 2, "lgdt and lidt");

enum { SHOOTDOWN_VECTOR = 48 };

static task_state tss;
static uint64_t gdt[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff, 0,
                         0};
_Alignas(16) mf_bare_gate kernel_idt[256];
static _Alignas(16) unsigned char fault_stack[8192];

static kernel_cpu cpus[2];

static void write_msr(uint32_t number, uint64_t value) {
    __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void load_cpu(unsigned number) {
    cpus[number].self = &cpus[number];
    cpus[number].number = number;
    write_msr(0xc0000101, (uint64_t)(uintptr_t)&cpus[number]); /* GS.base */
    table_pointer pointer = {sizeof gdt - 1, (uint64_t)(uintptr_t)gdt};
    __asm__ volatile("lgdt %0" : : "m"(pointer));
    pointer = (table_pointer){sizeof kernel_idt - 1, (uint64_t)(uintptr_t)kernel_idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void make_segments(void) {
    uint64_t at = (uint64_t)(uintptr_t)&tss;
    gdt[5] = (sizeof tss - 1) | (at & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (at >> 24 & 0xff) << 56;
    gdt[6] = at >> 32;
    tss.io_map = sizeof tss;
    tss.rsp[0] = (uint64_t)(uintptr_t)(fault_stack + sizeof fault_stack);
}

void kernel_set_ring0_stack(uint64_t stack) {
    tss.rsp[0] = stack;
}

static mf_bare_gate gate_to(uint64_t entry) {
    return (mf_bare_gate){
        (uint16_t)entry, KERNEL_CODE, 0, 0x8e, (uint16_t)(entry >> 16), (uint32_t)(entry >> 32), 0};
}

static void make_gates(void) {
    for (unsigned v = 0; v < 32; v++)
        kernel_idt[v] = gate_to((uint64_t)(uintptr_t)exception_entries + 16 * v);
    kernel_idt[32] = gate_to((uint64_t)(uintptr_t)timer_entry);
    kernel_idt[SHOOTDOWN_VECTOR] = gate_to((uint64_t)(uintptr_t)shootdown_entry);
}

void kernel_use_own_entry(void) {
    kernel_idt[MF_BARE_PAGE_FAULT_VECTOR] = gate_to((uint64_t)(uintptr_t)kernel_page_fault_entry);
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

_Noreturn void kernel_exception(const uint64_t *frame);
_Noreturn void kernel_exception(const uint64_t *frame) {
    printf("exception %lu, error 0x%lx, rip 0x%lx, rsp 0x%lx\n", frame[0], frame[1], frame[2], frame[5]);
    exit(96);
}

/* ---- The second CPU ------------------------------------------------------------------------ */

#define APIC UINT64_C(0xfee00000)
#define SECOND_START UINT64_C(0x8000)

enum { APIC_END = 0xb0, APIC_SPURIOUS = 0xf0, APIC_COMMAND = 0x300, APIC_TARGET = 0x310 };

/* The second CPU runs in the upper half; the lower half is empty again; and its TLB has nothing of it. */
static volatile bool second_is_up, lower_half_is_empty, second_is_ready;
static void (*volatile second_body)(void);
volatile bool kernel_tells_others = true;
unsigned kernel_times_told;

/* What each CPU asks the other to invalidate; 0 pages: nothing. */
typedef struct shootdown_request {
    volatile uint64_t address;
    volatile uint64_t pages;
} shootdown_request;

static shootdown_request requests[2];

static void apic_write(unsigned offset, uint32_t value) {
    *(volatile uint32_t *)(DIRECT_MAP + APIC + offset) = value;
}

static void apic_send(unsigned cpu, uint32_t command) {
    apic_write(APIC_TARGET, cpu << 24);
    apic_write(APIC_COMMAND, command);
}

static void answer_shootdown(void) {
    shootdown_request *r = &requests[1 - this_cpu()->number];
    uint64_t pages = r->pages;
    for (uint64_t i = 0; i < pages; i++)
        __asm__ volatile("invlpg (%0)" : : "r"(r->address + i * MF_PAGE_SIZE) : "memory");
    if (pages != 0)
        r->pages = 0;
}

void kernel_shootdown_asked(void);
void kernel_shootdown_asked(void) {
    answer_shootdown();
    apic_write(APIC_END, 0);
}

/* Two CPUs that ask each other both get an answer: by an interrupt, or in a page fault while they wait. */
static void host_shootdown(void *context, uint64_t address, uint64_t pages) {
    (void)context;
    if (!second_is_up || !kernel_tells_others)
        return;
    shootdown_request *r = &requests[this_cpu()->number];
    r->address = address;
    r->pages = pages;
    __atomic_fetch_add(&kernel_times_told, 1, __ATOMIC_RELAXED);
    apic_send(1 - this_cpu()->number, 0x4000 | SHOOTDOWN_VECTOR);
    while (r->pages != 0) {
        __asm__ volatile("pause");
        if (!interrupts_are_on())
            answer_shootdown();
    }
}

_Noreturn void kernel_second_start(void);
_Noreturn void kernel_second_start(void) {
    load_cpu(1);
    apic_write(APIC_SPURIOUS, 0x1ff);
    second_is_up = true;
    while (!lower_half_is_empty)
        __asm__ volatile("pause");
    kernel_root_use(kernel_root());
    second_is_ready = true;
    __asm__ volatile("sti");
    for (;;) {
        if (second_body != NULL) {
            second_body();
            second_body = NULL;
        }
        __asm__ volatile("pause");
    }
}

void kernel_second_cpu_start(void) {
    level3_low[3] = kernel_physical(level2_devices) | 3;
    level2_devices[APIC >> 21 & 511] = APIC | 0x93; /* a huge page that is not cached */
    level4[0] = level4[256];
    memcpy((void *)(DIRECT_MAP + SECOND_START), second_start, (size_t)(second_end - second_start));
    apic_write(APIC_SPURIOUS, 0x1ff);
    apic_send(1, 0x4500); /* INIT, then where to start (Intel SDM volume 3A, 8.4.4.1) */
    /* A CPU that has not taken the INIT yet misses that, and one that runs ignores it. */
    for (unsigned i = 0; !second_is_up; i++) {
        if (i % 100000 == 99999)
            apic_send(1, 0x4600 | SECOND_START >> 12);
        __asm__ volatile("pause");
    }
    level4[0] = 0;
    kernel_root_use(kernel_root());
    lower_half_is_empty = true;
    while (!second_is_ready)
        __asm__ volatile("pause");
    kernel_timer_start();
}

void kernel_second_cpu_call(void (*body)(void)) {
    second_body = body;
}

bool kernel_second_cpu_is_idle(void) {
    return second_body == NULL;
}

/* ---- Starting ------------------------------------------------------------------------------ */

__attribute__((weak)) void kernel_start_memfold(void) {
    static const mf_bare_host host = {
        .direct_map = (unsigned char *)DIRECT_MAP,
        .take_frame = host_take,
        .take_huge_frame = host_take_huge,
        .give_frame = host_give,
        .allocate = host_allocate,
        .free = host_free,
        .reserve = host_reserve,
        .release = host_release,
        .thread_guard = host_thread_guard,
        .shootdown = host_shootdown,
        .print = host_print,
        .halt = host_halt,
        .foreign_fault = host_foreign_fault,
        .out_of_frames = KERNEL_OUT_OF_FRAMES,
    };
    static mf_diag diag;
    mf_bare_host incomplete = host;
    incomplete.take_frame = NULL;
    CHECK(mf_bare_start(&incomplete, &diag) == MF_INVALID_ARGUMENT);
    if (mf_bare_start(&host, &diag) != MF_OK) {
        puts(diag.message);
        exit(95);
    }
    CHECK(mf_bare_start(&host, &diag) == MF_INVALID_ARGUMENT);
    kernel_idt[MF_BARE_PAGE_FAULT_VECTOR] = mf_bare_page_fault_gate(KERNEL_CODE, 0);
    for (void (**function)(void) = init_array_start; function < init_array_end; function++)
        (*function)();
}

extern int main(void);
_Noreturn void kernel_start(void);
_Noreturn void kernel_start(void) {
    kernel.frames_most = FRAMES;
    kernel.heap_left = UINT64_MAX;
    kernel.next_reservation =
        (mf_bare_reservation){.bytes = MF_BARE_RESERVATION_U33_BYTES, .root = kernel_root()};
    make_segments();
    make_gates();
    load_cpu(0);
    __asm__ volatile("ltr %w0" : : "r"(0x28));
    kernel.frames = KERNEL_FRAMES;
    kernel_start_memfold();
    exit(main());
}
