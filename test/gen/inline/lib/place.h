/*
 * Code where it can run: memory that is written through one view and executed through another. A place holds
 * bytes, the ways out behind them, and an entry of the exception table.
 */
#ifndef MEMFOLD_TEST_PLACE_H
#define MEMFOLD_TEST_PLACE_H

#include <memfold/exception_table.h>
#include <memfold/inline.h>

#define PLACE_BYTES 1024

typedef struct place {
    unsigned char *write;
    const unsigned char *run;
} place;

/* The next place; what was in it long ago is gone. */
place place_take(void);

/*
 * Writes ways out behind the code, and patches its fields to them. `distance` is how far behind the first
 * byte the fault block begins.
 */
void place_finish(const place *p, const mf_inline_result *result);
int64_t place_fault_distance(void);

/* Registers that a fault of the access goes on at the fault block; to be unregistered. */
const mf_exception_entry *place_register(const place *p, const mf_inline_result *result);

/* Makes every branch to the fault block an instruction that does nothing: all of them are mispredicted. */
void place_mispredict(const place *p, const mf_inline_result *result);

#endif
