/* The picture for a terminal: a box with a row for each span, and brackets for the windows beside it. */
#include "map/picture.h"

#include "text.h"

#include <inttypes.h>
#include <string.h>

/* Columns of the picture: an address, the box, the windows of loads and of stores. */
#define ADDRESS_COLUMNS 11
#define NAMES_COLUMNS 30
#define BOX_COLUMNS 68
#define WINDOW_COLUMNS 8

/* What the box is drawn with. */
typedef struct picture_glyphs {
    const char *line, *side;
    const char *top_left, *top_right, *middle_left, *middle_right, *bottom_left, *bottom_right;
    const char *bracket_begin, *bracket_end, *bracket_side, *left_out;
    const char *swatch[SPAN_KINDS]; /* two columns */
} picture_glyphs;

static const picture_glyphs unicode_glyphs = {.line = "─",
                                              .side = "│",
                                              .top_left = "┌",
                                              .top_right = "┐",
                                              .middle_left = "├",
                                              .middle_right = "┤",
                                              .bottom_left = "└",
                                              .bottom_right = "┘",
                                              .bracket_begin = "┐",
                                              .bracket_end = "┘",
                                              .bracket_side = "│",
                                              .left_out = "⋮",
                                              .swatch = {"  ", "▒▒", "██", "░░"}};

static const picture_glyphs ascii_glyphs = {.line = "-",
                                            .side = "|",
                                            .top_left = "+",
                                            .top_right = "+",
                                            .middle_left = "+",
                                            .middle_right = "+",
                                            .bottom_left = "+",
                                            .bottom_right = "+",
                                            .bracket_begin = "\\",
                                            .bracket_end = "/",
                                            .bracket_side = "|",
                                            .left_out = ":",
                                            .swatch = {"  ", "::", "##", ".."}};

typedef struct map_picture {
    const map_space *space;
    const picture_glyphs *glyphs;
    bool ascii_only;
    FILE *to;
} map_picture;

static void print_spaces(const map_picture *picture, unsigned count) {
    fprintf(picture->to, "%*s", (int)count, "");
}

/* ---- Brackets ---- */

/* The mark of one operation's windows on the border at `address`, NULL for none. */
static const char *border_mark(const map_picture *picture, mf_operation operation, uint64_t address) {
    bool below = map_window_find(picture->space, operation, address) != NULL;
    bool above = address > 0 && map_window_find(picture->space, operation, address - 1) != NULL;
    /* Windows are maximal, so that one never begins where another ends. */
    return below && above ? picture->glyphs->bracket_side
           : below        ? picture->glyphs->bracket_begin
           : above        ? picture->glyphs->bracket_end
                          : NULL;
}

/*
 * Marks are one column wide. Spaces are written before the next mark only, so that no line ends in one.
 */
typedef struct picture_margin {
    const map_picture *picture;
    unsigned pending; /* spaces due before the next mark */
} picture_margin;

static void put_mark(picture_margin *margin, const char *mark, const char *label) {
    if (mark == NULL) {
        margin->pending += WINDOW_COLUMNS;
        return;
    }
    print_spaces(margin->picture, margin->pending);
    int label_columns = fprintf(margin->picture->to, "%s%s%s", mark, *label == '\0' ? "" : " ", label);
    /* fprintf has counted bytes; all bytes of the mark are one column. */
    label_columns += 1 - (int)strlen(mark);
    margin->pending = WINDOW_COLUMNS - (unsigned)label_columns;
}

static void print_border_margin(const map_picture *picture, uint64_t address) {
    picture_margin margin = {picture, 2};
    for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++)
        put_mark(&margin, border_mark(picture, operation, address), "");
    fputc('\n', picture->to);
}

/* Beside a line of a row: the windows that hold it, labelled on the first line where one begins. */
static void print_row_margin(const map_picture *picture, const map_row *row, bool first_line) {
    picture_margin margin = {picture, 2};
    uint64_t start = map_row_start(picture->space, row);
    for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++) {
        const mf_window *window = map_window_find(picture->space, operation, start);
        char label[MAP_WINDOW_LABEL_BYTES] = "";
        if (window != NULL && first_line && window->start == start)
            map_window_label(picture->space, operation, window, label);
        put_mark(&margin, window == NULL ? NULL : picture->glyphs->bracket_side, label);
    }
    fputc('\n', picture->to);
}

static void print_left_out_margin(const map_picture *picture, const map_row *row) {
    picture_margin margin = {picture, 2};
    for (mf_operation operation = MF_LOAD; operation <= MF_STORE; operation++) {
        bool any = false;
        for (size_t i = row->first; i < row->first + row->count; i++)
            any |= map_window_find(picture->space, operation, picture->space->spans[i].start) != NULL;
        put_mark(&margin, any ? picture->glyphs->left_out : NULL, "");
    }
    fputc('\n', picture->to);
}

/* ---- The box ---- */

static void print_border(const map_picture *picture, uint64_t address) {
    const picture_glyphs *glyphs = picture->glyphs;
    bool top = address == 0, bottom = address == MF_SPACE_BYTES;
    char text[ADDRESS_COLUMNS + 1];
    snprintf(text, sizeof text, "0x%08" PRIx64, address);
    fprintf(picture->to, "%*s %s", ADDRESS_COLUMNS, text,
            top      ? glyphs->top_left
            : bottom ? glyphs->bottom_left
                     : glyphs->middle_left);
    for (unsigned i = 0; i < BOX_COLUMNS; i++)
        fputs(glyphs->line, picture->to);
    fputs(top ? glyphs->top_right : bottom ? glyphs->bottom_right : glyphs->middle_right, picture->to);
    print_border_margin(picture, address);
}

/* One line inside the box: `content` is `columns` wide and begins beside a swatch. */
static void print_box_line(const map_picture *picture, const char *swatch, const char *content) {
    /* Side, space, swatch, space: 4 of the box's columns. */
    unsigned used = 4 + text_columns(content);
    print_spaces(picture, ADDRESS_COLUMNS + 1);
    fprintf(picture->to, "%s %s %s", picture->glyphs->side, swatch, content);
    print_spaces(picture, BOX_COLUMNS - used);
    fputs(picture->glyphs->side, picture->to);
}

/* Larger spans are taller, on a log scale. */
static void print_span(const map_picture *picture, const map_row *row) {
    const map_span *span = &picture->space->spans[row->first];
    const char *swatch = picture->glyphs->swatch[span->kind];
    char size[SIZE_TEXT_BYTES], names[4 * NAMES_COLUMNS + 64], content[8 * BOX_COLUMNS];
    uint64_t pages = span->size / MF_PAGE_SIZE;
    map_span_names(picture->space, span, NAMES_COLUMNS, picture->ascii_only, names, sizeof names);
    snprintf(content, sizeof content, "%12s %7" PRIu64 " page%s  %s  %s", size_print(span->size, size), pages,
             pages == 1 ? " " : "s", map_span_perm_word(span->kind), names);
    print_box_line(picture, swatch, content);
    print_row_margin(picture, row, true);
    for (unsigned i = 0; i < map_size_magnitude(span->size); i++) {
        print_box_line(picture, swatch, "");
        print_row_margin(picture, row, false);
    }
}

/* Many small spans: one line that says how many and how much of what. */
static void print_left_out(const map_picture *picture, const map_row *row) {
    char content[MAP_ROW_SUMMARY_BYTES], swatch[8];
    snprintf(swatch, sizeof swatch, "%s ", picture->glyphs->left_out);
    print_box_line(picture, swatch, map_row_summary(picture->space, row, content));
    print_left_out_margin(picture, row);
}

/* ---- The whole ---- */

static void print_heading(const map_picture *picture) {
    char name[512], summary[256];
    text_clip(picture->space->file->name, 80, picture->ascii_only, name, sizeof name);
    map_space_summary(picture->space, summary, sizeof summary);
    fprintf(picture->to, "%s: %s\n\n", name, summary);
    print_spaces(picture, ADDRESS_COLUMNS + 1 + 1 + BOX_COLUMNS + 1 + 2);
    fprintf(picture->to, "%-*sstore\n", WINDOW_COLUMNS, "load");
}

static void print_window(const map_picture *picture, mf_operation operation, size_t place) {
    const mf_window *window = &picture->space->windows[operation].windows[place];
    uint64_t pages = window->size / MF_PAGE_SIZE;
    char label[MAP_WINDOW_LABEL_BYTES], size[SIZE_TEXT_BYTES];
    map_window_label(picture->space, operation, window, label);
    fprintf(picture->to, "  %-6s 0x%08" PRIx64 " to 0x%08" PRIx64 " %12s %7" PRIu64 " page%s\n", label,
            window->start, window->start + window->size - 1, size_print(window->size, size), pages,
            pages == 1 ? "" : "s");
}

static void print_windows(const map_picture *picture, mf_operation operation) {
    static const char *const words[] = {"Load", "Store"};
    const map_windows *list = &picture->space->windows[operation];
    char size[SIZE_TEXT_BYTES];
    size_t left_out, shown = map_list_elide(list->count, &left_out);
    fprintf(picture->to, "\n%s windows: %zu, %s\n", words[operation], list->count,
            size_print(list->bytes, size));
    for (size_t i = 0; i < shown; i++)
        print_window(picture, operation, i);
    if (left_out == 0)
        return;
    fprintf(picture->to, "  %s %zu windows left out\n", picture->glyphs->left_out, left_out);
    for (size_t i = shown + left_out; i < list->count; i++)
        print_window(picture, operation, i);
}

void map_picture_print(const map_space *space, bool ascii_only, FILE *to) {
    map_picture picture = {space, ascii_only ? &ascii_glyphs : &unicode_glyphs, ascii_only, to};
    print_heading(&picture);
    for (size_t i = 0; i < space->row_count; i++) {
        const map_row *row = &space->rows[i];
        print_border(&picture, map_row_start(space, row));
        if (row->count == 1)
            print_span(&picture, row);
        else
            print_left_out(&picture, row);
    }
    print_border(&picture, MF_SPACE_BYTES);
    print_windows(&picture, MF_LOAD);
    print_windows(&picture, MF_STORE);
}
