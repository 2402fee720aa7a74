#include "sbrk_beside.h"

#include "random.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE ((uint64_t)MF_PAGE_SIZE)
#define REGION_START UINT32_C(0x10000)
#define HEAP_BASE UINT32_C(0x20000)
#define HEAP_PAGES 512
#define ABOVE_START UINT32_C(0x300000)

#define ACCESSOR_THREADS 2
#define GROWER_THREADS_MAX 2
#define STEPS_WHEN_FULL 200
/*
 * The sanitizer of threads notes every call and every return, and never sees the returns of calls that a
 * guard frame abandons. It has room for 65,536 calls in a thread.
 */
#define TRAPS_MAX 2000

/*
 * Bytes of the guest belong to one thread each, so that only the library can race: blocks of 16 bytes, with
 * the boundaries of pages in their middle.
 */
#define BLOCK_BYTES 16

typedef struct scene {
    const beside *b;
    uint64_t base, limit;
    /* No heap reaches further yet. Relaxed, so that nothing but the library orders what else is written. */
    _Atomic uint64_t wanted_top;
    _Atomic uint64_t done_top; /* the heap reaches at least as far */
    _Atomic uint64_t granted;
    bool notes;                   /* one thread grows the heap, and writes notes */
    uint64_t note_of[HEAP_PAGES]; /* plain, written before the page is there */
} scene;

typedef struct accessor {
    pthread_t thread;
    scene *scene;
    unsigned number;
    subject subject;
    random_source random;
    unsigned char *shadow; /* of the bytes from one page below the base on */
    uint64_t accesses, faults;
} accessor;

typedef struct grower {
    pthread_t thread;
    scene *scene;
    random_source random;
} grower;

#define require(condition) require_at(condition, #condition, __LINE__, s->b->name)

static void require_at(bool is_so, const char *text, int line, const char *name) {
    if (is_so)
        return;
    printf("%s: line %d: not true: %s\n", name, line, text);
    fflush(stdout);
    abort();
}

static uint64_t page_of(uint64_t index) {
    return index / PAGE * PAGE;
}

static uint64_t round_up(uint64_t index) {
    return page_of(index + PAGE - 1);
}

/* ---- Growing ------------------------------------------------------------------------------- */

static void pause_for_a_while(random_source *random, _Atomic uint64_t *watched) {
    for (uint64_t i = random_below(random, 1500); i > 0; i--)
        atomic_load_explicit(watched, memory_order_relaxed);
}

static void raise_to(_Atomic uint64_t *most, uint64_t value) {
    uint64_t before = atomic_load(most);
    while (before < value && !atomic_compare_exchange_weak(most, &before, value)) {
    }
}

static void *grow(void *context) {
    grower *g = context;
    scene *s = g->scene;
    for (uint64_t top = s->base; top < s->limit; top = atomic_load(&s->done_top)) {
        uint64_t old, bytes = 1 + random_below(&g->random, 3 * PAGE);
        bytes = bytes < s->limit - top ? bytes : s->limit - top;
        for (uint64_t at = round_up(top); s->notes && at < round_up(top + bytes); at += PAGE)
            s->note_of[(at - s->base) / PAGE] = at;
        atomic_fetch_add_explicit(&s->wanted_top, bytes, memory_order_relaxed);
        if (mf_memory_sbrk(s->b->memory, bytes, &old, NULL) != MF_OK)
            continue;
        require(!s->notes || old == top);
        require(mf_memory_heap_top(s->b->memory) >= old + bytes);
        require(mf_memory_perm_of(s->b->memory, (uint32_t)(old + bytes - 1)) == MF_PERM_RW);
        atomic_fetch_add(&s->granted, bytes);
        pause_for_a_while(&g->random, &s->done_top);
        raise_to(&s->done_top, old + bytes);
        pause_for_a_while(&g->random, &s->done_top);
    }
    return NULL;
}

/* ---- One access and its answer ------------------------------------------------------------- */

typedef struct answer {
    uint64_t index, length;
    mf_operation operation;
    uint64_t known_end; /* before the access */
    bool done;
    mf_fault fault;
} answer;

static uint64_t known_end(const scene *s) {
    return round_up(atomic_load(&s->done_top));
}

static uint64_t possible_end(const scene *s) {
    uint64_t end = round_up(atomic_load_explicit(&s->wanted_top, memory_order_relaxed));
    return end < s->limit ? end : s->limit;
}

static void check_fault(const scene *s, const answer *a) {
    uint64_t last = a->index + a->length - 1;
    require(last >= a->known_end);
    require(a->fault.kind == MF_PAGE_FAULT && a->fault.operation == (uint32_t)a->operation);
    require(a->fault.page >= a->known_end && a->fault.page % PAGE == 0);
    require(a->fault.page >= page_of(a->index) && a->fault.page <= page_of(last));
}

/* Whoever sees a page sees what was written before it was asked for. */
static void check_note(const scene *s, uint64_t last) {
    if (s->notes && s->b->is_instrumented && last >= s->base)
        require(s->note_of[(last - s->base) / PAGE] == page_of(last));
}

static void check(accessor *t, const answer *a) {
    const scene *s = t->scene;
    t->accesses++;
    if (a->done) {
        require(a->index + a->length <= possible_end(s));
        check_note(s, a->index + a->length - 1);
    } else {
        t->faults++;
        check_fault(s, a);
    }
}

static unsigned char *shadow_at(const accessor *t, uint64_t index) {
    return t->shadow + (index - (t->scene->base - PAGE));
}

/* ---- Accesses ------------------------------------------------------------------------------ */

/* Every thread owns every other block of a page, and the boundaries of every other page. */
static unsigned owner_of(uint64_t block) {
    return (unsigned)((block + block / (PAGE / BLOCK_BYTES)) % ACCESSOR_THREADS);
}

/* The start of a block of this thread, near the end of the heap and often across the boundary of a page. */
static uint64_t choose_block(accessor *t, uint64_t end) {
    scene *s = t->scene;
    uint64_t block;
    do {
        uint64_t at = end - 2 * PAGE + random_below(&t->random, 5 * PAGE);
        if (random_one_in(&t->random, 2))
            at = page_of(at);
        at = at < s->base ? s->base : at > s->limit ? s->limit : at;
        block = at / BLOCK_BYTES;
    } while (owner_of(block) != t->number);
    return block * BLOCK_BYTES - BLOCK_BYTES / 2;
}

static void access_block(accessor *t, uint64_t start, answer *a) {
    const scene *s = t->scene;
    mf_accessor_id id = (mf_accessor_id)random_below(&t->random, MF_ACCESSOR_COUNT);
    const mf_accessor_info *info = mf_accessor_info_get(id);
    uint64_t value = random_u64(&t->random), expected = 0;
    a->length = info->width_bytes;
    a->index = start + random_below(&t->random, BLOCK_BYTES - a->length + 1);
    a->operation = info->operation;
    engine_result result = subject_access(&t->subject, id, a->index, value);
    a->done = result.status == MF_FAULT_NONE;
    a->fault = s->b->options.on_fault == MF_ON_FAULT_TRAP ? result.caught : t->subject.view->fault;
    check(t, a);
    if (!a->done)
        return;
    if (a->operation == MF_STORE) {
        memcpy(shadow_at(t, a->index), &value, a->length);
        return;
    }
    memcpy(&expected, shadow_at(t, a->index), a->length);
    memcpy(&value, &result.value, a->length < 8 ? a->length : 8);
    require(memcmp(&value, &expected, a->length) == 0);
}

static void read_block(accessor *t, uint64_t start, answer *a) {
    const scene *s = t->scene;
    unsigned char bytes[BLOCK_BYTES] = {0};
    a->index = start;
    a->length = 1 + random_below(&t->random, BLOCK_BYTES);
    a->operation = MF_LOAD;
    a->done = mf_view_read(t->subject.view, (uint32_t)a->index, bytes, a->length);
    a->fault = t->subject.view->fault;
    check(t, a);
    require(!a->done || memcmp(bytes, shadow_at(t, a->index), a->length) == 0);
}

static void change_block(accessor *t, uint64_t start, answer *a) {
    unsigned char bytes[BLOCK_BYTES];
    uint8_t byte = (uint8_t)random_u64(&t->random);
    memset(bytes, byte, sizeof bytes);
    a->index = start;
    a->length = 1 + random_below(&t->random, BLOCK_BYTES);
    a->operation = MF_STORE;
    a->done = random_one_in(&t->random, 2)
                  ? mf_view_fill(t->subject.view, (uint32_t)a->index, byte, a->length)
                  : mf_view_write(t->subject.view, (uint32_t)a->index, bytes, a->length);
    a->fault = t->subject.view->fault;
    check(t, a);
    if (a->done)
        memset(shadow_at(t, a->index), byte, a->length);
}

/* From the lower half to the upper: the fault is the store's unless the source is not there either. */
static void copy_block(accessor *t, uint64_t start, answer *a) {
    const uint64_t half = BLOCK_BYTES / 2;
    a->length = half;
    a->done = mf_view_copy(t->subject.view, (uint32_t)(start + half), (uint32_t)start, half);
    a->fault = t->subject.view->fault;
    a->operation = a->done ? MF_STORE : (mf_operation)a->fault.operation;
    a->index = a->operation == MF_STORE ? start + half : start;
    check(t, a);
    if (a->done)
        memcpy(shadow_at(t, start + half), shadow_at(t, start), half);
}

/* Whole ranges across the end, of which no byte is touched. */
static void ask_range(accessor *t, uint64_t start, answer *a) {
    const scene *s = t->scene;
    mf_view *view = t->subject.view;
    a->operation = (mf_operation)random_below(&t->random, 2);
    a->index = s->base - random_below(&t->random, PAGE);
    a->length = start + 1 - (a->index < start ? a->index : start);
    if (random_one_in(&t->random, 2)) {
        a->done = mf_view_span(view, (uint32_t)a->index, a->length, a->operation) != NULL;
        a->fault = view->fault;
        check(t, a);
        return;
    }
    a->done = mf_view_is_accessible(view, (uint32_t)a->index, a->length, a->operation);
    require(a->done || a->index + a->length > a->known_end);
    require(!a->done || a->index + a->length <= possible_end(s));
}

/* The end itself, as a client keeps it: everything below is there. */
static void ask_end(accessor *t, uint64_t start, answer *a) {
    const scene *s = t->scene;
    uint64_t end = __atomic_load_n(&t->subject.view->heap_end, __ATOMIC_ACQUIRE);
    (void)start;
    require(end >= a->known_end && end <= possible_end(s));
    check_note(s, end - 1);
    require(mf_view_is_accessible(t->subject.view, (uint32_t)s->base, end - s->base, MF_STORE));
    t->accesses++;
}

static void step(accessor *t) {
    static void (*const kinds[])(accessor *, uint64_t, answer *) = {access_block, access_block, access_block,
                                                                    access_block, read_block,   change_block,
                                                                    copy_block,   ask_range,    ask_end};
    answer a = {.known_end = known_end(t->scene)};
    uint64_t start = choose_block(t, a.known_end);
    kinds[random_below(&t->random, sizeof kinds / sizeof kinds[0])](t, start, &a);
}

static void *access(void *context) {
    accessor *t = context;
    bool traps = t->scene->b->options.on_fault == MF_ON_FAULT_TRAP;
    uint64_t faults_max = traps ? t->faults + TRAPS_MAX : UINT64_MAX;
    while (atomic_load(&t->scene->done_top) < t->scene->limit && t->faults < faults_max)
        step(t);
    for (unsigned i = 0; i < STEPS_WHEN_FULL; i++)
        step(t);
    return NULL;
}

/* ---- Rounds -------------------------------------------------------------------------------- */

/* Bytes that sbrk has to clear before anybody sees the page. */
static void hide_bytes(const scene *s, uint64_t page) {
    mf_memory *m = s->b->memory;
    if (mf_memory_backend(m) == MF_BACKEND_COPY) {
        memset(mf_memory_view(m)->base + page, 0xee, PAGE);
        return;
    }
    require(mf_memory_protect(m, page, PAGE, MF_PERM_RW, NULL) == MF_OK);
    require(mf_memory_fill(m, (uint32_t)page, 0xee, PAGE));
    require(mf_memory_protect(m, page, PAGE, MF_PERM_NONE, NULL) == MF_OK);
}

static void begin_round(scene *s, unsigned round) {
    require(mf_memory_reset(s->b->memory, NULL) == MF_OK);
    for (uint64_t at = s->base; round % 3 == 2 && at < s->limit; at += 5 * PAGE)
        hide_bytes(s, at);
    atomic_store(&s->wanted_top, s->base);
    atomic_store(&s->done_top, s->base);
    atomic_store(&s->granted, 0);
    s->notes = round % 2 == 0;
    memset(s->note_of, 0, sizeof s->note_of);
}

static void run_round(scene *s, accessor *accessors, unsigned round) {
    grower growers[GROWER_THREADS_MAX];
    begin_round(s, round);
    unsigned grower_count = s->notes ? 1 : GROWER_THREADS_MAX;
    for (unsigned i = 0; i < ACCESSOR_THREADS; i++) {
        memset(accessors[i].shadow, 0, (HEAP_PAGES + 2) * PAGE);
        require(pthread_create(&accessors[i].thread, NULL, access, &accessors[i]) == 0);
    }
    for (unsigned i = 0; i < grower_count; i++) {
        growers[i] = (grower){.scene = s, .random = {round * 10 + i}};
        require(pthread_create(&growers[i].thread, NULL, grow, &growers[i]) == 0);
    }
    for (unsigned i = 0; i < grower_count; i++)
        pthread_join(growers[i].thread, NULL);
    for (unsigned i = 0; i < ACCESSOR_THREADS; i++)
        pthread_join(accessors[i].thread, NULL);
    require(atomic_load(&s->granted) == s->limit - s->base);
    require(mf_memory_heap_top(s->b->memory) == s->limit);
    require(mf_memory_view(s->b->memory)->heap_end == s->limit);
}

static void open_accessor(accessor *t, scene *s, unsigned number) {
    *t = (accessor){.scene = s, .number = number, .random = {number}};
    t->shadow = malloc((HEAP_PAGES + 2) * PAGE);
    require(t->shadow != NULL);
    t->subject = (subject){.memory = s->b->memory, .options = s->b->options, .code = {.set = s->b->set}};
    mf_view_attach(&t->subject.further, s->b->memory);
    t->subject.view = &t->subject.further;
}

void sbrk_beside_run(const beside *b, unsigned rounds) {
    static scene scenes;
    static accessor accessors[ACCESSOR_THREADS];
    scene *s = &scenes;
    uint64_t accesses = 0, faults = 0;
    s->b = b;
    s->base = mf_memory_heap_base(b->memory);
    s->limit = s->base + mf_memory_max_heap_pages(b->memory) * PAGE;
    for (unsigned i = 0; i < ACCESSOR_THREADS; i++)
        open_accessor(&accessors[i], s, i);
    for (unsigned round = 0; round < rounds; round++)
        run_round(s, accessors, round);
    for (unsigned i = 0; i < ACCESSOR_THREADS; i++) {
        accesses += accessors[i].accesses;
        faults += accessors[i].faults;
        mf_view_detach(accessors[i].subject.view);
        free(accessors[i].shadow);
    }
    printf("%s: %" PRIu64 " accesses, %" PRIu64 " faults\n", b->name, accesses, faults);
}

mf_layout *sbrk_beside_layout(bool above) {
    mf_layout_builder *builder = mf_layout_builder_create();
    mf_layout *layout;
    mf_diag diag;
    engines_must(mf_layout_builder_map_region(builder, REGION_START, HEAP_BASE - REGION_START, MF_READ_WRITE,
                                              NULL, 0, &diag),
                 &diag, "map_region");
    if (above) {
        engines_must(
            mf_layout_builder_map_region(builder, ABOVE_START, REGION_START, MF_READ_WRITE, NULL, 0, &diag),
            &diag, "map_region");
    }
    engines_must(mf_layout_builder_set_heap(builder, HEAP_BASE, HEAP_PAGES, &diag), &diag, "set_heap");
    engines_must(mf_layout_builder_finish(builder, &layout, NULL, &diag), &diag, "finish");
    mf_layout_builder_destroy(builder);
    return layout;
}
