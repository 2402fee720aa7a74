/* memfold map: its command line, and the two forms of the picture. */
#include "command.h"
#include "map/picture.h"
#include "map/svg.h"
#include "options.h"
#include "output.h"

#include <langinfo.h>
#include <string.h>

typedef struct map_request {
    command_operands operands;
    mf_layout_format format;
    const char *svg_path;
} map_request;

enum { KEY_SVG = 0x200 };

static const struct argp_option map_options[] = {
    {"svg", KEY_SVG, "FILE", 0, "Also write the picture as SVG; '-' is standard output, and then SVG alone",
     0},
    {0}};

static error_t map_parse(int key, char *word, struct argp_state *state) {
    map_request *request = state->input;
    if (key == ARGP_KEY_INIT) {
        command_init(state);
        state->child_inputs[0] = &request->format;
        return 0;
    }
    if (key == KEY_SVG) {
        request->svg_path = word;
        return 0;
    }
    return operands_take(&request->operands, key, word, state);
}

static const char *const map_operands[] = {"LAYOUT"};
static const struct argp_child map_children[] = {{&format_argp, 0, NULL, 0}, {&help_argp, 0, NULL, 0}, {0}};
static const struct argp map_argp = {
    map_options,  map_parse,
    "LAYOUT",     "Prints the address space as a picture: regions, holes, heap and windows.",
    map_children, NULL,
    NULL};

static bool write_svg(const map_space *space, const char *path) {
    output_file output;
    if (!output_open(&output, path))
        return false;
    map_svg_print(space, output.stream);
    return output_finish(&output);
}

static int map_file(const mf_layout_file *file, const map_request *request) {
    bool svg_alone = request->svg_path != NULL && strcmp(request->svg_path, STANDARD_STREAM) == 0;
    bool ascii_only = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    map_space space;
    int code = 0;
    if (!map_space_init(&space, file))
        code = fail_print(request->operands.values[0], 0, "%s", mf_status_message(MF_OUT_OF_MEMORY));
    else if (request->svg_path != NULL && !write_svg(&space, request->svg_path))
        code = EXIT_BAD_INPUT;
    else if (!svg_alone)
        map_picture_print(&space, ascii_only, stdout);
    map_space_fini(&space);
    return code;
}

int map_main(int argc, char **argv) {
    map_request request = {.operands = {.names = map_operands, .count = 1}};
    command_parse(&map_argp, "memfold map", 0, argc, argv, &request);
    mf_layout_file file = {0};
    int code = layout_read(request.operands.values[0], request.format, &file);
    if (code == 0)
        code = map_file(&file, &request);
    mf_layout_file_fini(&file);
    return code;
}
