/*
 * memfold for C++17: owners that give back what they hold, errors as exceptions, guard frames around lambdas.
 * All of it is inline and calls the C functions, whose headers say what each does; what is here is only how
 * C++ holds it.
 *
 * An owner (layout, image, layout_builder, layout_file, memory, pool, jit, code, emitted_file,
 * exception_entries) is moved, not copied. `get` borrows the C pointer for every function of the C headers,
 * `release` hands it out, and an owner made of a pointer takes it. Results that own nothing, such as those of
 * proofs, are the structs of C. What has no function here is called as in C, with its errors thrown by
 * `attempt`; and what has no owner gets one in a line, as for embed.h
 * `using embed = memfold::owner<mf_embed, mf_embed_destroy>;`.
 *
 * The three kinds of trouble stay apart. What the environment or an argument does wrong is thrown, as
 * memfold::error with the mf_diag; what the guest does wrong is a value: a false, an empty optional, the
 * status of an accessor, the record in the view; what the program does wrong panics. Where a program is
 * compiled without exceptions, the functions that would throw are not there: it calls those of C with `put`,
 * which is where they write their result: `mf_memory_create(nullptr, nullptr, MF_BACKEND_COPY, memory.put(),
 * &diag)`.
 *
 * What belongs to the jit, to proofs and to the generator is there if their headers are installed. Example:
 *
 *     #include <memfold/generic.h>
 *     #include <memfold/memfold.hpp>
 *     #include <cstdio>
 *
 *     int main() {
 *         memfold::layout_builder builder;
 *         builder.map(0x1000, 4096, MF_READ_ONLY, std::string("hello")).map(0x2000, 4096, MF_READ_WRITE);
 *         auto [layout, image] = builder.finish();
 *         memfold::memory memory(layout, image);
 *         memfold::view view = memory.view();
 *
 *         const mf_accessors *guest = mf_generic_accessors(nullptr); // or those of a memfold::code
 *         std::printf("%c\n", static_cast<char>(guest->load_u8(view, 0x1001).value));
 *         if (!view.write(0x1ffe, std::string("over the edge")))
 *             std::printf("fault on page 0x%x\n", static_cast<unsigned>(view.fault().page));
 *         try {
 *             memory.protect(0x2001, 4096, MF_PERM_NONE);
 *         } catch (const memfold::error &error) {
 *             std::printf("%s: %s\n", mf_status_name(error.status()), error.what());
 *             return 0;
 *         }
 *         return 1;
 *     }
 *
 * Thread rule: as the C functions that are called. Two owners never share anything that needs a lock.
 */
#ifndef MEMFOLD_MEMFOLD_HPP
#define MEMFOLD_MEMFOLD_HPP

#include <memfold/memfold.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace memfold {

/* ---- Owners -------------------------------------------------------------------------------- */

/* Owns what `Destroy` gives back. The owners below are such, with functions of their own. */
template <typename T, void (*Destroy)(T *)> class owner {
  public:
    owner() noexcept = default;
    explicit owner(T *taken) noexcept : object(taken) {
    }
    owner(owner &&other) noexcept : object(other.release()) {
    }
    owner &operator=(owner &&other) noexcept {
        T *taken = other.release();
        if (object != nullptr)
            Destroy(object);
        object = taken;
        return *this;
    }
    ~owner() {
        if (object != nullptr)
            Destroy(object);
    }

    /* Borrows the pointer for the functions of C; NULL if nothing is owned. */
    T *get() const noexcept {
        return object;
    }

    /* True if something is owned. */
    explicit operator bool() const noexcept {
        return object != nullptr;
    }

    /* Nothing is owned any more; the caller has the pointer. */
    T *release() noexcept {
        return std::exchange(object, nullptr);
    }

    /* Nothing is owned; where a function of C writes what is owned from then on. */
    T **put() noexcept {
        *this = owner();
        return &object;
    }

  private:
    T *object = nullptr;
};

/* ---- Bytes --------------------------------------------------------------------------------- */

/* Borrowed bytes that are only read: a pointer with a count, or all bytes of a container such as std::string.
 */
class bytes {
  public:
    constexpr bytes() noexcept = default;
    bytes(const void *first, std::size_t count) noexcept
        : begin_(static_cast<const unsigned char *>(first)), count_(count) {
    }
    template <typename Container,
              typename Element = std::remove_pointer_t<decltype(std::declval<const Container &>().data())>>
    bytes(const Container &container) noexcept : bytes(container.data(), container.size() * sizeof(Element)) {
        static_assert(std::is_trivially_copyable_v<Element>, "the elements are bytes");
    }
    const unsigned char *data() const noexcept {
        return begin_;
    }
    std::size_t size() const noexcept {
        return count_;
    }
    const unsigned char *begin() const noexcept {
        return begin_;
    }
    const unsigned char *end() const noexcept {
        return begin_ + count_;
    }
    const unsigned char &operator[](std::size_t index) const noexcept {
        return begin_[index];
    }

  private:
    const unsigned char *begin_ = nullptr;
    std::size_t count_ = 0;
};

/* Borrowed bytes that may be written. */
class writable_bytes {
  public:
    writable_bytes(void *first, std::size_t count) noexcept
        : begin_(static_cast<unsigned char *>(first)), count_(count) {
    }
    unsigned char *data() const noexcept {
        return begin_;
    }
    std::size_t size() const noexcept {
        return count_;
    }
    unsigned char *begin() const noexcept {
        return begin_;
    }
    unsigned char *end() const noexcept {
        return begin_ + count_;
    }
    unsigned char &operator[](std::size_t index) const noexcept {
        return begin_[index];
    }

  private:
    unsigned char *begin_;
    std::size_t count_;
};

/* ---- Views --------------------------------------------------------------------------------- */

/*
 * A view that somebody else owns: a memory (memory::view), or a thread_view. A handle, to be passed by value;
 * it stands for an mf_view * wherever one is wanted, so that accessors are called with it.
 */
class view {
  public:
    view(mf_view *borrowed) noexcept : borrowed_(borrowed) {
    }
    operator mf_view *() const noexcept {
        return borrowed_;
    }

    /* The record of the last fault, kind 0 if there was none; and none again. */
    const mf_fault &fault() const noexcept {
        return borrowed_->fault;
    }
    void clear_fault() const noexcept {
        borrowed_->fault = mf_fault();
    }

    /* All or nothing, as mf_view_read and its kind: false after a fault, whose record is fault(). */
    [[nodiscard]] bool read(std::uint32_t address, void *to, std::size_t length) const noexcept {
        return mf_view_read(borrowed_, address, to, length);
    }
    [[nodiscard]] bool write(std::uint32_t address, bytes from) const noexcept {
        return mf_view_write(borrowed_, address, from.data(), from.size());
    }
    [[nodiscard]] bool fill(std::uint32_t address, std::uint8_t byte, std::uint64_t length) const noexcept {
        return mf_view_fill(borrowed_, address, byte, length);
    }
    [[nodiscard]] bool copy(std::uint32_t to, std::uint32_t from, std::uint64_t length) const noexcept {
        return mf_view_copy(borrowed_, to, from, length);
    }
    [[nodiscard]] bool is_accessible(std::uint32_t address, std::uint64_t length,
                                     mf_operation operation) const noexcept {
        return mf_view_is_accessible(borrowed_, address, length, operation);
    }

    /* The host's bytes of a guest range until the memory changes, as mf_view_span; nothing after a fault. */
    std::optional<bytes> readable(std::uint32_t address, std::size_t length) const noexcept {
        void *first = mf_view_span(borrowed_, address, length, MF_LOAD);
        return first != nullptr ? std::optional<bytes>(bytes(first, length)) : std::nullopt;
    }
    std::optional<writable_bytes> writable(std::uint32_t address, std::size_t length) const noexcept {
        void *first = mf_view_span(borrowed_, address, length, MF_STORE);
        return first != nullptr ? std::optional<writable_bytes>(writable_bytes(first, length)) : std::nullopt;
    }

    /*
     * Runs `body()` inside a guard frame (guard.h). The record if a trap accessor of this view faulted in it,
     * and then it was left at that access; nothing if it came to its end. An exception that it throws comes
     * out of here, after the frame has been left in order.
     *
     * A fault leaves as longjmp does. Where it can happen, in the body and all that it calls, no object with
     * a destructor is alive, no lock is held, and no exception is being handled: none of that would end. What
     * has to be given back is owned outside, and the body has it by reference.
     */
    template <typename Body> std::optional<mf_fault> guard(Body &&body) const {
        framed<std::remove_reference_t<Body>> call(body);
        mf_fault fault;
        if (!mf_guard_run(borrowed_, call.run, &call, &fault))
            return fault;
        call.finish();
        return std::nullopt;
    }

  private:
    template <typename Body> struct framed {
        explicit framed(Body &b) : body(b) {
        }
#ifdef __cpp_exceptions
        static void run(mf_view *, void *context) noexcept {
            framed *call = static_cast<framed *>(context);
            try {
                call->body();
            } catch (...) {
                call->thrown = std::current_exception();
            }
        }
        void finish() const {
            if (thrown)
                std::rethrow_exception(thrown);
        }
        std::exception_ptr thrown;
#else
        static void run(mf_view *, void *context) noexcept {
            static_cast<framed *>(context)->body();
        }
        void finish() const noexcept {
        }
#endif
        Body &body;
    };

    mf_view *borrowed_;
};

/* ---- What the owners give back with -------------------------------------------------------- */

namespace detail {
inline void release_layout(mf_layout *layout) noexcept {
    mf_layout_release(layout);
}
inline void release_image(mf_image *image) noexcept {
    mf_image_release(image);
}
} // namespace detail

/* ---- Text ---------------------------------------------------------------------------------- */

namespace detail {
/* All that one of C's print functions writes. */
template <typename T> std::string printed(size_t (*print)(const T *, char *, size_t), const T &value) {
    std::string text(print(&value, nullptr, 0), '\0');
    print(&value, text.data(), text.size() + 1);
    return text;
}
} // namespace detail

/* As mf_diag_print, mf_plan_print, mf_verify_print and mf_sweep_print. */
inline std::string to_string(const mf_diag &diag) {
    return detail::printed(mf_diag_print, diag);
}
#ifdef MEMFOLD_PLAN_H
inline std::string to_string(const mf_plan &plan) {
    return detail::printed(mf_plan_print, plan);
}
#endif
#ifdef MEMFOLD_VERIFY_H
inline std::string to_string(const mf_verify_result &result) {
    return detail::printed(mf_verify_print, result);
}
inline std::string to_string(const mf_sweep_report &report) {
    return detail::printed(mf_sweep_print, report);
}
#endif

/* ---- Errors -------------------------------------------------------------------------------- */

#ifdef __cpp_exceptions

/* Input of the caller or the environment was at fault. what() is mf_diag_print's line. */
class error : public std::runtime_error {
  public:
    explicit error(const mf_diag &detail) : std::runtime_error(to_string(detail)), detail_(detail) {
    }
    mf_status status() const noexcept {
        return detail_.status;
    }
    const mf_diag &diag() const noexcept {
        return detail_;
    }

  private:
    mf_diag detail_;
};

/*
 * Calls `call` with an mf_diag, and throws what it has written if `call` does not return MF_OK. So every
 * function of C throws: `attempt([&](mf_diag *diag) { return mf_stencil_size(pages, nullptr, &size, diag);
 * })`.
 */
template <typename Call> void attempt(Call &&call) {
    mf_diag diag;
    if (call(&diag) != MF_OK)
        throw error(diag);
}

#endif

/* ---- Layouts ------------------------------------------------------------------------------- */

/* One reference to a layout. */
class layout : public owner<mf_layout, detail::release_layout> {
  public:
    using owner::owner;

    /* A reference of its own to the same layout. */
    layout share() const noexcept {
        return layout(mf_layout_retain(get()));
    }
    std::size_t region_count() const noexcept {
        return mf_layout_region_count(get());
    }
    mf_region region(std::size_t index) const noexcept {
        return mf_layout_region(get(), index);
    }

    /* All regions, and all windows of an operation, as in layout.h: sorted by address, without the heap. */
    std::vector<mf_region> regions() const {
        std::vector<mf_region> all;
        for (std::size_t index = 0; index < region_count(); index++)
            all.push_back(region(index));
        return all;
    }
    std::vector<mf_window> windows(mf_operation operation) const {
        std::vector<mf_window> all;
        mf_window window;
        for (std::uint64_t from = 0; mf_layout_window_lookup(get(), operation, from, &window);
             from = window.start + window.size)
            all.push_back(window);
        return all;
    }
    mf_heap heap() const noexcept {
        return mf_layout_heap(get());
    }
    mf_perm perm_of(std::uint32_t address) const noexcept {
        return mf_layout_perm_of(get(), address);
    }
    std::uint64_t len() const noexcept {
        return mf_layout_len(get());
    }
    std::uint64_t fingerprint() const noexcept {
        return mf_layout_fingerprint(get());
    }

    /* By content; both own a layout. std::hash, at the end of this file, is the fingerprint. */
    friend bool operator==(const layout &a, const layout &b) noexcept {
        return mf_layout_equal(a.get(), b.get());
    }
    friend bool operator!=(const layout &a, const layout &b) noexcept {
        return !(a == b);
    }
};

/* One reference to an image: initial bytes. */
class image : public owner<mf_image, detail::release_image> {
  public:
    using owner::owner;

    /* A reference of its own to the same image. */
    image share() const noexcept {
        return image(mf_image_retain(get()));
    }
};

/* A builder of layouts and images; without exceptions it owns one from the start, or nothing. */
class layout_builder : public owner<mf_layout_builder, mf_layout_builder_destroy> {
  public:
    explicit layout_builder(mf_layout_builder *taken) noexcept : owner(taken) {
    }

    /* The permission that the page of `address` has so far. */
    mf_perm perm_of(std::uint32_t address) const noexcept {
        return mf_layout_builder_perm_of(get(), address);
    }

#ifdef __cpp_exceptions
    layout_builder() : owner(mf_layout_builder_create()) {
        if (!*this)
            throw std::bad_alloc();
    }

    /* As the functions of C; each returns the builder, for the next. */
    layout_builder &map(std::uint64_t start, std::uint64_t size, mf_access access, bytes init = {}) {
        attempt([&](mf_diag *diag) {
            return mf_layout_builder_map_region(get(), start, size, access, init.data(), init.size(), diag);
        });
        return *this;
    }
    layout_builder &set_bytes(std::uint64_t start, bytes content) {
        attempt([&](mf_diag *diag) {
            return mf_layout_builder_set_bytes(get(), start, content.data(), content.size(), diag);
        });
        return *this;
    }
    layout_builder &set_heap(std::uint64_t base, std::uint64_t max_pages) {
        attempt([&](mf_diag *diag) { return mf_layout_builder_set_heap(get(), base, max_pages, diag); });
        return *this;
    }

    /* What another layout has; before all other calls, as mf_layout_builder_add. */
    layout_builder &add(const layout &pages, const image &content = image()) {
        attempt(
            [&](mf_diag *diag) { return mf_layout_builder_add(get(), pages.get(), content.get(), diag); });
        return *this;
    }

    /* What has been collected so far; the builder may go on. */
    std::pair<layout, image> finish() const {
        std::pair<layout, image> finished;
        attempt([&](mf_diag *diag) {
            mf_layout *made_layout;
            mf_image *made_image;
            mf_status status = mf_layout_builder_finish(get(), &made_layout, &made_image, diag);
            if (status == MF_OK)
                finished = {layout(made_layout), image(made_image)};
            return status;
        });
        return finished;
    }
#else
    layout_builder() noexcept : owner(mf_layout_builder_create()) {
    }
#endif
};

#ifdef MEMFOLD_LAYOUT_FILE_H

/* What a YAML or an ELF file says: takes and hands out the struct of C, and owns what it points to. */
class layout_file {
  public:
    layout_file() noexcept = default;
    explicit layout_file(const mf_layout_file &taken) noexcept : file_(taken) {
    }
    layout_file(layout_file &&other) noexcept : file_(std::exchange(other.file_, {})) {
    }
    layout_file &operator=(layout_file &&other) noexcept {
        *put() = std::exchange(other.file_, {});
        return *this;
    }
    ~layout_file() {
        mf_layout_file_fini(&file_);
    }

    /* Borrows the struct of C; all zero if nothing has been read. */
    const mf_layout_file *get() const noexcept {
        return &file_;
    }
    explicit operator bool() const noexcept {
        return file_.layout != nullptr;
    }

    /* Nothing is owned any more; the caller has the struct. */
    mf_layout_file release() noexcept {
        return std::exchange(file_, {});
    }

    /* What was read is gone; where mf_layout_file_read writes. */
    mf_layout_file *put() noexcept {
        mf_layout_file_fini(&file_);
        return &file_;
    }

    /* The name, and references of their own to layout and image. */
    const char *name() const noexcept {
        return file_.name != nullptr ? file_.name : "";
    }
    class layout layout() const noexcept {
        return memfold::layout(mf_layout_retain(file_.layout));
    }
    class image image() const noexcept {
        return memfold::image(mf_image_retain(file_.image));
    }

    /* The regions as the file has them, with their names, to be read while it is there. */
    const mf_named_region *begin() const noexcept {
        return file_.regions;
    }
    const mf_named_region *end() const noexcept {
        return file_.regions + file_.region_count;
    }

#ifdef __cpp_exceptions
    /* What the file at `path` says; "-" is standard input. */
    explicit layout_file(const std::string &path, mf_layout_format format = MF_FORMAT_AUTO) {
        attempt([&](mf_diag *diag) { return mf_layout_file_read(path.c_str(), format, &file_, diag); });
    }
#endif

  private:
    mf_layout_file file_ = {};
};

#endif

/* ---- Memories ------------------------------------------------------------------------------ */

/* A memory: the bytes and the live permissions of one guest. */
class memory : public owner<mf_memory, mf_memory_destroy> {
  public:
    explicit memory(mf_memory *taken) noexcept : owner(taken) {
    }

    /* The memory's own view, for one thread. It is at the same place when the owner moves. */
    class view view() const noexcept {
        return mf_memory_view(get());
    }
    mf_perm perm_of(std::uint32_t address) const noexcept {
        return mf_memory_perm_of(get(), address);
    }
    std::uint64_t len() const noexcept {
        return mf_memory_len(get());
    }
    std::uint32_t heap_base() const noexcept {
        return mf_memory_heap_base(get());
    }
    std::uint64_t heap_top() const noexcept {
        return mf_memory_heap_top(get());
    }
    std::uint32_t max_heap_pages() const noexcept {
        return mf_memory_max_heap_pages(get());
    }
    mf_backend backend() const noexcept {
        return mf_memory_backend(get());
    }
    mf_memory_index index() const noexcept {
        return mf_memory_index_of(get());
    }

#ifdef __cpp_exceptions
    /* A new memory with the pages of a layout, and the bytes of an image; without them it is empty. */
    explicit memory(mf_backend backend = MF_BACKEND_COPY) {
        create(nullptr, nullptr, config_of(backend));
    }
    explicit memory(const layout &pages, mf_backend backend = MF_BACKEND_COPY) {
        create(pages.get(), nullptr, config_of(backend));
    }

    /* One that begins where another has been frozen. */
    explicit memory(const image &frozen, mf_backend backend = MF_BACKEND_COPY) {
        create(nullptr, frozen.get(), config_of(backend));
    }
    memory(const layout &pages, const image &content, mf_backend backend = MF_BACKEND_COPY) {
        create(pages.get(), content.get(), config_of(backend));
    }
    memory(const layout &pages, const image &content, const mf_memory_config &config) {
        create(pages.get(), content.get(), config);
    }
    memory(const layout &pages, const mf_memory_config &config) {
        create(pages.get(), nullptr, config);
    }
    memory(const image &frozen, const mf_memory_config &config) {
        create(nullptr, frozen.get(), config);
    }

    /* As the functions of C. */
    memory clone() const {
        mf_memory *made = nullptr;
        attempt([&](mf_diag *diag) { return mf_memory_clone(get(), &made, diag); });
        return memory(made);
    }
    image freeze() {
        mf_image *made = nullptr;
        attempt([&](mf_diag *diag) { return mf_memory_freeze(get(), &made, diag); });
        return image(made);
    }
    void reset() {
        attempt([&](mf_diag *diag) { return mf_memory_reset(get(), diag); });
    }
    void map(std::uint64_t start, std::uint64_t size, mf_access access, bytes init = {}) {
        attempt([&](mf_diag *diag) {
            return mf_memory_map_region(get(), start, size, access, init.data(), init.size(), diag);
        });
    }
    void protect(std::uint64_t start, std::uint64_t size, mf_perm perm) {
        attempt([&](mf_diag *diag) { return mf_memory_protect(get(), start, size, perm, diag); });
    }
    void unmap(std::uint64_t start, std::uint64_t size) {
        attempt([&](mf_diag *diag) { return mf_memory_unmap(get(), start, size, diag); });
    }

    /* The old top, or nothing if the heap refuses, which is the guest's affair. */
    std::optional<std::uint64_t> sbrk(std::uint64_t bytes) {
        std::optional<std::uint64_t> old_top;
        attempt([&](mf_diag *diag) {
            std::uint64_t top;
            mf_status status = mf_memory_sbrk(get(), bytes, &top, diag);
            if (status == MF_OK)
                old_top = top;
            return status == MF_HEAP_REFUSED ? MF_OK : status;
        });
        return old_top;
    }

    /* The layout that the memory has now. */
    layout current_layout() {
        mf_layout *now = nullptr;
        attempt([&](mf_diag *diag) { return mf_memory_layout(get(), &now, diag); });
        return layout(now);
    }

  private:
    static mf_memory_config config_of(mf_backend backend) noexcept {
        mf_memory_config config = {};
        config.backend = backend;
        return config;
    }
    void create(const mf_layout *pages, const mf_image *content, const mf_memory_config &config) {
        attempt([&](mf_diag *diag) { return mf_memory_create_with(pages, content, &config, put(), diag); });
    }
#else
    memory() noexcept = default;
#endif
};

/*
 * A further view of a memory, for another thread: attached as long as it lives, which is not longer than the
 * memory does. The memory knows its place, so it is neither moved nor copied. As a view of its memory:
 * `thread_view.get()`.
 */
class thread_view {
  public:
    explicit thread_view(const memory &of) noexcept : attached_() {
        mf_view_attach(&attached_, of.get());
    }
    thread_view(const thread_view &) = delete;
    thread_view &operator=(const thread_view &) = delete;
    ~thread_view() {
        mf_view_detach(&attached_);
    }
    view get() noexcept {
        return &attached_;
    }

  private:
    mf_view attached_;
};

/* ---- Pools --------------------------------------------------------------------------------- */

#ifdef MEMFOLD_POOL_H

/* A pool of memories. It outlives its leases. */
class pool : public owner<mf_pool, mf_pool_destroy> {
  public:
    explicit pool(mf_pool *taken) noexcept : owner(taken) {
    }

    /* A memory that goes back to its pool instead of being destroyed. It is moved, not copied. */
    class lease {
      public:
        lease(pool &from, memory &&taken) noexcept : pool_(from.get()), memory_(std::move(taken)) {
        }
        lease(lease &&other) noexcept = default;
        lease &operator=(lease &&other) noexcept {
            std::swap(pool_, other.pool_);
            std::swap(memory_, other.memory_);
            return *this;
        }
        ~lease() {
            mf_pool_give(pool_, memory_.release());
        }
        memory &operator*() noexcept {
            return memory_;
        }
        memory *operator->() noexcept {
            return &memory_;
        }

      private:
        mf_pool *pool_;
        memory memory_;
    };

    /* What is kept is destroyed; how much there is. */
    void trim() noexcept {
        mf_pool_trim(get());
    }
    mf_pool_kept count() const noexcept {
        return mf_pool_count(get());
    }

#ifdef __cpp_exceptions
    explicit pool(const mf_pool_config &config = {}) {
        attempt([&](mf_diag *diag) { return mf_pool_create(&config, put(), diag); });
    }

    /* A memory as it is created of them, until the lease ends. */
    lease take(const layout &pages, const image &content) {
        return take(pages.get(), content.get());
    }
    lease take(const layout &pages) {
        return take(pages.get(), nullptr);
    }
    lease take(const image &frozen) {
        return take(nullptr, frozen.get());
    }

    /* A clone of a memory, until the lease ends. */
    lease clone(const memory &prepared) {
        mf_memory *made = nullptr;
        attempt([&](mf_diag *diag) { return mf_pool_clone(get(), prepared.get(), &made, diag); });
        return lease(*this, memory(made));
    }

  private:
    lease take(const mf_layout *pages, const mf_image *content) {
        mf_memory *taken = nullptr;
        attempt([&](mf_diag *diag) { return mf_pool_take(get(), pages, content, &taken, diag); });
        return lease(*this, memory(taken));
    }
#else
    pool() noexcept = default;
#endif
};

#endif

/* ---- The jit ------------------------------------------------------------------------------- */

#ifdef MEMFOLD_JIT_H

/* One reference to the accessors of a layout: `code->load_u32(view, address)`. */
class code : public owner<mf_code, mf_code_release> {
  public:
    using owner::owner;

    /* A reference of its own to the same accessors. */
    code share() const noexcept {
        return code(mf_code_retain(get()));
    }

    /* Borrow the accessors as long as a reference is held. */
    const mf_accessors *accessors() const noexcept {
        return mf_code_accessors(get());
    }
    const mf_accessors *operator->() const noexcept {
        return accessors();
    }

    /* A reference of its own to the layout that they are for. */
    class layout layout() const noexcept {
        return memfold::layout(mf_layout_retain(mf_code_layout(get())));
    }

    /* True if the accessors are right for the memory as it is now. */
    bool fits(const memory &guest) const noexcept {
        return mf_accessors_fit(accessors(), guest.get());
    }
};

/* A code generator with its cache. It outlives the code that it has made. */
class jit : public owner<mf_jit, mf_jit_destroy> {
  public:
    explicit jit(mf_jit *taken) noexcept : owner(taken) {
    }

#ifdef __cpp_exceptions
    explicit jit(const mf_jit_config &config = {}) {
        attempt([&](mf_diag *diag) { return mf_jit_create(&config, put(), diag); });
    }

    /* The accessors of a layout, and those of the layout that a memory has now, for its backend. */
    code make(const layout &pages, const mf_accessor_options &options = {}) {
        mf_code *made = nullptr;
        attempt([&](mf_diag *diag) { return mf_jit_get(get(), pages.get(), &options, &made, diag); });
        return code(made);
    }
    code make_for(const memory &guest, mf_accessor_options options = {}) {
        mf_code *made = nullptr;
        options.backend = guest.backend();
        attempt([&](mf_diag *diag) { return mf_jit_get_for(get(), guest.get(), &options, &made, diag); });
        return code(made);
    }
#else
    jit() noexcept = default;
#endif
};

#endif

/* ---- Code of other origin ------------------------------------------------------------------ */

/*
 * Entries of the exception table, in force as long as they are owned, for code that you have loaded or
 * written yourself (exception_table.h, stencil.h). The entries and the code stay where they are meanwhile.
 */
class exception_entries : public owner<const mf_exception_entry, mf_exception_table_unregister> {
  public:
    using owner::owner;
#ifdef __cpp_exceptions
    exception_entries(const mf_exception_entry *entries, std::size_t count)
        : owner(registered(entries, count)) {
    }

  private:
    static const mf_exception_entry *registered(const mf_exception_entry *entries, std::size_t count) {
        attempt([&](mf_diag *diag) { return mf_exception_table_register(entries, count, diag); });
        return entries;
    }
#endif
};

/* ---- Files that are emitted ---------------------------------------------------------------- */

#ifdef MEMFOLD_AOT_H

/* What mf_aot_emit has written: the bytes of an object, a header, ... */
class emitted_file : public owner<char, mf_aot_free> {
  public:
    emitted_file() noexcept = default;
    emitted_file(char *taken, std::size_t count) noexcept : owner(taken), count_(count) {
    }
    const char *data() const noexcept {
        return get();
    }
    std::size_t size() const noexcept {
        return get() != nullptr ? count_ : 0;
    }
    std::string_view text() const noexcept {
        return std::string_view(data(), size());
    }

    /* Where C writes how many bytes there are, after `put`. */
    std::size_t *put_size() noexcept {
        return &count_;
    }

#ifdef __cpp_exceptions
    emitted_file(const layout &pages, mf_emit_kind kind, const mf_aot_options &options) {
        attempt(
            [&](mf_diag *diag) { return mf_aot_emit(pages.get(), &options, kind, put(), put_size(), diag); });
    }
#endif

  private:
    std::size_t count_ = 0;
};

#endif

/* ---- Proofs -------------------------------------------------------------------------------- */

#if defined(MEMFOLD_VERIFY_H) && defined(__cpp_exceptions)

/*
 * What is proved of accessors of this process, as mf_verify_accessors: `report.results` has what was found of
 * each. A set alone is one whose exception table is registered, such as that of a code.
 */
inline mf_verify_report verify(const layout &pages, const mf_verify_subject &subject,
                               const mf_accessor_options &options = {}, const mf_verify_limits &limits = {}) {
    mf_verify_report report;
    attempt([&](mf_diag *diag) {
        return mf_verify_accessors(pages.get(), &options, &subject, &limits, &report, diag);
    });
    return report;
}
inline mf_verify_report verify(const layout &pages, const mf_accessors *set,
                               const mf_accessor_options &options = {}, const mf_verify_limits &limits = {}) {
    mf_verify_subject subject = {};
    subject.accessors = set;
    return verify(pages, subject, options, limits);
}

/* What the note of an object says, as mf_object_note_read. */
inline mf_object_note note_of(bytes object) {
    mf_object_note note;
    attempt([&](mf_diag *diag) { return mf_object_note_read(object.data(), object.size(), &note, diag); });
    return note;
}

/*
 * What is proved of the accessors in an object, as mf_verify_object; thrown if anything else is in it, or if
 * its note says other options than `expected` (nullptr: any will do).
 */
inline mf_verify_report verify_object(bytes object, const layout &pages,
                                      const mf_accessor_options *expected = nullptr,
                                      const mf_verify_limits &limits = {}) {
    mf_verify_report report;
    attempt([&](mf_diag *diag) {
        return mf_verify_object(object.data(), object.size(), pages.get(), expected, &limits, nullptr,
                                &report, diag);
    });
    return report;
}

/* Sweeps accessors, as mf_sweep_run; the watcher is that of the request, if it names one. */
inline mf_sweep_report sweep(memory &guest, const mf_accessors *set, const mf_accessor_options &options = {},
                             const mf_sweep_request &request = {}) {
    mf_sweep_report report;
    attempt([&](mf_diag *diag) { return mf_sweep_run(guest.get(), set, &options, &request, &report, diag); });
    return report;
}

/*
 * The same with a watcher `bool(const mf_sweep_progress &)`. What it throws stops the sweep and comes out of
 * here; it is not asked again then.
 */
template <typename Watcher>
mf_sweep_report sweep_watched(memory &guest, const mf_accessors *set, const mf_accessor_options &options,
                              mf_sweep_request request, Watcher &&watcher) {
    struct watched {
        std::remove_reference_t<Watcher> &watcher;
        std::exception_ptr thrown;
    } call = {watcher, nullptr};
    request.watcher = [](void *context, const mf_sweep_progress *progress) noexcept {
        watched *asked = static_cast<watched *>(context);
        if (asked->thrown)
            return false;
        try {
            return static_cast<bool>(asked->watcher(*progress));
        } catch (...) {
            asked->thrown = std::current_exception();
            return false;
        }
    };
    request.context = &call;
    mf_sweep_report report = sweep(guest, set, options, request);
    if (call.thrown)
        std::rethrow_exception(call.thrown);
    return report;
}

#endif

} // namespace memfold

/* So that layouts are keys of unordered containers. */
namespace std {
template <> struct hash<memfold::layout> {
    std::size_t operator()(const memfold::layout &key) const noexcept {
        return static_cast<std::size_t>(key.fingerprint());
    }
};
} // namespace std

#endif
