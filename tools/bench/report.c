/* The tables that a person reads: engines in rows, layouts in columns, one group for each pattern. */
#include "bench/report.h"

#include "bench/headline.h"
#include "bench/life_report.h"
#include "bench/program_report.h"

#include <stdlib.h>

#define NAME_COLUMNS 20
#define CELL_COLUMNS 9

/* Which number of a measurement a table shows. */
typedef double value_of(const bench_measurement *measurement);

static double ns_of(const bench_measurement *measurement) {
    return measurement->ns.median;
}
static double spread_of(const bench_measurement *measurement) {
    return (measurement->ns.high - measurement->ns.low) / measurement->ns.median * 100;
}
static double ratio_of(const bench_measurement *measurement) {
    return measurement->ratio.median;
}
static double instructions_of(const bench_measurement *measurement) {
    return measurement->instructions;
}

/* One table of a group: what its numbers are, and how many decimals they have. */
typedef struct report_table {
    const char *title;
    value_of *value;
    int decimals;
} report_table;

/* The cells of one pattern and working set, in the order of their layouts. */
typedef struct report_group {
    const bench_report *report;
    bench_pattern pattern;
    bench_set set;
} report_group;

static bool in_group(const report_group *group, const bench_cell *cell) {
    return cell->pattern == group->pattern && cell->set == group->set;
}

/* The next cell of the group from `at` on, or NULL. */
static const bench_cell *next_cell(const report_group *group, const bench_cell *at) {
    const bench_cell *end = group->report->cells + group->report->cell_count;
    while (at < end && !in_group(group, at))
        at++;
    return at < end ? at : NULL;
}

#define EACH_CELL(cell, group)                                                                               \
    const bench_cell *cell = next_cell(group, (group)->report->cells);                                       \
    cell != NULL;                                                                                            \
    cell = next_cell(group, cell + 1)

static void print_header(const report_group *group, const char *title, FILE *to) {
    fprintf(to, "  %-*s", NAME_COLUMNS, title);
    for (EACH_CELL(cell, group))
        fprintf(to, "%*s", CELL_COLUMNS, cell->layout->name);
    fputc('\n', to);
}

static void print_number(double number, int decimals, FILE *to) {
    fprintf(to, "%*.*f", CELL_COLUMNS, number >= 100 ? 0 : decimals, number);
}

static void print_row(const report_group *group, const report_table *table, size_t engine, FILE *to) {
    fprintf(to, "  %-*s", NAME_COLUMNS, group->report->engines->all[engine].name);
    for (EACH_CELL(cell, group))
        if (cell->engines[engine].there)
            print_number(table->value(&cell->engines[engine]), table->decimals, to);
        else
            fprintf(to, "%*s", CELL_COLUMNS, "-");
    fputc('\n', to);
}

static bool has_engine(const report_group *group, size_t engine) {
    for (EACH_CELL(cell, group))
        if (cell->engines[engine].there)
            return true;
    return false;
}

/* The best inlined copy engine over the best exact peer: the aim is at most 1.05 in every cell. */
static void print_rivals(const report_group *group, FILE *to) {
    bool any = false;
    for (EACH_CELL(cell, group))
        any = any || cell->rivals.median > 0;
    if (!any)
        return;
    fprintf(to, "  %-*s", NAME_COLUMNS, "inlined/best peer");
    for (EACH_CELL(cell, group))
        if (cell->rivals.median > 0)
            print_number(cell->rivals.median, 2, to);
        else
            fprintf(to, "%*s", CELL_COLUMNS, "-");
    fputc('\n', to);
}

static void print_table(const report_group *group, const report_table *table, FILE *to) {
    print_header(group, table->title, to);
    for (size_t i = 0; i < group->report->engines->count; i++)
        if (has_engine(group, i))
            print_row(group, table, i, to);
}

static void print_group(const report_group *group, FILE *to) {
    const bench_cell *first = next_cell(group, group->report->cells);
    char over[BENCH_ENGINE_NAME_BYTES + sizeof "over "];
    if (first == NULL)
        return;
    const char *baseline = group->report->engines->all[first->baseline].name;
    snprintf(over, sizeof over, "over %s", baseline);
    fprintf(to, "%s; working set %s\n", bench_pattern_titles[group->pattern], bench_set_names[group->set]);
    print_table(group, &(report_table){"ns per access", ns_of, 2}, to);
    print_table(group, &(report_table){over, ratio_of, 2}, to);
    print_rivals(group, to);
    print_table(group, &(report_table){"spread, %", spread_of, 0}, to);
    if (group->report->counts_instructions)
        print_table(group, &(report_table){"instructions", instructions_of, 1}, to);
    fputc('\n', to);
}

static void print_costs(const bench_costs *costs, FILE *to) {
    if (costs->count > 0)
        fprintf(to, "%-58s %12s %12s %12s\n", "other costs", "median", "quartile 1", "quartile 3");
    for (size_t i = 0; i < costs->count; i++) {
        const bench_cost *cost = &costs->all[i];
        fprintf(to, "  %-56s %12.2f %12.2f %12.2f  %s\n", cost->name, cost->value.median, cost->value.low,
                cost->value.high, cost->unit);
    }
}

void bench_report_fini(bench_report *report) {
    free(report->cells);
    free(report->costs.all);
    bench_lives_fini(&report->lives);
    *report = (bench_report){0};
}

void bench_report_print(const bench_report *report, FILE *to) {
    fprintf(
        to,
        "all engines agree with the reference; medians of %u interleaved rounds; spread is from the first\n"
        "quartile to the third; copy's guest data are on %s pages%s\n\n",
        report->rounds, report->huge_pages ? "huge" : "small",
        report->counts_instructions ? "" : "; the kernel counts no instructions here");
    bench_headline_print(report, to);
    for (int set = 0; report->cell_count > 0 && set < SET_COUNT; set++)
        for (int pattern = 0; pattern < PATTERN_COUNT; pattern++)
            print_group(&(report_group){report, (bench_pattern)pattern, (bench_set)set}, to);
    program_report_print(&report->programs, to);
    life_report_print(&report->lives, to);
    print_costs(&report->costs, to);
}
