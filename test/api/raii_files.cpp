// memfold.hpp: what is read from files, emitted, proved and swept is owned or a value, errors are thrown, and
// what has no owner gets one in a line.
//
// RUN: %cxx -isystem %llvm-include %s -o %t %verify %gen
// RUN: %t %inputs/sandbox.yaml | FileCheck %s
// RUN: %cxx -fno-exceptions -fno-rtti -isystem %llvm-include %s -o %t.plain %gen
// RUN: %t.plain %inputs/sandbox.yaml | FileCheck %s --check-prefix=PLAIN
//
// CHECK:      file: sandbox, rodata ro 0x4000, data rw 0x8000, stack rw 0x10000; moved 0 1, assigned 0 1, itself 1, taken 1
// CHECK-NEXT: kept: 3 regions of the layout when the file is gone, image 1
// CHECK-NEXT: error: io
// CHECK-NEXT: layout: 3 regions, windows 0x10000-0x14000 0x20000-0x28000 0xfefd0000-0xfefe0000, stores from 0x20000
// CHECK-NEXT: builder: ro at 0x10000, with a page more 4 regions, byte T
// CHECK-NEXT: keys: 2 of 3
// CHECK-NEXT: memory: heap 0x28000 of 256 pages, index 1, bound 0x3000 overflow
// CHECK-NEXT: plan: load_u8    always-allowed
// CHECK-NEXT: code: of the same layout 1
// CHECK-NEXT: entries: 0x200 1 1 0
// CHECK-NEXT: embed: 1, error llvm
// CHECK-NEXT: emitted: header 1, object 1, moved 0 1, error invalid-argument
// CHECK-NEXT: proved: 1, load_u32   proved; of a wrong set 0, store_u8   refuted, big-endian 0 1
// CHECK-NEXT: object: prefix guest, proved 1, expected otherwise bad-input, no object bad-input
// CHECK-NEXT: swept: flaw 0 complete 1, then flaw 1: 1
// CHECK-NEXT: watched: stopped 1, thrown: enough, after 1
//
// PLAIN:      file: sandbox 1, a missing one io, put 0
// PLAIN-NEXT: entries: 1 0
// PLAIN-NEXT: emitted: 1 0
#include <memfold/embed.h>
#include <memfold/generic.h>
#include <memfold/memfold.hpp>

#include <cstdio>
#include <cstring>
#include <unordered_set>

template <typename Owner> constexpr bool is_owner() {
    return !std::is_copy_constructible_v<Owner> && !std::is_copy_assignable_v<Owner> &&
           std::is_nothrow_move_constructible_v<Owner> && std::is_nothrow_move_assignable_v<Owner>;
}
static_assert(is_owner<memfold::layout_file>() && is_owner<memfold::emitted_file>() &&
              is_owner<memfold::exception_entries>());

/* A fault 0x100 bytes behind the entry goes on 0x200 bytes behind it. */
static mf_exception_entry entry = {0x100, 0x200 - 4};

static std::uint64_t resume_of_entry() {
    auto start = reinterpret_cast<std::uintptr_t>(&entry);
    std::uintptr_t resume = mf_exception_table_lookup(start + 0x100);
    return resume == 0 ? 0 : resume - start;
}

#ifdef __cpp_exceptions

static unsigned long long hex(std::uint64_t number) {
    return number;
}

static memfold::layout one_window() {
    return memfold::layout_builder().map(0x2000, 4096, MF_READ_WRITE).finish().first;
}

/* The name of the status that `call` throws. */
template <typename Call> static const char *thrown_by(Call &&call) {
    try {
        call();
    } catch (const memfold::error &error) {
        return mf_status_name(error.status());
    }
    return "nothing";
}

static void files(const char *path) {
    memfold::layout_file file(path), other;
    std::printf("file: %s", file.name());
    for (const mf_named_region &each : file)
        std::printf(", %s %s 0x%llx", each.name, each.region.access == MF_READ_ONLY ? "ro" : "rw",
                    hex(each.region.size));
    memfold::layout_file moved(std::move(file));
    std::printf("; moved %d %d, ", bool(file), bool(moved));
    other = memfold::layout_file(path, MF_FORMAT_YAML); // would leak if the next did not give it back
    other = std::move(moved);
    std::printf("assigned %d %d, ", bool(moved), bool(other));
    memfold::layout_file &itself = other;
    other = std::move(itself);
    std::printf("itself %d, ", bool(other) && std::strcmp(other.name(), "sandbox") == 0);
    memfold::layout_file taken(other.release()); // would be freed twice if `other` had kept it
    std::printf("taken %d\n", bool(taken) && !other);
    other = std::move(taken);

    memfold::layout layout = other.layout();
    memfold::image image = other.image();
    other = memfold::layout_file();
    std::printf("kept: %zu regions of the layout when the file is gone, image %d\n", layout.region_count(),
                bool(memfold::memory(layout, image)) && other.begin() == other.end() &&
                    *other.name() == '\0');
    std::printf("error: %s\n", thrown_by([] { memfold::layout_file("no/such/file.yaml"); }));
}

static void layouts(const char *path) {
    memfold::layout_file file(path);
    memfold::layout layout = file.layout();
    std::printf("layout: %zu regions, windows", layout.regions().size());
    for (const mf_window &window : layout.windows(MF_LOAD))
        std::printf(" 0x%llx-0x%llx", hex(window.start), hex(window.start + window.size));
    std::printf(", stores from 0x%llx\n", hex(layout.windows(MF_STORE).at(0).start));

    memfold::layout_builder builder;
    builder.add(layout, file.image()).map(0xfffff000, 4096, MF_READ_WRITE);
    std::printf("builder: %s at 0x10000, ", builder.perm_of(0x10000) == MF_PERM_RO ? "ro" : "?");
    auto [more, image] = builder.finish();
    memfold::memory memory(more, image);
    std::printf("with a page more %zu regions, byte %c\n", more.region_count(),
                (*memory.view().readable(0x10000, 1))[0]);

    std::unordered_set<memfold::layout> keys;
    keys.insert(layout.share());
    keys.insert(std::move(more));
    keys.insert(layout.share());
    std::printf("keys: %zu of 3\n", keys.size());
}

static void memories(const char *path) {
    memfold::layout_file file(path);
    mf_memory_config config = {};
    config.index = MF_MEMORY_U32;
    memfold::memory memory(file.layout(), config);
    std::printf("memory: heap 0x%llx of %u pages, index %d, ", hex(memory.heap_base()),
                memory.max_heap_pages(), memory.index());
    memfold::image frozen = memfold::memory(one_window()).freeze();
    config.max_bytes = 0x3000;
    std::uint64_t len = memfold::memory(frozen, config).len();
    std::printf("bound 0x%llx %s\n", hex(len), thrown_by([&] { memfold::memory(file.layout(), config); }));
}

static void code() {
    memfold::layout layout =
        memfold::layout_builder().map(0, std::uint64_t(1) << 32, MF_READ_WRITE).finish().first;
    mf_plan plan;
    memfold::attempt(
        [&](mf_diag *diag) { return mf_plan_make(layout.get(), MF_LOAD_U8, nullptr, &plan, diag); });
    std::printf("plan: %s\n", memfold::to_string(plan).c_str());

    memfold::jit jit;
    std::printf("code: of the same layout %d\n", jit.make(layout).layout() == layout);

    {
        memfold::exception_entries once(&entry, 1), twice(&entry, 1);
        std::printf("entries: 0x%llx ", hex(resume_of_entry()));
        once = std::move(twice);
        std::printf("%d ", resume_of_entry() != 0);
        memfold::exception_entries moved(std::move(once));
        std::printf("%d ", resume_of_entry() != 0);
    }
    std::printf("%llu\n", hex(resume_of_entry()));
}

static void embeds() {
    using embed = memfold::owner<mf_embed, mf_embed_destroy>;
    memfold::layout layout = one_window();
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("client", context);
    auto create = [&](const char *data_layout) {
        embed made;
        LLVMSetDataLayout(module, data_layout);
        memfold::attempt(
            [&](mf_diag *diag) { return mf_embed_create(module, layout.get(), nullptr, made.put(), diag); });
        return made;
    };
    std::printf("embed: %d, error %s\n", bool(create("e-i64:64")), thrown_by([&] { create("E-i64:64"); }));
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
}

static memfold::emitted_file emit(const memfold::layout &layout, mf_emit_kind kind, const char *prefix) {
    mf_aot_options options = {};
    options.symbol_prefix = prefix;
    return memfold::emitted_file(layout, kind, options);
}

static void emissions() {
    memfold::layout layout = one_window();
    memfold::emitted_file header = emit(layout, MF_EMIT_HEADER, "guest");
    std::printf("emitted: header %d, ",
                header.text().find("guest_load_u32(mf_view *view") != std::string::npos);
    memfold::emitted_file object = emit(layout, MF_EMIT_OBJECT, "guest");
    std::printf("object %d, ", object.text().substr(1, 3) == "ELF");
    header = std::move(object);
    std::printf("moved %zu %d, error %s\n", object.size(), header.size() > 1000,
                thrown_by([&] { emit(layout, MF_EMIT_HEADER, "no name"); }));
}

/* A store that says it has been done. */
static std::uint32_t forgetful_store(mf_view *, std::uint32_t, std::uint64_t) {
    return MF_FAULT_NONE;
}

static void proofs() {
    memfold::layout layout = one_window();
    memfold::jit jit;
    memfold::code code = jit.make(layout);
    mf_verify_report report = memfold::verify(layout, code.accessors());
    std::printf("proved: %d, %s; ", report.all_proved,
                memfold::to_string(report.results[MF_LOAD_U32]).c_str());
    mf_accessors wrong = *code.accessors();
    wrong.store_u8 = code->store_u16;
    mf_verify_subject subject = {};
    subject.accessors = &wrong;
    report = memfold::verify(layout, subject);
    std::string line = memfold::to_string(report.results[MF_STORE_U8]);
    std::printf("of a wrong set %d, %s, ", report.all_proved, line.substr(0, line.find('\n')).c_str());
    mf_accessor_options big_endian = {};
    big_endian.endian = MF_BIG_ENDIAN;
    code = jit.make(layout, big_endian);
    std::printf("big-endian %d %d\n", memfold::verify(layout, code.accessors()).all_proved,
                memfold::verify(layout, code.accessors(), big_endian).all_proved);

    memfold::emitted_file object = emit(layout, MF_EMIT_OBJECT, "guest");
    mf_object_note note = memfold::note_of(object);
    mf_accessor_options other = note.options;
    other.endian = MF_BIG_ENDIAN;
    std::printf("object: prefix %s, proved %d, ", note.prefix,
                memfold::verify_object(object, layout).all_proved);
    std::printf("expected otherwise %s, no object %s\n",
                thrown_by([&] { memfold::verify_object(object, layout, &other); }),
                thrown_by([] { memfold::note_of(std::string("no object")); }));
}

static void sweeps() {
    mf_memory_config config = {};
    config.huge_pages = MF_HUGE_PAGES_NEVER;
    memfold::memory memory(one_window(), config);
    const mf_accessors *right = mf_generic_accessors(nullptr);
    mf_sweep_request request = {};
    request.samples = 100;
    mf_accessor_options big_endian = {};
    big_endian.endian = MF_BIG_ENDIAN;
    mf_sweep_report report = memfold::sweep(memory, mf_generic_accessors(&big_endian), big_endian, request);
    std::printf("swept: flaw %d complete %d, ", report.flaw, report.is_complete);
    mf_accessors wrong = *right;
    wrong.store_u8 = forgetful_store;
    request.accessors = 1u << MF_STORE_U8;
    report = memfold::sweep(memory, &wrong, {}, request);
    std::printf("then flaw %d: %d\n", report.flaw == MF_SWEEP_STATUS || report.flaw == MF_SWEEP_BYTES,
                memfold::to_string(report).find("store_u8") != std::string::npos);

    request = {};
    request.is_exhaustive = true;
    request.processes = 1;
    bool was_on_its_way = false;
    report = memfold::sweep_watched(memory, right, {}, request, [&](const mf_sweep_progress &progress) {
        was_on_its_way = progress.total > progress.done;
        return false;
    });
    std::printf("watched: stopped %d, ", was_on_its_way && !report.is_complete);
    int asked = 0;
    try {
        memfold::sweep_watched(memory, right, {}, request, [&](const mf_sweep_progress &) -> bool {
            asked++;
            throw std::string("enough");
        });
    } catch (const std::string &reason) {
        std::printf("thrown: %s, after %d\n", reason.c_str(), asked);
    }
}

int main(int, char **arguments) {
    files(arguments[1]);
    layouts(arguments[1]);
    memories(arguments[1]);
    code();
    embeds();
    emissions();
    proofs();
    sweeps();
}

#else

int main(int, char **arguments) {
    memfold::layout_file file;
    mf_diag diag;
    if (mf_layout_file_read(arguments[1], MF_FORMAT_AUTO, file.put(), &diag) != MF_OK)
        return 1;
    std::printf("file: %s %d, ", file.name(), bool(file));
    mf_status status = mf_layout_file_read("no/such/file.yaml", MF_FORMAT_AUTO, file.put(), &diag);
    std::printf("a missing one %s, put %d\n", mf_status_name(status), bool(file));

    if (mf_exception_table_register(&entry, 1, &diag) != MF_OK)
        return 1;
    memfold::exception_entries entries(&entry);
    std::printf("entries: %d ", resume_of_entry() != 0);
    entries = memfold::exception_entries();
    std::printf("%d\n", resume_of_entry() != 0);

    memfold::layout layout;
    if (mf_layout_builder_finish(memfold::layout_builder().get(), layout.put(), nullptr, &diag) != MF_OK)
        return 1;
    mf_aot_options options = {};
    options.symbol_prefix = "guest";
    memfold::emitted_file emitted;
    for (int i = 0; i < 2; i++) // the second gives back what the first has made
        if (mf_aot_emit(layout.get(), &options, MF_EMIT_HEADER, emitted.put(), emitted.put_size(), &diag))
            return 1;
    std::printf("emitted: %d ", emitted.text().find("guest_load_u32") != std::string::npos);
    emitted = memfold::emitted_file();
    std::printf("%zu\n", emitted.size());
}

#endif
