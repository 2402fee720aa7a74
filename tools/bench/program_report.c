/* The programs' tables, JSON and picture. */
#include "bench/program_report.h"

#include <string.h>

#define NAME_COLUMNS 18
#define CELL_COLUMNS 9

static const unsigned map_regions[PROGRAM_MAP_COUNT] = {1, 4, 3, 16};
static const char *const map_titles[PROGRAM_MAP_COUNT] = {"1", "4", "3+heap", "16"};

/* ---- Tables ---- */

typedef double value_of(const bench_measurement *measurement);

static double us_of(const bench_measurement *measurement) {
    return measurement->ns.median / 1000;
}
static double ratio_of(const bench_measurement *measurement) {
    return measurement->ratio.median;
}
static double spread_of(const bench_measurement *measurement) {
    return (measurement->ns.high - measurement->ns.low) / measurement->ns.median * 100;
}
static double thousands_of(const bench_measurement *measurement) {
    return measurement->instructions / 1000;
}

static void print_header(const char *title, bool with_mean, FILE *to) {
    fprintf(to, "  %-*s%8s", NAME_COLUMNS, title, "regions");
    for (int id = 0; id < PROGRAM_COUNT; id++)
        fprintf(to, "%*s", CELL_COLUMNS, program_get((program_id)id)->name);
    fprintf(to, with_mean ? "%*s\n" : "\n", CELL_COLUMNS, "mean");
}

static void print_table(const bench_programs *programs, const char *title, value_of *value, int decimals,
                        FILE *to) {
    bool with_mean = value == ratio_of;
    print_header(title, with_mean, to);
    for (size_t i = 0; i < programs->engines.count; i++) {
        const program_engine *engine = programs->engines.all[i];
        fprintf(to, "  %-*s%8s", NAME_COLUMNS, engine->name, map_titles[engine->map]);
        for (int id = 0; id < PROGRAM_COUNT; id++)
            fprintf(to, "%*.*f", CELL_COLUMNS, decimals, value(&programs->cells[id][i]));
        if (with_mean)
            fprintf(to, "%*.*f", CELL_COLUMNS, decimals, programs->means[i]);
        fputc('\n', to);
    }
}

void program_report_print(const bench_programs *programs, FILE *to) {
    char over[64];
    if (!programs->there)
        return;
    fputs("whole programs, in the thread's CPU time; all engines compute the same\n", to);
    for (int id = 0; id < PROGRAM_COUNT; id++)
        fprintf(to, "  %-*s%s\n", CELL_COLUMNS, program_get((program_id)id)->name,
                program_get((program_id)id)->title);
    snprintf(over, sizeof over, "over %s", programs->engines.all[0]->name);
    print_table(programs, "us per run", us_of, 1, to);
    print_table(programs, over, ratio_of, 2, to);
    print_table(programs, "spread, %", spread_of, 0, to);
    if (programs->cells[0][0].instructions > 0)
        print_table(programs, "1000 instructions", thousands_of, 0, to);
    fputc('\n', to);
}

/* ---- JSON ---- */

static void print_summary(const char *name, bench_summary summary, FILE *to) {
    fprintf(to, "\"%s\": {\"median\": %.6g, \"q1\": %.6g, \"q3\": %.6g}", name, summary.median, summary.low,
            summary.high);
}

static void print_cells(const bench_programs *programs, size_t engine, FILE *to) {
    for (int id = 0; id < PROGRAM_COUNT; id++) {
        const bench_measurement *cell = &programs->cells[id][engine];
        fprintf(to, "%s\n    {\"program\": \"%s\", ", id == 0 ? "" : ",", program_get((program_id)id)->name);
        print_summary("ns_per_run", cell->ns, to);
        fputs(", ", to);
        print_summary("ratio", cell->ratio, to);
        if (cell->instructions > 0)
            fprintf(to, ", \"instructions_per_run\": %.0f", cell->instructions);
        fputc('}', to);
    }
}

void program_report_print_json(const bench_programs *programs, FILE *to) {
    fputc('[', to);
    for (size_t i = 0; programs->there && i < programs->engines.count; i++) {
        const program_engine *engine = programs->engines.all[i];
        fprintf(to,
                "%s\n  {\"engine\": \"%s\", \"regions\": %u, \"heap\": %s, \"baseline\": \"%s\", "
                "\"mean_ratio\": %.6g,",
                i == 0 ? "" : ",", engine->name, map_regions[engine->map],
                engine->map == PROGRAM_MAP_HEAP ? "true" : "false", programs->engines.all[0]->name,
                programs->means[i]);
        fputs(" \"programs\": [", to);
        print_cells(programs, i, to);
        fputs("]}", to);
    }
    fputc(']', to);
}

/* ---- The picture ---- */

/* memfold's engines have the strong colours, the others greys. */
static const char *colour_of(const program_engine *engine, size_t place) {
    static const char *const ours[] = {"#0b62c4", "#6aa9ee", "#d1242f", "#f08a5d", "#c79a00",
                                       "#7b3fa0", "#c0409a", "#118a5c", "#2a9d8f", "#555577"};
    static const char *const others[] = {"#c8c8c8", "#9a9a9a", "#6a6a6a", "#3a3a3a"};
    bool is_ours = engine->form == PROGRAM_FORM_BUILDER || engine->form == PROGRAM_FORM_FUNCTIONS;
    return is_ours ? ours[place % (sizeof ours / sizeof ours[0])] : others[place % 4];
}

/* The baseline has a bar only if it is alone. */
static size_t first_bar(const bench_programs *programs) {
    return programs->engines.count > 1 ? 1 : 0;
}

static void print_data(const bench_programs *programs, FILE *to) {
    fputs("$ratios << END\n", to);
    for (int id = 0; id <= PROGRAM_COUNT; id++) {
        fputs(id < PROGRAM_COUNT ? program_get((program_id)id)->name : "mean", to);
        for (size_t i = first_bar(programs); i < programs->engines.count; i++)
            fprintf(to, " %.4g",
                    id < PROGRAM_COUNT ? programs->cells[id][i].ratio.median : programs->means[i]);
        fputc('\n', to);
    }
    fputs("END\n", to);
}

static void print_bars(const bench_programs *programs, FILE *to) {
    const char *separator = "plot";
    size_t ours = 0, others = 0;
    for (size_t i = first_bar(programs); i < programs->engines.count; i++) {
        const program_engine *engine = programs->engines.all[i];
        bool is_ours = engine->form == PROGRAM_FORM_BUILDER || engine->form == PROGRAM_FORM_FUNCTIONS;
        fprintf(to, "%s $ratios using %zu:xtic(1) title '%s' linecolor rgb '%s'", separator,
                i + 2 - first_bar(programs), engine->name, colour_of(engine, is_ours ? ours++ : others++));
        separator = ",";
    }
    fputc('\n', to);
}

void program_report_print_plot(const bench_programs *programs, FILE *to) {
    fputs("set terminal svg size 1200,560 dynamic background '#ffffff' font 'Helvetica,13'\n"
          "set encoding utf8\n"
          "set style data histograms\n"
          "set style histogram clustered gap 1.5\n"
          "set style fill solid 1 noborder\n"
          "set boxwidth 0.92\n"
          "set border 3 linecolor rgb '#888888'\n"
          "set tics nomirror textcolor rgb '#333333'\n"
          "set yrange [0:*]\n"
          "set grid ytics linecolor rgb '#e4e4e4'\n"
          "set key outside right top vertical reverse Left samplen 1\n",
          to);
    fprintf(to, "set ylabel 'time over %s'\n", programs->engines.all[0]->name);
    fprintf(to,
            "set title \"What whole programs cost\\n{/*0.85 CPU time over %s; mean is the geometric one; "
            "lower is better}\"\n",
            programs->engines.all[0]->name);
    print_data(programs, to);
    print_bars(programs, to);
}
