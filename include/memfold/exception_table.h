/*
 * The exception table: which instructions of generated code may fault, and where each continues if it does.
 * Every paged accessor with a status return has an entry. Code that the jit makes and objects that are
 * emitted ahead of time register their entries themselves; only a loader of its own kind needs the functions
 * below: the JIT of a client that embeds paged accessors in its modules (embed.h).
 *
 * What such a loader does. One that links one object of a module finds the entries by a name
 * (mf_embed_define_exception_table). Any other takes them from the section MF_EXCEPTION_SECTION of each
 * object: the section is kept, although nothing refers to it, also where unused sections are dropped; it lies
 * within 2 GiB of the code, as its relocations want it. Once these are applied at the section's final place,
 * all of it, size / sizeof(mf_exception_entry) entries, goes to mf_exception_table_register, before the code
 * runs; before the code is freed the same address goes to mf_exception_table_unregister. orc.hpp does that
 * for LLVM's JITs in C++. In C, where RTDyld takes callbacks (LLVMCreateSimpleMCJITMemoryManager,
 * LLVMOrcCreateRTDyldObjectLinkingLayerWithMCJITMemoryManagerLikeCallbacks), AllocateDataSection is told the
 * section's name, FinalizeMemory registers and Destroy unregisters.
 *
 * Example:
 *
 *     #include <memfold/exception_table.h>
 *
 *     int main(void) {
 *         static mf_exception_entry entries[1]; // as code that was just loaded brings them
 *         mf_diag diag;
 *         entries[0].fault = 0x100; // relative to the field itself
 *         entries[0].resume = 0x200;
 *         if (mf_exception_table_register(entries, 1, &diag) != MF_OK)
 *             return 1;
 *         // The code may run now: a fault at the one address goes on at the other.
 *         uintptr_t resume = mf_exception_table_lookup((uintptr_t)&entries[0].fault + 0x100);
 *         mf_exception_table_unregister(entries); // before the code is unloaded
 *         return resume == (uintptr_t)&entries[0].resume + 0x200 ? 0 : 1;
 *     }
 */
#ifndef MEMFOLD_EXCEPTION_TABLE_H
#define MEMFOLD_EXCEPTION_TABLE_H

#include <memfold/abi.h>
#include <memfold/public.h>
#include <memfold/status.h>

#include <stddef.h>
#include <stdint.h>

MF_PUBLIC_BEGIN

/*
 * One entry, position-independent: each field is an address relative to the field itself. Emitted objects
 * collect theirs in the section MF_EXCEPTION_SECTION of the executable or shared object. The order is free.
 */
typedef struct mf_exception_entry {
    int32_t fault;  /* the instruction that may fault */
    int32_t resume; /* where it continues then */
} mf_exception_entry;

/* The section's name; the linker defines __start_mf_extable and __stop_mf_extable around it. */
#define MF_EXCEPTION_SECTION "mf_extable"

MF_STATIC_ASSERT(sizeof(mf_exception_entry) == 8, "mf_exception_entry");

/*
 * The description of a note in each emitted object: where the section begins and ends in the executable or
 * shared object that the note is loaded with, each relative to the field itself. Through it a fault handler
 * finds the entries without anybody having registered them (on Linux with glibc 2.35 or newer).
 */
typedef struct mf_exception_note {
    int64_t begin;
    int64_t end;
} mf_exception_note;

/* The name and the type of the note, and its section. */
#define MF_EXCEPTION_NOTE_NAME "memfold"
#define MF_EXCEPTION_NOTE_TYPE 1
#define MF_EXCEPTION_NOTE_SECTION ".note.memfold"

MF_STATIC_ASSERT(sizeof(mf_exception_note) == 16, "mf_exception_note");

/*
 * The `count` entries from `entries` on are in force, until they are unregistered as often as they were
 * registered. They are copied, but their address is their name, and the code they speak of stays where it is:
 * so entries are not moved meanwhile. Registering the same address again only counts. A count of 0 does
 * nothing. MF_OUT_OF_MEMORY. Any thread, also while others fault; not in a signal handler (it takes a lock).
 */
mf_status mf_exception_table_register(const mf_exception_entry *entries, size_t count, mf_diag *diag);

/*
 * At the last of as many calls as there were registrations: no lookup that begins from here on finds the
 * entries, and the code they speak of may be freed; as always, no thread is in it then. It waits for no fault
 * handler and needs no memory. Entries that are not registered are ignored. Any thread; not in a signal
 * handler.
 */
void mf_exception_table_unregister(const mf_exception_entry *entries);

/*
 * Returns the host address where the instruction at `host_pc` continues after a fault, or 0 if no entry names
 * it. Entries of an emitted object are found for as long as the object is loaded, also before its
 * constructors and after its destructors have run. Any thread; async-signal-safe: no lock, no allocation, and
 * nothing is left behind by a handler that interrupts it and jumps away.
 */
uintptr_t mf_exception_table_lookup(uintptr_t host_pc);

/*
 * What an emitted object calls before the constructors of its program and at its end (under a name with the
 * ABI version, as all entry points of generated code): [begin, end) is registered, and unregistered. At the
 * end of a process other threads may still run code of the object. So the entries stay in force for as long
 * as the object is loaded, where the host can tell; where it cannot, until others are registered in their
 * place. Registering panics if the host has no memory. Nobody else calls them.
 */
void mf_rt_register_v3(const mf_exception_entry *begin, const mf_exception_entry *end);
void mf_rt_unregister_v3(const mf_exception_entry *begin, const mf_exception_entry *end);

MF_PUBLIC_END

#endif
