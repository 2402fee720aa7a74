/* memfold verify: the accessors are also called at addresses, and compared with the contract. */
#ifndef MEMFOLD_TOOLS_VERIFY_SWEEP_H
#define MEMFOLD_TOOLS_VERIFY_SWEEP_H

#include <memfold/jit.h>
#include <memfold/layout.h>
#include <memfold/options.h>

#include <argp.h>

/* What the options of sweep_argp say. */
typedef struct sweep_options {
    bool is_exhaustive;
    uint32_t accessors; /* bit n: mf_accessor_id n; 0: all */
    uint64_t first;
    uint64_t end; /* 0: not given */
    bool has_range;
    uint32_t heap_pages;
    bool has_heap_pages;
    uint32_t jobs;
} sweep_options;

/* Its input is a sweep_options. */
extern const struct argp sweep_argp;

/* Ends with bad usage if the options do not go together. */
void sweep_options_check(const sweep_options *options);

/*
 * Makes code for a memory of its own (NULL: by stencils), sweeps it, prints a line for each accessor, and
 * returns the exit code. With base = constant it is made for the memory's base.
 */
int verify_sweep(const mf_layout *layout, const mf_accessor_options *accessors, const mf_code_maker *maker,
                 const sweep_options *options, const char *layout_path);

#endif
