// memfold.hpp: owners give back what they hold, errors are thrown, faults are values, and exceptions and
// guard frames pass through each other in order. Without exceptions the same owners hold what the functions
// of C write.
//
// RUN: %cxx %s -o %t %makes
// RUN: %t | FileCheck %s
// RUN: %cxx -fno-exceptions -fno-rtti %s -o %t.plain %makes
// RUN: %t.plain | FileCheck %s --check-prefix=PLAIN
//
// CHECK:      owners: 1 0 1, moved 0 1, assigned 0 1, shared 1
// CHECK-NEXT: layout: 2 regions, 0x4000 bytes, ro at 0x1000, equal 1, another 1
// CHECK-NEXT: error: unaligned-start 0x2001: the start 0x2001 is not a multiple of 4096; perm rw
// CHECK-NEXT: error: overflow
// CHECK-NEXT: bytes: hello, written 1, across 0 on page 0x3000, cleared 0
// CHECK-NEXT: spans: 4096 l 1, none 1
// CHECK-NEXT: heap: 0x8000, then 1, refused 1
// CHECK-NEXT: clone: x and h, reset h
// CHECK-NEXT: frozen: x, then y in another and x again
// CHECK-NEXT: pool: h each time, kept 0 1 1, moved 2, trimmed 0
// CHECK-NEXT: guard: ended 1, then a fault on page 0x9000 after 1 steps, inner 0xa000 outer ended 1
// CHECK-NEXT: exception through a guard frame: out of order; and again a fault on page 0xb000
// CHECK-NEXT: thread: page 0xc000, the memory's own 0
// CHECK-NEXT: copy: 42, across 1 on page 0x3000, fits 1, then 0, then 1 with 0
// CHECK-NEXT: paged: 42, across 1 on page 0x3000, fits 1, then 1, then 1 with 0
// CHECK-NEXT: error: invalid-argument: the symbol prefix
//
// PLAIN:      created 1 1, error unaligned-start
// PLAIN-NEXT: guard: a fault on page 0x9000
// PLAIN-NEXT: jit: 42
#include <memfold/generic.h>
#include <memfold/memfold.hpp>

#include <cstdio>
#include <thread>
#include <vector>

template <typename Owner> constexpr bool is_owner() {
    return !std::is_copy_constructible_v<Owner> && !std::is_copy_assignable_v<Owner> &&
           std::is_nothrow_move_constructible_v<Owner> && std::is_nothrow_move_assignable_v<Owner>;
}
static_assert(is_owner<memfold::layout>() && is_owner<memfold::image>() &&
              is_owner<memfold::layout_builder>() && is_owner<memfold::memory>() &&
              is_owner<memfold::pool>() && is_owner<memfold::jit>() && is_owner<memfold::code>());
static_assert(!std::is_move_constructible_v<memfold::thread_view>);
static_assert(std::is_trivially_copyable_v<memfold::view>);

static unsigned hex(std::uint64_t number) {
    return static_cast<unsigned>(number);
}

static mf_store_trap_fn *trapping_store() {
    mf_accessor_options options = {};
    options.on_fault = MF_ON_FAULT_TRAP;
    return reinterpret_cast<mf_store_trap_fn *>(
        mf_accessors_member(mf_generic_accessors(&options), MF_STORE_U32));
}

#ifdef __cpp_exceptions

static std::pair<memfold::layout, memfold::image> guest() {
    memfold::layout_builder builder;
    builder.map(0x1000, 4096, MF_READ_ONLY, std::string("hello")).map(0x2000, 4096, MF_READ_WRITE);
    builder.set_heap(0x8000, 1).set_bytes(0x2000, std::vector<std::uint16_t>{0x6868});
    return builder.finish();
}

static void owners() {
    auto [layout, image] = guest();
    memfold::memory memory(layout, image), empty(nullptr);
    std::printf("owners: %d %d %d, ", bool(memory), bool(empty), memory.get() != nullptr);
    memfold::memory moved(std::move(memory));
    std::printf("moved %d %d, ", bool(memory), bool(moved));
    empty = std::move(moved);
    std::printf("assigned %d %d, ", bool(moved), bool(empty));
    memfold::memory taken(empty.release()); // would be freed twice if `empty` had kept it
    taken = memfold::memory(layout);        // and leaked if the first had stayed
    memfold::layout shared = layout.share();
    layout = memfold::layout();
    std::printf("shared %d\n", shared == taken.current_layout());
}

static void layouts() {
    auto [layout, image] = guest();
    auto [same, other_image] = guest();
    memfold::layout other = memfold::layout_builder().finish().first;
    memfold::image shared = image.share();
    std::printf("layout: %zu regions, 0x%x bytes, %s at 0x%x, equal %d, another %d\n", layout.region_count(),
                hex(layout.len() + layout.region(0).size), layout.perm_of(0x1fff) == MF_PERM_RO ? "ro" : "?",
                hex(layout.region(0).start), layout == same, layout != other);
}

static void errors() {
    auto [layout, image] = guest();
    memfold::memory memory(layout, image);
    try {
        memory.protect(0x2001, 4096, MF_PERM_NONE);
    } catch (const memfold::error &error) {
        std::printf("error: %s 0x%x: %s; perm %s\n", mf_status_name(error.status()), hex(error.diag().value),
                    error.what(), memory.perm_of(0x2000) == MF_PERM_RW ? "rw" : "?");
    }
    try {
        memfold::layout_builder().set_heap(0xfffff000, 2);
    } catch (const std::runtime_error &error) {
        std::printf("error: %s\n", mf_status_name(dynamic_cast<const memfold::error &>(error).status()));
    }
}

static void accesses() {
    auto [layout, image] = guest();
    memfold::memory memory(layout, image);
    memfold::view view = memory.view();
    char text[6] = "";
    bool is_read = view.read(0x1000, text, 5);
    bool is_written = view.write(0x2ffc, std::string("word"));
    bool is_across = view.write(0x2ffd, std::string("word"));
    std::printf("bytes: %s, written %d, across %d on page 0x%x, ", is_read ? text : "?", is_written,
                is_across, hex(view.fault().page));
    view.clear_fault();
    std::printf("cleared %u\n", view.fault().kind);
    auto inside = view.readable(0x1000, 4096);
    auto target = view.writable(0x2000, 2);
    (*target)[0] = 'x';
    bool is_none = !view.writable(0x1000, 1) && !view.readable(0x2000, 4097);
    bool filled =
        view.fill(0x2100, 1, 8) && view.copy(0x2104, 0x2100, 8) && view.is_accessible(0x2000, 4096, MF_STORE);
    std::printf("spans: %zu %c %d, none %d\n", inside->size(), (*inside)[3],
                filled && target->data()[0] == 'x', is_none);
}

static void heap() {
    auto [layout, image] = guest();
    memfold::memory memory(layout, image);
    auto old_top = memory.sbrk(1);
    auto now = memory.sbrk(0);
    std::printf("heap: 0x%x, then %u, refused %d\n", hex(*old_top), hex(*now - *old_top), !memory.sbrk(5000));
}

static void lives() {
    auto [layout, image] = guest();
    memfold::memory memory(layout, image);
    bool done = memory.view().write(0x2000, std::string("x"));
    memfold::memory clone = memory.clone();
    clone.reset();
    auto first = memory.view().readable(0x2000, 1), second = clone.view().readable(0x2000, 1);
    std::printf("clone: %c and %c, ", done ? (*first)[0] : '?', (*second)[0]);
    memory.unmap(0x1000, 0x2000);
    memory.map(0x5000, 4096, MF_READ_ONLY);
    memory.reset();
    std::printf("reset %c\n", (*memory.view().readable(0x2000, 1))[0]);
}

static void freezes() {
    auto [layout, image] = guest();
    memfold::memory memory(layout, image);
    bool done = memory.view().write(0x2000, std::string("x"));
    memfold::image frozen = memory.freeze();
    memfold::memory other(frozen);
    std::printf("frozen: %c, ", done ? (*other.view().readable(0x2000, 1))[0] : '?');
    done = other.view().write(0x2000, std::string("y"));
    char now = static_cast<char>((*other.view().readable(0x2000, 1))[0]);
    other.reset();
    std::printf("then %c in another and %c again\n", done ? now : '?',
                (*other.view().readable(0x2000, 1))[0]);
}

static void pools() {
    auto [layout, image] = guest();
    memfold::pool pool;
    char found = 'h';
    unsigned kept[3];
    for (unsigned &count : kept) {
        count = pool.count().memories;
        memfold::pool::lease lease = pool.take(layout, image);
        found = (*lease->view().readable(0x2000, 1))[0] == 'h' ? found : '?';
        found = lease->view().write(0x2000, std::string("x")) ? found : '?';
    }
    {
        memfold::pool::lease one = pool.take(layout, image), two = pool.take(layout, image);
        two = std::move(one);
        memfold::pool::lease three(std::move(two));
    }
    unsigned moved = pool.count().memories;
    memfold::memory prepared(layout, image);
    found = prepared.view().write(0x2000, std::string("p")) ? found : '?';
    {
        memfold::pool::lease clone = pool.clone(prepared);
        found = (*clone->view().readable(0x2000, 1))[0] == 'p' ? found : '?';
        found = clone->view().write(0x2000, std::string("x")) ? found : '?';
    }
    found = (*prepared.view().readable(0x2000, 1))[0] == 'p' ? found : '?';
    pool.trim();
    std::printf("pool: %c each time, kept %u %u %u, moved %u, trimmed %u\n", found, kept[0], kept[1], kept[2],
                moved, pool.count().memories);
}

static void guards() {
    memfold::memory memory, other;
    memfold::view view = memory.view(), outer = other.view();
    mf_store_trap_fn *store = trapping_store();
    int steps = 0;
    bool has_ended = !view.guard([] {});
    auto fault = view.guard([&] {
        steps++;
        store(view, 0x9000, 1);
        steps++;
    });
    std::optional<mf_fault> inner;
    bool outer_ended = !outer.guard([&] { inner = view.guard([&] { store(view, 0xa000, 1); }); });
    std::printf("guard: ended %d, then a fault on page 0x%x after %d steps, inner 0x%x outer ended %d\n",
                has_ended, hex(fault->page), steps, hex(inner->page), outer_ended);
}

static void exceptions() {
    memfold::memory memory;
    memfold::view view = memory.view();
    try {
        auto fault = view.guard([] { throw std::runtime_error("out of order"); });
        std::printf("nothing was thrown, %d\n", bool(fault));
    } catch (const std::runtime_error &error) {
        auto fault = view.guard([&] { trapping_store()(view, 0xb000, 1); });
        std::printf("exception through a guard frame: %s; and again a fault on page 0x%x\n", error.what(),
                    hex(fault->page));
    }
}

static void threads() {
    memfold::memory memory;
    std::uint64_t page = 0;
    std::thread other([&] {
        memfold::thread_view attached(memory);
        if (!attached.get().write(0xc000, std::string("word")))
            page = attached.get().fault().page;
    });
    other.join();
    std::printf("thread: page 0x%x, the memory's own %u\n", hex(page), memory.view().fault().kind);
}

static void accessors(const char *name, mf_backend backend) {
    auto [layout, image] = guest();
    memfold::memory memory(layout, image, backend);
    memfold::view view = memory.view();
    memfold::jit jit;
    memfold::code code = jit.make_for(memory), shared = code.share();
    code->store_u32(view, 0x2000, 42);
    auto loaded = code->load_u32(view, 0x2000);
    std::uint32_t across = code->store_u32(view, 0x2ffe, 1);
    std::printf("%s: %u, across %u on page 0x%x, fits %d, ", name, hex(loaded.value), across,
                hex(view.fault().page), shared.fits(memory));
    memory.protect(0x2000, 4096, MF_PERM_NONE);
    mf_accessor_options options = {};
    options.backend = backend;
    bool fits = code.fits(memory), is_known = jit.make(layout, options).accessors() == code.accessors();
    code = jit.make_for(memory);
    std::printf("then %d, then %d with %u\n", fits, is_known && code.fits(memory),
                code->load_u32(view, 0x2000).status - MF_PAGE_FAULT);
}

static void bad_jit() {
    mf_jit_config config = {};
    config.symbol_prefix = "no name";
    try {
        memfold::jit jit(config);
    } catch (const memfold::error &error) {
        std::printf("error: %s: %.17s\n", mf_status_name(error.status()), error.what());
    }
}

int main() {
    owners();
    layouts();
    errors();
    accesses();
    heap();
    lives();
    freezes();
    pools();
    guards();
    exceptions();
    threads();
    accessors("copy", MF_BACKEND_COPY);
    accessors("paged", MF_BACKEND_X86_PAGED);
    bad_jit();
}

#else

int main() {
    memfold::layout_builder builder;
    memfold::layout layout;
    memfold::memory memory;
    memfold::jit jit;
    memfold::code code;
    mf_diag diag;
    mf_status status =
        mf_layout_builder_map_region(builder.get(), 0x2000, 4096, MF_READ_WRITE, nullptr, 0, &diag);
    for (int i = 0; i < 2 && status == MF_OK; i++) // the second gives back what the first has made
        status = mf_layout_builder_finish(builder.get(), layout.put(), nullptr, &diag);
    if (status == MF_OK)
        status = mf_memory_create(layout.get(), nullptr, MF_BACKEND_COPY, memory.put(), &diag);
    std::printf("created %d %d, ", bool(layout), bool(memory));
    status = mf_memory_protect(memory.get(), 0x2001, 4096, MF_PERM_NONE, &diag);
    std::printf("error %s\n", mf_status_name(status));
    memfold::view view = memory.view();
    auto fault = view.guard([&] { trapping_store()(view, 0x9000, 1); });
    std::printf("guard: a fault on page 0x%x\n", hex(fault->page));
    if (mf_jit_create(nullptr, jit.put(), &diag) ||
        mf_jit_get_for(jit.get(), memory.get(), nullptr, code.put(), &diag))
        return 1;
    code->store_u32(view, 0x2000, 42);
    std::printf("jit: %u\n", hex(code->load_u32(view, 0x2000).value));
}

#endif
