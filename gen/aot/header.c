#include "aot/header.h"

#include <memfold/plan.h>
#include <memfold/version.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is being printed: to where, for what, and the prefix in capitals. */
typedef struct printer {
    FILE *out;
    const mf_layout *layout;
    const mf_accessor_options *options;
    const char *prefix;
    const char *capitals;
} printer;

/* ---- Parts of the header ---- */

/* For base = argument: what the argument is, and why a client gives it. */
static const char *base_comment(const mf_accessor_options *options) {
    if (options->base != MF_BASE_ARGUMENT)
        return "";
    return " *\n"
           " * `base` is view->base. It stays the same while the view is attached, so keep it in a local\n"
           " * variable of the loop that makes the accesses; the compiler cannot know that by itself.\n";
}

/*
 * The guard is the prefix as it is: capitals would meet the guards of memfold's own headers, and one header
 * would silently hide another whose prefix differs in case.
 */
static void print_opening(const printer *p) {
    fprintf(
        p->out,
        "/*\n"
        " * %s: load and store functions for one guest memory layout, made by memfold " MF_VERSION ".\n"
        " * Link the object of the same name and the memfold runtime library, or let clang inline the "
        "bitcode.\n"
        "%s"
        " */\n"
        "#ifndef %s_accessors_h\n"
        "#define %s_accessors_h\n\n"
        "#include <memfold/accessors.h>\n"
        "#include <memfold/layout.h>\n"
        "#include <memfold/memory.h>\n\n"
        "#ifdef %s_FINGERPRINT\n"
        "#error \"the macros %s_... are taken by another header; choose prefixes that differ in more than "
        "case\"\n"
        "#endif\n\n"
        "MF_STATIC_ASSERT(MF_ABI_VERSION == %d, \"%s was made for another version of memfold\");\n"
        "MF_STATIC_ASSERT(sizeof(mf_view) == %d, \"%s was made for another mf_view\");\n\n"
        "#ifdef __cplusplus\n"
        "extern \"C\" {\n"
        "#endif\n\n",
        p->prefix, base_comment(p->options), p->prefix, p->prefix, p->capitals, p->capitals, MF_ABI_VERSION,
        p->prefix, MF_VIEW_BYTES, p->prefix);
}

static void print_regions(const printer *p) {
    size_t count = mf_layout_region_count(p->layout);
    fprintf(p->out,
            "/* The regions, sorted: X(start, size, access). */\n"
            "#define %s_REGION_COUNT %zu\n"
            "#define %s_REGIONS(X)",
            p->capitals, count, p->capitals);
    for (size_t i = 0; i < count; i++) {
        mf_region region = mf_layout_region(p->layout, i);
        fprintf(p->out, " \\\n    X(UINT64_C(0x%08" PRIx64 "), UINT64_C(0x%" PRIx64 "), %s)", region.start,
                region.size, region.access == MF_READ_WRITE ? "MF_READ_WRITE" : "MF_READ_ONLY");
    }
    fputs("\n\n", p->out);
}

static const char *backend_name(mf_backend backend) {
    return backend == MF_BACKEND_X86_PAGED ? "MF_BACKEND_X86_PAGED" : "MF_BACKEND_COPY";
}

static const char *policy_name(mf_policy policy) {
    return policy == MF_POLICY_NONE     ? "MF_POLICY_NONE"
           : policy == MF_POLICY_BOUNDS ? "MF_POLICY_BOUNDS"
                                        : "MF_POLICY_PERMS";
}

static void print_layout(const printer *p) {
    mf_heap heap = mf_layout_heap(p->layout);
    fprintf(p->out,
            "/* The memories that the accessors serve, and what they refuse. */\n"
            "#define %s_BACKEND %s\n"
            "#define %s_POLICY %s\n\n",
            p->capitals, backend_name(p->options->backend), p->capitals, policy_name(p->options->policy));
    fprintf(p->out,
            "/* The layout: its fingerprint (mf_layout_fingerprint), the end of its highest region, its "
            "heap. */\n"
            "#define %s_FINGERPRINT UINT64_C(0x%016" PRIx64 ")\n"
            "#define %s_LEN UINT64_C(0x%" PRIx64 ")\n"
            "#define %s_HEAP_BASE UINT32_C(0x%08" PRIx32 ")\n"
            "#define %s_HEAP_MAX_PAGES UINT32_C(%" PRIu32 ")\n\n",
            p->capitals, mf_layout_fingerprint(p->layout), p->capitals, mf_layout_len(p->layout), p->capitals,
            heap.base, p->capitals, heap.max_pages);
}

static const char *result_type(const printer *p, const mf_accessor_info *info) {
    bool traps = p->options->on_fault == MF_ON_FAULT_TRAP;
    if (info->operation == MF_LOAD)
        return traps ? "uint64_t" : "mf_load_result";
    return traps ? "void" : "uint32_t";
}

/* The plan's line without the accessor's name, its columns folded to single spaces. */
static void print_plan(const printer *p, const mf_plan *plan, const char *name) {
    char text[512];
    mf_plan_print(plan, text, sizeof text);
    for (const char *c = text + strlen(name); *c != '\0'; c++)
        if (c[0] != ' ' || (c[1] != ' ' && c[1] != '\0'))
            fputc(*c, p->out);
}

static void print_describing_comment(const printer *p, const mf_accessor_info *info, const mf_plan *plan) {
    const char *kind = info->operation == MF_STORE ? "Stores the low"
                       : info->sign_extends        ? "Loads and sign-extends"
                                                   : "Loads";
    fprintf(p->out, "/* %s %" PRIu32 " byte%s. Check:", kind, info->width_bytes,
            info->width_bytes == 1 ? "" : "s");
    print_plan(p, plan, info->name);
    fputs(" */\n", p->out);
}

static void print_prototype(const printer *p, const mf_accessor_info *info) {
    fprintf(p->out, "%s %s_%s(mf_view *view, %s%s%s);\n\n", result_type(p, info), p->prefix, info->name,
            p->options->base == MF_BASE_ARGUMENT ? "void *base, " : "",
            p->options->index == MF_INDEX_U33 ? "uint64_t index" : "uint32_t address",
            info->operation == MF_STORE ? ", uint64_t value" : "");
}

static mf_status print_accessors(const printer *p, mf_diag *diag) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++) {
        const mf_accessor_info *info = mf_accessor_info_get(id);
        mf_plan plan;
        mf_status status = mf_plan_make(p->layout, id, p->options, &plan, diag);
        if (status != MF_OK)
            return status;
        print_describing_comment(p, info, &plan);
        print_prototype(p, info);
    }
    return MF_OK;
}

/* How to call a member of the set, whose type is that of the default options. */
static void print_cast(const printer *p) {
    const mf_accessor_options *options = p->options;
    fprintf(p->out,
            " Take a member untyped and cast it to its own type before the call:\n"
            " * ((mf_load%s%s%s_fn *)mf_accessors_member(&%s_accessors, MF_LOAD_U32))(view, ...)",
            options->on_fault == MF_ON_FAULT_TRAP ? "_trap" : "",
            options->base == MF_BASE_ARGUMENT ? "_at" : "", options->index == MF_INDEX_U33 ? "_u33" : "",
            p->prefix);
}

static void print_closing(const printer *p) {
    bool plain = p->options->on_fault == MF_ON_FAULT_RETURN && p->options->base != MF_BASE_ARGUMENT &&
                 p->options->index == MF_INDEX_U32;
    fputs("/* All of them.", p->out);
    if (!plain)
        print_cast(p);
    fprintf(p->out,
            " */\n"
            "extern const mf_accessors %s_accessors;\n\n"
            "/* The same if they answer exactly for the memory as it is now (mf_accessors_fit), otherwise "
            "NULL. */\n"
            "__attribute__((__unused__)) static inline const mf_accessors *%s_accessors_for(mf_memory "
            "*memory) {\n"
            "    return mf_accessors_fit(&%s_accessors, memory) ? &%s_accessors : NULL;\n"
            "}\n\n"
            "#ifdef __cplusplus\n"
            "}\n"
            "#endif\n\n"
            "#endif\n",
            p->prefix, p->prefix, p->prefix, p->prefix);
}

/* ---- The whole ---- */

static mf_status print_all(const printer *p, mf_diag *diag) {
    print_opening(p);
    print_layout(p);
    print_regions(p);
    mf_status status = print_accessors(p, diag);
    print_closing(p);
    return status;
}

static char *capitals_make(const char *prefix) {
    char *capitals = strdup(prefix);
    for (char *c = capitals; c != NULL && *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    return capitals;
}

mf_status header_print(const mf_layout *layout, const mf_aot_options *options, char **bytes,
                       size_t *byte_count, mf_diag *diag) {
    char *text = NULL;
    size_t text_bytes = 0;
    char *capitals = capitals_make(options->symbol_prefix);
    FILE *out = open_memstream(&text, &text_bytes);
    mf_status status = MF_OK;
    if (capitals != NULL && out != NULL) {
        printer p = {out, layout, &options->accessors, options->symbol_prefix, capitals};
        status = print_all(&p, diag);
    }
    bool complete = out != NULL && fclose(out) == 0 && capitals != NULL;
    free(capitals);
    if (status == MF_OK && !complete)
        status = mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for the header");
    if (status != MF_OK) {
        free(text);
        return status;
    }
    *bytes = text;
    *byte_count = text_bytes;
    return MF_OK;
}
