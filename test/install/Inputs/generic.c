/* A program that needs the runtime only. */
#include <memfold/generic.h>
#include <memfold/memory.h>

#include <stdio.h>

int main(void) {
    mf_memory *memory;
    if (mf_memory_create(NULL, NULL, MF_BACKEND_COPY, &memory, NULL) != MF_OK ||
        mf_memory_map_region(memory, 0x20000, MF_PAGE_SIZE, MF_READ_WRITE, NULL, 0, NULL) != MF_OK)
        return 1;
    const mf_accessors *guest = mf_generic_accessors(NULL);
    mf_view *view = mf_memory_view(memory);
    guest->store_u32(view, 0x20000, 42);
    printf("generic %d\n", (int)guest->load_u32(view, 0x20000).value);
    mf_memory_destroy(memory);
    return 0;
}
