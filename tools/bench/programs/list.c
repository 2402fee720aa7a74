/*
 * Linked lists and a state machine, as embedded programs mix them: a list is made, searched, turned round and
 * sorted by merging; then each node has a number of the text parsed, and the machine's states are counted.
 * Each round has other keys. A node is: next (u32, 0 for none), key (u16), place in the text (u16).
 */
#include "program.h"

enum { NODES = 500, ROUNDS = 20, TEXT_BYTES = 6000, NODE_BYTES = 8, NEXT = 0, KEY = 4, TEXT = 6 };

typedef enum number_state { START, SIGN, INTEGER, POINT, FRACTION, INVALID, STATES } number_state;

static uint32_t next_of(guest g, place nodes, uint32_t node) {
    return load_u32(g, nodes + node * NODE_BYTES, NEXT);
}

/* Nodes are numbered from 1 and lie in another order than that of the list. */
static uint32_t make(guest g, place nodes, place keys, uint32_t round) {
    uint32_t head = 0;
    for (int i = 0; i < NODES; i++) {
        uint32_t node = 1 + (uint32_t)(i * 211) % NODES;
        uint16_t key = (uint16_t)(get_u16(g, keys, i) ^ round * 3001);
        store_u32(g, nodes + node * NODE_BYTES, NEXT, head);
        store_u16(g, nodes + node * NODE_BYTES, KEY, key);
        store_u16(g, nodes + node * NODE_BYTES, TEXT, (uint16_t)(key * 7 % (TEXT_BYTES - 20)));
        head = node;
    }
    return head;
}

static uint32_t find(guest g, place nodes, uint32_t head, uint16_t key) {
    while (head != 0 && load_u16(g, nodes + head * NODE_BYTES, KEY) != key)
        head = next_of(g, nodes, head);
    return head;
}

static uint32_t reverse(guest g, place nodes, uint32_t head) {
    uint32_t before = 0;
    while (head != 0) {
        uint32_t next = next_of(g, nodes, head);
        store_u32(g, nodes + head * NODE_BYTES, NEXT, before);
        before = head;
        head = next;
    }
    return before;
}

/* Node 0 is no element: its link is the head of what has been merged. */
static uint32_t merge(guest g, place nodes, uint32_t a, uint32_t b) {
    uint32_t last = 0;
    while (a != 0 && b != 0) {
        bool first = load_u16(g, nodes + a * NODE_BYTES, KEY) <= load_u16(g, nodes + b * NODE_BYTES, KEY);
        uint32_t least = first ? a : b;
        uint32_t next = next_of(g, nodes, least);
        store_u32(g, nodes + last * NODE_BYTES, NEXT, least);
        last = least;
        a = first ? next : a;
        b = first ? b : next;
    }
    store_u32(g, nodes + last * NODE_BYTES, NEXT, a != 0 ? a : b);
    return next_of(g, nodes, 0);
}

/* The list of 2^n nodes, or what is left of them, in `piles` at n, until the next of its size comes. */
static uint32_t sort(guest g, place nodes, place piles, uint32_t head) {
    enum { PILES = 16 };
    for (int i = 0; i < PILES; i++)
        put_u32(g, piles, i, 0);
    while (head != 0) {
        uint32_t sorted = head;
        head = next_of(g, nodes, head);
        store_u32(g, nodes + sorted * NODE_BYTES, NEXT, 0);
        int pile = 0;
        for (uint32_t other; (other = get_u32(g, piles, pile)) != 0; pile++) {
            put_u32(g, piles, pile, 0);
            sorted = merge(g, nodes, other, sorted);
        }
        put_u32(g, piles, pile, sorted);
    }
    for (int i = 0; i < PILES; i++)
        head = merge(g, nodes, get_u32(g, piles, i), head);
    return head;
}

static number_state follow(number_state state, uint8_t character) {
    bool digit = character >= '0' && character <= '9';
    switch (state) {
    case START:
        return digit ? INTEGER : character == '-' ? SIGN : character == '.' ? POINT : INVALID;
    case SIGN:
        return digit ? INTEGER : character == '.' ? POINT : INVALID;
    case INTEGER:
        return digit ? INTEGER : character == '.' ? FRACTION : INVALID;
    case POINT:
    case FRACTION:
        return digit ? FRACTION : INVALID;
    default:
        return INVALID;
    }
}

static void parse(guest g, place text, place counts) {
    number_state state = START;
    for (int i = 0; i < 20; i++) {
        uint8_t character = get_u8(g, text, i);
        if (character == ',')
            break;
        state = follow(state, character);
        put_u32(g, counts, (int)state, get_u32(g, counts, (int)state) + 1);
        if (state == INVALID)
            break;
    }
}

static uint64_t run(guest g, const program_work *work) {
    place keys = program_place(g, work, 0);
    place text = program_place(g, work, 1);
    place nodes = program_place(g, work, 2);
    place counts = program_place(g, work, 3);
    place piles = program_place(g, work, 4);
    uint64_t sum = 0;
    for (int i = 0; i < STATES; i++)
        put_u32(g, counts, i, 0);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t head = make(g, nodes, keys, round);
        for (int i = 0; i < NODES; i += 25)
            sum += find(g, nodes, head, get_u16(g, keys, i));
        head = reverse(g, nodes, head);
        head = sort(g, nodes, piles, head);
        for (; head != 0; head = next_of(g, nodes, head)) {
            parse(g, text + load_u16(g, nodes + head * NODE_BYTES, TEXT), counts);
            sum = sum * 31 + load_u16(g, nodes + head * NODE_BYTES, KEY);
        }
    }
    return sum;
}

static void fill(unsigned char *const *arrays) {
    static const char characters[] = "0123456789012345678901234567890-.,,,,,x";
    uint64_t random = 5;
    uint16_t *keys = (uint16_t *)(void *)arrays[0];
    for (int i = 0; i < NODES; i++)
        keys[i] = (uint16_t)program_random(&random);
    for (int i = 0; i < TEXT_BYTES; i++)
        arrays[1][i] = (unsigned char)characters[program_random(&random) % (sizeof characters - 1)];
}

PROGRAM(list, "linked lists and a state machine, small integers", PROGRAM_READ_ONLY(NODES * 2),
        PROGRAM_READ_ONLY(TEXT_BYTES), PROGRAM_WRITABLE((NODES + 1) * NODE_BYTES),
        PROGRAM_WRITABLE(STATES * 4), PROGRAM_WRITABLE(16 * 4))
