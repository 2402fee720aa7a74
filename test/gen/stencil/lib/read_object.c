/* read_object OBJECT COUNT: what the stencil tool reads from an object with so many functions. */
#include "stencil/tool/object.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    static unsigned char bytes[1 << 16];
    made_table made = {0};
    mf_diag diag;
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    if (file == NULL)
        return 2;
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    if (made_table_read(&made, bytes, count, (size_t)atoi(argv[2]), &diag) != MF_OK)
        printf("%s\n", diag.message);
    for (uint32_t i = 0; i < made.stencil_count; i++)
        printf("%u bytes, %u holes\n", made.stencils[i].code_bytes, made.stencils[i].hole_count);
    for (uint32_t i = 0; i < made.hole_count; i++)
        printf("hole at %u: form %u, what %u, step %u, range %u, addend %d\n", made.holes[i].offset,
               made.holes[i].form, made.holes[i].what, made.holes[i].step, made.holes[i].range,
               made.holes[i].addend);
    made_table_fini(&made);
    return 0;
}
