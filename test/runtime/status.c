/*
 * Every status and diagnostic has its text, and options are equal if all their fields are.
 *
 * RUN: %cc %s -o %t %runtime && %t | FileCheck %s
 *
 * CHECK: names_and_messages
 * CHECK-NEXT: diag_set
 * CHECK-NEXT: diag_print_says_what_is_known
 * CHECK-NEXT: diag_print_cuts_and_counts
 * CHECK-NEXT: messages_can_be_shown
 * CHECK-NEXT: options_are_equal_field_by_field
 * CHECK-NEXT: on copy
 * CHECK-NEXT: on x86_paged
 */
#include "support.h"

static void names_and_messages(void) {
    expect(strcmp(mf_status_name(MF_OK), "ok") == 0);
    expect(strcmp(mf_status_name(MF_HEAP_REFUSED), "refused") == 0);
    expect(strcmp(mf_status_name(MF_UNALIGNED_START), "unaligned-start") == 0);
    expect(strcmp(mf_status_message(MF_OVERFLOW), "the range ends past 2^32") == 0);
    expect(strcmp(mf_status_message(MF_LLVM), "LLVM refused the module") == 0);
    expect(strcmp(mf_status_name(MF_STATUS_COUNT), "unknown") == 0);
    expect(strcmp(mf_status_message((mf_status)1000), "unknown status") == 0);
}

static void diag_set(void) {
    mf_diag diag;
    memset(&diag, 0xee, sizeof diag);
    expect(mf_diag_set(&diag, MF_IO, 42, "cannot read %s", "x") == MF_IO);
    expect(diag.status == MF_IO && diag.value == 42 && diag.line == 0 && diag.column == 0);
    expect(diag.file[0] == '\0' && strcmp(diag.message, "cannot read x") == 0);
    expect(mf_diag_set(NULL, MF_OVERFLOW, 1, "unseen") == MF_OVERFLOW);
    char longer[2 * sizeof diag.message];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    mf_diag_set(&diag, MF_IO, 0, "%s", longer);
    expect(strlen(diag.message) == sizeof diag.message - 1);
}

static void expect_printed(const char *file, uint32_t line, uint32_t column, const char *want) {
    mf_diag diag;
    char text[100];
    mf_diag_set(&diag, MF_BAD_INPUT, 0, "no regions");
    strcpy(diag.file, file);
    diag.line = line;
    diag.column = column;
    expect(mf_diag_print(&diag, text, sizeof text) == strlen(want) && strcmp(text, want) == 0);
}

static void diag_print_says_what_is_known(void) {
    expect_printed("", 0, 0, "no regions");
    expect_printed("a.yaml", 0, 0, "a.yaml: no regions");
    expect_printed("a.yaml", 7, 0, "a.yaml:7: no regions");
    expect_printed("a.yaml", 7, 12, "a.yaml:7:12: no regions");
    expect_printed("", 7, 12, "7:12: no regions");
    char text[100];
    mf_diag_print(&(mf_diag){.status = MF_IO}, text, sizeof text);
    expect(strcmp(text, "a file cannot be read or written") == 0);
}

static void diag_print_cuts_and_counts(void) {
    mf_diag diag;
    mf_diag_set(&diag, MF_BAD_INPUT, 0, "no regions");
    strcpy(diag.file, "a.yaml");
    expect(mf_diag_print(&diag, NULL, 0) == 18);
    for (size_t room = 1; room <= 19; room++) {
        char text[20];
        memset(text, '#', sizeof text);
        expect(mf_diag_print(&diag, text, room) == 18);
        expect(strncmp(text, "a.yaml: no regions", room - 1) == 0);
        expect(text[room - 1] == '\0' && text[room] == '#');
    }
}

static void expect_shown(const char *text, const char *want) {
    mf_diag diag;
    char printed[100];
    mf_diag_set(&diag, MF_IO, 0, "%s", text);
    expect(strcmp(diag.message, want) == 0);
    strcpy(diag.message, text);
    strcpy(diag.file, text);
    size_t length = mf_diag_print(&diag, printed, sizeof printed);
    size_t part = strlen(want);
    expect(length == 2 * part + 2 && strlen(printed) == length);
    expect(memcmp(printed, want, part) == 0 && strcmp(printed + part + 2, want) == 0);
}

static void messages_can_be_shown(void) {
    expect_shown("plain é 漢 \U0001f600 ~", "plain é 漢 \U0001f600 ~");
    expect_shown("\x01\t\n\x1b[31m\x7f", "????[31m?");
    expect_shown("\xc2\x80 \xc2\x9b \xc2\x9f \xc2\xa0", "? ? ? \xc2\xa0");
    expect_shown("\u061c \u200b \u200e \u200f \u202a \u202e \u2066 \u2069 \ufeff", "? ? ? ? ? ? ? ? ?");
    expect_shown("\u00ad \u180e \U0001d173 \U0001d17a \U0001d17b", "? ? ? ? \U0001d17b");
    expect_shown("\u2028 \u2029 \ufff9 \U000e0041 \U000e0080", "? ? ? ? \U000e0080");
    expect_shown("\xff \xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82", "? ?? ? ? ??");
    mf_diag diag;
    char longer[sizeof diag.message + 8];
    memset(longer, 'a', sizeof longer);
    memcpy(longer + sizeof diag.message - 3, "\u20ac", 4);
    mf_diag_set(&diag, MF_IO, 0, "%s", longer);
    expect(strlen(diag.message) == sizeof diag.message - 3); /* no part of a character */
    char cut[4];
    strcpy(diag.file, "a\u20ac");
    expect(mf_diag_print(&diag, cut, sizeof cut) > 4 && strcmp(cut, "a") == 0);
}

static void options_are_equal_field_by_field(void) {
    const mf_accessor_options zero = {0};
    const mf_accessor_options others[] = {
        {.backend = (mf_backend)1},   {.policy = MF_POLICY_BOUNDS},
        {.endian = MF_BIG_ENDIAN},    {.on_fault = MF_ON_FAULT_TRAP},
        {.base = MF_BASE_ARGUMENT},   {.index = MF_INDEX_U33},
        {.spectre = MF_SPECTRE_MASK}, {.strategy = MF_STRATEGY_HEAP},
        {.stale = MF_STALE_CHECK},    {.base_address = 1},
        {.hot_address = 1},           {.hot_percent = 1},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        mf_accessor_options same = others[i];
        expect(mf_accessor_options_equal(&others[i], &same));
        expect(!mf_accessor_options_equal(&others[i], &zero));
        expect(!mf_accessor_options_equal(&zero, &others[i]));
    }
}

static const test tests[] = {
    TEST(names_and_messages),
    TEST(diag_set),
    TEST(diag_print_says_what_is_known),
    TEST(diag_print_cuts_and_counts),
    TEST(messages_can_be_shown),
    TEST(options_are_equal_field_by_field),
};

int main(void) {
    return RUN_TESTS(tests);
}
