#define _GNU_SOURCE /* REG_RIP */
#include "cpu_run.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

#define SCRATCH_BYTES 4096

/* Memory operands lie in the middle of the scratch. */
#define TARGET_FROM 1024
#define TARGET_COUNT 512
#define STACK_FROM 3072

/* What the code around the instruction and this file share. */
typedef struct exchange {
    uint64_t in[16];
    uint64_t in_flags;
    uint64_t out[16];
    uint64_t out_flags;
    uint64_t way;
    uint64_t stack;
    uint64_t in_vectors[VECTOR_REGISTERS][VECTOR_BYTES / 8];
    uint64_t out_vectors[VECTOR_REGISTERS][VECTOR_BYTES / 8];
} exchange;

typedef struct machine {
    uint8_t code[4096];
    exchange state;
    uint8_t padding[8192 - sizeof(exchange)];
    uint8_t scratch[SCRATCH_BYTES];
} machine;

static machine *m;
static uint8_t *writes; /* where the next byte of code goes */
static uint8_t *place;
static uint8_t *ends[3];                /* the ways out */
static uint8_t expected[SCRATCH_BYTES]; /* before the run, then after it */
static uint8_t initial[SCRATCH_BYTES];
static uint64_t dirty_from;
static uint64_t dirty_bytes;
static const instruction *current;

/* ---- The code around ---- */

static void put(const void *bytes, size_t count) {
    memcpy(writes, bytes, count);
    writes += count;
}

static void put_distance(const void *to) {
    int32_t distance = (int32_t)((const uint8_t *)to - (writes + 4));
    put(&distance, sizeof distance);
}

/* mov between a register and the state: REX.W 8b /r and REX.W 89 /r with a rip-relative operand. */
static void put_move(uint8_t opcode, uint8_t number, const uint64_t *at) {
    const uint8_t bytes[] = {(uint8_t)(0x48 | (number >= 8 ? 4 : 0)), opcode, (uint8_t)(number % 8 << 3 | 5)};
    put(bytes, sizeof bytes);
    put_distance(at);
}

#define LOAD 0x8b
#define STORE 0x89

/* ---- Vector registers ---- */

uint32_t cpu_vector_count(void) {
    return __builtin_cpu_supports("avx512f") ? 32 : 16;
}

uint32_t cpu_vector_words(void) {
    return __builtin_cpu_supports("avx512f") ? 8 : __builtin_cpu_supports("avx") ? 4 : 2;
}

/* EVEX with shorter vectors is an extension of its own. */
bool cpu_has(const instruction *i) {
    uint8_t first = i->bytes[i->bytes[0] == 0x67];
    if (!i->is_vex)
        return __builtin_cpu_supports("sse4.1");
    if (first == 0x62)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    return __builtin_cpu_supports("avx2");
}

/* vmovups between a register and the state, with a rip-relative operand: opcode 10 loads and 11 stores. */
static void put_vector_move(uint8_t opcode, uint8_t number, const uint64_t *at) {
    uint8_t modrm = (uint8_t)(number % 8 << 3 | 5);
    uint8_t low = (number & 8) != 0 ? 0 : 0x80;
    uint8_t high = (number & 16) != 0 ? 0 : 0x10;
    const uint8_t evex[] = {0x62, (uint8_t)(low | 0x60 | high | 1), 0x7c, 0x48, opcode, modrm};
    const uint8_t vex[] = {0xc5, (uint8_t)(low | 0x7c), opcode, modrm};
    const uint8_t legacy[] = {(uint8_t)(number >= 8 ? 0x44 : 0x40), 0x0f, opcode, modrm};
    if (cpu_vector_words() == 8)
        put(evex, sizeof evex);
    else if (cpu_vector_words() == 4)
        put(vex, sizeof vex);
    else
        put(legacy, sizeof legacy);
    put_distance(at);
}

static void put_vector_moves(uint8_t opcode, uint64_t (*at)[VECTOR_BYTES / 8]) {
    for (uint8_t n = 0; n < cpu_vector_count(); n++)
        put_vector_move(opcode, n, at[n]);
}

#define LOAD_VECTOR 0x10
#define STORE_VECTOR 0x11

/* push and pop of rbx, rbp, r12 to r15 */
static const uint8_t SAVE[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
static const uint8_t RESTORE[] = {0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3};

/* Flags come first, since mov keeps them; the stack pointer is the last register. */
static void put_begin(void) {
    static const uint8_t PUSH[] = {0xff, 0x35};
    static const uint8_t POPF[] = {0x9d};
    put(SAVE, sizeof SAVE);
    put_move(STORE, 4, &m->state.stack);
    put(PUSH, sizeof PUSH);
    put_distance(&m->state.in_flags);
    put(POPF, sizeof POPF);
    put_vector_moves(LOAD_VECTOR, m->state.in_vectors);
    for (uint8_t n = 0; n < 16; n++)
        if (n != 4)
            put_move(LOAD, n, &m->state.in[n]);
    put_move(LOAD, 4, &m->state.in[4]);
}

/* movq $way, state.way, whose distance counts from behind the immediate. */
static void put_end(cpu_way way) {
    static const uint8_t MOV[] = {0x48, 0xc7, 0x05};
    static const uint8_t PUSHF[] = {0x9c, 0x8f, 0x05};
    static const uint8_t VZEROUPPER[] = {0xc5, 0xf8, 0x77};
    int32_t value = (int32_t)way;
    ends[way] = writes;
    put(MOV, sizeof MOV);
    put_distance((const uint8_t *)&m->state.way - 4);
    put(&value, sizeof value);
    for (uint8_t n = 0; n < 16; n++)
        put_move(STORE, n, &m->state.out[n]);
    put_vector_moves(STORE_VECTOR, m->state.out_vectors);
    put_move(LOAD, 4, &m->state.stack);
    put(PUSHF, sizeof PUSHF);
    put_distance(&m->state.out_flags);
    if (cpu_vector_words() > 2)
        put(VZEROUPPER, sizeof VZEROUPPER);
    put(RESTORE, sizeof RESTORE);
}

static void put_jump(const uint8_t *to) {
    static const uint8_t JMP[] = {0xe9};
    put(JMP, sizeof JMP);
    put_distance(to);
}

void cpu_write(const instruction *i) {
    current = i;
    writes = place;
    put(i->bytes, i->byte_count);
    put_jump(ends[CPU_FOLLOWED]);
    put_jump(ends[CPU_JUMPED]);
}

/* ---- Signals ---- */

/* ud2 and int3 end here. */
static void go_on_stopped(int number, siginfo_t *info, void *context) {
    ucontext_t *c = context;
    (void)number;
    (void)info;
    c->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)ends[CPU_STOPPED];
}

static void name_instruction(int number) {
    printf("%s (", current->text);
    for (uint8_t n = 0; n < current->byte_count; n++)
        printf(n == 0 ? "%02x" : " %02x", current->bytes[n]);
    printf("): the CPU does something else: %s\n", strsignal(number));
    exit(1);
}

/* On a stack of their own, since the instruction may have any in rsp. */
static void catch_signals(void) {
    static uint8_t stack[65536];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction stops = {.sa_sigaction = go_on_stopped, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction ends_here = {.sa_handler = name_instruction, .sa_flags = SA_ONSTACK};
    sigaltstack(&alternate, NULL);
    sigaction(SIGILL, &stops, NULL);
    sigaction(SIGTRAP, &stops, NULL);
    sigaction(SIGSEGV, &ends_here, NULL);
    sigaction(SIGBUS, &ends_here, NULL);
}

/* ---- Runs ---- */

void cpu_open(void) {
    m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1,
             0);
    if (m == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    writes = m->code + 2048;
    put_end(CPU_FOLLOWED);
    put_end(CPU_JUMPED);
    put_end(CPU_STOPPED);
    writes = m->code;
    put_begin();
    place = writes;
    random_source random = {7};
    for (size_t n = 0; n < SCRATCH_BYTES; n++)
        initial[n] = (uint8_t)random_u64(&random);
    memcpy(expected, initial, sizeof expected);
    memcpy(m->scratch, initial, sizeof expected);
    catch_signals();
}

uint64_t cpu_place(void) {
    return (uint64_t)(uintptr_t)place;
}

uint64_t cpu_scratch(void) {
    return (uint64_t)(uintptr_t)m->scratch + TARGET_FROM;
}

uint64_t cpu_target(const instruction *i) {
    return i->address + i->byte_count + CPU_JUMP_BYTES;
}

/* CF, PF, ZF, SF, OF in RFLAGS. */
static const uint8_t FLAG_BITS[] = {0, 2, 6, 7, 11};

CALLS_MADE_CODE void cpu_run(const cpu_state *before, cpu_state *after) {
    void (*run)(void);
    const void *code = m->code;
    memcpy(&run, &code, sizeof run);
    bool has_vectors = instruction_is_of_vectors(current->id);
    memcpy(m->state.in, before->registers, sizeof m->state.in);
    if (has_vectors)
        memcpy(m->state.in_vectors, before->vectors, sizeof m->state.in_vectors);
    m->state.in_flags = 0x202;
    for (uint32_t n = 0; n < sizeof FLAG_BITS; n++)
        m->state.in_flags |= (uint64_t)(before->flags >> n & 1) << FLAG_BITS[n];
    run();
    memcpy(after->registers, m->state.out, sizeof m->state.out);
    if (has_vectors)
        memcpy(after->vectors, m->state.out_vectors, sizeof m->state.out_vectors);
    after->way = (cpu_way)m->state.way;
    after->flags = 0;
    for (uint32_t n = 0; n < sizeof FLAG_BITS; n++)
        after->flags |= (uint32_t)(m->state.out_flags >> FLAG_BITS[n] & 1) << n;
}

/* ---- Before ---- */

static uint64_t random_value(random_source *random) {
    uint64_t bit = UINT64_C(1) << random_below(random, 64);
    uint64_t noise = random_u64(random);
    switch (random_below(random, 10)) {
    case 0:
        return 0 - (noise & 1);
    case 1:
        return bit;
    case 2:
        return bit - 1;
    case 3:
        return ~bit;
    case 4:
        return noise % 80;
    case 5:
        return 0 - noise % 80;
    case 6:
        return noise & ~(bit - 1);
    default:
        return noise;
    }
}

static uint64_t place_of(uint64_t address) {
    return address - (uint64_t)(uintptr_t)m->scratch;
}

static void set_memory(uint64_t address, uint64_t value) {
    memcpy(expected + place_of(address), &value, sizeof value);
    memcpy(initial + place_of(address), &value, sizeof value);
    memcpy(m->scratch + place_of(address), &value, sizeof value);
}

/* The sum of base, index and displacement is the target, in as many bits as the address has; a multiple of
 * VECTOR_BYTES where it has to be aligned. */
static uint64_t aim_registers(cpu_state *s, const operand *o, bool is_aligned, random_source *random) {
    bool is_short = o->address_bytes == 4;
    uint64_t garbage = is_short ? random_u64(random) << 32 : 0;
    uint64_t target = cpu_scratch() + random_below(random, TARGET_COUNT);
    target = is_aligned ? target / VECTOR_BYTES * VECTOR_BYTES : target;
    if (o->index == REGISTER_NONE && (o->base == REGISTER_NONE || o->base == REGISTER_RIP))
        return cpu_scratch();
    if (o->base == REGISTER_NONE) {
        uint64_t index = random_below(random, 32);
        index = is_aligned ? index % 2 * VECTOR_BYTES : index;
        s->registers[o->index] = index | garbage;
        return o->value + index * o->scale;
    }
    uint64_t offset = o->index == REGISTER_NONE ? 0 : s->registers[o->index] * o->scale;
    uint64_t base = target - offset - o->value;
    s->registers[o->base] = is_short ? (uint32_t)base | garbage : base;
    return target;
}

static bool jumps_by_operand(const instruction *i) {
    return (i->id == INSTRUCTION_JMP || i->id == INSTRUCTION_CALL) && i->operand_count == 1;
}

static bool uses_stack(const instruction *i) {
    return i->id == INSTRUCTION_PUSH || i->id == INSTRUCTION_POP || i->id == INSTRUCTION_CALL ||
           i->id == INSTRUCTION_RET;
}

static void prepare_operands(cpu_state *s, const instruction *i, random_source *random) {
    for (uint8_t n = 0; n < i->operand_count; n++) {
        const operand *o = &i->operands[n];
        if (o->kind == OPERAND_MEMORY && i->id != INSTRUCTION_LEA) {
            uint64_t target = aim_registers(s, o, i->id == INSTRUCTION_MOVAPS, random);
            set_memory(target, jumps_by_operand(i) ? cpu_target(i) : random_value(random));
        } else if (o->kind == OPERAND_REGISTER && jumps_by_operand(i)) {
            s->registers[o->number] = cpu_target(i);
        }
    }
}

void cpu_prepare(cpu_state *s, const instruction *i, random_source *random) {
    s->flags = (uint32_t)random_below(random, 32);
    for (uint32_t n = 0; n < 16; n++)
        s->registers[n] = random_value(random);
    for (uint32_t n = 0; n < VECTOR_REGISTERS && instruction_is_of_vectors(i->id); n++)
        for (uint32_t word = 0; word < VECTOR_BYTES / 8; word++)
            s->vectors[n][word] = random_u64(random);
    if (random_one_in(random, 4))
        s->registers[random_below(random, 16)] = s->registers[random_below(random, 16)];
    if (uses_stack(i))
        s->registers[4] = (uint64_t)(uintptr_t)m->scratch + STACK_FROM + random_below(random, 512);
    prepare_operands(s, i, random);
    if (uses_stack(i))
        set_memory(s->registers[4], i->id == INSTRUCTION_RET ? cpu_target(i) : random_value(random));
    dirty_bytes = 0;
}

/* ---- After ---- */

uint8_t cpu_memory_before(uint64_t address) {
    return place_of(address) < SCRATCH_BYTES ? initial[place_of(address)] : 0;
}

void cpu_memory_expect(uint64_t address, uint64_t value, uint32_t bytes) {
    if (place_of(address) > SCRATCH_BYTES - 8) {
        printf("a write outside of the scratch\n");
        exit(1);
    }
    memcpy(expected + place_of(address), &value, bytes);
    dirty_from = dirty_bytes == 0 ? place_of(address) : dirty_from;
    dirty_bytes += bytes;
}

bool cpu_memory_is_expected(void) {
    bool is_right = memcmp(expected, m->scratch, sizeof expected) == 0;
    memcpy(initial + dirty_from, expected + dirty_from, dirty_bytes);
    return is_right;
}
