/* The report of lives. */
#include "bench/life_report.h"

#include <string.h>

#define SIZES_MAX 8

/* The sizes in the order in which they were measured. */
static size_t find_sizes(const bench_lives *lives, uint64_t sizes[SIZES_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < lives->count; i++)
        if (count == 0 || (sizes[count - 1] != lives->all[i].bytes && count < SIZES_MAX))
            sizes[count++] = lives->all[i].bytes;
    return count;
}

static const bench_life *find_life(const bench_lives *lives, const char *side, const char *name,
                                   uint64_t bytes) {
    for (size_t i = 0; i < lives->count; i++) {
        const bench_life *life = &lives->all[i];
        if (life->bytes == bytes && strcmp(life->side, side) == 0 && strcmp(life->name, name) == 0)
            return life;
    }
    return NULL;
}

/* The rows of the largest size are all rows. */
static bool is_row(const bench_lives *lives, const bench_life *life) {
    return life->bytes == lives->all[lives->count - 1].bytes;
}

static void print_size(uint64_t bytes, FILE *to) {
    if (bytes < 1 << 20)
        fprintf(to, "%6llu KiB", (unsigned long long)(bytes >> 10));
    else
        fprintf(to, "%6llu MiB", (unsigned long long)(bytes >> 20));
}

/* ---- Tables -------------------------------------------------------------------------------- */

typedef double value_of(const bench_life *life);

static double us_of(const bench_life *life) {
    return life->us.median;
}

static double ratio_of(const bench_life *life) {
    return life->ratio.median;
}

static double spread_of(const bench_life *life) {
    return (life->us.high - life->us.low) / life->us.median * 100;
}

static void print_table(const bench_lives *lives, const char *title, value_of *value, FILE *to) {
    uint64_t sizes[SIZES_MAX];
    size_t count = find_sizes(lives, sizes);
    fprintf(to, "  %-32s", title);
    for (size_t i = 0; i < count; i++)
        print_size(sizes[i], to);
    fputc('\n', to);
    for (size_t r = 0; r < lives->count; r++) {
        const bench_life *row = &lives->all[r];
        if (!is_row(lives, row) || value(row) <= 0)
            continue;
        fprintf(to, "  %-6s %-25s", row->side, row->name);
        for (size_t i = 0; i < count; i++) {
            const bench_life *life = find_life(lives, row->side, row->name, sizes[i]);
            if (life == NULL)
                fprintf(to, "%10s", "-");
            else
                fprintf(to, "%10.*f", value(life) >= 100 ? 0 : 2, value(life));
        }
        if (value == ratio_of)
            fprintf(to, "  over %s", row->peer);
        fputc('\n', to);
    }
}

void life_report_print(const bench_lives *lives, FILE *to) {
    if (!lives->there)
        return;
    fprintf(to, "lives of memories of one region, %d pages of it written unless said\n", LIFE_WRITTEN_PAGES);
    print_table(lives, "us", us_of, to);
    print_table(lives, "over a peer", ratio_of, to);
    print_table(lives, "spread, %", spread_of, to);
    for (int i = 0; i < 2; i++)
        fprintf(to, "  %-6s %llu memories of one image of %llu MiB: %.1f KiB resident each\n",
                lives->crowds[i].side, (unsigned long long)lives->crowds[i].memories,
                (unsigned long long)(lives->crowds[i].image_bytes >> 20), lives->crowds[i].kib_each);
    fputc('\n', to);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void print_summary(const char *name, bench_summary summary, FILE *to) {
    fprintf(to, ", \"%s\": {\"median\": %.6g, \"q1\": %.6g, \"q3\": %.6g}", name, summary.median, summary.low,
            summary.high);
}

void life_report_print_json(const bench_lives *lives, FILE *to) {
    fputc('[', to);
    for (size_t i = 0; i < lives->count; i++) {
        const bench_life *life = &lives->all[i];
        fprintf(to, "%s\n  {\"what\": \"%s\", \"side\": \"%s\", \"bytes\": %llu", i == 0 ? "" : ",",
                life->name, life->side, (unsigned long long)life->bytes);
        print_summary("us", life->us, to);
        if (life->peer != NULL) {
            fprintf(to, ", \"peer\": \"%s\"", life->peer);
            print_summary("ratio", life->ratio, to);
        }
        fputc('}', to);
    }
    for (int i = 0; lives->there && i < 2; i++)
        fprintf(to,
                ",\n  {\"what\": \"resident\", \"side\": \"%s\", \"bytes\": %llu, \"memories\": %llu, "
                "\"kib_each\": %.6g}",
                lives->crowds[i].side, (unsigned long long)lives->crowds[i].image_bytes,
                (unsigned long long)lives->crowds[i].memories, lives->crowds[i].kib_each);
    fputc(']', to);
}

/* ---- The picture --------------------------------------------------------------------------- */

/* The rows that are drawn; paged has the same colour as copy, and is dashed. */
typedef struct life_look {
    const char *name;
    const char *colour;
    double width;
} life_look;

static const life_look looks[] = {
    {"create, image", "#7b3fa0", 2.5},        {"clone, image", "#0b62c4", 3},
    {"pool: clone, image", "#2ea9d6", 3},     {"reset, image", "#d1242f", 3},
    {"create, write, destroy", "#118a5c", 2}, {"pool: take, write, give", "#f08a5d", 3},
    {"map, copy of all", "#777777", 1.5},     {"fork, child exits", "#b0b0b0", 1.5},
    {"map, write, unmap", "#111111", 1.5},    {"scan + copy", "#c79a00", 1.5},
};

static const life_look *look_of(const bench_life *life) {
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
        if (strcmp(looks[i].name, life->name) == 0)
            return &looks[i];
    return NULL;
}

static void print_points(const bench_lives *lives, const bench_life *row, size_t number, FILE *to) {
    fprintf(to, "$row%zu << END\n", number);
    for (size_t i = 0; i < lives->count; i++) {
        const bench_life *life = &lives->all[i];
        if (strcmp(life->side, row->side) == 0 && strcmp(life->name, row->name) == 0)
            fprintf(to, "%.6g %.5g\n", (double)life->bytes / 1024, life->us.median);
    }
    fputs("END\n", to);
}

static void print_frame(FILE *to) {
    fputs("set terminal svg size 1000,600 dynamic background '#ffffff' font 'Helvetica,13'\n"
          "set encoding utf8\n"
          "set logscale x 2\n"
          "set logscale y 10\n"
          "set xlabel 'size of the memory'\n"
          "set ylabel 'microseconds'\n"
          "set border 3 linecolor rgb '#888888'\n"
          "set tics nomirror textcolor rgb '#333333'\n"
          "set xrange [64:270000]\n"
          "set xtics ('64 KiB' 64, '1 MiB' 1024, '16 MiB' 16384, '256 MiB' 262144)\n"
          "set ytics (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, '1 ms' 1e3, '10 ms' 1e4, '100 ms' 1e5, '1 s' "
          "1e6)\n"
          "set grid ytics linecolor rgb '#e4e4e4'\n"
          "set key outside right top vertical reverse Left samplen 3\n",
          to);
    fprintf(to, "set title \"What the lives of a guest cost\\n{/*0.85 %d pages written; lower is better}\"\n",
            LIFE_WRITTEN_PAGES);
}

void life_report_print_plot(const bench_lives *lives, FILE *to) {
    const char *separator = "plot";
    print_frame(to);
    for (size_t i = 0; i < lives->count; i++)
        if (is_row(lives, &lives->all[i]) && look_of(&lives->all[i]) != NULL)
            print_points(lives, &lives->all[i], i, to);
    for (size_t i = 0; i < lives->count; i++) {
        const bench_life *row = &lives->all[i];
        const life_look *look = look_of(row);
        bool is_peer = strcmp(row->side, "peer") == 0;
        if (!is_row(lives, row) || look == NULL)
            continue;
        fprintf(to,
                "%s $row%zu using 1:2 with linespoints title '%s%s%s' linecolor rgb '%s' linewidth %.1f "
                "dashtype %s pointtype 7 pointsize 0.5",
                separator, i, is_peer ? "" : row->side, is_peer ? "" : ": ", row->name, look->colour,
                look->width,
                strcmp(row->side, "paged") == 0 ? "'-'"
                : is_peer                       ? "'.'"
                                                : "1");
        separator = ",";
    }
    fputc('\n', to);
}
