/* print_code START,SIZE[,START,SIZE...] [paged] [mask] [stale]: the bytes of load_u32 and store_u64, as
 * llvm-mc reads them. */
#include "stencil/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char written[1 << 16];

static mf_layout *parse(const char *text) {
    mf_layout *layout = NULL;
    mf_layout_builder *builder = mf_layout_builder_create();
    char *rest;
    for (; *text != '\0'; text = *rest == ',' ? rest + 1 : rest) {
        uint64_t start = strtoull(text, &rest, 0);
        uint64_t bytes = strtoull(rest + 1, &rest, 0);
        if (mf_layout_builder_map_region(builder, start, bytes, MF_READ_WRITE, NULL, 0, NULL) != MF_OK)
            exit(1);
    }
    if (mf_layout_builder_finish(builder, &layout, NULL, NULL) != MF_OK)
        exit(1);
    mf_layout_builder_destroy(builder);
    return layout;
}

static void print(const stencil_set *set, mf_accessor_id id) {
    printf("# %s\n", mf_accessor_info_get(id)->name);
    for (uint32_t i = 0; i < set->function_bytes[id]; i++)
        printf("0x%02x ", written[set->functions[id] + i]);
    printf("\n");
}

int main(int argc, char **argv) {
    mf_accessor_options options = {0};
    plan_set plans;
    stencil_set set;
    mf_layout *layout = parse(argv[1]);
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "paged") == 0)
            options.backend = MF_BACKEND_X86_PAGED;
        else if (strcmp(argv[i], "mask") == 0)
            options.spectre = MF_SPECTRE_MASK;
        else
            options.stale = MF_STALE_CHECK;
    if (plan_set_make(layout, &options, &plans, NULL) != MF_OK ||
        !stencil_set_choose(&plans, &options, &set) || set.bytes > sizeof written)
        return 1;
    stencil_set_write(&set, written);
    print(&set, MF_LOAD_U32);
    print(&set, MF_STORE_U64);
    plan_set_fini(&plans);
    mf_layout_release(layout);
    return 0;
}
