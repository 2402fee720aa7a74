#include "jit/gdb_list.h"

#include <pthread.h>
#include <stddef.h>

enum { ACTION_NONE = 0, ACTION_REGISTER = 1, ACTION_UNREGISTER = 2 };

struct jit_descriptor {
    uint32_t version;
    uint32_t action;
    gdb_file *relevant;
    gdb_file *first;
};

/*
 * gdb finds both by their names in the symbol table of the file that they are in. They are not visible to
 * other files: otherwise the dynamic linker would give LLVM this descriptor, while gdb, stopped in LLVM's
 * function, looks at LLVM's own.
 */
static __attribute__((used)) struct jit_descriptor __jit_debug_descriptor = {.version = 1};

static __attribute__((used, noinline)) void __jit_debug_register_code(void) {
    __asm__ volatile("" ::: "memory");
}

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

static void tell_gdb(gdb_file *entry, uint32_t action) {
    __jit_debug_descriptor.relevant = entry;
    __jit_debug_descriptor.action = action;
    __jit_debug_register_code();
    __jit_debug_descriptor.action = ACTION_NONE;
    __jit_debug_descriptor.relevant = NULL;
}

void gdb_list_add(gdb_file *entry) {
    pthread_mutex_lock(&list_lock);
    entry->previous = NULL;
    entry->next = __jit_debug_descriptor.first;
    if (entry->next != NULL)
        entry->next->previous = entry;
    __jit_debug_descriptor.first = entry;
    tell_gdb(entry, ACTION_REGISTER);
    pthread_mutex_unlock(&list_lock);
}

void gdb_list_remove(gdb_file *entry) {
    pthread_mutex_lock(&list_lock);
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        __jit_debug_descriptor.first = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
    tell_gdb(entry, ACTION_UNREGISTER);
    pthread_mutex_unlock(&list_lock);
}

void gdb_list_replace(gdb_file *entry, const void *file, uint64_t file_bytes) {
    pthread_mutex_lock(&list_lock);
    tell_gdb(entry, ACTION_UNREGISTER);
    entry->file = file;
    entry->file_bytes = file_bytes;
    tell_gdb(entry, ACTION_REGISTER);
    pthread_mutex_unlock(&list_lock);
}
