/* The report in a few lines: what an access costs, where memfold is behind, what programs, lives and code
 * cost. */
#include "bench/headline.h"

#include <math.h>
#include <string.h>

/* Two times that differ by less are equal. */
#define LEVEL 1.05

/* So many cells in which memfold is behind are named; more are counted. */
#define NAMED_MAX 4

#define TITLE_COLUMNS 36

/* ---- An access, over no check ---- */

/* Ratios of one engine over all cells that have it. */
typedef struct ratio_span {
    unsigned count;
    double logs, least, most;
} ratio_span;

static void add_ratio(ratio_span *span, double ratio) {
    span->least = span->count == 0 || ratio < span->least ? ratio : span->least;
    span->most = span->count == 0 || ratio > span->most ? ratio : span->most;
    span->logs += log(ratio);
    span->count++;
}

/*
 * Only cells whose ratios are to raw; where accesses fault, raw cannot be. Where raw is vectorised, functions
 * that are called are far behind: those cells have a line of their own.
 */
static ratio_span span_of(const bench_report *report, size_t engine, bool vectorised) {
    ratio_span span = {0};
    for (size_t i = 0; i < report->cell_count; i++) {
        const bench_cell *cell = &report->cells[i];
        bool is_to_raw = strcmp(report->engines->all[cell->baseline].name, "raw") == 0;
        bool is_vectorised = cell->pattern == PATTERN_SEQUENTIAL;
        if (is_to_raw && is_vectorised == vectorised && cell->engines[engine].there)
            add_ratio(&span, cell->engines[engine].ratio.median);
    }
    return span;
}

/* A list whose items are distributed over lines. */
typedef struct item_list {
    const char *title;
    unsigned a_line, count;
} item_list;

static void begin_item(item_list *list, FILE *to) {
    if (list->count == 0)
        fprintf(to, "  %-*s", TITLE_COLUMNS, list->title);
    else if (list->count % list->a_line == 0)
        fprintf(to, ",\n  %*s", TITLE_COLUMNS, "");
    else
        fputs(", ", to);
    list->count++;
}

static void end_list(const item_list *list, FILE *to) {
    if (list->count > 0)
        fputc('\n', to);
}

static void print_accesses(const bench_report *report, bool vectorised, FILE *to) {
    item_list list = {vectorised ? "in a loop that raw has vectorised" : "an access over raw", 2, 0};
    for (size_t i = 0; i < report->engines->count; i++) {
        const bench_engine *engine = &report->engines->all[i];
        ratio_span span = span_of(report, i, vectorised);
        bool is_told = vectorised ? engine->form == FORM_INLINED : engine->form != FORM_PEER;
        if (!is_told || span.count == 0)
            continue;
        begin_item(&list, to);
        fprintf(to, "%s %.2f (%.2f to %.2f)", engine->name, exp(span.logs / span.count), span.least,
                span.most);
    }
    end_list(&list, to);
}

/* ---- Cell by cell, over the best exact peer ---- */

typedef struct rival_count {
    unsigned cells, ahead, behind;
} rival_count;

static rival_count count_rivals(const bench_report *report) {
    rival_count count = {0, 0, 0};
    for (size_t i = 0; i < report->cell_count; i++) {
        double ratio = report->cells[i].rivals.median;
        if (ratio <= 0)
            continue;
        count.cells++;
        count.ahead += ratio < 1 / LEVEL;
        count.behind += ratio > LEVEL;
    }
    return count;
}

static void print_behind(const bench_report *report, unsigned behind, FILE *to) {
    unsigned named = 0;
    for (size_t i = 0; i < report->cell_count && named < NAMED_MAX; i++) {
        const bench_cell *cell = &report->cells[i];
        if (cell->rivals.median <= LEVEL)
            continue;
        fprintf(to, "%s %s (%.*s, %s) %.2f", named == 0 ? ":" : ";", cell->layout->name,
                (int)strcspn(bench_pattern_titles[cell->pattern], ":"), bench_pattern_titles[cell->pattern],
                bench_set_names[cell->set], cell->rivals.median);
        named++;
    }
    if (behind > named)
        fprintf(to, "; and %u more", behind - named);
}

static void print_rivals(const bench_report *report, FILE *to) {
    rival_count count = count_rivals(report);
    if (count.cells == 0)
        return;
    fprintf(to, "  %-*sof %u cells ahead in %u, level in %u, behind in %u", TITLE_COLUMNS,
            "beside the best peer", count.cells, count.ahead, count.cells - count.ahead - count.behind,
            count.behind);
    print_behind(report, count.behind, to);
    fputc('\n', to);
}

/* ---- Programs, lives, and code ---- */

static void print_programs(const bench_programs *programs, FILE *to) {
    if (!programs->there)
        return;
    char title[TITLE_COLUMNS];
    snprintf(title, sizeof title, "whole programs over %s", programs->engines.all[0]->name);
    item_list list = {title, 5, 0};
    for (size_t i = 1; i < programs->engines.count; i++) {
        begin_item(&list, to);
        fprintf(to, "%s %.2f", programs->engines.all[i]->name, programs->means[i]);
    }
    end_list(&list, to);
}

/* The rows that stand for all, over their peers; the mean is over the sizes. */
static void print_lives(const bench_lives *lives, const char *side, FILE *to) {
    static const struct {
        const char *name, *title;
    } rows[] = {{"reset", "reset"},
                {"clone", "clone"},
                {"pool: take, write, give", "life from a pool"},
                {"pool: clone", "clone from a pool"}};
    char title[TITLE_COLUMNS];
    snprintf(title, sizeof title, "lives over the host's calls, %s", side);
    item_list list = {title, 2, 0};
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        ratio_span span = {0};
        for (size_t i = 0; i < lives->count; i++)
            if (strcmp(lives->all[i].side, side) == 0 && strcmp(lives->all[i].name, rows[row].name) == 0)
                add_ratio(&span, lives->all[i].ratio.median);
        if (span.count == 0)
            continue;
        begin_item(&list, to);
        fprintf(to, "%s %.2f (%.2f to %.2f)", rows[row].title, exp(span.logs / span.count), span.least,
                span.most);
    }
    end_list(&list, to);
}

static void print_cost(const bench_cost *cost, FILE *to) {
    double value = cost->value.median;
    fprintf(to, "  %-52s %.*f %s\n", cost->name, value >= 100 ? 0 : value >= 1 ? 2 : 4, value, cost->unit);
}

/* The costs that stand for their section, by name. */
static void print_costs(const bench_costs *costs, FILE *to) {
    static const char *const names[] = {
        "specialise: new layout, 16 regions, stencils", "specialise: new layout, 1 region, LLVM",
        "specialise: known layout, 1 thread asking, stencils", "fault: copy, status", "fault: paged, status"};
    for (size_t i = 0; i < costs->count; i++)
        for (size_t name = 0; name < sizeof names / sizeof names[0]; name++)
            if (strcmp(costs->all[i].name, names[name]) == 0)
                print_cost(&costs->all[i], to);
}

void bench_headline_print(const bench_report *report, FILE *to) {
    fputs("In short: geometric means, the least and the most in brackets; 1 is no check at all, under 5 % is "
          "level\n",
          to);
    print_accesses(report, false, to);
    print_accesses(report, true, to);
    print_rivals(report, to);
    print_programs(&report->programs, to);
    print_lives(&report->lives, bench_backend_name(MF_BACKEND_COPY), to);
    print_lives(&report->lives, bench_backend_name(MF_BACKEND_X86_PAGED), to);
    print_costs(&report->costs, to);
    fputc('\n', to);
}
