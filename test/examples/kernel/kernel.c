/*
 * A kernel that runs guests: each access of a guest is a load or store of the CPU in a range of addresses
 * that is the guest's alone, and its page faults come back as records. All of the kernel stands in this
 * directory.
 *
 *     $ cmake -B build && cmake --build build
 *     $ qemu-system-x86_64 -accel tcg -cpu max -m 128 -display none -serial stdio -no-reboot \
 *         -device isa-debug-exit,iobase=0xf4,iosize=1 -kernel build/kernel || test $? = 33
 */
#include "guest.h"
#include "machine.h"

#include <memfold/bare.h>
#include <memfold/memory.h>

extern uint64_t level4[512]; /* the tables that CR3 names */
extern void (*init_array_start[])(void);
extern void (*init_array_end[])(void);

enum { KERNEL_CODE = 8 };

static _Alignas(16) mf_bare_gate idt[256];

_Noreturn static void panic(const char *text) {
    console_write(text);
    machine_stop(1);
}

/* ---- What memfold asks of a kernel ---- */

static uint64_t take(void *context) {
    (void)context;
    return frames_take();
}

static void give(void *context, uint64_t frame) {
    (void)context;
    frames_give(frame);
}

static void *allocate(void *context, size_t bytes) {
    (void)context;
    return kmalloc(bytes);
}

static void deallocate(void *context, void *object) {
    (void)context;
    kfree(object);
}

static void release(void *context, const mf_bare_reservation *reservation) {
    (void)context, (void)reservation;
}

static void print(void *context, const char *text) {
    (void)context;
    console_write(text);
}

static void halt(void *context) {
    (void)context;
    machine_stop(2);
}

static void foreign_fault(void *context, mf_bare_registers *registers, uint64_t address) {
    (void)context, (void)registers, (void)address;
    panic("a page fault of the kernel's own\n");
}

/* The first memory lies where virtual addresses are guest addresses; each has 16 GiB. */
static bool reserve(void *context, mf_bare_reservation *reservation) {
    static uint64_t next_base = 0;
    uint64_t root = (uintptr_t)level4 - UINT64_C(0xffffffff80000000);
    (void)context;
    reservation->base = next_base; /* it is as long as it is asked for */
    reservation->root = root;
    next_base += UINT64_C(16) << 30;
    return true;
}

/* One for each thread. */
static mf_guard **thread_guard(void *context) {
    static mf_guard *innermost;
    (void)context;
    return &innermost;
}

static void guests_start(void) {
    const mf_bare_host host = {
        .direct_map = (unsigned char *)DIRECT_MAP,
        .take_frame = take,
        .give_frame = give,
        .allocate = allocate,
        .free = deallocate,
        .reserve = reserve,
        .release = release,
        .thread_guard = thread_guard,
        .print = print,
        .halt = halt,
        .foreign_fault = foreign_fault,
    };
    static mf_diag diag; /* 4 KiB: not for a small stack */
    if (mf_bare_start(&host, &diag) != MF_OK)
        panic(diag.message);
    idt[MF_BARE_PAGE_FAULT_VECTOR] = mf_bare_page_fault_gate(KERNEL_CODE, 0);
    for (void (**init)(void) = init_array_start; init < init_array_end; init++)
        (*init)(); /* the exception tables of emitted objects */
}

/* ---- The kernel ---- */

static void say(const char *what, uint64_t number) {
    console_write(what);
    console_write_hex(number);
    console_write("\n");
}

static mf_memory *make_guest(void) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_memory *memory;
    if (builder == NULL)
        panic("no memory for a builder\n");
#define MAP(start, size, access)                                                                             \
    if (mf_layout_builder_map_region(builder, start, size, access, NULL, 0, NULL) != MF_OK)                  \
        panic("no memory for the layout\n");
    GUEST_REGIONS(MAP)
    if (mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK ||
        mf_memory_create(layout, NULL, GUEST_BACKEND, &memory, NULL) != MF_OK)
        panic("no memory for the guest\n");
    mf_layout_release(layout);
    mf_layout_builder_destroy(builder);
    return memory;
}

void kernel_main(void) {
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } idt_pointer = {sizeof idt - 1, (uintptr_t)idt};
    __asm__ volatile("lidt %0" : : "m"(idt_pointer));
    guests_start();
    mf_memory *memory = make_guest();
    mf_view *view = mf_memory_view(memory);
    guest_store_u32(view, 0x20000, 42);
    say("loaded ", guest_load_u32(view, 0x20000).value);
    if (guest_store_u32(view, 0x10000, 7) == MF_WRITE_PROTECTED)
        say("write-protected page ", view->fault.page);
    if (guest_load_u32(view, 0x27ffe).status == MF_PAGE_FAULT)
        say("page fault on page ", view->fault.page);
    mf_memory_destroy(memory);
    machine_stop(16);
}
