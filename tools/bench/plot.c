/*
 * The picture, drawn by gnuplot: ns per access against the number of regions, one line per engine. Each line
 * is named at its end, in its own colour, with a leader to names that were moved apart; memfold's are thick.
 * Where no accesses were measured it is the programs' own (program_report.h), and without these that of lives
 * (life_report.h).
 */
#include "bench/plot.h"

#include "bench/life_report.h"
#include "bench/program_report.h"
#include "command.h"
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Colours, widths and dashes tell the engines apart, also for the colour-blind. memfold has the strongest
 * colours.
 */
typedef struct line_look {
    const char *engine;
    const char *colour;
    double width;
    const char *dashes;
} line_look;

static const line_look looks[] = {
    {"inlined-copy", "#d1242f", 4.5, "1"}, {"inlined-paged", "#0b62c4", 4.5, "1"},
    {"called-copy", "#f08a5d", 3, "1"},    {"called-paged", "#6aa9ee", 3, "1"},
    {"stencil-copy", "#f7c59f", 3, "'-'"}, {"stencil-paged", "#a9cdf5", 3, "'-'"},
    {"raw", "#111111", 2, "'-'"},          {"mprotect", "#777777", 1.5, "'-'"},
    {"seed", "#a09a00", 1.5, "'.'"},       {"list", "#8a5a2b", 1.5, "1"},
    {"search", "#7b3fa0", 1.5, "1"},       {"bytes", "#118a5c", 1.5, "1"},
    {"tlb", "#c0409a", 1.5, "1"},          {"generic", "#555577", 1.5, "'.'"},
};
static const line_look other_look = {"", "#2a9d8f", 2, "'_'"};

static const line_look *look_of(const char *engine) {
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
        if (strcmp(looks[i].engine, engine) == 0)
            return &looks[i];
    return &other_look;
}

/* ---- The points ---- */

/* What one picture shows. */
typedef struct plot_view {
    const bench_report *report;
    bench_pattern pattern;
    bench_set set;
    bool of_programs; /* the picture of programs, which have neither of these; */
    bool of_lives;    /* or that of lives */
} plot_view;

static bool shown(const plot_view *plot, const bench_cell *cell) {
    return cell->layout->regions > 0 && cell->pattern == plot->pattern && cell->set == plot->set;
}

/* The ns at the largest number of regions, where the line's name goes; 0 if it has no point. */
static double last_value(const plot_view *plot, size_t engine, uint64_t *regions) {
    double value = 0;
    *regions = 0;
    for (size_t i = 0; i < plot->report->cell_count; i++) {
        const bench_cell *cell = &plot->report->cells[i];
        if (shown(plot, cell) && cell->engines[engine].there && cell->layout->regions >= *regions) {
            value = cell->engines[engine].ns.median;
            *regions = cell->layout->regions;
        }
    }
    return value;
}

/* ---- Names at the ends ---- */

#define NAMES_HIGH 26 /* rows of names that the picture has room for */

typedef struct line_label {
    size_t engine;
    uint64_t regions;
    double end; /* log10 of the ns where the line ends */
    double at;  /* the same where the name stands */
} line_label;

static int by_height(const void *a, const void *b) {
    double left = ((const line_label *)a)->at;
    double right = ((const line_label *)b)->at;
    return (left > right) - (left < right);
}

/* From the lowest up, each name keeps its distance to the one below. */
static void move_apart(line_label *labels, size_t count, double distance) {
    qsort(labels, count, sizeof *labels, by_height);
    for (size_t i = 1; i < count; i++)
        if (labels[i].at < labels[i - 1].at + distance)
            labels[i].at = labels[i - 1].at + distance;
}

static size_t make_labels(const plot_view *plot, line_label labels[BENCH_ENGINES_MAX], double *top) {
    size_t count = 0;
    *top = 0;
    for (size_t i = 0; i < plot->report->engines->count; i++) {
        uint64_t regions;
        double value = last_value(plot, i, &regions);
        if (value <= 0)
            continue;
        labels[count++] = (line_label){i, regions, log10(value), log10(value)};
        if (log10(value) > *top)
            *top = log10(value);
    }
    return count;
}

/* From the end of the line to its name. */
static void print_leader(const line_label *label, const line_look *look, FILE *to) {
    fprintf(to,
            "set arrow from first %.1f, %.6g to first %.1f, %.6g nohead linecolor rgb '%s' linewidth 0.8 "
            "back\n",
            (double)label->regions * 1.03, pow(10, label->end), (double)label->regions * 1.22,
            pow(10, label->at), look->colour);
}

static void print_labels(const plot_view *plot, FILE *to) {
    line_label labels[BENCH_ENGINES_MAX];
    double top;
    size_t count = make_labels(plot, labels, &top);
    move_apart(labels, count, (top + 1) / NAMES_HIGH);
    for (size_t i = 0; i < count; i++) {
        const char *name = plot->report->engines->all[labels[i].engine].name;
        const line_look *look = look_of(name);
        fprintf(to, "set label \"%s\" at first %.1f, %.6g left textcolor rgb '%s'%s\n", name,
                (double)labels[i].regions * 1.25, pow(10, labels[i].at), look->colour,
                look->width > 2 ? " font ',14'" : "");
        print_leader(&labels[i], look, to);
    }
}

/* ---- The script ---- */

static void print_data(const plot_view *plot, size_t engine, FILE *to) {
    fprintf(to, "$engine%zu << END\n", engine);
    for (size_t i = 0; i < plot->report->cell_count; i++) {
        const bench_cell *cell = &plot->report->cells[i];
        if (shown(plot, cell) && cell->engines[engine].there)
            fprintf(to, "%llu %.5g\n", (unsigned long long)cell->layout->regions,
                    cell->engines[engine].ns.median);
    }
    fputs("END\n", to);
}

/* The axis ends where the lines do, a hair later: gnuplot leaves out a tick that it finds beyond its end. */
static void print_range(const plot_view *plot, FILE *to) {
    uint64_t most = 2;
    uint64_t regions;
    for (size_t i = 0; i < plot->report->engines->count; i++)
        if (last_value(plot, i, &regions) > 0 && regions > most)
            most = regions;
    fprintf(to, "set xrange [1:%.1f]\n", (double)most * 1.001);
}

static void print_frame(const plot_view *plot, FILE *to) {
    fputs("set terminal svg size 1000,640 dynamic background '#ffffff' font 'Helvetica,13'\n"
          "set encoding utf8\n"
          "set logscale x 2\n"
          "set logscale y 10\n"
          "set xlabel 'regions of the layout'\n"
          "set ylabel 'ns per access'\n"
          "set border 3 linecolor rgb '#888888'\n"
          "set tics nomirror textcolor rgb '#333333'\n"
          "set xtics (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, '1024' 1024, '2048' 2048, '4096' 4096)\n"
          "set ytics (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)\n"
          "set grid ytics linecolor rgb '#e4e4e4'\n"
          "set rmargin 20\n"
          "unset key\n",
          to);
    print_range(plot, to);
    fprintf(to, "set title \"What one guest access costs\\n{/*0.85 %s; working set %s; lower is better}\"\n",
            bench_pattern_titles[plot->pattern], bench_set_names[plot->set]);
}

/* The thick lines come last, over the others. */
static void print_lines(const plot_view *plot, FILE *to) {
    const bench_engines *engines = plot->report->engines;
    const char *separator = "plot";
    uint64_t regions;
    for (int thick = 0; thick <= 1; thick++)
        for (size_t i = 0; i < engines->count; i++) {
            const line_look *look = look_of(engines->all[i].name);
            if ((look->width > 2) != (thick == 1) || last_value(plot, i, &regions) <= 0)
                continue;
            fprintf(to,
                    "%s $engine%zu using 1:2 with linespoints linecolor rgb '%s' linewidth %.1f dashtype %s "
                    "pointtype 7 pointsize %.2f",
                    separator, i, look->colour, look->width, look->dashes, thick == 1 ? 0.6 : 0.35);
            separator = ",";
        }
    fputc('\n', to);
}

/* The first cell that is drawn says which pattern and working set the picture has, if there is one. */
static bool choose(plot_view *plot) {
    for (size_t i = 0; i < plot->report->cell_count; i++) {
        const bench_cell *cell = &plot->report->cells[i];
        plot->pattern = cell->pattern;
        plot->set = cell->set;
        if (shown(plot, cell))
            return true;
    }
    plot->of_programs = plot->report->programs.there;
    plot->of_lives = !plot->of_programs && plot->report->lives.there;
    return plot->of_programs || plot->of_lives;
}

static void print_script(const plot_view *plot, FILE *to) {
    if (plot->of_programs) {
        program_report_print_plot(&plot->report->programs, to);
        return;
    }
    if (plot->of_lives) {
        life_report_print_plot(&plot->report->lives, to);
        return;
    }
    print_frame(plot, to);
    for (size_t i = 0; i < plot->report->engines->count; i++)
        print_data(plot, i, to);
    print_labels(plot, to);
    print_lines(plot, to);
}

/* ---- gnuplot ---- */

/* Starts gnuplot, which writes to the descriptor `output`, and returns the stream of its script. */
static FILE *start_gnuplot(int output, pid_t *child) {
    int ends[2];
    if (pipe(ends) != 0)
        return NULL;
    fflush(NULL);
    *child = fork();
    if (*child == 0) {
        dup2(ends[0], STDIN_FILENO);
        dup2(output, STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp("gnuplot", "gnuplot", "-", (char *)NULL);
        _exit(127);
    }
    close(ends[0]);
    if (*child < 0) {
        close(ends[1]);
        return NULL;
    }
    return fdopen(ends[1], "w");
}

static int end_gnuplot(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Nothing is drawn, gnuplot only started, if `plot` is NULL. */
static bool draw(const plot_view *plot, FILE *to) {
    pid_t child;
    FILE *script = start_gnuplot(fileno(to), &child);
    if (script == NULL) {
        fail_print(NULL, 0, "bench: cannot start gnuplot: %s", strerror(errno));
        return false;
    }
    if (plot != NULL)
        print_script(plot, script);
    fclose(script);
    int code = end_gnuplot(child);
    if (code == 127)
        fail_print(NULL, 0, "bench: --plot needs gnuplot, which is not installed (Debian: gnuplot-nox)");
    else if (code != 0)
        fail_print(NULL, 0, "bench: gnuplot failed");
    return code == 0;
}

/* Copies all that has been written to `from`. */
static bool copy_file(FILE *from, FILE *to) {
    char bytes[4096];
    size_t count;
    rewind(from);
    while ((count = fread(bytes, 1, sizeof bytes, from)) > 0)
        if (fwrite(bytes, 1, count, to) != count)
            return false;
    return ferror(from) == 0;
}

bool bench_plot_check(bool nothing) {
    if (nothing) {
        fail_print(NULL, 0, "bench: --plot needs layouts of --regions, or programs, or lives");
        return false;
    }
    return draw(NULL, stderr);
}

/* gnuplot draws into a temporary file, so that a picture that fails leaves `path` as it is. */
bool bench_plot_write(const bench_report *report, const char *path) {
    plot_view plot = {.report = report};
    output_file output;
    if (!choose(&plot))
        return bench_plot_check(true);
    FILE *picture = tmpfile();
    if (picture == NULL) {
        fail_print(NULL, 0, "bench: no temporary file: %s", strerror(errno));
        return false;
    }
    bool written = draw(&plot, picture) && output_open(&output, path);
    if (written) {
        bool copied = copy_file(picture, output.stream);
        written = output_finish(&output) && copied;
    }
    fclose(picture);
    return written;
}
