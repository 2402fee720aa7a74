/*
 * Page tables in memory that only looks like a machine's, read by a walker of its own: permissions, bytes,
 * INVLPG and shootdowns, huge leaves, frames that run out at every step, and every frame given back.
 *
 * RUN: %cc -I%source/runtime %s %source/runtime/x86_paged/bare/tables.c \
 * RUN:     %source/runtime/x86_paged/bare/touch.c -o %t
 * RUN: %t | FileCheck %s
 *
 * CHECK: permissions_and_bytes_follow_a_model
 * CHECK-NEXT: touched_pages_follow_a_model: {{[1-9][0-9]*}} promises, {{[1-9][0-9]*}} copies, {{[1-9][0-9]*}} lost races
 * CHECK-NEXT: tables_of_promises_are_folded
 * CHECK-NEXT: frames_that_run_out_leave_all_as_it_was
 * CHECK-NEXT: reserved_frames_cannot_run_out
 * CHECK-NEXT: a_huge_leaf_is_made_and_split
 * CHECK-NEXT: only_what_changes_is_invalidated
 * CHECK-NEXT: tables_of_others_stay
 * CHECK-NEXT: the_top_of_a_half
 */
#include "x86_paged/bare/cpu.h"
#include "x86_paged/bare/tables.h"
#include "x86_paged/bare/touch.h"
#include "random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

/* ---- The machine ---- */

enum { FRAMES = 8192 };

/* The machine's memory begins at a physical address that is not 0. */
#define MEMORY_START UINT64_C(0x7fc0000000)

static _Alignas(4096) unsigned char memory[FRAMES][MF_PAGE_SIZE];
static bool is_taken[FRAMES];
static unsigned taken;
static unsigned most_taken; /* more are refused */
static bool has_huge;

static void race(void);

static uint64_t take(void *context) {
    CHECK(context == is_taken);
    race();
    if (taken >= most_taken)
        return NO_FRAME;
    for (unsigned i = FRAMES; i-- > 0;) {
        if (!is_taken[i]) {
            is_taken[i] = true;
            taken++;
            memset(memory[i], 0xcc, MF_PAGE_SIZE);
            return MEMORY_START + (uint64_t)i * MF_PAGE_SIZE;
        }
    }
    return NO_FRAME;
}

static uint64_t take_huge(void *context) {
    CHECK(context == is_taken);
    for (unsigned i = 0; has_huge && taken + 512 <= most_taken && i < FRAMES; i += 512) {
        bool is_free = true;
        for (unsigned j = i; j < i + 512; j++)
            is_free = is_free && !is_taken[j];
        if (is_free) {
            memset(&is_taken[i], true, 512);
            memset(memory[i], 0xcc, (size_t)512 * MF_PAGE_SIZE);
            taken += 512;
            return MEMORY_START + (uint64_t)i * MF_PAGE_SIZE;
        }
    }
    return NO_FRAME;
}

static bool is_cached(uint64_t frame);

/* What comes back could be used for something else at once. */
static void give(void *context, uint64_t frame) {
    uint64_t i = (frame - MEMORY_START) / MF_PAGE_SIZE;
    CHECK(context == is_taken && frame % MF_PAGE_SIZE == 0 && i < FRAMES && is_taken[i]);
    CHECK(!is_cached(frame));
    is_taken[i] = false;
    taken--;
}

/* ---- CPUs: a walker that knows nothing of ours, and caches that remember until they are told ---- */

typedef struct translation {
    bool is_present, is_writable, is_user, no_execute, is_huge, is_dirty;
    uint64_t physical;
} translation;

static uint64_t root;

static uint64_t word_at(uint64_t physical) {
    uint64_t word;
    CHECK(physical - MEMORY_START < sizeof memory);
    memcpy(&word, (unsigned char *)memory + (physical - MEMORY_START), sizeof word);
    return word;
}

static translation walk(uint64_t address) {
    translation t = {.is_writable = true, .is_user = true};
    uint64_t table = root;
    for (unsigned shift = 39;; shift -= 9) {
        uint64_t word = word_at(table + (address >> shift & 511) * 8);
        if ((word & 1) == 0)
            return (translation){0};
        t.is_writable = t.is_writable && (word >> 1 & 1) != 0;
        t.is_user = t.is_user && (word >> 2 & 1) != 0;
        t.no_execute = t.no_execute || word >> 63 != 0;
        t.is_huge = shift == 21 && (word >> 7 & 1) != 0;
        uint64_t frame = word & UINT64_C(0xffffffffff000);
        if (shift == 12 || t.is_huge) {
            uint64_t mask = (UINT64_C(1) << shift) - 1;
            CHECK((frame & mask) == 0);
            t.is_present = true;
            t.is_dirty = (word >> 6 & 1) != 0;
            t.physical = frame | (address & mask);
            return t;
        }
        table = frame;
    }
}

static unsigned char *host_of(uint64_t address) {
    translation t = walk(address);
    return t.is_present ? (unsigned char *)memory + (t.physical - MEMORY_START) : NULL;
}

static touch_answer ask(uint64_t address, mf_operation operation) {
    bool is_user = false;
    touch_answer answer =
        page_touch_ask((unsigned char *)memory - MEMORY_START, root, address, operation, &is_user);
    CHECK(is_user == (answer != TOUCH_REFUSED));
    return answer;
}

/* What the CPU may do without a fault, and what it may do after one. */
static mf_perm perm_at(uint64_t address) {
    translation t = walk(address);
    touch_answer load = ask(address, MF_LOAD);
    touch_answer store = ask(address, MF_STORE);
    CHECK((load == TOUCH_ALLOWED) == t.is_present);
    CHECK((store == TOUCH_ALLOWED) == (t.is_present && t.is_writable));
    CHECK(!t.is_present || (t.no_execute && t.is_user));
    CHECK(load != TOUCH_REFUSED || store == TOUCH_REFUSED);
    return load == TOUCH_REFUSED ? MF_PERM_NONE : store == TOUCH_REFUSED ? MF_PERM_RO : MF_PERM_RW;
}

enum { PAGES = 1600 };
#define START (UINT64_C(0x40000000) + 5 * MF_PAGE_SIZE)

/*
 * Of each CPU: translations of pages, and the tables that entries of level 4, 3 and 2 led to. A CPU drops
 * no more than it is told, not even paths through tables to other addresses, which most CPUs drop too.
 */
enum { CPUS = 2, PATHS = 16 };

typedef struct cpu {
    translation pages[PAGES];
    uint64_t paths[3][PATHS]; /* 0: none */
    unsigned invalidated;     /* pages */
    unsigned calls;
} cpu;

static cpu cpus[CPUS];

static uint64_t *path_of(cpu *c, unsigned level, uint64_t address) {
    uint64_t i = (address >> (12 + 9 * level)) - (START >> (12 + 9 * level));
    CHECK(i < PATHS);
    return &c->paths[level - 1][i];
}

/* Other tests work elsewhere, where nothing is cached. */
static bool is_in_sight(uint64_t address) {
    return address - START < (uint64_t)PAGES * MF_PAGE_SIZE;
}

/* A huge page is invalidated as a whole. */
static void invalidate(cpu *c, uint64_t address) {
    uint64_t huge_start = address & ~(uint64_t)((1 << 21) - 1);
    uint64_t first = huge_start < START ? 0 : (huge_start - START) / MF_PAGE_SIZE;
    c->invalidated++;
    for (uint64_t i = first; i < PAGES && i < first + 512 && is_in_sight(address); i++) {
        uint64_t at = START + i * MF_PAGE_SIZE;
        bool same_huge = c->pages[i].is_huge && at >> 21 == address >> 21;
        if (at >> 12 == address >> 12 || same_huge)
            c->pages[i] = (translation){0};
    }
    for (unsigned level = 1; level <= 3 && is_in_sight(address); level++)
        *path_of(c, level, address) = 0;
}

void cpu_invlpg(uint64_t address) {
    invalidate(&cpus[0], address);
}

static bool is_copying;

static void shootdown(void *context, uint64_t address, uint64_t pages) {
    CHECK(context == is_taken && pages > 0);
    CHECK(!is_copying || (ask(address, MF_LOAD) == TOUCH_WAITS && !walk(address).is_present));
    cpus[1].calls++;
    for (uint64_t i = 0; i < pages; i++)
        invalidate(&cpus[1], address + i * MF_PAGE_SIZE);
}

static bool is_cached(uint64_t frame) {
    bool found = false;
    for (unsigned c = 0; c < CPUS; c++) {
        for (unsigned i = 0; i < PAGES; i++) {
            const translation *t = &cpus[c].pages[i];
            found = found || (t->is_present && t->physical >> 12 == frame >> 12);
        }
        for (unsigned i = 0; i < PATHS; i++) {
            const cpu *k = &cpus[c];
            found = found || k->paths[0][i] == frame || k->paths[1][i] == frame || k->paths[2][i] == frame;
        }
    }
    return found;
}

static void cache_path(cpu *c, uint64_t address) {
    uint64_t table = root;
    for (unsigned level = 3; level >= 1; level--) {
        uint64_t word = word_at(table + (address >> (12 + 9 * level) & 511) * 8);
        if ((word & 1) == 0 || (level == 1 && (word >> 7 & 1) != 0))
            return;
        table = word & UINT64_C(0xffffffffff000);
        uint64_t *path = path_of(c, level, address);
        CHECK(*path == 0 || *path == table);
        *path = table;
    }
}

/* The CPU notes in an entry that it was used. */
static void use_page(uint64_t address, unsigned char bits) {
    uint64_t table = root;
    for (unsigned shift = 39;; shift -= 9) {
        uint64_t at = table + (address >> shift & 511) * 8;
        if (shift == 12 || (shift == 21 && (word_at(at) & 0x80) != 0)) {
            ((unsigned char *)memory)[at - MEMORY_START] |= bits;
            return;
        }
        table = word_at(at) & UINT64_C(0xffffffffff000);
    }
}

/* A CPU uses what it remembers: that must allow as much as the tables and lead to the same bytes. */
static void use_cached(cpu *c) {
    for (uint64_t i = 0; i < PAGES; i++) {
        translation now = walk(START + i * MF_PAGE_SIZE);
        translation old = c->pages[i];
        CHECK(!old.is_present || (now.is_present && now.physical == old.physical));
        /* It would not note another store. */
        CHECK(!old.is_dirty || now.is_dirty);
        /* One that is not told of more rights faults, and its handler finds them. */
        CHECK(!old.is_present || old.is_writable == now.is_writable || (c != cpus && now.is_writable));
        c->pages[i] = now;
        if (now.is_present)
            use_page(START + i * MF_PAGE_SIZE, 0x20);
        cache_path(c, START + i * MF_PAGE_SIZE);
    }
}

static void check_cached(void) {
    for (unsigned c = 0; c < CPUS; c++)
        use_cached(&cpus[c]);
}

/* ---- Tables ---- */

static const frame_source frames = {
    (unsigned char *)memory - MEMORY_START, is_taken, take, take_huge, give, shootdown};
static page_tables tables = {.frames = &frames, .is_user = true};

static virtual_run run_of(uint64_t first, uint64_t pages) {
    return (virtual_run){START + first * MF_PAGE_SIZE, pages};
}

static void begin(bool huge) {
    CHECK(taken == 0);
    tables.at_touch = false;
    most_taken = FRAMES;
    has_huge = huge;
    memset(cpus, 0, sizeof cpus);
    root = take(is_taken);
    memset((unsigned char *)memory + (root - MEMORY_START), 0, MF_PAGE_SIZE);
    tables.root = root;
}

/* What a handler does while the one that is under way has found that it needs a frame. */
static uint64_t racing_at; /* 0: none */
static mf_operation racing_operation;
static unsigned promises, copies, lost_races;

static void race(void) {
    uint64_t at = racing_at;
    unsigned before = taken;
    racing_at = 0;
    if (at == 0)
        return;
    page_touch(&frames, root, at, racing_operation);
    lost_races += taken > before;
}

static bool touch(uint64_t address, mf_operation operation) {
    bool is_copy = walk(address).is_present;
    unsigned before = taken;
    is_copying = is_copy;
    bool is_done = page_touch(&frames, root, address, operation);
    is_copying = false;
    promises += !is_copy && taken > before;
    copies += is_copy && taken > before;
    CHECK(is_done || ask(address, operation) == TOUCH_WANTS_FRAME);
    return is_done;
}

/* Everything is given back but the root. */
static void end(void) {
    most_taken = FRAMES;
    page_tables_clear(&tables, run_of(0, PAGES));
    check_cached();
    CHECK(taken == 1);
    give(is_taken, root);
}

typedef struct model {
    unsigned char perm[PAGES];
    unsigned char byte[PAGES];
} model;

static void compare(const model *m) {
    for (uint64_t i = 0; i < PAGES; i++) {
        uint64_t address = START + i * MF_PAGE_SIZE;
        CHECK(perm_at(address) == (mf_perm)m->perm[i]);
        const unsigned char *host = host_of(address);
        uint64_t frame = page_tables_frame(&tables, address);
        CHECK(frame == NO_FRAME ? m->byte[i] == 0 && host == NULL
                                : memory[(frame - MEMORY_START) / MF_PAGE_SIZE][0] == m->byte[i]);
        CHECK(host == NULL || frame == walk(address).physical);
        CHECK(host == NULL || (host[0] == m->byte[i] && host[4095] == m->byte[i] && host[2000] == 0));
    }
}

static void check_find(const model *m) {
    frame_run part;
    uint64_t next = 0;
    while (page_tables_find(&tables, run_of(next, PAGES - next), FRAME_ANY, &part)) {
        uint64_t first = (part.pages.start - START) / MF_PAGE_SIZE;
        uint64_t pages = part.pages.pages;
        CHECK(pages > 0 && first >= next && first + pages <= PAGES);
        CHECK(page_tables_frame(&tables, part.pages.start) == part.frame);
        for (; next < first; next++)
            CHECK(m->byte[next] == 0 && (tables.at_touch || m->perm[next] == MF_PERM_NONE));
        next = first + pages;
    }
    for (; next < PAGES; next++)
        CHECK(m->byte[next] == 0 && (tables.at_touch || m->perm[next] == MF_PERM_NONE));
}

static bool touch(uint64_t address, mf_operation operation);

/* As a CPU with its fault handler. False if there is no frame. */
static bool access_page(uint64_t i, mf_operation operation) {
    uint64_t address = START + i * MF_PAGE_SIZE;
    while (ask(address, operation) == TOUCH_WANTS_FRAME)
        if (!touch(address, operation))
            return false;
    return true;
}

static void write_page(model *m, uint64_t i, unsigned char byte) {
    if (m->perm[i] != MF_PERM_RW || !access_page(i, MF_STORE))
        return;
    unsigned char *host = host_of(START + i * MF_PAGE_SIZE);
    use_page(START + i * MF_PAGE_SIZE, 0x60);
    host[0] = host[4095] = m->byte[i] = byte;
}

static void change(model *m, random_source *random) {
    uint64_t first = random_below(random, PAGES);
    uint64_t count = random_below(random, random_one_in(random, 4) ? PAGES : 20);
    count = count < PAGES - first ? count : PAGES - first;
    virtual_run run = run_of(first, count);
    mf_perm perm = (mf_perm)random_below(random, 3);
    if (random_one_in(random, 8)) {
        page_tables_zero(&tables, run, false);
        memset(m->byte + first, 0, count);
    } else if (random_one_in(random, 30)) {
        if (!page_tables_protect(&tables, run, MF_PERM_NONE))
            return;
        page_tables_clear(&tables, run);
        memset(m->byte + first, 0, count);
        memset(m->perm + first, MF_PERM_NONE, count);
    } else if (page_tables_protect(&tables, run, perm)) {
        memset(m->perm + first, (int)perm, count);
        CHECK(page_tables_have(&tables, run, perm));
    } else {
        CHECK(taken + 513 > most_taken || most_taken < FRAMES);
    }
    for (int i = 0; i < 20; i++)
        write_page(m, random_below(random, PAGES), (unsigned char)random_below(random, 256));
}

/* ---- Frames at touch ---- */

enum { IMAGE_FRAMES = 16, KEEP_MOST = 200 };
static uint64_t image[IMAGE_FRAMES];

static bool is_of_image(uint64_t i) {
    return i % 3 == 0 && i >= 100 && i < 1300;
}

static unsigned char image_byte(uint64_t i) {
    return is_of_image(i) ? (unsigned char)(i % IMAGE_FRAMES + 1) : 0;
}

static void begin_image(void) {
    for (uint64_t i = 0; i < IMAGE_FRAMES; i++) {
        image[i] = take(is_taken);
        unsigned char *bytes = memory[(image[i] - MEMORY_START) / MF_PAGE_SIZE];
        memset(bytes, 0, MF_PAGE_SIZE);
        bytes[0] = bytes[4095] = (unsigned char)(i + 1);
    }
    tables.at_touch = true;
    tables.whole = run_of(0, PAGES);
}

static void end_image(void) {
    most_taken = FRAMES;
    page_tables_clear(&tables, run_of(0, PAGES));
    for (uint64_t i = 0; i < IMAGE_FRAMES; i++) {
        CHECK(memory[(image[i] - MEMORY_START) / MF_PAGE_SIZE][0] == i + 1);
        check_cached();
        give(is_taken, image[i]);
    }
    end();
}

static uint64_t page_at(uint64_t address) {
    return (address - START) / MF_PAGE_SIZE;
}

static void fill(void *context, uint64_t address, unsigned char *bytes) {
    CHECK(context == image);
    memset(bytes, 0, MF_PAGE_SIZE);
    bytes[0] = bytes[4095] = image_byte(page_at(address));
}

static uint64_t share(void *context, uint64_t address) {
    uint64_t i = page_at(address);
    CHECK(context == image);
    return is_of_image(i) ? image[i % IMAGE_FRAMES] : NO_FRAME;
}

static void share_image(model *m, virtual_run run) {
    for (uint64_t i = page_at(run.start); i < page_at(run.start) + run.pages; i++) {
        uint64_t address = START + i * MF_PAGE_SIZE;
        if (!is_of_image(i) || !page_tables_reserve_small(&tables, (virtual_run){address, 1}))
            continue;
        if (page_tables_frame(&tables, address) == NO_FRAME) {
            page_tables_share(&tables, (virtual_run){address, 1}, &(page_source){image, fill, share});
            m->byte[i] = image_byte(i);
        }
        CHECK(page_tables_shares(&tables, address) ==
              (page_tables_frame(&tables, address) == share(image, address)));
    }
}

static bool has_kind(uint64_t i, frame_kind kind) {
    frame_run found;
    return page_tables_find(&tables, run_of(i, 1), kind, &found);
}

static void restore(model *m, bool only_dirty) {
    uint64_t own = 0;
    for (uint64_t i = 0; i < PAGES; i++)
        own += has_kind(i, FRAME_OWN);
    for (uint64_t i = 0; i < PAGES; i++)
        if (has_kind(i, own > KEEP_MOST || !only_dirty ? FRAME_OWN : FRAME_DIRTY))
            m->byte[i] = image_byte(i);
    /* A huge leaf is never where frames are shared. */
    page_source source = {image, fill, share};
    for (uint64_t i = 0; i < PAGES; i++)
        if (is_of_image(i) && !page_tables_reserve_small(&tables, run_of(i, 1)))
            source.share = NULL;
    if (source.share == NULL && own > KEEP_MOST)
        for (uint64_t i = 0; i < PAGES; i++)
            if (has_kind(i, FRAME_OWN))
                m->byte[i] = image_byte(i);
    page_tables_restore(&tables, run_of(0, PAGES), &source, only_dirty && source.share != NULL, KEEP_MOST);
    for (uint64_t i = 0; i < PAGES; i++)
        CHECK(!has_kind(i, FRAME_DIRTY) &&
              (source.share == NULL || own <= KEEP_MOST || !has_kind(i, FRAME_OWN)));
}

static void populate(virtual_run run) {
    unsigned before = taken;
    if (page_tables_populate(&tables, run))
        for (uint64_t i = page_at(run.start); i < page_at(run.start) + run.pages; i++)
            CHECK(has_kind(i, FRAME_OWN));
    else
        CHECK(taken <= before);
}

static void renew(model *m, virtual_run run) {
    uint64_t first = page_at(run.start);
    page_tables_protect(&tables, run, MF_PERM_NONE);
    for (uint64_t i = first; i < first + run.pages; i++)
        if (!page_tables_have(&tables, run_of(i, 1), MF_PERM_NONE))
            return;
    memset(m->perm + first, MF_PERM_NONE, run.pages);
    if (page_tables_renew(&tables, run)) {
        memset(m->perm + first, MF_PERM_RW, run.pages);
        memset(m->byte + first, 0, run.pages);
    }
}

static void change_touched(model *m, random_source *random) {
    uint64_t first = random_below(random, PAGES);
    uint64_t count = 1 + random_below(random, random_one_in(random, 4) ? PAGES : 20);
    virtual_run run = run_of(first, count < PAGES - first ? count : PAGES - first);
    switch (random_below(random, 12)) {
    case 0:
        share_image(m, run);
        break;
    case 1:
        restore(m, random_one_in(random, 2));
        break;
    case 2:
        populate(run);
        break;
    case 3:
        renew(m, run);
        break;
    case 4:
        page_tables_unreserve(&tables, run);
        break;
    default:
        change(m, random);
    }
    for (int i = 0; i < 40; i++) {
        uint64_t page = random_below(random, PAGES);
        if (random_one_in(random, 3)) {
            racing_at = START + page * MF_PAGE_SIZE;
            racing_operation = random_one_in(random, 2) ? MF_LOAD : MF_STORE;
            racing_at = ask(racing_at, racing_operation) == TOUCH_WANTS_FRAME ? racing_at : 0;
        }
        if (random_one_in(random, 2))
            access_page(page, MF_LOAD);
        else
            write_page(m, page, (unsigned char)random_below(random, 256));
        racing_at = 0;
    }
}

static void touched_pages_follow_a_model(void) {
    for (uint64_t seed = 1; seed <= 8; seed++) {
        random_source random = {seed};
        static model m;
        memset(&m, 0, sizeof m);
        begin(seed % 2 == 0);
        begin_image();
        for (int i = 0; i < 100; i++) {
            most_taken = seed > 4 ? 100 + (unsigned)random_below(&random, 2000) : FRAMES;
            change_touched(&m, &random);
            compare(&m);
            check_cached();
            check_find(&m);
        }
        end_image();
    }
    printf("%s: %u promises, %u copies, %u lost races\n", __func__, promises, copies, lost_races);
}

/* 1600 pages from 5 pages above a boundary: three whole tables and two ends. */
static void tables_of_promises_are_folded(void) {
    begin(false);
    tables.at_touch = true;
    tables.whole = run_of(0, PAGES);
    CHECK(page_tables_protect(&tables, tables.whole, MF_PERM_RW));
    unsigned before = taken;
    for (unsigned room = 0;; room++) {
        most_taken = before + room;
        if (page_tables_protect(&tables, run_of(600, 600), MF_PERM_RO))
            break;
        CHECK(taken == before && page_tables_have(&tables, tables.whole, MF_PERM_RW));
    }
    CHECK(taken == before + 2);
    CHECK(page_tables_protect(&tables, run_of(600, 600), MF_PERM_RW) && taken == before + 2);
    page_tables_unreserve(&tables, run_of(600, 600));
    CHECK(taken == before && page_tables_have(&tables, tables.whole, MF_PERM_RW));
    /* What is not these tables' alone is not folded. */
    tables.whole = run_of(601, 500);
    most_taken = FRAMES;
    CHECK(page_tables_protect(&tables, run_of(700, 5), MF_PERM_RO) && taken == before + 1);
    CHECK(page_tables_protect(&tables, run_of(700, 5), MF_PERM_RW));
    page_tables_unreserve(&tables, run_of(700, 5));
    CHECK(taken == before + 1);
    end();
}

static void permissions_and_bytes_follow_a_model(void) {
    for (uint64_t seed = 1; seed <= 8; seed++) {
        random_source random = {seed};
        static model m;
        memset(&m, 0, sizeof m);
        begin(seed % 2 == 0);
        for (int i = 0; i < 250; i++) {
            most_taken = seed > 4 ? 100 + (unsigned)random_below(&random, 2000) : FRAMES;
            change(&m, &random);
            compare(&m);
            check_cached();
            check_find(&m);
        }
        end();
    }
}

static void frames_that_run_out_leave_all_as_it_was(void) {
    unsigned failures = 0;
    for (unsigned room = 0;; room++) {
        begin(room % 2 == 0);
        CHECK(page_tables_protect(&tables, run_of(700, 3), MF_PERM_RW));
        memset(host_of(START + 701 * MF_PAGE_SIZE), 7, 1);
        unsigned before = taken;
        most_taken = taken + room;
        bool done = page_tables_protect(&tables, run_of(0, PAGES), MF_PERM_RO);
        CHECK(perm_at(START) == (done ? MF_PERM_RO : MF_PERM_NONE));
        CHECK(perm_at(START + 701 * MF_PAGE_SIZE) == (done ? MF_PERM_RO : MF_PERM_RW));
        CHECK(*host_of(START + 701 * MF_PAGE_SIZE) == 7);
        CHECK(done || taken == before);
        failures += !done;
        end();
        if (done)
            break;
    }
    CHECK(failures >= PAGES - 3);
}

static void a_huge_leaf_is_made_and_split(void) {
    begin(true);
    uint64_t first = 512 - 5; /* START is 5 pages above a boundary */
    CHECK(page_tables_protect(&tables, run_of(first, 512), MF_PERM_RW));
    CHECK(walk(START + first * MF_PAGE_SIZE).is_huge && taken == 1 + 2 + 512);
    host_of(START + (first + 100) * MF_PAGE_SIZE)[9] = 42;
    check_cached();
    CHECK(page_tables_protect(&tables, run_of(first, 512), MF_PERM_NONE));
    CHECK(page_tables_protect(&tables, run_of(first, 512), MF_PERM_RO));
    CHECK(walk(START + first * MF_PAGE_SIZE).is_huge &&
          host_of(START + (first + 100) * MF_PAGE_SIZE)[9] == 42);
    check_cached();
    most_taken = taken;
    CHECK(!page_tables_protect(&tables, run_of(first + 7, 1), MF_PERM_NONE));
    most_taken++;
    CHECK(page_tables_protect(&tables, run_of(first + 7, 1), MF_PERM_NONE));
    check_cached();
    CHECK(!walk(START + first * MF_PAGE_SIZE).is_huge &&
          perm_at(START + (first + 8) * MF_PAGE_SIZE) == MF_PERM_RO);
    CHECK(host_of(START + (first + 100) * MF_PAGE_SIZE)[9] == 42);
    /* What is reserved may get any permission, so a hidden huge leaf is split for it. */
    CHECK(page_tables_protect(&tables, run_of(0, PAGES), MF_PERM_NONE));
    most_taken = FRAMES;
    CHECK(page_tables_protect(&tables, run_of(first + 512, 512), MF_PERM_RW));
    CHECK(page_tables_protect(&tables, run_of(first + 512, 512), MF_PERM_NONE));
    most_taken = taken;
    CHECK(!page_tables_reserve(&tables, run_of(first + 512, 10)));
    most_taken++;
    CHECK(page_tables_reserve(&tables, run_of(first + 512, 10)));
    CHECK(page_tables_protect(&tables, run_of(first + 515, 1), MF_PERM_RW));
    end();
}

/* What is reserved serves any permissions, and what is not used comes back. */
static void reserved_frames_cannot_run_out(void) {
    for (unsigned room = 0;; room++) {
        begin(room % 2 == 0);
        CHECK(page_tables_protect(&tables, run_of(0, PAGES), MF_PERM_NONE) && taken == 1);
        CHECK(page_tables_protect(&tables, run_of(700, 3), MF_PERM_RW));
        unsigned before = taken;
        most_taken = taken + room;
        bool done = page_tables_reserve(&tables, run_of(0, PAGES));
        CHECK(perm_at(START) == MF_PERM_NONE && perm_at(START + 701 * MF_PAGE_SIZE) == MF_PERM_RW);
        CHECK(done || taken == before);
        most_taken = taken;
        if (done) {
            for (uint64_t i = 0; i < PAGES; i += 2)
                CHECK(i == 0 || has_huge || page_tables_protect(&tables, run_of(i, 1), MF_PERM_RO));
            page_tables_unreserve(&tables, run_of(0, PAGES));
            CHECK(perm_at(START) == MF_PERM_NONE &&
                  perm_at(START + 2 * MF_PAGE_SIZE) == (has_huge ? MF_PERM_NONE : MF_PERM_RO));
            CHECK(has_huge ? taken == before : taken < before + PAGES / 2 + 8);
        }
        end();
        if (done && !has_huge)
            break;
    }
}

/* What this CPU and the other one have invalidated, and in how many shootdowns; both begin anew. */
static bool has_invalidated(unsigned here, unsigned elsewhere, unsigned calls) {
    bool is_so = cpus[0].invalidated == here && cpus[1].invalidated == elsewhere && cpus[1].calls == calls;
    cpus[0].invalidated = cpus[1].invalidated = cpus[1].calls = 0;
    return is_so;
}

static void only_what_changes_is_invalidated(void) {
    begin(false);
    CHECK(page_tables_protect(&tables, run_of(0, 3), MF_PERM_RO) && has_invalidated(0, 0, 0));
    use_page(START, 0x60);
    CHECK(page_tables_protect(&tables, run_of(0, 3), MF_PERM_RO) && has_invalidated(0, 0, 0));
    /* Others need not be told of rights that are added. */
    CHECK(page_tables_protect(&tables, run_of(1, 1), MF_PERM_RW) && has_invalidated(1, 0, 0));
    CHECK(page_tables_protect(&tables, run_of(0, 3), MF_PERM_RW) && has_invalidated(2, 0, 0));
    /* The pages on both sides of one that has changed already. */
    CHECK(page_tables_protect(&tables, run_of(1, 1), MF_PERM_RO) && has_invalidated(1, 1, 1));
    CHECK(page_tables_protect(&tables, run_of(0, 3), MF_PERM_RO) && has_invalidated(2, 2, 2));
    CHECK(page_tables_protect(&tables, run_of(0, 3), MF_PERM_NONE) && has_invalidated(3, 3, 1));
    CHECK(page_tables_protect(&tables, run_of(0, 3), MF_PERM_RW) && has_invalidated(0, 0, 0));
    check_cached();
    /* The pages, then three tables of their walk. */
    page_tables_clear(&tables, run_of(0, PAGES));
    CHECK(cpus[0].invalidated == 3 + 3 && cpus[1].calls == 2);
    /* Tables beside each other go with one shootdown. */
    CHECK(page_tables_protect(&tables, run_of(0, PAGES), MF_PERM_RW));
    has_invalidated(0, 0, 0);
    page_tables_clear(&tables, run_of(0, PAGES));
    CHECK(cpus[1].calls == 2);
    end();

    begin(true);
    uint64_t first = 512 - 5;
    CHECK(page_tables_protect(&tables, run_of(first, 1024), MF_PERM_RW) && has_invalidated(0, 0, 0));
    check_cached();
    /* Two huge pages are invalidated by one address each. */
    CHECK(page_tables_protect(&tables, run_of(first, 1024), MF_PERM_RO) && has_invalidated(2, 1024, 1));
    /* Nothing changes, so nothing is split, also when there is no frame for it. */
    most_taken = taken;
    CHECK(page_tables_protect(&tables, run_of(first + 500, 30), MF_PERM_RO) && has_invalidated(0, 0, 0));
    most_taken = FRAMES;
    /* The first is split, then one of its pages changes. */
    CHECK(page_tables_protect(&tables, run_of(first + 9, 1), MF_PERM_NONE) && has_invalidated(2, 2, 2));
    check_cached();
    end();
}

/* A table that the kernel made is neither given back nor counted as ours. */
static void tables_of_others_stay(void) {
    begin(false);
    uint64_t theirs = take(is_taken);
    memset((unsigned char *)memory + (theirs - MEMORY_START), 0, MF_PAGE_SIZE);
    uint64_t word = theirs | 7;
    memcpy((unsigned char *)memory + (root - MEMORY_START), &word, sizeof word);
    CHECK(page_tables_protect(&tables, run_of(0, 4), MF_PERM_RW) && taken == 2 + 2 + 4);
    page_tables_clear(&tables, run_of(0, 4));
    CHECK(taken == 2 && word_at(root) == word);
    give(is_taken, theirs);
    give(is_taken, root);
}

static void the_top_of_a_half(void) {
    begin(false);
    virtual_run low = {UINT64_C(0x7fffffffe000), 2};
    virtual_run high = {UINT64_C(0xffffffffffffe000), 2};
    CHECK(page_tables_protect(&tables, low, MF_PERM_RW) && page_tables_protect(&tables, high, MF_PERM_RO));
    CHECK(perm_at(UINT64_C(0x7ffffffff000)) == MF_PERM_RW &&
          perm_at(UINT64_C(0xfffffffffffff000)) == MF_PERM_RO);
    CHECK(page_tables_have(&tables, low, MF_PERM_RW) && !page_tables_have(&tables, high, MF_PERM_RW));
    page_tables_clear(&tables, low);
    page_tables_clear(&tables, high);
    end();
}

int main(void) {
#define RUN(test)                                                                                            \
    test();                                                                                                  \
    puts(#test)
    RUN(permissions_and_bytes_follow_a_model);
    touched_pages_follow_a_model();
    RUN(tables_of_promises_are_folded);
    RUN(frames_that_run_out_leave_all_as_it_was);
    RUN(reserved_frames_cannot_run_out);
    RUN(a_huge_leaf_is_made_and_split);
    RUN(only_what_changes_is_invalidated);
    RUN(tables_of_others_stay);
    RUN(the_top_of_a_half);
    return 0;
}
