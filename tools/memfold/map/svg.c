/* The picture as SVG: the space to scale, and beside it the rows on a log scale. */
#include "map/svg.h"

#include "text.h"

#include <inttypes.h>
#include <string.h>

/*
 * Two panels. Left: the space to scale, where a small sandbox is a thin line. Right: the rows of the picture,
 * their heights on a log scale, never lower than a line of text. Bands connect the two. Lengths are pixels;
 * text is monospaced, so that the columns below hold what is written into them.
 */
enum {
    WIDTH = 960,
    MARGIN = 32,
    LEGEND_Y = 96,
    PANELS_Y = 140,
    SCALE_X = 116, /* the left panel, and the labels before it */
    SCALE_WIDTH = 36,
    SCALE_HEIGHT_MIN = 360,
    SCALE_HEIGHT_MAX = 4096,
    BAND_X = 236, /* where the bands reach their rows */
    ADDRESS_X = 326,
    BOX_X = 334,
    BOX_WIDTH = 424,
    NAMES_X = BOX_X + 16,
    NAMES_CHARACTERS = 24,
    SIZE_X = BOX_X + 286, /* ends of right-aligned columns */
    PAGES_X = BOX_X + 386,
    PERM_X = BOX_X + 412,
    BRACKET_X = 774,
    BRACKET_WIDTH = 7,
    BRACKET_STEP = 84,
    ROW_HEIGHT_MIN = 28,
    ROW_HEIGHT_PER_DOUBLING = 3,
    LINE_HEIGHT = 20,
    LIST_X = MARGIN,
    LIST_STEP = (WIDTH - 2 * MARGIN) / 2
};

static const char style[] =
    "<style>\n"
    "text { font: 12px 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1f2933 }\n"
    ".title { font-size: 20px; font-weight: bold }\n"
    ".quiet { fill: #6b7785; font-size: 11px }\n"
    ".end { text-anchor: end }\n"
    ".bold { font-weight: bold }\n"
    ".bracket { fill: none; stroke: #52606d; stroke-width: 1.5 }\n"
    ".ro { fill: #cfe3fb } .ro-strong { fill: #2f74c8 }\n"
    ".rw { fill: #fde1c9 } .rw-strong { fill: #dd7325 }\n"
    ".heap { fill: url(#hatch) } .heap-strong { fill: #4f9d5d }\n"
    ".hole { fill: #f5f6f8 } .hole-strong { fill: #e3e7ec }\n"
    ".band { opacity: 0.3 }\n"
    "</style>\n"
    "<defs><pattern id=\"hatch\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" "
    "patternTransform=\"rotate(45)\"><rect width=\"8\" height=\"8\" fill=\"#e6f4e8\"/>"
    "<rect width=\"3\" height=\"8\" fill=\"#c4e3ca\"/></pattern></defs>\n";

static const char *const kind_classes[SPAN_KINDS] = {"hole", "ro", "rw", "heap"};

typedef struct map_svg {
    const map_space *space;
    FILE *to;
    int panels_height; /* of both */
} map_svg;

/* ---- Elements ---- */

/* `suffix` "-strong" takes the saturated colour of the kind. */
static void print_rect(const map_svg *svg, int x, int y, int width, int height, map_span_kind kind,
                       const char *suffix) {
    fprintf(svg->to, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"%s%s\"/>\n", x, y, width,
            height, kind_classes[kind], suffix);
}

static void print_escaped(FILE *to, const char *text) {
    for (; *text != '\0'; text++)
        if (*text == '&')
            fputs("&amp;", to);
        else if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '>')
            fputs("&gt;", to);
        else
            fputc(*text, to);
}

/* `text` is valid UTF-8 without control characters: it comes from text_clip or from this file. */
static void print_text(const map_svg *svg, int x, int y, const char *class, const char *text) {
    fprintf(svg->to, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
    print_escaped(svg->to, text);
    fputs("</text>\n", svg->to);
}

static void print_address(const map_svg *svg, int x, int y, uint64_t address) {
    char text[24];
    snprintf(text, sizeof text, "0x%08" PRIx64, address);
    print_text(svg, x, y, "quiet end", text);
}

/* ---- Geometry ---- */

static int row_height(const map_space *space, const map_row *row) {
    if (row->count > 1)
        return ROW_HEIGHT_MIN;
    int doublings = 0;
    for (uint64_t pages = space->spans[row->first].size / MF_PAGE_SIZE; pages > 1; pages /= 2)
        doublings++;
    return ROW_HEIGHT_MIN + ROW_HEIGHT_PER_DOUBLING * doublings;
}

static int rows_height(const map_space *space) {
    int height = 0;
    for (size_t i = 0; i < space->row_count; i++)
        height += row_height(space, &space->rows[i]);
    return height;
}

/* Where `address` lies in the panel to scale, from its top. */
static int scale_offset(const map_svg *svg, uint64_t address) {
    return (int)(address * (uint64_t)svg->panels_height / MF_SPACE_BYTES);
}

/* ---- The panel to scale ---- */

/*
 * Colours one column of pixels. Every span has at least one pixel; where several share one, mapped pages win
 * over the heap, and the heap over holes.
 */
static void paint_scale(const map_svg *svg, unsigned char *pixels) {
    static const unsigned char rank[SPAN_KINDS] = {
        [SPAN_HOLE] = 0, [SPAN_HEAP] = 1, [SPAN_RO] = 2, [SPAN_RW] = 3};
    for (size_t i = 0; i < svg->space->span_count; i++) {
        const map_span *span = &svg->space->spans[i];
        int first = scale_offset(svg, span->start);
        int last = scale_offset(svg, span->start + span->size - 1);
        for (int y = first; y <= last; y++)
            if (rank[span->kind] > rank[pixels[y]])
                pixels[y] = (unsigned char)span->kind;
    }
}

static void print_scale(const map_svg *svg) {
    unsigned char pixels[SCALE_HEIGHT_MAX] = {SPAN_HOLE};
    paint_scale(svg, pixels);
    for (int y = 0, end; y < svg->panels_height; y = end) {
        for (end = y + 1; end < svg->panels_height && pixels[end] == pixels[y];)
            end++;
        print_rect(svg, SCALE_X, PANELS_Y + y, SCALE_WIDTH, end - y, (map_span_kind)pixels[y], "-strong");
    }
    for (int quarter = 0; quarter <= 4; quarter++) {
        uint64_t address = MF_SPACE_BYTES / 4 * (uint64_t)quarter;
        print_address(svg, SCALE_X - 6, PANELS_Y + scale_offset(svg, address) + 4, address);
    }
}

/* From a span in the left panel to its row in the right one. */
static void print_band(const map_svg *svg, const map_row *row, int y, int height) {
    map_span_kind kind = svg->space->spans[row->first].kind;
    if (row->count > 1 || kind == SPAN_HOLE)
        return;
    int from = PANELS_Y + scale_offset(svg, map_row_start(svg->space, row));
    int to = PANELS_Y + scale_offset(svg, map_row_end(svg->space, row) - 1) + 1;
    int x = SCALE_X + SCALE_WIDTH;
    fprintf(svg->to, "<polygon points=\"%d,%d %d,%d %d,%d %d,%d %d,%d %d,%d\" class=\"%s-strong band\"/>\n",
            x, from, BAND_X, y, BOX_X, y, BOX_X, y + height, BAND_X, y + height, x, to, kind_classes[kind]);
}

/* ---- The panel of rows ---- */

static void print_span_row(const map_svg *svg, const map_row *row, int y, int height) {
    const map_span *span = &svg->space->spans[row->first];
    char names[4 * NAMES_CHARACTERS + 64], size[SIZE_TEXT_BYTES], pages[40];
    uint64_t page_count = span->size / MF_PAGE_SIZE;
    int baseline = y + height / 2 + 4;
    print_rect(svg, BOX_X, y, BOX_WIDTH, height - 1, span->kind, "");
    print_rect(svg, BOX_X, y, 6, height - 1, span->kind, "-strong");
    map_span_names(svg->space, span, NAMES_CHARACTERS, false, names, sizeof names);
    snprintf(pages, sizeof pages, "%" PRIu64 " page%s", page_count, page_count == 1 ? "" : "s");
    print_text(svg, NAMES_X, baseline, "bold", names);
    print_text(svg, SIZE_X, baseline, "quiet end", size_print(span->size, size));
    print_text(svg, PAGES_X, baseline, "quiet end", pages);
    print_text(svg, PERM_X, baseline, "quiet end", map_span_perm_word(span->kind));
}

static void print_left_out_row(const map_svg *svg, const map_row *row, int y, int height) {
    char text[MAP_ROW_SUMMARY_BYTES];
    print_text(svg, NAMES_X, y + height / 2 + 4, "quiet", map_row_summary(svg->space, row, text));
}

static void print_bracket_line(const map_svg *svg, int x1, int y1, int x2, int y2) {
    fprintf(svg->to, "<path d=\"M%d %dL%d %d\" class=\"bracket\"/>\n", x1, y1, x2, y2);
}

/* The part of one operation's bracket beside one span: a side, and caps where the window begins and ends. */
static void print_bracket(const map_svg *svg, mf_operation operation, const map_row *row, int y, int height) {
    const mf_window *window = map_window_find(svg->space, operation, map_row_start(svg->space, row));
    int x = BRACKET_X + BRACKET_STEP * (int)operation;
    if (window == NULL || row->count > 1)
        return;
    bool begins = window->start == map_row_start(svg->space, row);
    bool ends = window->start + window->size == map_row_end(svg->space, row);
    int top = y + (begins ? 1 : 0), bottom = y + height - (ends ? 2 : 0);
    print_bracket_line(svg, x + BRACKET_WIDTH, top, x + BRACKET_WIDTH, bottom);
    if (ends)
        print_bracket_line(svg, x, bottom, x + BRACKET_WIDTH, bottom);
    if (!begins)
        return;
    print_bracket_line(svg, x, top, x + BRACKET_WIDTH, top);
    char label[MAP_WINDOW_LABEL_BYTES];
    map_window_label(svg->space, operation, window, label);
    print_text(svg, x + BRACKET_WIDTH + 6, y + ROW_HEIGHT_MIN / 2 + 4, "quiet", label);
}

static void print_rows(const map_svg *svg) {
    int y = PANELS_Y;
    for (size_t i = 0; i < svg->space->row_count; i++) {
        const map_row *row = &svg->space->rows[i];
        int height = row_height(svg->space, row);
        print_band(svg, row, y, height);
        if (row->count == 1)
            print_span_row(svg, row, y, height);
        else
            print_left_out_row(svg, row, y, height);
        print_address(svg, ADDRESS_X, y + 14, map_row_start(svg->space, row));
        print_bracket(svg, MF_LOAD, row, y, height);
        print_bracket(svg, MF_STORE, row, y, height);
        y += height;
    }
    print_address(svg, ADDRESS_X, y + 14, MF_SPACE_BYTES);
    print_text(svg, BRACKET_X, PANELS_Y - 10, "quiet", "load");
    print_text(svg, BRACKET_X + BRACKET_STEP, PANELS_Y - 10, "quiet", "store");
    print_text(svg, SCALE_X, PANELS_Y - 10, "quiet", "to scale");
    print_text(svg, BOX_X, PANELS_Y - 10, "quiet", "log scale");
}

/* ---- The whole ---- */

static void print_heading(const map_svg *svg) {
    static const char *const words[SPAN_KINDS] = {"unmapped", "read-only", "read-write", "heap, reserved"};
    static const map_span_kind order[] = {SPAN_RO, SPAN_RW, SPAN_HEAP, SPAN_HOLE};
    char name[512], summary[256];
    text_clip(svg->space->file->name, 60, false, name, sizeof name);
    map_space_summary(svg->space, summary, sizeof summary);
    print_text(svg, MARGIN, 44, "title", name);
    print_text(svg, MARGIN, 68, "quiet", summary);
    for (int i = 0; i < SPAN_KINDS; i++) {
        print_rect(svg, MARGIN + 150 * i, LEGEND_Y - 10, 6, 12, order[i], "-strong");
        print_rect(svg, MARGIN + 150 * i + 6, LEGEND_Y - 10, 14, 12, order[i], "");
        print_text(svg, MARGIN + 150 * i + 28, LEGEND_Y, "quiet", words[order[i]]);
    }
}

static int list_height(const map_windows *list) {
    size_t left_out, shown = map_list_elide(list->count, &left_out);
    size_t entries = left_out == 0 ? shown : 2 * shown + 1;
    return LINE_HEIGHT * (int)(entries + 1);
}

static void print_window(const map_svg *svg, mf_operation operation, size_t place, int y) {
    const mf_window *window = &svg->space->windows[operation].windows[place];
    char label[MAP_WINDOW_LABEL_BYTES], size[SIZE_TEXT_BYTES], text[128];
    map_window_label(svg->space, operation, window, label);
    snprintf(text, sizeof text, "0x%08" PRIx64 " to 0x%08" PRIx64, window->start,
             window->start + window->size - 1);
    int x = LIST_X + LIST_STEP * (int)operation;
    print_text(svg, x, y, "bold", label);
    print_text(svg, x + 56, y, "quiet", text);
    print_text(svg, x + 330, y, "quiet end", size_print(window->size, size));
}

static void print_windows(const map_svg *svg, mf_operation operation, int y) {
    static const char *const words[] = {"Load", "Store"};
    const map_windows *list = &svg->space->windows[operation];
    int x = LIST_X + LIST_STEP * (int)operation;
    char size[SIZE_TEXT_BYTES], text[96];
    size_t left_out, shown = map_list_elide(list->count, &left_out);
    snprintf(text, sizeof text, "%s windows: %zu, %s", words[operation], list->count,
             size_print(list->bytes, size));
    print_text(svg, x, y, "bold", text);
    for (size_t i = 0; i < shown; i++)
        print_window(svg, operation, i, y += LINE_HEIGHT);
    if (left_out == 0)
        return;
    snprintf(text, sizeof text, "%zu windows left out", left_out);
    print_text(svg, x + 56, y += LINE_HEIGHT, "quiet", text);
    for (size_t i = shown + left_out; i < list->count; i++)
        print_window(svg, operation, i, y += LINE_HEIGHT);
}

void map_svg_print(const map_space *space, FILE *to) {
    int rows = rows_height(space), loads = list_height(&space->windows[MF_LOAD]);
    int stores = list_height(&space->windows[MF_STORE]);
    map_svg svg = {space, to, rows > SCALE_HEIGHT_MIN ? rows : SCALE_HEIGHT_MIN};
    int list_y = PANELS_Y + svg.panels_height + 2 * MARGIN;
    int height = list_y + (loads > stores ? loads : stores) + MARGIN;
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
            "%s<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
            WIDTH, height, WIDTH, height, style, WIDTH, height);
    print_heading(&svg);
    print_scale(&svg);
    print_rows(&svg);
    print_windows(&svg, MF_LOAD, list_y);
    print_windows(&svg, MF_STORE, list_y);
    fputs("</svg>\n", to);
}
