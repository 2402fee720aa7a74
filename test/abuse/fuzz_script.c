/*
 * Whatever bytes a script of `memfold run` has: it is refused with a reason and a line, or every command is
 * one that can be run.
 *
 * RUN: rm -rf %t.new && mkdir %t.new
 * RUN: %fuzz-cc %s -o %t %fuzz
 * RUN: %t -seed=1 -runs=20000 -max_len=1024 -artifact_prefix=%t. %t.new %S/corpus/script 2>&1 | FileCheck %s
 *
 * REQUIRES: fuzz
 *
 * CHECK: Done {{[0-9]+}} runs
 */
#include "lib/fuzz.h"

#include "run/script.h"

#include <memfold/accessors.h>

static void check_command(const run_script *script, const run_command *command) {
    fuzz_expect(command->verb <= VERB_RESET && command->line > 0);
    if (command->verb == VERB_LOAD || command->verb == VERB_STORE) {
        mf_operation operation = command->verb == VERB_LOAD ? MF_LOAD : MF_STORE;
        fuzz_expect(command->choice < MF_ACCESSOR_COUNT && command->numbers[0] <= UINT32_MAX);
        fuzz_expect(mf_accessor_info_get((mf_accessor_id)command->choice)->operation == (uint32_t)operation);
    }
    if (command->verb == VERB_MAP || command->verb == VERB_PROTECT)
        fuzz_expect(command->choice <= MF_PERM_RW);
    fuzz_expect(command->payload_bytes <= script->payload_bytes &&
                command->payload_start <= script->payload_bytes - command->payload_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    run_script script;
    uint64_t bad_line = 0;
    mf_diag diag = {0};
    mf_status status = run_script_read(fuzz_file(data, bytes), UINT32_MAX, &script, &diag, &bad_line);
    if (status != MF_OK) {
        fuzz_expect(status == MF_BAD_INPUT && bad_line > 0 && diag.message[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < script.command_count; i++)
        check_command(&script, &script.commands[i]);
    run_script_fini(&script);
    return 0;
}
