#include "map/svg.h"

#include "text.h"

#include <inttypes.h>
#include <string.h>

/*
 * Two panels. Left: the space to scale, where a sandbox is a hair. Right: the rows of the picture, their
 * heights on a log scale, never lower than a line of text. Bands connect the two. Lengths are pixels; text
 * is monospaced, so that the columns below hold what is written into them.
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

struct svg {
    const struct space *space;
    FILE *to;
    int panels_height; /* of both */
};

/* ---- Elements ------------------------------------------------------------------------------ */

/* `suffix` "-strong" takes the saturated colour of the kind. */
static void rect_print(const struct svg *svg, int x, int y, int width, int height, span_kind kind,
                       const char *suffix) {
    fprintf(svg->to, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" class=\"%s%s\"/>\n", x, y, width,
            height, kind_classes[kind], suffix);
}

static void escaped_print(FILE *to, const char *text) {
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

/* `text` has been through text_clip, or is ours. */
static void text_print(const struct svg *svg, int x, int y, const char *class, const char *text) {
    fprintf(svg->to, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
    escaped_print(svg->to, text);
    fputs("</text>\n", svg->to);
}

static void address_print(const struct svg *svg, int x, int y, uint64_t address) {
    char text[24];
    snprintf(text, sizeof text, "0x%08" PRIx64, address);
    text_print(svg, x, y, "quiet end", text);
}

/* ---- Geometry ------------------------------------------------------------------------------ */

static int row_height(const struct space *space, const struct row *row) {
    if (row->count > 1)
        return ROW_HEIGHT_MIN;
    int doublings = 0;
    for (uint64_t pages = space->spans[row->first].size / MF_PAGE_SIZE; pages > 1; pages /= 2)
        doublings++;
    return ROW_HEIGHT_MIN + ROW_HEIGHT_PER_DOUBLING * doublings;
}

static int rows_height(const struct space *space) {
    int height = 0;
    for (size_t i = 0; i < space->row_count; i++)
        height += row_height(space, &space->rows[i]);
    return height;
}

/* Where `address` lies in the panel to scale, from its top. */
static int scale_offset(const struct svg *svg, uint64_t address) {
    return (int)(address * (uint64_t)svg->panels_height / MF_SPACE_BYTES);
}

/* ---- The panel to scale -------------------------------------------------------------------- */

/* Paints a line of pixels: what guests use covers what they do not, and nothing is thinner than one. */
static void scale_paint(const struct svg *svg, unsigned char *pixels) {
    static const unsigned char rank[SPAN_KINDS] = {
        [SPAN_HOLE] = 0, [SPAN_HEAP] = 1, [SPAN_RO] = 2, [SPAN_RW] = 3};
    for (size_t i = 0; i < svg->space->span_count; i++) {
        const struct span *span = &svg->space->spans[i];
        int first = scale_offset(svg, span->start);
        int last = scale_offset(svg, span->start + span->size - 1);
        for (int y = first; y <= last; y++)
            if (rank[span->kind] > rank[pixels[y]])
                pixels[y] = (unsigned char)span->kind;
    }
}

static void scale_print(const struct svg *svg) {
    unsigned char pixels[SCALE_HEIGHT_MAX] = {SPAN_HOLE};
    scale_paint(svg, pixels);
    for (int y = 0, end; y < svg->panels_height; y = end) {
        for (end = y + 1; end < svg->panels_height && pixels[end] == pixels[y];)
            end++;
        rect_print(svg, SCALE_X, PANELS_Y + y, SCALE_WIDTH, end - y, (span_kind)pixels[y], "-strong");
    }
    for (int quarter = 0; quarter <= 4; quarter++) {
        uint64_t address = MF_SPACE_BYTES / 4 * (uint64_t)quarter;
        address_print(svg, SCALE_X - 6, PANELS_Y + scale_offset(svg, address) + 4, address);
    }
}

/* From a span in the left panel to its row in the right one. */
static void band_print(const struct svg *svg, const struct row *row, int y, int height) {
    span_kind kind = svg->space->spans[row->first].kind;
    if (row->count > 1 || kind == SPAN_HOLE)
        return;
    int from = PANELS_Y + scale_offset(svg, row_start(svg->space, row));
    int to = PANELS_Y + scale_offset(svg, row_end(svg->space, row) - 1) + 1;
    int x = SCALE_X + SCALE_WIDTH;
    fprintf(svg->to, "<polygon points=\"%d,%d %d,%d %d,%d %d,%d %d,%d %d,%d\" class=\"%s-strong band\"/>\n",
            x, from, BAND_X, y, BOX_X, y, BOX_X, y + height, BAND_X, y + height, x, to, kind_classes[kind]);
}

/* ---- The panel of rows --------------------------------------------------------------------- */

static void span_row_print(const struct svg *svg, const struct row *row, int y, int height) {
    const struct span *span = &svg->space->spans[row->first];
    char names[4 * NAMES_CHARACTERS + 64], size[SIZE_TEXT_BYTES], pages[40];
    uint64_t page_count = span->size / MF_PAGE_SIZE;
    int baseline = y + height / 2 + 4;
    rect_print(svg, BOX_X, y, BOX_WIDTH, height - 1, span->kind, "");
    rect_print(svg, BOX_X, y, 6, height - 1, span->kind, "-strong");
    span_names(svg->space, span, NAMES_CHARACTERS, false, names, sizeof names);
    snprintf(pages, sizeof pages, "%" PRIu64 " page%s", page_count, page_count == 1 ? "" : "s");
    text_print(svg, NAMES_X, baseline, "bold", names);
    text_print(svg, SIZE_X, baseline, "quiet end", size_print(span->size, size));
    text_print(svg, PAGES_X, baseline, "quiet end", pages);
    text_print(svg, PERM_X, baseline, "quiet end", span_perm_word(span->kind));
}

static void left_out_row_print(const struct svg *svg, const struct row *row, int y, int height) {
    char text[ROW_SUMMARY_BYTES];
    text_print(svg, NAMES_X, y + height / 2 + 4, "quiet", row_summary(svg->space, row, text));
}

static void bracket_line_print(const struct svg *svg, int x1, int y1, int x2, int y2) {
    fprintf(svg->to, "<path d=\"M%d %dL%d %d\" class=\"bracket\"/>\n", x1, y1, x2, y2);
}

/* The part of one operation's bracket beside one span: a side, and caps where the window begins and ends. */
static void bracket_print(const struct svg *svg, mf_operation operation, const struct row *row, int y,
                          int height) {
    const mf_window *window = window_find(svg->space, operation, row_start(svg->space, row));
    int x = BRACKET_X + BRACKET_STEP * (int)operation;
    if (window == NULL || row->count > 1)
        return;
    bool begins = window->start == row_start(svg->space, row);
    bool ends = window->start + window->size == row_end(svg->space, row);
    int top = y + (begins ? 1 : 0), bottom = y + height - (ends ? 2 : 0);
    bracket_line_print(svg, x + BRACKET_WIDTH, top, x + BRACKET_WIDTH, bottom);
    if (ends)
        bracket_line_print(svg, x, bottom, x + BRACKET_WIDTH, bottom);
    if (!begins)
        return;
    bracket_line_print(svg, x, top, x + BRACKET_WIDTH, top);
    char label[WINDOW_LABEL_BYTES];
    window_label(svg->space, operation, window, label);
    text_print(svg, x + BRACKET_WIDTH + 6, y + ROW_HEIGHT_MIN / 2 + 4, "quiet", label);
}

static void rows_print(const struct svg *svg) {
    int y = PANELS_Y;
    for (size_t i = 0; i < svg->space->row_count; i++) {
        const struct row *row = &svg->space->rows[i];
        int height = row_height(svg->space, row);
        band_print(svg, row, y, height);
        if (row->count == 1)
            span_row_print(svg, row, y, height);
        else
            left_out_row_print(svg, row, y, height);
        address_print(svg, ADDRESS_X, y + 14, row_start(svg->space, row));
        bracket_print(svg, MF_LOAD, row, y, height);
        bracket_print(svg, MF_STORE, row, y, height);
        y += height;
    }
    address_print(svg, ADDRESS_X, y + 14, MF_SPACE_BYTES);
    text_print(svg, BRACKET_X, PANELS_Y - 10, "quiet", "load");
    text_print(svg, BRACKET_X + BRACKET_STEP, PANELS_Y - 10, "quiet", "store");
    text_print(svg, SCALE_X, PANELS_Y - 10, "quiet", "to scale");
    text_print(svg, BOX_X, PANELS_Y - 10, "quiet", "log scale");
}

/* ---- The whole ----------------------------------------------------------------------------- */

static void heading_print(const struct svg *svg) {
    static const char *const words[SPAN_KINDS] = {"unmapped", "read-only", "read-write", "heap, reserved"};
    static const span_kind order[] = {SPAN_RO, SPAN_RW, SPAN_HEAP, SPAN_HOLE};
    char name[512], summary[256];
    text_clip(svg->space->file->name, 60, false, name, sizeof name);
    space_summary(svg->space, summary, sizeof summary);
    text_print(svg, MARGIN, 44, "title", name);
    text_print(svg, MARGIN, 68, "quiet", summary);
    for (int i = 0; i < SPAN_KINDS; i++) {
        rect_print(svg, MARGIN + 150 * i, LEGEND_Y - 10, 6, 12, order[i], "-strong");
        rect_print(svg, MARGIN + 150 * i + 6, LEGEND_Y - 10, 14, 12, order[i], "");
        text_print(svg, MARGIN + 150 * i + 28, LEGEND_Y, "quiet", words[order[i]]);
    }
}

static int list_height(const struct window_list *list) {
    size_t left_out, shown = list_elide(list->count, &left_out);
    size_t entries = left_out == 0 ? shown : 2 * shown + 1;
    return LINE_HEIGHT * (int)(entries + 1);
}

static void window_print(const struct svg *svg, mf_operation operation, size_t place, int y) {
    const mf_window *window = &svg->space->windows[operation].windows[place];
    char label[WINDOW_LABEL_BYTES], size[SIZE_TEXT_BYTES], text[128];
    window_label(svg->space, operation, window, label);
    snprintf(text, sizeof text, "0x%08" PRIx64 " to 0x%08" PRIx64, window->start,
             window->start + window->size - 1);
    int x = LIST_X + LIST_STEP * (int)operation;
    text_print(svg, x, y, "bold", label);
    text_print(svg, x + 56, y, "quiet", text);
    text_print(svg, x + 330, y, "quiet end", size_print(window->size, size));
}

static void windows_print(const struct svg *svg, mf_operation operation, int y) {
    static const char *const words[] = {"Load", "Store"};
    const struct window_list *list = &svg->space->windows[operation];
    int x = LIST_X + LIST_STEP * (int)operation;
    char size[SIZE_TEXT_BYTES], text[96];
    size_t left_out, shown = list_elide(list->count, &left_out);
    snprintf(text, sizeof text, "%s windows: %zu, %s", words[operation], list->count,
             size_print(list->bytes, size));
    text_print(svg, x, y, "bold", text);
    for (size_t i = 0; i < shown; i++)
        window_print(svg, operation, i, y += LINE_HEIGHT);
    if (left_out == 0)
        return;
    snprintf(text, sizeof text, "%zu windows left out", left_out);
    text_print(svg, x + 56, y += LINE_HEIGHT, "quiet", text);
    for (size_t i = shown + left_out; i < list->count; i++)
        window_print(svg, operation, i, y += LINE_HEIGHT);
}

void svg_print(const struct space *space, FILE *to) {
    int rows = rows_height(space), loads = list_height(&space->windows[MF_LOAD]);
    int stores = list_height(&space->windows[MF_STORE]);
    struct svg svg = {space, to, rows > SCALE_HEIGHT_MIN ? rows : SCALE_HEIGHT_MIN};
    int list_y = PANELS_Y + svg.panels_height + 2 * MARGIN;
    int height = list_y + (loads > stores ? loads : stores) + MARGIN;
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
            "%s<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
            WIDTH, height, WIDTH, height, style, WIDTH, height);
    heading_print(&svg);
    scale_print(&svg);
    rows_print(&svg);
    windows_print(&svg, MF_LOAD, list_y);
    windows_print(&svg, MF_STORE, list_y);
    fputs("</svg>\n", to);
}
