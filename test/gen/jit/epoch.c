// A drain waits for a reader in any shard and any phase until it has left, however many drains came before;
// and what forgets readers forgets all of them.
//
// RUN: %cc -I%source/gen %s -o %t && %t | FileCheck %s
//
// CHECK:      32 places of a reader: each waited for
// CHECK-NEXT: 64 readers forgotten: nobody waited for
#include "jit/epoch.h"

#include <stdio.h>
#include <stdlib.h>

static epoch all;
static epoch_reader standing;
static unsigned waits;

/* The reader leaves while the drain waits, and not at the first look. */
static void leave_at_third(unsigned attempt) {
    waits++;
    if (attempt == 2)
        epoch_leave(standing);
    if (attempt > 2)
        abort();
}

static void never(unsigned attempt) {
    (void)attempt;
    abort();
}

int main(void) {
    unsigned places = 0;
    for (unsigned shard = 0; shard < EPOCH_SHARDS; shard++)
        for (unsigned phase = 0; phase < 2; phase++) {
            waits = 0;
            standing = epoch_enter_phase(&all, shard, phase);
            epoch_drain(&all, leave_at_third);
            places += waits == 3;
            epoch_drain(&all, never);
        }
    printf("%u places of a reader: %s\n", places, places == 2 * EPOCH_SHARDS ? "each waited for" : "NOT ALL");
    unsigned readers = 0;
    for (unsigned i = 0; i < 4 * EPOCH_SHARDS; i++, readers++)
        epoch_enter_phase(&all, i % EPOCH_SHARDS, i / EPOCH_SHARDS % 2);
    epoch_forget_readers(&all);
    epoch_drain(&all, never);
    printf("%u readers forgotten: nobody waited for\n", readers);
    return 0;
}
