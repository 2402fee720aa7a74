/* The report for programs. */
#include "bench/json.h"

#include "bench/life_report.h"
#include "bench/program_report.h"

#include <string.h>

/* A string: quotes and backslashes escaped, control characters replaced by '?'. */
static void print_text(const char *text, FILE *to) {
    fputc('"', to);
    for (uint32_t character; (character = (uint32_t)(unsigned char)*text) != 0; text++)
        if (character == '"' || character == '\\')
            fprintf(to, "\\%c", (int)character);
        else
            fputc(character < 0x20 ? '?' : (int)character, to);
    fputc('"', to);
}

static void print_summary(const char *name, bench_summary summary, FILE *to) {
    fprintf(to, "\"%s\": {\"median\": %.6g, \"q1\": %.6g, \"q3\": %.6g}", name, summary.median, summary.low,
            summary.high);
}

/* The word of a number in "a|b|c". */
static void print_choice(const char *choices, unsigned choice, FILE *to) {
    while (choice-- > 0)
        choices = strchr(choices, '|') + 1;
    fprintf(to, "\"%.*s\"", (int)strcspn(choices, "|"), choices);
}

static void print_engine(const char *name, const bench_measurement *measurement, FILE *to) {
    fputs("{\"engine\": ", to);
    print_text(name, to);
    fputs(", ", to);
    print_summary("ns_per_access", measurement->ns, to);
    fputs(", ", to);
    print_summary("ratio", measurement->ratio, to);
    if (measurement->instructions > 0)
        fprintf(to, ", \"instructions_per_access\": %.3f", measurement->instructions);
    fputc('}', to);
}

static void print_cell(const bench_report *report, const bench_cell *cell, FILE *to) {
    const char *separator = "";
    fputs("{\"layout\": ", to);
    print_text(cell->layout->name, to);
    fprintf(to, ", \"regions\": %zu, \"pattern\": ", mf_layout_region_count(cell->layout->layout));
    print_choice(bench_pattern_names, cell->pattern, to);
    fprintf(to, ", \"working_set\": \"%s\", \"baseline\": ", bench_set_names[cell->set]);
    print_text(report->engines->all[cell->baseline].name, to);
    if (cell->rivals.median > 0) {
        fputs(", ", to);
        print_summary("inlined_over_best_peer", cell->rivals, to);
    }
    fputs(", \"engines\": [", to);
    for (size_t i = 0; i < report->engines->count; i++) {
        if (!cell->engines[i].there)
            continue;
        fprintf(to, "%s\n    ", separator);
        print_engine(report->engines->all[i].name, &cell->engines[i], to);
        separator = ",";
    }
    fputs("]}", to);
}

static void print_cost(const bench_cost *cost, FILE *to) {
    fputs("{\"what\": ", to);
    print_text(cost->name, to);
    fprintf(to, ", \"unit\": \"%s\", ", cost->unit);
    print_summary("value", cost->value, to);
    fputc('}', to);
}

void bench_json_print(const bench_report *report, FILE *to) {
    fprintf(to, "{\"rounds\": %u, \"quick\": %s, \"huge_pages\": %s,\n \"cells\": [", report->rounds,
            report->quick ? "true" : "false", report->huge_pages ? "true" : "false");
    for (size_t i = 0; i < report->cell_count; i++) {
        fputs(i == 0 ? "\n  " : ",\n  ", to);
        print_cell(report, &report->cells[i], to);
    }
    fputs("],\n \"programs\": ", to);
    program_report_print_json(&report->programs, to);
    fputs(",\n \"lives\": ", to);
    life_report_print_json(&report->lives, to);
    fputs(",\n \"costs\": [", to);
    for (size_t i = 0; i < report->costs.count; i++) {
        fputs(i == 0 ? "\n  " : ",\n  ", to);
        print_cost(&report->costs.all[i], to);
    }
    fputs("]}\n", to);
}
