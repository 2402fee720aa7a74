/* The constant data of an operation's plans, as a value that somebody owns. */
#ifndef MEMFOLD_GEN_PLAN_TABLES_H
#define MEMFOLD_GEN_PLAN_TABLES_H

#include <memfold/plan.h>

/* 128 KiB an operation, so that loads and stores together have at most 256 KiB of constant data. */
#define PLAN_TABLE_MAX_LOG2 17

/* No bytes if the plans read none. */
typedef struct plan_table {
    uint8_t *bytes;
    size_t byte_count;
} plan_table;

/* Writes the table of `plan`, to be freed by the caller. MF_OUT_OF_MEMORY. */
mf_status plan_table_make(const mf_layout *layout, const mf_plan *plan, plan_table *table, mf_diag *diag);

/* A total order; 0 if the tables are the same. */
int plan_table_compare(const plan_table *a, const plan_table *b);

#endif
