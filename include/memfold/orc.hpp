/*
 * The exception tables of paged accesses in objects that LLVM's JITs make of a client's modules. The only
 * header of memfold that is C++, because LLVM's interface for this is; all of it is inline. What loaders of
 * another kind do stands in exception_table.h.
 *
 * A lazy JIT (LLLazyJIT, CompileOnDemandLayer) makes many objects of one module, each with a section
 * MF_EXCEPTION_SECTION of its own. What is here registers the section of each object before its code can run,
 * and unregisters it before its code is freed. So the module needs no name for its table:
 * mf_embed_define_exception_table(module, NULL, ...). With on_fault = trap, and on copy, nothing of this is
 * needed. Example, a function that loads a word of the guest and says -1 if that faults:
 *
 *     #include <memfold/embed.h>
 *     #include <memfold/memory.h>
 *     #include <memfold/orc.hpp>
 *     #include <llvm-c/Core.h>
 *     #include <llvm/ExecutionEngine/Orc/LLJIT.h>
 *     #include <llvm/IR/Module.h>
 *     #include <llvm/Support/TargetSelect.h>
 *     #include <cstdio>
 *
 *     static void define_word(LLVMModuleRef module, const mf_embed *embed) {
 *         LLVMContextRef context = LLVMGetModuleContext(module);
 *         LLVMTypeRef t_i64 = LLVMInt64TypeInContext(context), t_i32 = LLVMInt32TypeInContext(context);
 *         LLVMTypeRef parameters[] = {LLVMPointerTypeInContext(context, 0), t_i32};
 *         LLVMValueRef f = LLVMAddFunction(module, "word", LLVMFunctionType(t_i64, parameters, 2, 0));
 *         LLVMBuilderRef builder = LLVMCreateBuilderInContext(context);
 *         LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(context, f, "entry");
 *         mf_embed_access access = {};
 *         access.view = LLVMGetParam(f, 0);
 *         access.address = LLVMGetParam(f, 1);
 *         access.fault_block = LLVMAppendBasicBlockInContext(context, f, "fault");
 *         LLVMPositionBuilderAtEnd(builder, access.fault_block);
 *         LLVMBuildRet(builder, LLVMConstAllOnes(t_i64));
 *         LLVMPositionBuilderAtEnd(builder, entry);
 *         LLVMValueRef loaded = mf_embed_load(embed, builder, &access, t_i32, NULL);
 *         LLVMValueRef extended = LLVMBuildZExt(builder, loaded, t_i64, "");
 *         LLVMBuildRet(builder, extended);
 *         LLVMDisposeBuilder(builder);
 *     }
 *
 *     static llvm::Error run(const mf_layout *layout, mf_memory *memory) {
 *         auto jit = llvm::orc::LLLazyJITBuilder().create();
 *         if (!jit)
 *             return jit.takeError();
 *         if (auto error = memfold::add_exception_tables((*jit)->getObjLinkingLayer())) // before any module
 *             return error;
 *         auto context = std::make_unique<llvm::LLVMContext>();
 *         auto module = std::make_unique<llvm::Module>("client", *context);
 *         LLVMSetTarget(wrap(module.get()), (*jit)->getTargetTriple().str().c_str());
 *         module->setDataLayout((*jit)->getDataLayout());
 *         mf_accessor_options options = {};
 *         options.backend = MF_BACKEND_X86_PAGED;
 *         options.on_fault = MF_ON_FAULT_BRANCH;
 *         mf_embed *embed;
 *         mf_diag diag;
 *         if (mf_embed_create(llvm::wrap(module.get()), layout, &options, &embed, &diag) ||
 *             mf_embed_define_exception_table(llvm::wrap(module.get()), NULL, &diag))
 *             return llvm::createStringError(diag.message);
 *         define_word(llvm::wrap(module.get()), embed);
 *         mf_embed_destroy(embed);
 *         llvm::orc::ThreadSafeModule taken(std::move(module), std::move(context));
 *         if (auto error = (*jit)->addLazyIRModule(std::move(taken)))
 *             return error;
 *         auto word = (*jit)->lookup("word");
 *         if (!word)
 *             return word.takeError();
 *         auto call = word->toPtr<int64_t(mf_view *, uint32_t)>();
 *         long inside = (long)call(mf_memory_view(memory), 0x20000);
 *         long outside = (long)call(mf_memory_view(memory), 0x30000);
 *         std::printf("%ld, then %ld\n", inside, outside);
 *         return llvm::Error::success();
 *     }
 *
 *     int main() {
 *         mf_layout_builder *builder = mf_layout_builder_create();
 *         mf_layout *layout;
 *         mf_memory *memory;
 *         mf_diag diag;
 *         llvm::InitializeNativeTarget();
 *         llvm::InitializeNativeTargetAsmPrinter();
 *         if (mf_layout_builder_map_region(builder, 0x20000, 4096, MF_READ_ONLY, NULL, 0, &diag) ||
 *             mf_layout_builder_finish(builder, &layout, NULL, &diag) ||
 *             mf_memory_create(layout, NULL, MF_BACKEND_X86_PAGED, &memory, &diag)) {
 *             std::fprintf(stderr, "%s\n", diag.message);
 *             return 1;
 *         }
 *         llvm::Error error = run(layout, memory);
 *         bool has_failed = (bool)error;
 *         llvm::logAllUnhandledErrors(std::move(error), llvm::errs());
 *         mf_memory_destroy(memory);
 *         mf_layout_release(layout);
 *         mf_layout_builder_destroy(builder);
 *         return has_failed;
 *     }
 *
 * The code runs in the process that links it: an executor of its own has an exception table of its own.
 *
 * Errors. If the host has no memory for a table, linking the object fails with an llvm::Error: the lookup
 * that has asked for it ends with FailedToMaterialize, and the session's error reporter is told why. The
 * classes throw nothing, and use no RTTI.
 *
 * Thread rule: any thread, several at once, as LLVM compiles and frees. If several threads call into lazily
 * compiled code, the accessors of mf_embed_define are inlined before the module is added ("always-inline"),
 * or made external: LLVM 19 sometimes runs a function that was internal before its memory is executable.
 */
#ifndef MEMFOLD_ORC_HPP
#define MEMFOLD_ORC_HPP

#include <memfold/exception_table.h>
#include <memfold/status.h>

#include <llvm/ExecutionEngine/JITLink/JITLink.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/ExecutionEngine/Orc/Shared/AllocationActions.h>
#include <llvm/ExecutionEngine/SectionMemoryManager.h>
#include <llvm/Support/Errc.h>
#include <llvm/Support/Memory.h>
#include <llvm/Support/Process.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace memfold {

/* ---- JITLink ------------------------------------------------------------------------------- */

/*
 * The plugin for an llvm::orc::ObjectLinkingLayer, before it links the first object. It keeps the entries of
 * each object when unused code is stripped. Registering and unregistering are actions of the object's memory:
 * LLVM runs the one when the memory is final, before any symbol of the object can be looked up, and the other
 * when it is deallocated, whichever resource tracker owns it by then, or if linking fails later.
 */
class exception_table_plugin : public llvm::orc::ObjectLinkingLayer::Plugin {
  public:
    void modifyPassConfig(llvm::orc::MaterializationResponsibility &, llvm::jitlink::LinkGraph &,
                          llvm::jitlink::PassConfiguration &config) override {
        config.PrePrunePasses.push_back(keep_entries);
        config.PostFixupPasses.push_back(add_actions);
    }
    llvm::Error notifyFailed(llvm::orc::MaterializationResponsibility &) override {
        return llvm::Error::success();
    }
    llvm::Error notifyRemovingResources(llvm::orc::JITDylib &, llvm::orc::ResourceKey) override {
        return llvm::Error::success();
    }
    void notifyTransferringResources(llvm::orc::JITDylib &, llvm::orc::ResourceKey,
                                     llvm::orc::ResourceKey) override {
    }

  private:
    using range = llvm::orc::ExecutorAddrRange;
    template <typename T>
    using function = llvm::orc::shared::WrapperFunction<T(llvm::orc::shared::SPSExecutorAddrRange)>;

    /* Nothing refers to entries, so a block of them lives by a symbol of its own, and with it its code. */
    static llvm::Error keep_entries(llvm::jitlink::LinkGraph &graph) {
        if (llvm::jitlink::Section *section = graph.findSectionByName(MF_EXCEPTION_SECTION))
            for (llvm::jitlink::Block *block : section->blocks())
                graph.addAnonymousSymbol(*block, 0, block->getSize(), false, true);
        return llvm::Error::success();
    }

    /* The actions. What they return has another name in each LLVM. */
    static auto put_in_force(const char *arguments, std::size_t bytes) {
        auto act = [](range entries) -> llvm::Error {
            mf_diag diag;
            mf_status status =
                mf_exception_table_register(entries.Start.toPtr<mf_exception_entry *>(),
                                            entries.size() / sizeof(mf_exception_entry), &diag);
            if (status == MF_OK)
                return llvm::Error::success();
            return llvm::createStringError(llvm::errc::not_enough_memory, diag.message);
        };
        return function<llvm::orc::shared::SPSError>::handle(arguments, bytes, act).release();
    }

    static auto take_out_of_force(const char *arguments, std::size_t bytes) {
        auto act = [](range entries) -> llvm::Error {
            mf_exception_table_unregister(entries.Start.toPtr<mf_exception_entry *>());
            return llvm::Error::success();
        };
        return function<llvm::orc::shared::SPSError>::handle(arguments, bytes, act).release();
    }

    /* Entries are relative to themselves, and read when they are registered: after their relocations. */
    static llvm::Error add_actions(llvm::jitlink::LinkGraph &graph) {
        using llvm::orc::ExecutorAddr;
        using llvm::orc::shared::SPSArgList;
        using llvm::orc::shared::SPSExecutorAddrRange;
        using llvm::orc::shared::WrapperFunctionCall;
        llvm::jitlink::Section *section = graph.findSectionByName(MF_EXCEPTION_SECTION);
        if (section == nullptr)
            return llvm::Error::success();
        for (llvm::jitlink::Block *block : section->blocks()) {
            auto put = WrapperFunctionCall::Create<SPSArgList<SPSExecutorAddrRange>>(
                ExecutorAddr::fromPtr(put_in_force), block->getRange());
            if (!put)
                return put.takeError();
            auto take = WrapperFunctionCall::Create<SPSArgList<SPSExecutorAddrRange>>(
                ExecutorAddr::fromPtr(take_out_of_force), block->getRange());
            if (!take)
                return take.takeError();
            graph.allocActions().push_back({std::move(*put), std::move(*take)});
        }
        return llvm::Error::success();
    }
};

/*
 * Adds the plugin to a JIT's linking layer (LLJIT and LLLazyJIT: getObjLinkingLayer()), before the first
 * object is linked. An error if the layer is not an ObjectLinkingLayer, as where a JIT was made with RTDyld.
 */
inline llvm::Error add_exception_tables(llvm::orc::ObjectLayer &layer) {
    auto *linking_layer = llvm::dyn_cast<llvm::orc::ObjectLinkingLayer>(&layer);
    if (linking_layer == nullptr)
        return llvm::createStringError(llvm::errc::invalid_argument,
                                       "the JIT does not link with JITLink: make its layer with "
                                       "memfold::exception_table_memory_manager");
    linking_layer->addPlugin(std::make_shared<exception_table_plugin>());
    return llvm::Error::success();
}

/* ---- RTDyld -------------------------------------------------------------------------------- */

/*
 * What an object needs, from one piece of the address space: LLVM's own mapper asks the host for each kind of
 * section, and may get memory for code and for tables that is further apart than their 32 bits reach.
 */
class near_memory {
  protected:
    using manager = llvm::SectionMemoryManager;

    /* About so many bytes come from one piece; what does not fit comes from wherever the host has it. */
    void reserve(std::uintptr_t bytes) {
        std::error_code error;
        pieces.taken.push_back(
            llvm::sys::Memory::allocateMappedMemory(2 * bytes + slack_bytes, nullptr, flags, error));
        pieces.used = error ? pieces.taken.back().allocatedSize() : 0;
    }

    manager::MemoryMapper *mapper() {
        return &pieces;
    }

  private:
    static constexpr std::size_t slack_bytes = std::size_t(1) << 20;
    static constexpr unsigned flags = llvm::sys::Memory::MF_READ | llvm::sys::Memory::MF_WRITE;

    struct piece_mapper : manager::MemoryMapper {
        std::vector<llvm::sys::MemoryBlock> taken;
        std::size_t used = 0; /* of the last one */

        ~piece_mapper() override {
            for (llvm::sys::MemoryBlock &block : taken)
                llvm::sys::Memory::releaseMappedMemory(block);
        }

        llvm::sys::MemoryBlock allocateMappedMemory(manager::AllocationPurpose, std::size_t bytes,
                                                    const llvm::sys::MemoryBlock *near, unsigned wanted,
                                                    std::error_code &error) override {
            std::size_t page = llvm::sys::Process::getPageSizeEstimate();
            std::size_t whole = (bytes + page - 1) / page * page;
            if (taken.empty() || whole > taken.back().allocatedSize() - used)
                return llvm::sys::Memory::allocateMappedMemory(bytes, near, wanted, error);
            auto *start = static_cast<std::uint8_t *>(taken.back().base()) + used;
            used += whole;
            error = std::error_code();
            return llvm::sys::MemoryBlock(start, whole);
        }

        std::error_code protectMappedMemory(const llvm::sys::MemoryBlock &block, unsigned wanted) override {
            return llvm::sys::Memory::protectMappedMemory(block, wanted);
        }

        /* Of a piece nothing goes back before all of it does. */
        std::error_code releaseMappedMemory(llvm::sys::MemoryBlock &block) override {
            for (const llvm::sys::MemoryBlock &piece : taken) {
                auto *start = static_cast<std::uint8_t *>(piece.base());
                auto *at = static_cast<std::uint8_t *>(block.base());
                if (start <= at && at < start + piece.allocatedSize())
                    return std::error_code();
            }
            return llvm::sys::Memory::releaseMappedMemory(block);
        }
    };
    piece_mapper pieces;
};

/*
 * The same for RTDyld: a memory manager for an llvm::orc::RTDyldObjectLinkingLayer, which makes one for each
 * object, or for MCJIT. Entries are registered when memory is finalised, and unregistered when the manager is
 * destroyed. Example, for LLJITBuilder::setObjectLinkingLayerCreator:
 *
 *     [](llvm::orc::ExecutionSession &session, auto &&...) { // the rest is another's in each LLVM
 *         return std::make_unique<llvm::orc::RTDyldObjectLinkingLayer>(session, [](auto &&...) {
 *             return std::make_unique<memfold::exception_table_memory_manager>();
 *         });
 *     }
 */
class exception_table_memory_manager : private near_memory, public llvm::SectionMemoryManager {
  public:
    exception_table_memory_manager() : llvm::SectionMemoryManager(mapper()) {
    }

    ~exception_table_memory_manager() override {
        for (const section &s : registered)
            mf_exception_table_unregister(s.entries);
    }

    bool needsToReserveAllocationSpace() override {
        return true;
    }

    void reserveAllocationSpace(std::uintptr_t code_bytes, llvm::Align, std::uintptr_t read_only_bytes,
                                llvm::Align, std::uintptr_t data_bytes, llvm::Align) override {
        reserve(code_bytes + read_only_bytes + data_bytes);
    }

    std::uint8_t *allocateCodeSection(std::uintptr_t bytes, unsigned alignment, unsigned id,
                                      llvm::StringRef name) override {
        std::uint8_t *start = SectionMemoryManager::allocateCodeSection(bytes, alignment, id, name);
        if (start != nullptr)
            code.push_back({start, bytes});
        return start;
    }

    std::uint8_t *allocateDataSection(std::uintptr_t bytes, unsigned alignment, unsigned id,
                                      llvm::StringRef name, bool is_read_only) override {
        std::uint8_t *start =
            SectionMemoryManager::allocateDataSection(bytes, alignment, id, name, is_read_only);
        if (start != nullptr && name == MF_EXCEPTION_SECTION)
            allocated.push_back(
                {reinterpret_cast<mf_exception_entry *>(start), bytes / sizeof(mf_exception_entry)});
        return start;
    }

    bool finalizeMemory(std::string *message) override {
        if (SectionMemoryManager::finalizeMemory(message))
            return true;
        for (; !allocated.empty(); allocated.pop_back()) {
            mf_diag diag;
            const section &s = allocated.back();
            if (!reaches_code(s))
                return fail(message, "an exception table lies more than 2 GiB from the code");
            if (mf_exception_table_register(s.entries, s.count, &diag) != MF_OK)
                return fail(message, diag.message);
            registered.push_back(s);
        }
        code.clear();
        return false;
    }

  private:
    struct section {
        const mf_exception_entry *entries;
        std::size_t count;
    };
    struct code_section {
        const std::uint8_t *start;
        std::uintptr_t bytes;
    };
    std::vector<code_section> code; /* since memory was finalised last */
    std::vector<section> allocated; /* not registered yet */
    std::vector<section> registered;

    static bool fail(std::string *message, const char *reason) {
        if (message != nullptr)
            *message = reason;
        return true;
    }

    /* Entries have 32 bits, and RTDyld says nothing of distances that do not fit. */
    bool reaches_code(const section &table) const {
        auto first = reinterpret_cast<std::intptr_t>(table.entries);
        auto end = reinterpret_cast<std::intptr_t>(table.entries + table.count);
        for (const code_section &c : code) {
            auto start = reinterpret_cast<std::intptr_t>(c.start);
            auto stop = start + static_cast<std::intptr_t>(c.bytes);
            if (end - start > INT32_MAX || stop - first > INT32_MAX)
                return false;
        }
        return true;
    }
};

} // namespace memfold

#endif
