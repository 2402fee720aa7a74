/* script_pack LAYOUT SCRIPT: writes both as C to standard output, read by the command's own readers. */
#include "packed.h"

#include <memfold/layout_file.h>
#include <memfold/memory.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void must(mf_status status, const mf_diag *diag) {
    if (status != MF_OK) {
        fprintf(stderr, "script_pack: %s\n", diag->message);
        exit(1);
    }
}

static void write_bytes(const char *name, size_t number, const unsigned char *bytes, size_t count) {
    printf("static const unsigned char %s_%zu[] = {", name, number);
    for (size_t i = 0; i < count; i++)
        printf("%u,", bytes[i]);
    printf("};\n");
}

static void write_layout(const char *path) {
    mf_diag diag;
    mf_layout_file file = {0};
    mf_memory *memory;
    must(mf_layout_file_read(path, MF_FORMAT_AUTO, &file, &diag), &diag);
    must(mf_memory_create(file.layout, file.image, MF_BACKEND_COPY, &memory, &diag), &diag);
    size_t count = mf_layout_region_count(file.layout);
    for (size_t i = 0; i < count; i++) {
        mf_region r = mf_layout_region(file.layout, i);
        write_bytes("region", i, mf_memory_span(memory, (uint32_t)r.start, r.size, MF_LOAD), r.size);
    }
    printf("const packed_region packed_regions[] = {\n");
    for (size_t i = 0; i < count; i++) {
        mf_region r = mf_layout_region(file.layout, i);
        printf("{{%" PRIu64 ", %" PRIu64 ", (mf_access)%d}, region_%zu},\n", r.start, r.size, (int)r.access,
               i);
    }
    mf_heap heap = mf_layout_heap(file.layout);
    printf("};\nconst size_t packed_region_count = %zu;\n", count);
    printf("const mf_heap packed_heap = {%" PRIu32 ", %" PRIu32 "};\n", heap.base, heap.max_pages);
    mf_memory_destroy(memory);
    mf_layout_file_fini(&file);
}

static void write_script(const char *path) {
    run_script script;
    mf_diag diag;
    uint64_t bad_line;
    must(run_script_read(path, UINT32_MAX, &script, &diag, &bad_line), &diag);
    write_bytes("payload", 0, script.payload, script.payload_bytes);
    printf("static const run_command commands[] = {\n");
    for (size_t i = 0; i < script.command_count; i++) {
        const run_command *c = &script.commands[i];
        printf("{%" PRIu64 ", {%" PRIu64 "u, %" PRIu64 "u, %" PRIu64 "u}, %zu, %zu, %d, %d},\n", c->line,
               c->numbers[0], c->numbers[1], c->numbers[2], c->payload_start, c->payload_bytes, c->verb,
               c->choice);
    }
    printf("};\nconst run_script packed_script = {(run_command *)commands, %zu, 0,\n"
           "    (unsigned char *)payload_0, %zu, 0};\n",
           script.command_count, script.payload_bytes);
    run_script_fini(&script);
}

int main(int count, char **words) {
    if (count != 3)
        return 2;
    printf("#include \"packed.h\"\n");
    write_layout(words[1]);
    write_script(words[2]);
    return 0;
}
