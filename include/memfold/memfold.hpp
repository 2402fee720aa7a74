/*
 * memfold for C++17: owners that give back what they hold, errors as exceptions, guard frames around lambdas.
 * All of it is inline and calls the C functions, whose headers say what each does; what is here is only how
 * C++ holds it.
 *
 * An owner (layout, image, layout_builder, memory, pool, jit, code) is moved, not copied. `get` borrows the C
 * pointer for every function of the C headers, `release` hands it out, and an owner made of a pointer takes
 * it.
 *
 * The three kinds of trouble stay apart. What the environment or an argument does wrong is thrown, as
 * memfold::error with the mf_diag; what the guest does wrong is a value: a false, an empty optional, the
 * status of an accessor, the record in the view; what the program does wrong panics. Where a program is
 * compiled without exceptions, the functions that would throw are not there: it calls those of C with `put`,
 * which is where they write their result: `mf_memory_create(nullptr, nullptr, MF_BACKEND_COPY, memory.put(),
 * &diag)`.
 *
 * What needs the jit's headers is there if they are installed. Example:
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
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

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
        guarded<std::remove_reference_t<Body>> call(body);
        mf_fault fault;
        if (!mf_guard_run(borrowed_, call.run, &call, &fault))
            return fault;
        call.finish();
        return std::nullopt;
    }

  private:
    template <typename Body> struct guarded {
        explicit guarded(Body &b) : body(b) {
        }
#ifdef __cpp_exceptions
        static void run(mf_view *, void *context) noexcept {
            guarded *call = static_cast<guarded *>(context);
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
            static_cast<guarded *>(context)->body();
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

/* ---- Errors -------------------------------------------------------------------------------- */

#ifdef __cpp_exceptions

/* Input of the caller or the environment was at fault. what() is mf_diag_print's line. */
class error : public std::runtime_error {
  public:
    explicit error(const mf_diag &detail) : std::runtime_error(line_of(detail)), detail_(detail) {
    }
    mf_status status() const noexcept {
        return detail_.status;
    }
    const mf_diag &diag() const noexcept {
        return detail_;
    }

  private:
    static std::string line_of(const mf_diag &detail) {
        std::string line(mf_diag_print(&detail, nullptr, 0), '\0');
        mf_diag_print(&detail, line.data(), line.size() + 1);
        return line;
    }

    mf_diag detail_;
};

namespace detail {
/* `call` gets an mf_diag, and what it returns is not MF_OK: thrown. */
template <typename Call> void attempt(Call &&call) {
    mf_diag diag;
    if (call(&diag) != MF_OK)
        throw error(diag);
}
} // namespace detail

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
    mf_heap heap() const noexcept {
        return mf_layout_heap(get());
    }
    mf_perm perm_of(std::uint32_t address) const noexcept {
        return mf_layout_perm_of(get(), address);
    }
    std::uint64_t len() const noexcept {
        return mf_layout_len(get());
    }

    /* By content; both own a layout. */
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

#ifdef __cpp_exceptions
    layout_builder() : owner(mf_layout_builder_create()) {
        if (!*this)
            throw std::bad_alloc();
    }

    /* As the functions of C; each returns the builder, for the next. */
    layout_builder &map(std::uint64_t start, std::uint64_t size, mf_access access, bytes init = {}) {
        detail::attempt([&](mf_diag *diag) {
            return mf_layout_builder_map_region(get(), start, size, access, init.data(), init.size(), diag);
        });
        return *this;
    }
    layout_builder &set_bytes(std::uint64_t start, bytes content) {
        detail::attempt([&](mf_diag *diag) {
            return mf_layout_builder_set_bytes(get(), start, content.data(), content.size(), diag);
        });
        return *this;
    }
    layout_builder &set_heap(std::uint64_t base, std::uint64_t max_pages) {
        detail::attempt(
            [&](mf_diag *diag) { return mf_layout_builder_set_heap(get(), base, max_pages, diag); });
        return *this;
    }

    /* What has been collected so far; the builder may go on. */
    std::pair<layout, image> finish() const {
        std::pair<layout, image> finished;
        detail::attempt([&](mf_diag *diag) {
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
    std::uint64_t heap_top() const noexcept {
        return mf_memory_heap_top(get());
    }
    mf_backend backend() const noexcept {
        return mf_memory_backend(get());
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

    /* As the functions of C. */
    memory clone() const {
        mf_memory *made = nullptr;
        detail::attempt([&](mf_diag *diag) { return mf_memory_clone(get(), &made, diag); });
        return memory(made);
    }
    image freeze() {
        mf_image *made = nullptr;
        detail::attempt([&](mf_diag *diag) { return mf_memory_freeze(get(), &made, diag); });
        return image(made);
    }
    void reset() {
        detail::attempt([&](mf_diag *diag) { return mf_memory_reset(get(), diag); });
    }
    void map(std::uint64_t start, std::uint64_t size, mf_access access, bytes init = {}) {
        detail::attempt([&](mf_diag *diag) {
            return mf_memory_map_region(get(), start, size, access, init.data(), init.size(), diag);
        });
    }
    void protect(std::uint64_t start, std::uint64_t size, mf_perm perm) {
        detail::attempt([&](mf_diag *diag) { return mf_memory_protect(get(), start, size, perm, diag); });
    }
    void unmap(std::uint64_t start, std::uint64_t size) {
        detail::attempt([&](mf_diag *diag) { return mf_memory_unmap(get(), start, size, diag); });
    }

    /* The old top, or nothing if the heap refuses, which is the guest's affair. */
    std::optional<std::uint64_t> sbrk(std::uint64_t bytes) {
        std::optional<std::uint64_t> old_top;
        detail::attempt([&](mf_diag *diag) {
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
        detail::attempt([&](mf_diag *diag) { return mf_memory_layout(get(), &now, diag); });
        return layout(now);
    }

  private:
    static mf_memory_config config_of(mf_backend backend) noexcept {
        mf_memory_config config = {};
        config.backend = backend;
        return config;
    }
    void create(const mf_layout *pages, const mf_image *content, const mf_memory_config &config) {
        detail::attempt(
            [&](mf_diag *diag) { return mf_memory_create_with(pages, content, &config, put(), diag); });
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
        detail::attempt([&](mf_diag *diag) { return mf_pool_create(&config, put(), diag); });
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
        detail::attempt([&](mf_diag *diag) { return mf_pool_clone(get(), prepared.get(), &made, diag); });
        return lease(*this, memory(made));
    }

  private:
    lease take(const mf_layout *pages, const mf_image *content) {
        mf_memory *taken = nullptr;
        detail::attempt([&](mf_diag *diag) { return mf_pool_take(get(), pages, content, &taken, diag); });
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
        detail::attempt([&](mf_diag *diag) { return mf_jit_create(&config, put(), diag); });
    }

    /* The accessors of a layout, and those of the layout that a memory has now, for its backend. */
    code make(const layout &pages, const mf_accessor_options &options = {}) {
        mf_code *made = nullptr;
        detail::attempt([&](mf_diag *diag) { return mf_jit_get(get(), pages.get(), &options, &made, diag); });
        return code(made);
    }
    code make_for(const memory &guest, mf_accessor_options options = {}) {
        mf_code *made = nullptr;
        options.backend = guest.backend();
        detail::attempt(
            [&](mf_diag *diag) { return mf_jit_get_for(get(), guest.get(), &options, &made, diag); });
        return code(made);
    }
#else
    jit() noexcept = default;
#endif
};

#endif

} // namespace memfold

#endif
