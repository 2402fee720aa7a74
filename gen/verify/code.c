#include "verify/code.h"

#include <memfold/exception_table.h>

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

void verify_code_set_runtime(verify_code *code) {
    static void (*const ENTRIES[])(void) = {
#define MF_X(name, function) [MF_RT_##name] = (void (*)(void))function,
        MF_RT_ENTRIES(MF_X)
#undef MF_X
    };
    for (size_t i = 0; i < MF_RT_ENTRY_COUNT; i++)
        code->runtime[i] = (uint64_t)(uintptr_t)ENTRIES[i];
}

/* The kernel reads, so that an address where nothing is is no crash. */
static bool read_process(uint64_t address, void *to, uint64_t count) {
    struct iovec local = {to, count};
    struct iovec remote = {(void *)(uintptr_t)address, count};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)count;
}

bool verify_code_read(const verify_code *code, uint64_t address, void *to, uint64_t count) {
    for (size_t i = 0; i < code->range_count; i++) {
        const verify_range *r = &code->ranges[i];
        if (address >= r->start && address - r->start < r->count) {
            uint64_t offset = address - r->start;
            if (count > r->count - offset)
                return false;
            memcpy(to, r->bytes + offset, count);
            return true;
        }
    }
    return code->is_of_process && read_process(address, to, count);
}

/* Of two entries that differ either may be taken: they lead to where no code is. */
#define NOWHERE UINT64_MAX

uint64_t verify_code_resume(const verify_code *code, uint64_t access) {
    uint64_t resume = 0;
    for (size_t i = 0; i < code->entry_count; i++)
        if (code->entries[i].access == access)
            resume = resume == 0 || resume == code->entries[i].resume ? code->entries[i].resume : NOWHERE;
    if (resume != 0)
        return resume;
    return code->takes_registered_entries ? mf_exception_table_lookup((uintptr_t)access) : 0;
}

mf_rt_entry verify_code_entry(const verify_code *code, uint64_t address) {
    for (size_t i = 0; i < MF_RT_ENTRY_COUNT; i++)
        if (code->runtime[i] != 0 && code->runtime[i] == address)
            return (mf_rt_entry)i;
    return MF_RT_ENTRY_COUNT;
}
