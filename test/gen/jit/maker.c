// What a maker is asked for: one set for each shape, unmade with its last reference, in a state of each jit;
// what it refuses is the answer, and nothing of it stays. A maker of another version is not asked at all.
//
// RUN: %cc %jit -I%source/gen %s -o %t %makes
// RUN: %t | FileCheck %s
//
// CHECK: another version: invalid-argument: the maker 'counting' is of version 0.0.1, and the jit of {{[0-9.]+$}}
// CHECK-NEXT: a refused open: io: no
// CHECK-NEXT: a refused make: llvm: not this one
// CHECK-NEXT: one set for one shape
// CHECK-NEXT: opened 2, closed 2, made 3, unmade 3
#include "jit/maker.h"
#include "jit_support.h"

#include <memfold/generic.h>
#include <memfold/version.h>

#include <string.h>

static unsigned opened, closed, made, unmade;
static bool refuses;

/* The sets of one jit. */
typedef struct state {
    char prefix[32];
    unsigned sets;
} state;

static mf_status open_counting(const mf_jit_config *config, void **opened_state, mf_diag *diag) {
    if (refuses)
        return mf_diag_set(diag, MF_IO, 0, "no");
    state *s = calloc(1, sizeof *s);
    require(s != NULL && config->symbol_prefix != NULL, "a state");
    snprintf(s->prefix, sizeof s->prefix, "%s_", config->symbol_prefix);
    opened++;
    *opened_state = s;
    return MF_OK;
}

static void close_counting(void *of) {
    state *s = of;
    require(s->sets == 0, "all is unmade before the jit closes");
    closed++;
    free(s);
}

static mf_status make_counting(void *of, const maker_input *input, made_set *set, mf_diag *diag) {
    state *s = of;
    if (refuses)
        return mf_diag_set(diag, MF_LLVM, 0, "not this one");
    require(strncmp(input->prefix, s->prefix, strlen(s->prefix)) == 0, "the prefix");
    require(input->fit.backends != 0 && input->plans->plans[MF_LOAD_U8].operation == MF_LOAD, "the plans");
    mf_accessors *accessors = malloc(sizeof *accessors);
    require(accessors != NULL, "accessors");
    *accessors = *mf_generic_accessors(input->options);
    *set = (made_set){accessors, accessors};
    s->sets++;
    made++;
    return MF_OK;
}

static void unmake_counting(void *of, made_set *set) {
    state *s = of;
    require(set->own == set->accessors, "what was made");
    s->sets--;
    unmade++;
    free(set->own);
}

static const mf_code_maker COUNTING = {"counting",     MF_VERSION,    open_counting,
                                       close_counting, make_counting, unmake_counting};

static mf_jit *make_counting_jit(const mf_code_maker *maker, const char *what) {
    const mf_jit_config config = {.symbol_prefix = "guest", .maker = maker};
    mf_jit *jit = NULL;
    mf_diag diag = {0};
    mf_status status = mf_jit_create(&config, &jit, &diag);
    if (status != MF_OK)
        printf("%s: %s: %s\n", what, mf_status_name(status), diag.message);
    require((status == MF_OK) == (jit != NULL), "a jit or a status");
    return jit;
}

/* Two codes of the jit, of two layouts. */
static void expect_sets(mf_jit *jit, const mf_accessor_options *options, unsigned sets) {
    mf_layout *first_layout = make_layout(REGION_START);
    mf_layout *second_layout = make_layout(2 * REGION_START);
    unsigned before = made;
    mf_code *first = get_code(jit, first_layout, options);
    mf_code *second = get_code(jit, second_layout, options);
    require(made == before + sets, "how many sets are made");
    mf_code_release(first);
    require(unmade == before + sets - 1, "a shape goes with its last reference");
    mf_code_release(second);
    require(unmade == made, "all sets are unmade");
    mf_layout_release(first_layout);
    mf_layout_release(second_layout);
}

static void expect_refusal(mf_jit *jit) {
    mf_layout *layout = make_layout(REGION_START);
    mf_code *code = NULL;
    mf_diag diag;
    refuses = true;
    mf_status status = mf_jit_get(jit, layout, NULL, &code, &diag);
    refuses = false;
    require(status != MF_OK && code == NULL, "the refusal");
    printf("a refused make: %s: %s\n", mf_status_name(status), diag.message);
    mf_layout_release(layout);
}

int main(void) {
    const mf_accessor_options permissions = {.strategy = MF_STRATEGY_PERM_TABLE};
    mf_code_maker other = COUNTING;
    other.version = "0.0.1";
    make_counting_jit(&other, "another version");
    refuses = true;
    make_counting_jit(&COUNTING, "a refused open");
    refuses = false;
    mf_jit *jit = make_counting_jit(&COUNTING, "a jit");
    mf_jit *second = make_counting_jit(&COUNTING, "a jit");
    expect_refusal(jit);
    expect_sets(jit, NULL, 2);
    mf_jit_destroy(second);
    second = NULL;
    expect_sets(jit, &permissions, 1);
    printf("one set for one shape\n");
    mf_jit_destroy(jit);
    printf("opened %u, closed %u, made %u, unmade %u\n", opened, closed, made, unmade);
    return 0;
}
