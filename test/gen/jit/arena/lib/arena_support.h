/* What the programs of this directory share: expectations that end the process, and slots that answer. */
#ifndef MEMFOLD_TEST_ARENA_SUPPORT_H
#define MEMFOLD_TEST_ARENA_SUPPORT_H

#include "jit/arena.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define expect(condition) expect_at((condition), #condition, __LINE__)

static inline void expect_at(bool condition, const char *text, int line) {
    if (condition)
        return;
    printf("line %d: not true: %s\n", line, text);
    fflush(stdout);
    _Exit(1);
}

/* UBSan looks for a type hash in front of the callee, and code made at run time has none there. */
#ifdef __clang__
#define CALLS_MADE_CODE __attribute__((no_sanitize("function")))
#else
#define CALLS_MADE_CODE
#endif

static inline arena *make_arena(void) {
    arena *made = NULL;
    expect(arena_create(&made, NULL) == MF_OK);
    return made;
}

static inline arena_slot take(arena *a, size_t bytes) {
    arena_slot slot;
    mf_diag diag;
    mf_status status = arena_take(a, bytes, &slot, &diag);
    if (status != MF_OK)
        printf("%s: %s\n", mf_status_name(status), diag.message);
    expect(status == MF_OK);
    return slot;
}

/* mov $answer, %eax; ret: at the first byte of the slot, and, for one that is larger, again at the end. */
enum { ANSWER_BYTES = 6 };

static inline void write_answer(const arena_slot *slot, uint32_t answer) {
    unsigned char code[ANSWER_BYTES] = {0xb8, 0, 0, 0, 0, 0xc3};
    memcpy(code + 1, &answer, sizeof answer);
    memcpy(slot->write, code, sizeof code);
    memcpy(slot->write + slot->bytes - sizeof code, code, sizeof code);
}

static inline void publish(arena *a, const arena_slot *slot) {
    expect(arena_publish(a, slot, NULL) == MF_OK);
}

static inline arena_slot make_answer(arena *a, size_t bytes, uint32_t answer) {
    arena_slot slot = take(a, bytes);
    write_answer(&slot, answer);
    publish(a, &slot);
    return slot;
}

CALLS_MADE_CODE static inline uint32_t call_at(uintptr_t run) {
    return ((uint32_t (*)(void))run)();
}

static inline bool answers(const arena_slot *slot, uint32_t answer) {
    return call_at(slot->run) == answer && call_at(slot->run + slot->bytes - ANSWER_BYTES) == answer;
}

/* The permissions of the mapping that `address` lies in, such as "r-xs". */
static inline void permissions_of(uintptr_t address, char text[5]) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    bool found = false;
    expect(maps != NULL);
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        unsigned long start, end;
        expect(sscanf(line, "%lx-%lx %4s", &start, &end, text) == 3);
        found = start <= address && address < end;
    }
    fclose(maps);
    expect(found);
}

#endif
