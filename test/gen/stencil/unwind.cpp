// An exception that the panic hook throws passes through accessors of stencils, with what the caller keeps in
// registers: through those of a jit, which has told the unwinder, and through those in a client's buffer by
// the unwind entry that stencil.h describes. Every accessor, stale or trapping, with and without a mask.
//
// RUN: clang++ %sanitize -std=c++17 -O1 -Wall -Wextra -Werror -I%include %s %makes -o %t
// RUN: %t | FileCheck %s
//
// CHECK: {{[1-9][0-9]+}} sets of a jit: all exceptions are caught
// CHECK-NEXT: {{[1-9][0-9]+}} sets in a buffer: all exceptions are caught
#include <memfold/jit.h>
#include <memfold/panic.h>
#include <memfold/stencil.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

extern "C" void __register_frame(void *begin);
extern "C" void __deregister_frame(void *begin);
extern "C" void __unw_add_dynamic_fde(uintptr_t fde) __attribute__((weak));

static void must(bool holds, const char *what) {
    if (holds)
        return;
    std::printf("wrong: %s\n", what);
    std::exit(1);
}

static void throw_it(const char *) {
    throw 42;
}

/* An unwind entry for [start, start + bytes), as DWARF 4, 6.4 and the Linux Standard Base 5, 10.6 have it. */
struct frame_entry {
    uint32_t cie_bytes = 28, cie_id = 0;
    unsigned char cie[24] = {
        1,         'z', 'R',  0, 1,    0x78, 16,   1,    0,  // version, augmentation, -8, rip, absolute
        0x0f,      7,   0x77, 0, 0x09, 0xf0, 0x1a, 0x23, 16, // CFA: (rsp + 0 and -16) + 16
        0x80 | 16, 1};                                       // rip is at CFA - 8
    uint32_t fde_bytes = 28, cie_distance = 36;
    uint64_t start, bytes;
    unsigned char fde[8] = {};
    uint32_t end[2] = {};
    frame_entry(void *run, size_t run_bytes) : start(reinterpret_cast<uintptr_t>(run)), bytes(run_bytes) {
        __register_frame(at());
    }
    ~frame_entry() {
        __deregister_frame(at());
    }
    void *at() { // libgcc takes a section of entries, LLVM's libunwind one of them
        return __unw_add_dynamic_fde != nullptr ? &fde_bytes : &cie_bytes;
    }
};
static_assert(offsetof(frame_entry, fde_bytes) == 32 && offsetof(frame_entry, end) == 64, "no padding");

/* Made code has no type before it that a sanitizer could read. */
__attribute__((no_sanitize("function"))) static void call(const mf_accessors *set, mf_accessor_id id,
                                                          bool traps, mf_view *view) {
    mf_accessor_fn *member = mf_accessors_member(set, id);
    bool loads = mf_accessor_info_get(id)->operation == MF_LOAD;
    const uint32_t address = 0xffff0000; // where nothing is
    if (loads && traps)
        reinterpret_cast<mf_load_trap_fn *>(member)(view, address);
    else if (loads)
        reinterpret_cast<mf_load_fn *>(member)(view, address);
    else if (traps)
        reinterpret_cast<mf_store_trap_fn *>(member)(view, address, 1);
    else
        reinterpret_cast<mf_store_fn *>(member)(view, address, 1);
}

/* Values that live in registers of the caller across the call. */
__attribute__((noinline, no_sanitize("function"))) static bool
is_caught(const mf_accessors *set, mf_accessor_id id, bool traps, mf_view *view) {
    volatile int source[6] = {1, 2, 3, 4, 5, 6};
    int a = source[0], b = source[1], c = source[2], d = source[3], e = source[4], f = source[5];
    try {
        call(set, id, traps, view);
    } catch (int caught) {
        return caught == 42 && a + b + c + d + e + f == 21;
    }
    return false;
}

static void check_set(const mf_accessors *set, bool traps, mf_view *view) {
    for (int id = 0; id < MF_ACCESSOR_COUNT; id++)
        must(is_caught(set, static_cast<mf_accessor_id>(id), traps, view), "an exception is caught");
}

static mf_memory *make_memory(unsigned regions) {
    mf_memory *memory;
    must(mf_memory_create(nullptr, nullptr, MF_BACKEND_COPY, &memory, nullptr) == MF_OK, "a memory");
    for (unsigned i = 0; i < regions; i++)
        must(mf_memory_map_region(memory, 0x20000 + i * UINT64_C(0x3000), 4096, MF_READ_WRITE, nullptr, 0,
                                  nullptr) == MF_OK,
             "a region");
    return memory;
}

/* Those that trap fault for want of a page, the others are stale. */
static void end_as(bool traps, mf_memory *memory) {
    if (!traps)
        must(mf_memory_map_region(memory, 0x10000000, 4096, MF_READ_ONLY, nullptr, 0, nullptr) == MF_OK,
             "another layout");
}

static void check_jit(mf_jit *jit, const mf_accessor_options &options, unsigned regions) {
    mf_code *code;
    mf_memory *memory = make_memory(regions);
    must(mf_jit_get_for(jit, memory, &options, &code, nullptr) == MF_OK, "code");
    end_as(options.on_fault == MF_ON_FAULT_TRAP, memory);
    check_set(mf_code_accessors(code), options.on_fault == MF_ON_FAULT_TRAP, mf_memory_view(memory));
    mf_code_release(code);
    mf_memory_destroy(memory);
}

static void check_buffer(mf_jit *, const mf_accessor_options &options, unsigned regions) {
    mf_layout *layout;
    mf_stencil_set set;
    mf_accessors accessors;
    size_t bytes;
    mf_memory *memory = make_memory(regions);
    must(mf_memory_layout(memory, &layout, nullptr) == MF_OK, "a layout");
    must(mf_stencil_size(layout, &options, &bytes, nullptr) == MF_OK, "a size");
    void *code = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(code != MAP_FAILED && mf_stencil_emit(layout, &options, code, bytes, &set, nullptr) == MF_OK,
         "code");
    must(mprotect(code, bytes, PROT_READ | PROT_EXEC) == 0, "code that runs");
    mf_stencil_accessors(&set, code, &accessors);
    end_as(options.on_fault == MF_ON_FAULT_TRAP, memory);
    {
        frame_entry entry(code, bytes);
        check_set(&accessors, options.on_fault == MF_ON_FAULT_TRAP, mf_memory_view(memory));
    }
    munmap(code, bytes);
    mf_layout_release(layout);
    mf_memory_destroy(memory);
}

static int check_all(void (*check)(mf_jit *, const mf_accessor_options &, unsigned), mf_jit *jit) {
    int sets = 0;
    for (unsigned regions = 1; regions <= 40; regions += regions < 6 ? 1 : 17)
        for (int traps = 0; traps < 2; traps++)
            for (int mask = 0; mask < 2; mask++, sets++) {
                mf_accessor_options options{};
                options.on_fault = traps != 0 ? MF_ON_FAULT_TRAP : MF_ON_FAULT_RETURN;
                options.stale = traps != 0 ? MF_STALE_TRUST : MF_STALE_CHECK;
                options.spectre = mask != 0 ? MF_SPECTRE_MASK : MF_SPECTRE_NONE;
                options.strategy = regions > 4 ? MF_STRATEGY_GRANULE_BITMAP : MF_STRATEGY_AUTO;
                check(jit, options, regions);
            }
    return sets;
}

int main() {
    mf_jit *jit;
    mf_panic_hook_set(throw_it);
    must(mf_jit_create(nullptr, &jit, nullptr) == MF_OK, "a jit");
    std::printf("%d sets of a jit: all exceptions are caught\n", check_all(check_jit, jit));
    mf_jit_destroy(jit);
    std::printf("%d sets in a buffer: all exceptions are caught\n", check_all(check_buffer, nullptr));
    return 0;
}
