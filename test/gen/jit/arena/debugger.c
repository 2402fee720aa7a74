// A debugger names the functions of slots and walks out of them, before and after their one push; names of
// slots that were given back and taken again are the new ones, and names grow with the arena. The leak
// checker of sanitizers refuses to run under a debugger.
//
// RUN: %arena-cc %s -o %t %arena
// RUN: echo 'break reached' > %t.gdb
// RUN: echo 'run' >> %t.gdb
// RUN: echo 'backtrace' >> %t.gdb
// RUN: echo 'up' >> %t.gdb
// RUN: echo 'info symbol $pc' >> %t.gdb
// RUN: echo 'continue' >> %t.gdb
// RUN: echo 'backtrace' >> %t.gdb
// RUN: echo 'info symbol given_back' >> %t.gdb
// RUN: echo 'info symbol first_of_all' >> %t.gdb
// RUN: echo 'info symbol gone' >> %t.gdb
// RUN: gdb -nx -batch -x %t.gdb %t > %t.out 2>&1
// RUN: FileCheck %s < %t.out
//
// UNSUPPORTED: sanitizer
//
// CHECK: Breakpoint 1, reached
// CHECK: #0 {{.*}}reached
// CHECK-NEXT: #1 {{.*}} in guest_399_call ()
// CHECK-NEXT: #2 {{.*}} in call_at {{.*}}
// CHECK-NEXT: #3 {{.*}}main ()
// CHECK: guest_399_call + {{[0-9]+}} in section .text
// CHECK: received signal SIGILL
// CHECK: #0 {{.*}} in guest_399_stop ()
// CHECK-NEXT: #1 {{.*}} in call_at {{.*}}
// CHECK-NEXT: #2 {{.*}}main ()
// CHECK-NEXT: guest_398_call in section .text
// CHECK-NEXT: guest_0_call in section .text
// CHECK-NEXT: No symbol matches gone
#include "arena_support.h"

enum { SLOTS = 400, STOP = 32 };

/* For the debugger's commands. */
void reached(void);
extern uintptr_t given_back, first_of_all, gone;
uintptr_t given_back, first_of_all, gone;

__attribute__((noinline)) void reached(void) {
    __asm__ volatile("");
}

/* push %rax; mov $callee, %rax; call *%rax; pop %rcx; ret: what accessors do at a fault. */
static void write_call(const arena_slot *slot, void (*callee)(void)) {
    unsigned char code[] = {0x50, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x59, 0xc3};
    unsigned char stop[] = {0x0f, 0x0b}; /* ud2 */
    uintptr_t address = (uintptr_t)callee;
    memcpy(code + 3, &address, sizeof address);
    memcpy(slot->write, code, sizeof code);
    memcpy(slot->write + STOP, stop, sizeof stop);
}

static arena_slot make(arena *a, unsigned serial) {
    static const arena_function functions[] = {{"call", 0, 15}, {"stop", STOP, 2}};
    char prefix[32];
    arena_slot slot = take(a, 100);
    write_call(&slot, reached);
    publish(a, &slot);
    snprintf(prefix, sizeof prefix, "guest_%u", serial);
    arena_name(a, &slot, prefix, functions, 2);
    return slot;
}

int main(void) {
    static arena_slot slots[SLOTS];
    arena *a = make_arena();
    for (unsigned i = 0; i < SLOTS - 2; i++)
        slots[i] = make(a, i);
    /* The last two are where others were, as soon as these are free. */
    uintptr_t old[2] = {slots[10].run, slots[11].run};
    arena_give(a, &slots[10]);
    arena_give(a, &slots[11]);
    for (unsigned i = 0; i < 64; i++) {
        arena_slot filler = take(a, 2048);
        arena_give(a, &filler);
    }
    for (unsigned i = SLOTS - 2; i < SLOTS; i++)
        slots[i] = make(a, i);
    expect(slots[SLOTS - 1].run == old[0] || slots[SLOTS - 1].run == old[1]);
    gone = slots[20].run;
    arena_give(a, &slots[20]);
    slots[20] = make(a, SLOTS);
    expect(slots[20].run != gone);
    given_back = slots[SLOTS - 2].run;
    first_of_all = slots[0].run;
    call_at(slots[SLOTS - 1].run);
    call_at(slots[SLOTS - 1].run + STOP);
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].own != NULL)
            arena_give(a, &slots[i]);
    arena_destroy(a);
    return 0;
}
