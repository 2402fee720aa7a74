// Every form of every instruction that inline code is made of, with all registers, means what it says: LLVM's
// disassembler reads it back, and its assembler finds no shorter encoding.
//
// RUN: rm -rf %t && mkdir %t
// RUN: %cc -I%source/gen %s -o %t/encode %inline
// RUN: %t/encode %t/bytes %t/wanted | FileCheck %s
// RUN: llvm-mc -disassemble -triple=x86_64 --output-asm-variant=1 %t/bytes -o %t/read
// RUN: grep -v '^\s*\.' %t/read | sed 's/^\s*//; s/\s\s*/ /g' > %t/actual
// RUN: diff %t/wanted %t/actual
//
// Jumps stand at the end, and their lengths are the caller's to choose.
// RUN: bash -euc '(echo .intel_syntax noprefix; grep -v ^j %t/wanted) > %t/wanted.s'
// RUN: llvm-mc -triple=x86_64 -show-encoding %t/wanted.s -o %t/encoded
// RUN: grep -o 'encoding: .*' %t/encoded | tr -cd ',\n' | awk '{print length + 1}' > %t/their_lengths
// RUN: awk '{print NF}' %t/bytes > %t/our_lengths
// RUN: paste %t/their_lengths %t/our_lengths %t/wanted | grep '^[0-9]' > %t/lengths
// RUN: awk '$2 > $1 {print "longer:", $0; n++} END {print NR, "instructions,", n + 0, "longer"}' %t/lengths > %t/compared
// RUN: FileCheck %s --check-prefix=LENGTHS < %t/compared
//
// LENGTHS-NOT: longer:
// LENGTHS: {{[1-9][0-9]+}} instructions, 0 longer
// CHECK: {{[1-9][0-9]+}} instructions written

#include "inline/encode.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const NAMES_64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const NAMES_32[] = {"eax", "ecx", "edx",  "ebx",  "esp",  "ebp",  "esi",  "edi",
                                       "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"};
static const char *const NAMES_16[] = {"ax",  "cx",  "dx",   "bx",   "sp",   "bp",   "si",   "di",
                                       "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w", "r15w"};
static const char *const NAMES_8[] = {"al",  "cl",  "dl",   "bl",   "spl",  "bpl",  "sil",  "dil",
                                      "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b"};

static const char *name(x86_size size, x86_register reg) {
    switch (size) {
    case X86_8:
        return NAMES_8[reg];
    case X86_16:
        return NAMES_16[reg];
    case X86_32:
        return NAMES_32[reg];
    case X86_64:
        return NAMES_64[reg];
    }
    abort();
}

static const char *keyword(x86_size size) {
    return size == X86_8 ? "byte" : size == X86_16 ? "word" : size == X86_32 ? "dword" : "qword";
}

/* ---- One instruction a line, in two files ---- */

static FILE *bytes_file, *wanted_file;
static unsigned long written;
static uint8_t bytes[32];

static x86_code begin(void) {
    return (x86_code){.bytes = bytes, .room_bytes = sizeof bytes};
}

__attribute__((format(printf, 2, 3))) static void expect(const x86_code *code, const char *format, ...) {
    va_list arguments;
    if (code->instruction_count != 1)
        abort();
    for (size_t i = 0; i < code->byte_count; i++)
        fprintf(bytes_file, "%s0x%02x", i == 0 ? "" : " ", bytes[i]);
    fputc('\n', bytes_file);
    va_start(arguments, format);
    vfprintf(wanted_file, format, arguments);
    va_end(arguments);
    fputc('\n', wanted_file);
    written++;
}

/* Runs `one` with a fresh code and compares it with the text. */
#define CHECK_ONE(call, ...)                                                                                 \
    do {                                                                                                     \
        x86_code code = begin();                                                                             \
        call;                                                                                                \
        expect(&code, __VA_ARGS__);                                                                          \
    } while (0)

/* ---- Registers and constants ---- */

static const x86_size SIZES[] = {X86_32, X86_64};
static const struct {
    x86_condition condition;
    const char *name;
} CONDITIONS[] = {{X86_BELOW, "b"},        {X86_NOT_BELOW, "ae"}, {X86_EQUAL, "e"},
                  {X86_NOT_EQUAL, "ne"},   {X86_NOT_ABOVE, "be"}, {X86_ABOVE, "a"},
                  {X86_NOT_GREATER, "le"}, {X86_GREATER, "g"},    {X86_NEGATIVE, "s"},
                  {X86_NOT_NEGATIVE, "ns"}};
#define CONDITION_COUNT (sizeof CONDITIONS / sizeof CONDITIONS[0])

static void write_pairs(x86_size size, x86_register a, x86_register b) {
    const char *left = name(size, a), *right = name(size, b);
    CHECK_ONE(x86_move(&code, size, a, b), "mov %s, %s", left, right);
    CHECK_ONE(x86_compare_registers(&code, size, a, b), "cmp %s, %s", left, right);
    CHECK_ONE(x86_test_bit(&code, size, a, b), "bt %s, %s", left, right);
    for (size_t i = 0; i < CONDITION_COUNT; i++)
        CHECK_ONE(x86_move_if(&code, size, CONDITIONS[i].condition, a, b), "cmov%s %s, %s",
                  CONDITIONS[i].name, left, right);
    if (size == X86_64)
        CHECK_ONE(x86_sign_extend(&code, X86_32, a, b), "movsxd %s, %s", left, name(X86_32, b));
    if (size == X86_64)
        CHECK_ONE(x86_sign_extend(&code, X86_16, a, b), "movsx %s, %s", left, name(X86_16, b));
}

static const int32_t IMMEDIATES[] = {0, 1, 8, 127, 128, -1, -128, -129, 4092, INT32_MAX, INT32_MIN};
#define IMMEDIATE_COUNT (sizeof IMMEDIATES / sizeof IMMEDIATES[0])

/* As LLVM prints it: unsigned where it has all the bits of the operand. */
static int64_t printed(x86_size size, int32_t value) {
    bool is_byte = INT8_MIN <= value && value <= INT8_MAX;
    return size == X86_32 && !is_byte ? (int64_t)(uint32_t)value : value;
}

typedef void arithmetic(x86_code *code, x86_size size, x86_register reg, int32_t value);

static void write_immediates(x86_size size, x86_register reg) {
    static const struct {
        arithmetic *encode;
        const char *name;
    } OPERATIONS[] = {{x86_add, "add"},
                      {x86_add_carry, "adc"},
                      {x86_and, "and"},
                      {x86_subtract, "sub"},
                      {x86_compare, "cmp"}};
    for (size_t o = 0; o < sizeof OPERATIONS / sizeof OPERATIONS[0]; o++)
        for (size_t i = 0; i < IMMEDIATE_COUNT; i++)
            CHECK_ONE(OPERATIONS[o].encode(&code, size, reg, IMMEDIATES[i]), "%s %s, %" PRId64,
                      OPERATIONS[o].name, name(size, reg), printed(size, IMMEDIATES[i]));
    for (uint32_t bits = 2; bits < 8 * (uint32_t)size; bits += 5)
        CHECK_ONE(x86_shift_right(&code, size, reg, bits), "shr %s, %" PRIu32, name(size, reg), bits);
    CHECK_ONE(x86_shift_right(&code, size, reg, 1), "shr %s", name(size, reg));
    CHECK_ONE(x86_swap_bytes(&code, size, reg), "bswap %s", name(size, reg));
}

static void write_single(x86_register reg) {
    static const uint64_t CONSTANTS[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff};
    static const int64_t NEGATIVE[] = {-1, -1000, INT32_MIN};
    for (size_t i = 0; i < sizeof CONSTANTS / sizeof CONSTANTS[0]; i++)
        CHECK_ONE(x86_move_constant(&code, reg, CONSTANTS[i]), "mov %s, %" PRId64, name(X86_32, reg),
                  (int64_t)CONSTANTS[i]);
    for (size_t i = 0; i < sizeof NEGATIVE / sizeof NEGATIVE[0]; i++)
        CHECK_ONE(x86_move_constant(&code, reg, (uint64_t)NEGATIVE[i]), "mov %s, %" PRId64, name(X86_64, reg),
                  NEGATIVE[i]);
    CHECK_ONE(x86_move_constant(&code, reg, UINT64_C(0x123456789a)), "movabs %s, 78187493530",
              name(X86_64, reg));
    CHECK_ONE(x86_move_constant(&code, reg, (uint64_t)INT64_MIN), "movabs %s, %" PRId64, name(X86_64, reg),
              INT64_MIN);
    for (uint32_t bits = 2; bits < 64; bits += 7) {
        CHECK_ONE(x86_rotate_right(&code, reg, bits), "ror %s, %" PRIu32, name(X86_64, reg), bits);
        CHECK_ONE(x86_rotate_left(&code, reg, bits), "rol %s, %" PRIu32, name(X86_64, reg), bits);
    }
    CHECK_ONE(x86_rotate_word(&code, reg), "rol %s, 8", name(X86_16, reg));
    CHECK_ONE(x86_spread_carry(&code, reg), "sbb %s, %s", name(X86_32, reg), name(X86_32, reg));
}

/* ---- Memory ---- */

/* The address as LLVM prints it. An unscaled index before a base that is longer is what the encoder swaps. */
static const char *address_text(x86_memory m) {
    static char text[64];
    const char *const *names = m.is_32bit ? NAMES_32 : NAMES_64;
    bool swaps = m.base != X86_NONE && m.index != X86_NONE && m.scale_log2 == 0 && m.displacement == 0 &&
                 (m.base & 7) == 5 && (m.index & 7) != 5;
    x86_register base = swaps ? m.index : m.base;
    x86_register index = swaps ? m.base : m.index;
    int used = snprintf(text, sizeof text, "[%s", base == X86_NONE ? "" : names[base]);
    if (index != X86_NONE && m.scale_log2 != 0)
        used += snprintf(&text[used], sizeof text - (size_t)used, "%s%d*%s", base == X86_NONE ? "" : " + ",
                         1 << m.scale_log2, names[index]);
    else if (index != X86_NONE)
        used += snprintf(&text[used], sizeof text - (size_t)used, " + %s", names[index]);
    int64_t away = m.displacement;
    if (base == X86_NONE && index == X86_NONE)
        used += snprintf(&text[used], sizeof text - (size_t)used, "%" PRId64, away);
    else if (away != 0)
        used += snprintf(&text[used], sizeof text - (size_t)used, " %c %" PRId64, away < 0 ? '-' : '+',
                         away < 0 ? -away : away);
    snprintf(&text[used], sizeof text - (size_t)used, "]");
    return text;
}

/* All that takes a memory operand, with one address. */
static void write_memory(x86_memory m, x86_register reg) {
    const char *text = address_text(m);
    static const x86_size ALL[] = {X86_8, X86_16, X86_32, X86_64};
    for (size_t i = 0; i < 4; i++) {
        x86_size size = ALL[i];
        const char *move = size >= X86_32 ? "mov" : "movzx";
        const char *extend = size == X86_32 ? "movsxd" : "movsx";
        CHECK_ONE(x86_load(&code, size, false, reg, m), "%s %s, %s ptr %s", move,
                  name(size == X86_64 ? X86_64 : X86_32, reg), keyword(size), text);
        if (size != X86_64)
            CHECK_ONE(x86_load(&code, size, true, reg, m), "%s %s, %s ptr %s", extend, name(X86_64, reg),
                      keyword(size), text);
        CHECK_ONE(x86_store(&code, size, m, reg), "mov %s ptr %s, %s", keyword(size), text, name(size, reg));
        if (size != X86_8)
            CHECK_ONE(x86_store_swapped(&code, size, m, reg), "movbe %s ptr %s, %s", keyword(size), text,
                      name(size, reg));
        if (size >= X86_32)
            CHECK_ONE(x86_load_swapped(&code, size, reg, m), "movbe %s, %s ptr %s", name(size, reg),
                      keyword(size), text);
    }
    CHECK_ONE(x86_add_memory(&code, reg, m), "add %s, qword ptr %s", name(X86_64, reg), text);
    CHECK_ONE(x86_compare_memory(&code, reg, m), "cmp %s, qword ptr %s", name(X86_64, reg), text);
    CHECK_ONE(x86_compare_byte(&code, m, 2), "cmp byte ptr %s, 2", text);
    CHECK_ONE(x86_test_byte(&code, m, 1), "test byte ptr %s, 1", text);
    CHECK_ONE(x86_test_memory_bit(&code, m, reg), "bt dword ptr %s, %s", text, name(X86_32, reg));
}

static void write_addresses(x86_register base) {
    static const int32_t AWAY[] = {0, 1, 127, -128, 128, -129, INT32_MAX, INT32_MIN};
    for (size_t d = 0; d < sizeof AWAY / sizeof AWAY[0]; d++) {
        x86_register reg = (base + (x86_register)d) % X86_REGISTER_COUNT;
        x86_memory alone = {.base = base, .index = X86_NONE, .displacement = AWAY[d]};
        write_memory(alone, reg);
        alone.is_32bit = true;
        write_memory(alone, reg);
        for (size_t i = 0; AWAY[d] != 0 && i < 2; i++)
            for (x86_register to = 0; to < X86_REGISTER_COUNT; to++)
                CHECK_ONE(x86_address(&code, SIZES[i], to, base, AWAY[d]), "lea %s, [%s %c %" PRId64 "]",
                          name(SIZES[i], to), NAMES_64[base], AWAY[d] < 0 ? '-' : '+',
                          AWAY[d] < 0 ? -(int64_t)AWAY[d] : AWAY[d]);
        for (x86_register index = 0; index < X86_REGISTER_COUNT; index++) {
            x86_memory both = {.base = base, .index = index, .displacement = AWAY[d]};
            if (index != X86_RSP)
                write_memory(both, reg);
            both.scale_log2 = 2;
            if (index != X86_RSP)
                write_memory(both, reg);
        }
    }
}

/* ---- Jumps ---- */

static void write_jumps(void) {
    static const int32_t NEAR[] = {0, 1, 127, -128};
    static const int32_t FAR[] = {128, -129, INT32_MAX, INT32_MIN};
    for (size_t d = 0; d < 4; d++) {
        CHECK_ONE(x86_jump(&code, false, NEAR[d]), "jmp %" PRId32, NEAR[d]);
        CHECK_ONE(x86_jump(&code, true, FAR[d]), "jmp %" PRId32, FAR[d]);
        for (size_t i = 0; i < CONDITION_COUNT; i++) {
            x86_condition condition = CONDITIONS[i].condition;
            CHECK_ONE(x86_branch(&code, condition, false, NEAR[d]), "j%s %" PRId32, CONDITIONS[i].name,
                      NEAR[d]);
            CHECK_ONE(x86_branch(&code, condition, true, FAR[d]), "j%s %" PRId32, CONDITIONS[i].name, FAR[d]);
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    bytes_file = fopen(argv[1], "w");
    wanted_file = fopen(argv[2], "w");
    if (bytes_file == NULL || wanted_file == NULL)
        return 2;
    for (x86_register a = 0; a < X86_REGISTER_COUNT; a++) {
        for (size_t i = 0; i < 2; i++) {
            for (x86_register b = 0; b < X86_REGISTER_COUNT; b++)
                write_pairs(SIZES[i], a, b);
            write_immediates(SIZES[i], a);
        }
        write_single(a);
        write_addresses(a);
        x86_memory scaled = {.base = X86_NONE, .index = a, .scale_log2 = 2, .displacement = 4096};
        if (a != X86_RSP)
            write_memory(scaled, 15 - a);
        write_memory((x86_memory){.base = X86_NONE, .index = X86_NONE, .displacement = 4096}, a);
    }
    x86_code code = begin();
    x86_set_carry(&code);
    expect(&code, "stc");
    write_jumps();
    printf("%lu instructions written\n", written);
    return fclose(bytes_file) == 0 && fclose(wanted_file) == 0 ? 0 : 1;
}
