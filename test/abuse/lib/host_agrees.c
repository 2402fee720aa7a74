#include "host_agrees.h"

#include "../../runtime/x86_paged/linux/host.h"

void expect_host_permissions(mf_memory *memory) {
    host_mapping list[64];
    uint64_t base = (uint64_t)(uintptr_t)mf_memory_view(memory)->base;
    size_t count = list_mappings(base - GUARD_BYTES, base + WINDOW_BYTES + GUARD_BYTES, list, 64);
    uint64_t at = base - GUARD_BYTES;
    backend = MF_BACKEND_X86_PAGED;
    for (size_t i = 0; i < count; i++) {
        expect(list[i].start == at);
        at = list[i].end;
        bool is_guest = list[i].start >= base && at <= base + mf_memory_len(memory);
        expect(is_guest || list[i].perm == MF_PERM_NONE);
        for (uint64_t index = list[i].start - base; is_guest && base + index < at; index += PAGE)
            expect((int)mf_memory_perm_of(memory, (uint32_t)index) == list[i].perm);
    }
    expect(at == base + WINDOW_BYTES + GUARD_BYTES);
}
