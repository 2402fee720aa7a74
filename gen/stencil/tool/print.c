#include "stencil/tool/print.h"

#include <inttypes.h>
#include <stdlib.h>

static void print_head(FILE *file) {
    fputs("/* Made by the stencil tool from the emitters: not to be edited. */\n"
          "#include \"stencil/table.h\"\n\n",
          file);
    fprintf(
        file,
        "_Static_assert(STENCIL_TABLE_VERSION == %d && MF_ABI_VERSION == %d && SHAPE_PART_COUNT == %u &&\n"
        "                   PLAN_NUMBER_COUNT == %u && MF_STEP_COUNT == %u,\n"
        "               \"stencils that were made for another version of memfold\");\n\n",
        STENCIL_TABLE_VERSION, MF_ABI_VERSION, (unsigned)SHAPE_PART_COUNT, (unsigned)PLAN_NUMBER_COUNT,
        (unsigned)MF_STEP_COUNT);
}

static void print_code(FILE *file, const made_table *made) {
    fprintf(file, "static const unsigned char CODE[%" PRIu32 "] = {", made->code_bytes + STENCIL_COPY_BYTES);
    for (uint32_t i = 0; i < made->code_bytes; i++)
        fprintf(file, "%s%u,", i % 32 == 0 ? "\n" : "", made->code[i]);
    fputs("\n};\n\n", file);
}

static void print_holes(FILE *file, const made_table *made) {
    fputs("static const stencil_hole HOLES[] = {\n", file);
    for (uint32_t i = 0; i < made->hole_count; i++) {
        const stencil_hole *h = &made->holes[i];
        fprintf(file, "{%u,%u,%u,%u,%d,%u,0},\n", h->offset, h->form, h->what, h->step, h->addend, h->range);
    }
    fputs("};\n\n", file);
}

static void print_stencils(FILE *file, const made_table *made) {
    fputs("static const stencil STENCILS[] = {\n", file);
    for (uint32_t i = 0; i < made->stencil_count; i++) {
        const stencil *s = &made->stencils[i];
        fprintf(file, "{%" PRIu32 ",%" PRIu32 ",%u,%u,%u,%u},\n", s->code, s->first_hole, s->code_bytes,
                s->hole_count, s->fault, s->resume);
    }
    fputs("};\n\n", file);
}

static void print_parts(FILE *file, const made_table *made) {
    fputs("static const uint16_t PARTS[SHAPE_PART_COUNT] = {\n", file);
    for (size_t i = 0; i < SHAPE_PART_COUNT; i++)
        fprintf(file, "%" PRIu32 ",%s", made->of_listed[i], i % 16 == 15 ? "\n" : "");
    fputs("};\n\n", file);
}

static void print_checks(FILE *file, const list *l, const made_table *made) {
    fputs("static const stencil_check CHECKS[] = {\n", file);
    for (size_t i = SHAPE_PART_COUNT; i < l->count; i++) {
        const check_shape *shape = &l->entries[i].shape;
        fprintf(file, "{{UINT64_C(0x%016" PRIx64 "),%" PRIu32 "},%" PRIu32 "},\n", shape->steps,
                shape->variant, made->of_listed[i]);
    }
    fputs("};\n\n", file);
}

/* At most half of the slots are taken. Returns their number. */
static uint32_t print_slots(FILE *file, const list *l) {
    uint32_t count = 1;
    while (count < 2 * (l->count - SHAPE_PART_COUNT))
        count *= 2;
    uint16_t *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return 0;
    for (size_t i = SHAPE_PART_COUNT; i < l->count; i++) {
        uint32_t at = check_shape_hash(&l->entries[i].shape) & (count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (count - 1);
        slots[at] = (uint16_t)(i - SHAPE_PART_COUNT + 1);
    }
    fprintf(file, "static const uint16_t SLOTS[%" PRIu32 "] = {\n", count);
    for (uint32_t i = 0; i < count; i++)
        fprintf(file, "%u,%s", slots[i], i % 32 == 31 ? "\n" : "");
    fputs("};\n\n", file);
    free(slots);
    return count;
}

size_t table_print(FILE *file, const list *l, const made_table *made) {
    size_t check_count = l->count - SHAPE_PART_COUNT;
    print_head(file);
    print_code(file, made);
    print_holes(file, made);
    print_stencils(file, made);
    print_parts(file, made);
    print_checks(file, l, made);
    uint32_t slot_count = print_slots(file, l);
    fprintf(file,
            "const stencil_table STENCIL_TABLE = {CODE, HOLES, STENCILS, CHECKS, SLOTS, PARTS,\n%" PRIu32
            ", %" PRIu32 ", %" PRIu32 ", %zu, %" PRIu32 "};\n",
            made->code_bytes, made->hole_count, made->stencil_count, check_count, slot_count - 1);
    if (slot_count == 0 || ferror(file))
        return 0;
    return made->code_bytes + STENCIL_COPY_BYTES + made->hole_count * sizeof(stencil_hole) +
           made->stencil_count * sizeof(stencil) + SHAPE_PART_COUNT * sizeof(uint16_t) +
           check_count * sizeof(stencil_check) + slot_count * sizeof(uint16_t) + sizeof(stencil_table);
}
