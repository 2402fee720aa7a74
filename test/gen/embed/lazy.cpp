// Modules whose functions a lazy JIT compiles one by one, each into an object with a table of its own:
// values, faults and their records are right, with on_fault = return and branch, with accesses and with
// accessors that mf_embed_define has made, from one thread and from several, linked by JITLink and by RTDyld.
// When the code is removed no entry is left. A plugin that lacks one of its halves is a signal at the first
// fault. (TSan does not see the atomics inside LLVM, and takes the order of its locks for a danger.)
//
// RUN: %cxx %llvm -fno-exceptions -fno-rtti %s -o %t %gen -Wl,--wrap=mf_exception_table_register
// RUN: echo 'race:RuntimeDyldImpl' > %t.suppressions
// RUN: env TSAN_OPTIONS=detect_deadlocks=0:suppressions=%t.suppressions %t 2>/dev/null | FileCheck %s
//
// CHECK:      without the plugin: a fault ends the process
// CHECK-NEXT: without keeping entries: a fault ends the process
// CHECK-NEXT: without registering: a fault ends the process
// CHECK-NEXT: JITLink, return: 36 functions compiled one by one, 13 entries, 0 left
// CHECK-NEXT: JITLink, branch: 36 functions compiled one by one, 24 entries, 0 left
// CHECK-NEXT: RTDyld, return: 36 functions compiled one by one, 13 entries, 0 left
// CHECK-NEXT: RTDyld, branch: 36 functions compiled one by one, 24 entries, 0 left
// CHECK-NEXT: 4 threads, JITLink: 4 modules of 36 functions, 74 entries, 0 left
// CHECK-NEXT: 4 threads, RTDyld: 4 modules of 36 functions, 74 entries, 0 left
// CHECK-NEXT: whole modules: the first removed: 24 of 47 left, the second after a transfer: 0 left
// CHECK-NEXT: JITLink without memory: no memory for this
// CHECK-NEXT: RTDyld without memory: {{.*}}no memory for this
// CHECK-NEXT: and 36 functions after it
// CHECK-NEXT: RTDyld has no plugins: the JIT does not link with JITLink: make its layer with memfold::exception_table_memory_manager
#include <memfold/embed.h>
#include <memfold/memory.h>
#include <memfold/orc.hpp>

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/ExecutionEngine/Orc/RTDyldObjectLinkingLayer.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/TargetSelect.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

using namespace llvm;
using namespace llvm::orc;

#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

static constexpr uint32_t START = 0x20000;  // of the guest's only page; word i of it is 1000 + i
static constexpr uint32_t BEYOND = 0x30000; // where nothing is
static constexpr unsigned FUNCTIONS = 36;   // of a module

static void must(mf_status status, const mf_diag &diag) {
    if (status == MF_OK)
        return;
    std::printf("%s: %s\n", mf_status_name(status), diag.message);
    std::exit(1);
}

static void must(Error error) {
    if (!error)
        return;
    std::printf("%s\n", toString(std::move(error)).c_str());
    std::exit(1);
}

template <typename T> static T must(Expected<T> value) {
    must(value ? Error::success() : value.takeError());
    return static_cast<T &&>(*value);
}

// ---- The guest ----

static mf_layout *layout;
static mf_memory *memory;

static void make_guest() {
    mf_diag diag;
    mf_layout_builder *builder = mf_layout_builder_create();
    must(mf_layout_builder_map_region(builder, START, MF_PAGE_SIZE, MF_READ_WRITE, nullptr, 0, &diag), diag);
    must(mf_layout_builder_finish(builder, &layout, nullptr, &diag), diag);
    must(mf_memory_create(layout, nullptr, MF_BACKEND_X86_PAGED, &memory, &diag), diag);
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        uint32_t word = 1000 + i;
        mf_memory_write(memory, START + 4 * i, &word, sizeof word);
    }
    mf_layout_builder_destroy(builder);
}

static void drop_guest() {
    mf_memory_destroy(memory);
    mf_layout_release(layout);
}

// ---- Entries ----

static bool has_memory = true;
static std::mutex entries_mutex;
static std::vector<uintptr_t> entries; // the instruction of each that was registered

extern "C" mf_status __real_mf_exception_table_register(const mf_exception_entry *, size_t, mf_diag *);
extern "C" mf_status __wrap_mf_exception_table_register(const mf_exception_entry *table, size_t count,
                                                        mf_diag *diag) {
    if (!has_memory)
        return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for this");
    std::lock_guard<std::mutex> guard(entries_mutex);
    for (size_t i = 0; i < count; i++)
        entries.push_back(reinterpret_cast<uintptr_t>(&table[i].fault) +
                          static_cast<uintptr_t>(table[i].fault));
    return __real_mf_exception_table_register(table, count, diag);
}

static size_t count_entries() {
    std::lock_guard<std::mutex> guard(entries_mutex);
    return entries.size();
}

// How many of them are in force.
static size_t count_left() {
    return static_cast<size_t>(std::count_if(entries.begin(), entries.end(), [](uintptr_t fault) {
        return mf_exception_table_lookup(fault) != 0;
    }));
}

// ---- Modules ----

// Function i loads word i from the address that it is given, and returns it, or -i - 1 if that faults. Every
// third one calls the accessor instead that mf_embed_define has made; every third one calls the function
// before it and negates what that returns.
enum kind { ACCESS, ACCESSOR, CALL };

static kind kind_of(unsigned i, mf_on_fault on_fault) {
    if (i % 3 == 1)
        return on_fault == MF_ON_FAULT_RETURN ? ACCESSOR : ACCESS;
    return i % 3 == 2 ? CALL : ACCESS;
}

static int64_t expected(unsigned i, mf_on_fault on_fault, bool faults) {
    if (kind_of(i, on_fault) == CALL)
        return -expected(i - 1, on_fault, faults);
    return faults ? -static_cast<int64_t>(i) - 1 : 1000 + static_cast<int64_t>(i);
}

struct emitter {
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMTypeRef t_i32, t_i64, t_function;
    mf_embed *embed;
    LLVMValueRef accessors[MF_ACCESSOR_COUNT];
    LLVMValueRef f_before; // the function before
};

static void build_access(emitter &e, LLVMValueRef f, unsigned i) {
    mf_embed_access access = {};
    access.view = LLVMGetParam(f, 0);
    access.address = LLVMGetParam(f, 1);
    access.offset = 4 * i;
    access.fault_block = LLVMAppendBasicBlockInContext(LLVMGetModuleContext(e.module), f, "fault");
    LLVMValueRef v_word = mf_embed_load(e.embed, e.builder, &access, e.t_i32, nullptr);
    LLVMValueRef v_extended = LLVMBuildZExt(e.builder, v_word, e.t_i64, "");
    LLVMBuildRet(e.builder, v_extended);
    LLVMPositionBuilderAtEnd(e.builder, access.fault_block);
    LLVMBuildRet(e.builder, LLVMConstInt(e.t_i64, ~static_cast<uint64_t>(i), true));
}

static void build_accessor_call(emitter &e, LLVMValueRef f, unsigned i) {
    LLVMValueRef f_load = e.accessors[MF_LOAD_U32];
    LLVMValueRef v_address =
        LLVMBuildAdd(e.builder, LLVMGetParam(f, 1), LLVMConstInt(e.t_i32, 4 * i, false), "");
    LLVMValueRef arguments[] = {LLVMGetParam(f, 0), v_address};
    LLVMValueRef v_result =
        LLVMBuildCall2(e.builder, LLVMGlobalGetValueType(f_load), f_load, arguments, 2, "");
    LLVMValueRef v_status = LLVMBuildExtractValue(e.builder, v_result, 1, "");
    LLVMValueRef v_is_done =
        LLVMBuildICmp(e.builder, LLVMIntEQ, v_status, LLVMConstInt(e.t_i32, 0, false), "");
    LLVMValueRef v_value = LLVMBuildExtractValue(e.builder, v_result, 0, "");
    LLVMValueRef v_else = LLVMConstInt(e.t_i64, ~static_cast<uint64_t>(i), true);
    LLVMValueRef v_returned = LLVMBuildSelect(e.builder, v_is_done, v_value, v_else, "");
    LLVMBuildRet(e.builder, v_returned);
}

static void build_call_before(emitter &e, LLVMValueRef f) {
    LLVMValueRef arguments[] = {LLVMGetParam(f, 0), LLVMGetParam(f, 1)};
    LLVMValueRef v_result = LLVMBuildCall2(e.builder, e.t_function, e.f_before, arguments, 2, "");
    LLVMValueRef v_negated = LLVMBuildNeg(e.builder, v_result, "");
    LLVMBuildRet(e.builder, v_negated);
}

static std::string name_of(const std::string &prefix, unsigned i) {
    return prefix + "_" + std::to_string(i);
}

static void build_functions(emitter &e, const std::string &prefix, mf_on_fault on_fault) {
    LLVMContextRef context = LLVMGetModuleContext(e.module);
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        LLVMValueRef f = LLVMAddFunction(e.module, name_of(prefix, i).c_str(), e.t_function);
        LLVMPositionBuilderAtEnd(e.builder, LLVMAppendBasicBlockInContext(context, f, "entry"));
        kind k = kind_of(i, on_fault);
        if (k == ACCESS)
            build_access(e, f, i);
        else if (k == ACCESSOR)
            build_accessor_call(e, f, i);
        else
            build_call_before(e, f);
        e.f_before = f;
    }
}

static ThreadSafeModule make_module(LLJIT &jit, const std::string &prefix, mf_on_fault on_fault,
                                    LLVMLinkage linkage = LLVMInternalLinkage) {
    auto context = std::make_unique<LLVMContext>();
    auto module = std::make_unique<Module>(prefix, *context);
    LLVMSetTarget(wrap(module.get()), jit.getTargetTriple().str().c_str());
    module->setDataLayout(jit.getDataLayout());
    mf_accessor_options options = {};
    options.backend = MF_BACKEND_X86_PAGED;
    options.on_fault = on_fault;
    mf_diag diag;
    LLVMContextRef c = wrap(context.get());
    emitter e = {};
    e.module = wrap(module.get());
    e.builder = LLVMCreateBuilderInContext(c);
    e.t_i32 = LLVMInt32TypeInContext(c);
    e.t_i64 = LLVMInt64TypeInContext(c);
    LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(c, 0), e.t_i32};
    e.t_function = LLVMFunctionType(e.t_i64, parameters, 2, false);
    must(mf_embed_create(e.module, layout, &options, &e.embed, &diag), diag);
    if (on_fault == MF_ON_FAULT_RETURN) {
        must(mf_embed_define(e.module, layout, &options, (prefix + "_guest").c_str(), e.accessors, &diag),
             diag);
        LLVMSetLinkage(e.accessors[MF_LOAD_U32], linkage);
    }
    build_functions(e, prefix, on_fault);
    must(mf_embed_define_exception_table(e.module, nullptr, &diag), diag);
    mf_embed_destroy(e.embed);
    LLVMDisposeBuilder(e.builder);
    return ThreadSafeModule(std::move(module), std::move(context));
}

// ---- JITs ----

using layer_creator = LLJITBuilderState::ObjectLinkingLayerCreator;

using created_layer = Expected<std::unique_ptr<ObjectLayer>>;

// What creators get besides the session is another's in each LLVM.
static const auto create_rtdyld = [](ExecutionSession &session, auto &&...) -> created_layer {
    return std::make_unique<RTDyldObjectLinkingLayer>(
        session, [](auto &&...) { return std::make_unique<memfold::exception_table_memory_manager>(); });
};

static const auto create_jitlink = [](ExecutionSession &session, auto &&...) -> created_layer {
    auto layer = std::make_unique<ObjectLinkingLayer>(session);
    must(memfold::add_exception_tables(*layer));
    return layer;
};

// A plugin without one of its halves.
template <bool keeps> class half_a_plugin : public memfold::exception_table_plugin {
    void modifyPassConfig(MaterializationResponsibility &r, jitlink::LinkGraph &graph,
                          jitlink::PassConfiguration &config) override {
        size_t keeping = config.PrePrunePasses.size(), registering = config.PostFixupPasses.size();
        exception_table_plugin::modifyPassConfig(r, graph, config);
        if (keeps)
            config.PostFixupPasses.resize(registering);
        else
            config.PrePrunePasses.resize(keeping);
    }
};

template <typename plugin>
static const auto create_with = [](ExecutionSession &session, auto &&...) -> created_layer {
    auto layer = std::make_unique<ObjectLinkingLayer>(session);
    layer->addPlugin(std::make_shared<plugin>());
    return layer;
};

static const auto create_bare = [](ExecutionSession &session, auto &&...) -> created_layer {
    return std::make_unique<ObjectLinkingLayer>(session);
};

static void define_runtime(LLJIT &jit) {
    size_t count;
    const mf_runtime_symbol *symbols = mf_runtime_symbols(&count);
    SymbolMap map;
    for (size_t i = 0; i < count; i++)
        map[jit.mangleAndIntern(symbols[i].name)] = {ExecutorAddr::fromPtr(symbols[i].address),
                                                     JITSymbolFlags::Exported};
    must(jit.getMainJITDylib().define(absoluteSymbols(std::move(map))));
}

static std::unique_ptr<LLLazyJIT> make_lazy_jit(layer_creator create_layer, unsigned threads) {
    LLLazyJITBuilder builder;
    builder.setObjectLinkingLayerCreator(create_layer).setNumCompileThreads(threads);
    auto jit = must(builder.create());
    define_runtime(*jit);
    return jit;
}

static std::unique_ptr<LLJIT> make_jit(layer_creator create_layer) {
    auto jit = must(LLJITBuilder().setObjectLinkingLayerCreator(create_layer).create());
    define_runtime(*jit);
    return jit;
}

// ---- Calls ----

using guest_function = int64_t(mf_view *, uint32_t);

CALLS_MADE_CODE static int64_t call(guest_function *function, mf_view *view, uint32_t address) {
    return function(view, address);
}

// Two calls of function i; `address` is where word 0 is.
static bool is_right(guest_function *function, unsigned i, mf_on_fault on_fault, mf_view *view) {
    mf_fault none = {};
    view->fault = none;
    if (call(function, view, START) != expected(i, on_fault, false) || view->fault.kind != 0)
        return false;
    if (call(function, view, BEYOND) != expected(i, on_fault, true))
        return false;
    unsigned accessed = kind_of(i, on_fault) == CALL ? i - 1 : i;
    return on_fault == MF_ON_FAULT_BRANCH ||
           (view->fault.kind == MF_PAGE_FAULT && view->fault.page == BEYOND &&
            view->fault.address == BEYOND + 4 * accessed);
}

static void must_be_right(bool is_right, const std::string &name) {
    if (is_right)
        return;
    std::printf("%s: wrong\n", name.c_str());
    std::exit(1);
}

static guest_function *find(LLJIT &jit, JITDylib &dylib, const std::string &name) {
    return must(jit.lookup(dylib, name)).toPtr<guest_function *>();
}

static void call_all(LLJIT &jit, JITDylib &dylib, const std::string &prefix, mf_on_fault on_fault,
                     mf_view *view) {
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        std::string name = name_of(prefix, i);
        must_be_right(is_right(find(jit, dylib, name), i, on_fault, view), name);
    }
}

// ---- Lazily ----

static JITDylib &make_dylib(LLJIT &jit, const std::string &name) {
    JITDylib &dylib = must(jit.createJITDylib(name));
    dylib.addToLinkOrder(jit.getMainJITDylib());
    return dylib;
}

// What a lazy layer has compiled belongs to a library beside the one with the stubs.
static void remove_lazy_dylib(LLJIT &jit, JITDylib &dylib) {
    JITDylib *code = jit.getExecutionSession().getJITDylibByName(dylib.getName() + ".impl");
    must(jit.getExecutionSession().removeJITDylibs({&dylib, code}));
}

// An access is one entry, of an object that is there when it is first called; an accessor is one for all.
static size_t entries_after(unsigned called, mf_on_fault on_fault) {
    size_t count = 0;
    for (unsigned i = 0; i < called; i++)
        count += kind_of(i, on_fault) == ACCESS;
    return count + (on_fault == MF_ON_FAULT_RETURN && called > 1);
}

static void run_lazily(const char *title, layer_creator create_layer, mf_on_fault on_fault) {
    entries.clear();
    auto jit = make_lazy_jit(create_layer, 0);
    JITDylib &dylib = make_dylib(*jit, "guest");
    must(jit->addLazyIRModule(dylib, make_module(*jit, "f", on_fault)));
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        guest_function *function = find(*jit, dylib, name_of("f", i));
        must_be_right(entries.size() == entries_after(i, on_fault), "entries before " + name_of("f", i));
        must_be_right(is_right(function, i, on_fault, mf_memory_view(memory)), name_of("f", i));
        must_be_right(entries.size() == entries_after(i + 1, on_fault), "entries after " + name_of("f", i));
    }
    must_be_right(count_left() == entries.size(), "entries in force");
    remove_lazy_dylib(*jit, dylib);
    std::printf("%s, %s: %u functions compiled one by one, %zu entries, %zu left\n", title,
                on_fault == MF_ON_FAULT_RETURN ? "return" : "branch", FUNCTIONS, entries.size(),
                count_left());
}

// Each of the threads calls all functions of all modules, in another order. The accessor is no internal
// function then: what a lazy layer of LLVM 19 makes of one may run before its memory is executable.
static void run_threads(const char *title, layer_creator create_layer) {
    constexpr unsigned THREADS = 4, MODULES = 4;
    entries.clear();
    auto jit = make_lazy_jit(create_layer, 2);
    for (unsigned m = 0; m < MODULES; m++) {
        mf_on_fault on_fault = m % 2 == 0 ? MF_ON_FAULT_RETURN : MF_ON_FAULT_BRANCH;
        must(jit->addLazyIRModule(make_module(*jit, "m" + std::to_string(m), on_fault, LLVMExternalLinkage)));
    }
    std::vector<std::thread> threads;
    mf_view views[THREADS];
    for (mf_view &view : views)
        mf_view_attach(&view, memory);
    for (unsigned t = 0; t < THREADS; t++)
        threads.emplace_back([&jit, &views, t] {
            for (unsigned k = 0; k < MODULES; k++) {
                unsigned m = (k + t) % MODULES;
                mf_on_fault on_fault = m % 2 == 0 ? MF_ON_FAULT_RETURN : MF_ON_FAULT_BRANCH;
                call_all(*jit, jit->getMainJITDylib(), "m" + std::to_string(m), on_fault, &views[t]);
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    for (mf_view &view : views)
        mf_view_detach(&view);
    jit.reset();
    std::printf("%u threads, %s: %u modules of %u functions, %zu entries, %zu left\n", THREADS, title,
                MODULES, FUNCTIONS, count_entries(), count_left());
}

// ---- Whole modules ----

static void run_trackers() {
    entries.clear();
    auto jit = make_jit(create_jitlink);
    JITDylib &dylib = jit->getMainJITDylib();
    ResourceTrackerSP first = dylib.createResourceTracker(), second = dylib.createResourceTracker();
    ResourceTrackerSP third = dylib.createResourceTracker();
    must(jit->addIRModule(first, make_module(*jit, "a", MF_ON_FAULT_RETURN)));
    must(jit->addIRModule(second, make_module(*jit, "b", MF_ON_FAULT_BRANCH)));
    call_all(*jit, dylib, "a", MF_ON_FAULT_RETURN, mf_memory_view(memory));
    call_all(*jit, dylib, "b", MF_ON_FAULT_BRANCH, mf_memory_view(memory));
    must(first->remove());
    std::printf("whole modules: the first removed: %zu of %zu left", count_left(), entries.size());
    second->transferTo(*third);
    call_all(*jit, dylib, "b", MF_ON_FAULT_BRANCH, mf_memory_view(memory));
    must(third->remove());
    std::printf(", the second after a transfer: %zu left\n", count_left());
}

static void run_without_memory(const char *title, layer_creator create_layer) {
    auto jit = make_jit(create_layer);
    must(jit->addIRModule(make_module(*jit, "a", MF_ON_FAULT_RETURN)));
    std::string messages;
    jit->getExecutionSession().setErrorReporter(
        [&messages](Error error) { messages += toString(std::move(error)) + " "; });
    has_memory = false;
    Expected<ExecutorAddr> refused = jit->lookup("a_0");
    has_memory = true;
    must_be_right(!refused, "no memory");
    consumeError(refused.takeError());
    std::printf("%s without memory: %s\n", title, messages.c_str());
    must(jit->addIRModule(make_module(*jit, "b", MF_ON_FAULT_RETURN)));
    call_all(*jit, jit->getMainJITDylib(), "b", MF_ON_FAULT_RETURN, mf_memory_view(memory));
}

// ---- Mutants ----

static void print_mutant(const char *title, layer_creator create_layer) {
    std::fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        make_guest();
        auto jit = make_lazy_jit(create_layer, 0);
        must(jit->addLazyIRModule(make_module(*jit, "f", MF_ON_FAULT_BRANCH)));
        guest_function *function = find(*jit, jit->getMainJITDylib(), "f_0");
        if (call(function, mf_memory_view(memory), START) != 1000)
            _exit(0);
        call(function, mf_memory_view(memory), BEYOND);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    std::printf("%s: a fault %s\n", title, status != 0 ? "ends the process" : "is nothing");
}

int main() {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
    print_mutant("without the plugin", create_bare);
    print_mutant("without keeping entries", create_with<half_a_plugin<false>>);
    print_mutant("without registering", create_with<half_a_plugin<true>>);
    make_guest();
    run_lazily("JITLink", create_jitlink, MF_ON_FAULT_RETURN);
    run_lazily("JITLink", create_jitlink, MF_ON_FAULT_BRANCH);
    run_lazily("RTDyld", create_rtdyld, MF_ON_FAULT_RETURN);
    run_lazily("RTDyld", create_rtdyld, MF_ON_FAULT_BRANCH);
    run_threads("JITLink", create_jitlink);
    run_threads("RTDyld", create_rtdyld);
    run_trackers();
    run_without_memory("JITLink", create_jitlink);
    run_without_memory("RTDyld", create_rtdyld);
    std::printf("and %u functions after it\n", FUNCTIONS);
    auto jit = make_jit(create_rtdyld);
    std::printf("RTDyld has no plugins: %s\n",
                toString(memfold::add_exception_tables(jit->getObjLinkingLayer())).c_str());
    drop_guest();
    return 0;
}
