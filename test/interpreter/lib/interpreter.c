/*
 * An interpreter of RV32IM programs, whose loads and stores have one of seven forms: FORM_check (by hand, in
 * C), FORM_generic, FORM_pointers (mf_jit), and FORM_code or FORM_code_at with accessors of memfold emit,
 * called or inlined as they are linked; FORM_raw checks nothing. It runs a flat image and prints what that
 * prints.
 */
#include "box.h"

#include <memfold/generic.h>
#include <memfold/memory.h>
#ifdef FORM_pointers
#include <memfold/jit.h>
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define START UINT32_C(0x10000)
#define SIZE UINT32_C(0x1000000)
#define CODE_MAX 0x4000

/* ---- Forms ----------------------------------------------------------------------------------- */

typedef struct guest {
    mf_view *view;
    unsigned char *base; /* kept in a local by the loop: C does not know that the view's never changes */
    const mf_accessors *set;
} guest;

#if defined(FORM_generic) || defined(FORM_pointers)
#define LOAD(name, type) (loaded = g.set->load_##name(g.view, address), status = loaded.status, loaded.value)
#define STORE(name, type) (status = g.set->store_##name(g.view, address, x[i.rs2]))
#elif defined(FORM_code)
#define LOAD(name, type) (loaded = box_load_##name(g.view, address), status = loaded.status, loaded.value)
#define STORE(name, type) (status = box_store_##name(g.view, address, x[i.rs2]))
#elif defined(FORM_code_at)
#define LOAD(name, type)                                                                                     \
    (loaded = box_load_##name(g.view, g.base, address), status = loaded.status, loaded.value)
#define STORE(name, type) (status = box_store_##name(g.view, g.base, address, x[i.rs2]))
#else
#ifdef FORM_raw
#define FAILS(type) 0
#else
#define FAILS(type) (address - START > SIZE - sizeof(type))
#endif
#define LOAD(name, type)                                                                                     \
    (status = FAILS(type), status == 0 ? *(const type##_unaligned *)(g.base + address) : 0)
#define STORE(name, type)                                                                                    \
    (status = FAILS(type), status == 0 ? *(type##_unaligned *)(g.base + address) = (type)x[i.rs2] : 0)
typedef uint8_t uint8_t_unaligned;
typedef int8_t int8_t_unaligned;
typedef uint16_t uint16_t_unaligned __attribute__((aligned(1), may_alias));
typedef int16_t int16_t_unaligned __attribute__((aligned(1), may_alias));
typedef uint32_t uint32_t_unaligned __attribute__((aligned(1), may_alias));
#endif

/* ---- Instructions, decoded once -------------------------------------------------------------- */

typedef enum operation {
    LUI,
    AUIPC,
    JAL,
    JALR,
    BEQ,
    BNE,
    BLT,
    BGE,
    BLTU,
    BGEU,
    LB,
    LH,
    LW,
    LBU,
    LHU,
    SB,
    SH,
    SW,
    ADDI,
    SLTI,
    SLTIU,
    XORI,
    ORI,
    ANDI,
    SLLI,
    SRLI,
    SRAI,
    ADD,
    SUB,
    SLL,
    SLT,
    SLTU,
    XOR,
    SRL,
    SRA,
    OR,
    AND,
    MUL,
    MULH,
    MULHSU,
    MULHU,
    DIV,
    DIVU,
    REM,
    REMU,
    ECALL,
    NONE
} operation;

typedef struct instruction {
    uint8_t operation, rd, rs1, rs2;
    int32_t immediate;
} instruction;

static instruction decode(uint32_t w) {
    static const uint8_t branches[] = {BEQ, BNE, NONE, NONE, BLT, BGE, BLTU, BGEU};
    static const uint8_t loads[] = {LB, LH, LW, NONE, LBU, LHU, NONE, NONE};
    static const uint8_t stores[] = {SB, SH, SW, NONE, NONE, NONE, NONE, NONE};
    static const uint8_t immediates[] = {ADDI, SLLI, SLTI, SLTIU, XORI, SRLI, ORI, ANDI};
    static const uint8_t registers[] = {ADD, SLL, SLT, SLTU, XOR, SRL, OR, AND};
    static const uint8_t products[] = {MUL, MULH, MULHSU, MULHU, DIV, DIVU, REM, REMU};
    unsigned f = w >> 12 & 7;
    int32_t high = (int32_t)w >> 20;
    instruction i = {NONE, w >> 7 & 31, w >> 15 & 31, w >> 20 & 31, high};
    switch (w & 127) {
    case 0x37:
        i.operation = LUI, i.immediate = (int32_t)(w & 0xfffff000);
        break;
    case 0x17:
        i.operation = AUIPC, i.immediate = (int32_t)(w & 0xfffff000);
        break;
    case 0x6f:
        i.operation = JAL;
        i.immediate = (high & -0x100000) | (int32_t)((w & 0xff000) | (w >> 9 & 0x800) | (w >> 20 & 0x7fe));
        break;
    case 0x67:
        i.operation = JALR;
        break;
    case 0x63:
        i.operation = branches[f];
        i.immediate =
            (high & -0x800 & -0x1000) | (int32_t)((w << 4 & 0x800) | (w >> 20 & 0x7e0) | (w >> 7 & 0x1e));
        break;
    case 0x03:
        i.operation = loads[f];
        break;
    case 0x23:
        i.operation = stores[f], i.immediate = (high & -32) | (int32_t)(w >> 7 & 31);
        break;
    case 0x13:
        i.operation = f == 5 && w >> 30 ? SRAI : immediates[f];
        break;
    case 0x33:
        i.operation = w >> 25 == 1 ? products[f] : w >> 30 == 0 ? registers[f] : f == 0 ? SUB : SRA;
        break;
    case 0x73:
        i.operation = ECALL;
        break;
    }
    return i;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static instruction code[CODE_MAX];
static uint64_t executed;

static uint32_t divide(int operation, uint32_t a, uint32_t b) {
    int overflows = a == 0x80000000u && b == UINT32_MAX;
    switch (operation) {
    case DIV:
        return b == 0 ? UINT32_MAX : overflows ? a : (uint32_t)((int32_t)a / (int32_t)b);
    case REM:
        return b == 0 ? a : overflows ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
    case DIVU:
        return b == 0 ? UINT32_MAX : a / b;
    default:
        return b == 0 ? a : a % b;
    }
}

static void write_out(const guest *g, uint32_t from, uint32_t count, int is_loud) {
    char bytes[256];
    if (is_loud && count <= sizeof bytes && mf_view_read(g->view, from, bytes, count))
        fwrite(bytes, 1, count, stdout);
}

/* Runs from the first instruction to the exit; returns its status, or minus the kind of a fault. */
static int interpret(guest g, int is_loud) {
    uint32_t x[33] = {[2] = START + SIZE - 64}, heap = START + SIZE / 2, pc = START, status = 0;
    uint64_t count = 0;
#if defined(FORM_generic) || defined(FORM_pointers) || defined(FORM_code) || defined(FORM_code_at)
    mf_load_result loaded;
#endif
    for (;;) {
        instruction i = code[(pc - START) / 4 % CODE_MAX];
        uint32_t address = x[i.rs1] + (uint32_t)i.immediate, a = x[i.rs1], b = x[i.rs2], next = pc + 4;
        uint32_t result = x[i.rd];
        count++;
        switch (i.operation) {
        case LUI:
            result = (uint32_t)i.immediate;
            break;
        case AUIPC:
            result = pc + (uint32_t)i.immediate;
            break;
        case JAL:
            result = next, next = pc + (uint32_t)i.immediate;
            break;
        case JALR:
            result = next, next = address & ~1u;
            break;
        case BEQ:
            next = a == b ? pc + (uint32_t)i.immediate : next;
            goto without_result;
        case BNE:
            next = a != b ? pc + (uint32_t)i.immediate : next;
            goto without_result;
        case BLT:
            next = (int32_t)a < (int32_t)b ? pc + (uint32_t)i.immediate : next;
            goto without_result;
        case BGE:
            next = (int32_t)a >= (int32_t)b ? pc + (uint32_t)i.immediate : next;
            goto without_result;
        case BLTU:
            next = a < b ? pc + (uint32_t)i.immediate : next;
            goto without_result;
        case BGEU:
            next = a >= b ? pc + (uint32_t)i.immediate : next;
            goto without_result;
        case LB:
            result = (uint32_t)LOAD(i8, int8_t);
            goto after_access;
        case LH:
            result = (uint32_t)LOAD(i16, int16_t);
            goto after_access;
        case LW:
            result = (uint32_t)LOAD(u32, uint32_t);
            goto after_access;
        case LBU:
            result = (uint32_t)LOAD(u8, uint8_t);
            goto after_access;
        case LHU:
            result = (uint32_t)LOAD(u16, uint16_t);
            goto after_access;
        case SB:
            STORE(u8, uint8_t);
            goto after_store;
        case SH:
            STORE(u16, uint16_t);
            goto after_store;
        case SW:
            STORE(u32, uint32_t);
            goto after_store;
        case ADDI:
            result = address;
            break;
        case SLTI:
            result = (int32_t)a < i.immediate;
            break;
        case SLTIU:
            result = a < (uint32_t)i.immediate;
            break;
        case XORI:
            result = a ^ (uint32_t)i.immediate;
            break;
        case ORI:
            result = a | (uint32_t)i.immediate;
            break;
        case ANDI:
            result = a & (uint32_t)i.immediate;
            break;
        case SLLI:
            result = a << (i.immediate & 31);
            break;
        case SRLI:
            result = a >> (i.immediate & 31);
            break;
        case SRAI:
            result = (uint32_t)((int32_t)a >> (i.immediate & 31));
            break;
        case ADD:
            result = a + b;
            break;
        case SUB:
            result = a - b;
            break;
        case SLL:
            result = a << (b & 31);
            break;
        case SLT:
            result = (int32_t)a < (int32_t)b;
            break;
        case SLTU:
            result = a < b;
            break;
        case XOR:
            result = a ^ b;
            break;
        case SRL:
            result = a >> (b & 31);
            break;
        case SRA:
            result = (uint32_t)((int32_t)a >> (b & 31));
            break;
        case OR:
            result = a | b;
            break;
        case AND:
            result = a & b;
            break;
        case MUL:
            result = a * b;
            break;
        case MULH:
            result = (uint32_t)((int64_t)(int32_t)a * (int32_t)b >> 32);
            break;
        case MULHSU:
            result = (uint32_t)((int64_t)(int32_t)a * (int64_t)b >> 32);
            break;
        case MULHU:
            result = (uint32_t)((uint64_t)a * b >> 32);
            break;
        case DIV:
        case DIVU:
        case REM:
        case REMU:
            result = divide(i.operation, a, b);
            break;
        case ECALL:
            if (x[17] == 93) {
                executed = count;
                return (int)x[10];
            }
            if (x[17] == 64)
                write_out(&g, x[11], x[12], is_loud), x[10] = x[12];
            else
                heap += x[10], x[10] = heap - x[10];
            goto without_result;
        default:
            return -100;
        }
        x[i.rd] = result;
        x[0] = 0;
        pc = next;
        continue;
    after_access:
        x[i.rd] = result;
        x[0] = 0;
    after_store:
        if (status != 0)
            return -(int)status;
    without_result:
        pc = next;
    }
}

/* ---- The program ----------------------------------------------------------------------------- */

static void must(int done, const char *what) {
    if (!done)
        fprintf(stderr, "%s\n", what), exit(1);
}

static const mf_accessors *accessors(mf_memory *memory) {
#ifdef FORM_pointers
    mf_jit *jit;
    mf_code *made;
    must(mf_jit_create(NULL, &jit, NULL) == MF_OK && mf_jit_get_for(jit, memory, NULL, &made, NULL) == MF_OK,
         "jit");
    return mf_code_accessors(made);
#else
    (void)memory;
    return mf_generic_accessors(NULL);
#endif
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    static unsigned char image[START];
    mf_memory *memory;
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    must(file != NULL, "no image");
    size_t bytes = fread(image, 1, sizeof image, file);
    must(mf_memory_create(NULL, NULL, BOX_BACKEND, &memory, NULL) == MF_OK, "create");
    must(mf_memory_map_region(memory, START, SIZE, MF_READ_WRITE, image, bytes, NULL) == MF_OK, "map");
    for (size_t n = 0; n < bytes / 4 && n < CODE_MAX; n++) {
        uint32_t word;
        memcpy(&word, image + 4 * n, 4);
        code[n] = decode(word);
    }
    mf_view *view = mf_memory_view(memory);
    guest g = {view, view->base, accessors(memory)};
    int status = interpret(g, 1);
    printf("exit status %d\n", status);
    double best = 1e9;
    for (int rounds = argc > 2 ? atoi(argv[2]) : 0; rounds > 0; rounds--) {
        must(mf_memory_write(memory, START, image, bytes), "write");
        must(mf_memory_fill(memory, START + (uint32_t)bytes, 0, SIZE - bytes), "fill");
        double before = seconds();
        must(interpret(g, 0) == status, "another status");
        double spent = seconds() - before;
        best = spent < best ? spent : best;
    }
    if (argc > 2)
        fprintf(stderr, "%.4f ns per instruction\n", best * 1e9 / (double)executed);
    return 0;
}
