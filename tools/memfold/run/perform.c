#include "run/perform.h"

#include <inttypes.h>
#include <stdio.h>

static void print_fault(const mf_fault *fault) {
    printf(" ! %s 0x%" PRIx64 "\n", fault->kind == MF_WRITE_PROTECTED ? "write-protected" : "page-fault",
           fault->page);
}

static void print_outcome(run_session *session, bool done) {
    mf_fault fault = mf_memory_last_fault(session->memory);
    if (done)
        puts(" ok");
    else
        print_fault(&fault);
}

/* A change of pages was done or refused; any other status is an error of the host. */
static bool change_is_answered(mf_status status) {
    return status == MF_OK || status == MF_UNALIGNED_START || status == MF_UNALIGNED_SIZE ||
           status == MF_OVERFLOW;
}

static void print_change(run_session *session, mf_status status) {
    if (status == MF_OK) {
        run_engine_layout_changed(&session->engine);
        puts(" ok");
    } else {
        printf(" ! %s 0x%" PRIx64 "\n", mf_status_name(status), session->diag.value);
    }
}

/* A pointer that is not NULL even where the command has no bytes. */
static const unsigned char *payload_of(const run_session *session, const run_command *command) {
    static const unsigned char none;
    return command->payload_bytes == 0 ? &none : session->script->payload + command->payload_start;
}

/*
 * Every command: perform it, then print its line. An error of the host prints nothing, so that the output
 * ends with the last command that was performed.
 */
typedef mf_status perform(run_session *session, const run_command *command);

static mf_status perform_load(run_session *session, const run_command *command) {
    uint64_t value = 0;
    mf_fault fault;
    mf_status status = run_engine_access(&session->engine, (mf_accessor_id)command->choice,
                                         command->numbers[0], &value, &fault, &session->diag);
    if (status != MF_OK)
        return status;
    printf("load %s 0x%08" PRIx64, run_kind_word(command->choice), command->numbers[0]);
    if (fault.kind == MF_FAULT_NONE)
        printf(" = 0x%016" PRIx64 "\n", value);
    else
        print_fault(&fault);
    return MF_OK;
}

static mf_status perform_store(run_session *session, const run_command *command) {
    uint64_t value = command->numbers[1];
    mf_fault fault;
    mf_status status = run_engine_access(&session->engine, (mf_accessor_id)command->choice,
                                         command->numbers[0], &value, &fault, &session->diag);
    if (status != MF_OK)
        return status;
    printf("store %s 0x%08" PRIx64, run_kind_word(command->choice), command->numbers[0]);
    if (fault.kind == MF_FAULT_NONE)
        puts(" ok");
    else
        print_fault(&fault);
    return MF_OK;
}

static mf_status perform_read(run_session *session, const run_command *command) {
    static const char digits[] = "0123456789abcdef";
    uint64_t length = command->numbers[1];
    const unsigned char *bytes =
        mf_memory_span(session->memory, (uint32_t)command->numbers[0], length, MF_LOAD);
    printf("read 0x%08" PRIx64 " %" PRIu64, command->numbers[0], length);
    if (bytes == NULL) {
        print_outcome(session, false);
        return MF_OK;
    }
    fputs(" =", stdout);
    for (uint64_t i = 0; i < length; i++) {
        char text[3] = {' ', digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        fwrite(text, 1, sizeof text, stdout);
    }
    putchar('\n');
    return MF_OK;
}

static mf_status perform_write(run_session *session, const run_command *command) {
    const unsigned char *payload = payload_of(session, command);
    bool done =
        mf_memory_write(session->memory, (uint32_t)command->numbers[0], payload, command->payload_bytes);
    printf("write 0x%08" PRIx64 " %zu", command->numbers[0], command->payload_bytes);
    print_outcome(session, done);
    return MF_OK;
}

static mf_status perform_fill(run_session *session, const run_command *command) {
    const uint64_t *numbers = command->numbers;
    bool done = mf_memory_fill(session->memory, (uint32_t)numbers[0], (uint8_t)numbers[2], numbers[1]);
    printf("fill 0x%08" PRIx64 " %" PRIu64 " 0x%02" PRIx64, numbers[0], numbers[1], numbers[2]);
    print_outcome(session, done);
    return MF_OK;
}

static mf_status perform_copy(run_session *session, const run_command *command) {
    const uint64_t *numbers = command->numbers;
    bool done = mf_memory_copy(session->memory, (uint32_t)numbers[0], (uint32_t)numbers[1], numbers[2]);
    printf("copy 0x%08" PRIx64 " 0x%08" PRIx64 " %" PRIu64, numbers[0], numbers[1], numbers[2]);
    print_outcome(session, done);
    return MF_OK;
}

static mf_status perform_perm(run_session *session, const run_command *command) {
    mf_perm perm = mf_memory_perm_of(session->memory, (uint32_t)command->numbers[0]);
    printf("perm 0x%08" PRIx64 " = %s\n", command->numbers[0], run_perm_word(perm));
    return MF_OK;
}

static mf_status perform_accessible(run_session *session, const run_command *command) {
    const uint64_t *numbers = command->numbers;
    bool yes = mf_memory_is_accessible(session->memory, (uint32_t)numbers[0], numbers[1],
                                       (mf_operation)command->choice);
    printf("accessible 0x%08" PRIx64 " %" PRIu64 " %s = %s\n", numbers[0], numbers[1],
           run_operation_word(command->choice), yes ? "yes" : "no");
    return MF_OK;
}

static mf_status perform_map(run_session *session, const run_command *command) {
    const uint64_t *numbers = command->numbers;
    mf_status status =
        mf_memory_map_region(session->memory, numbers[0], numbers[1], (mf_access)command->choice,
                             payload_of(session, command), command->payload_bytes, &session->diag);
    if (!change_is_answered(status))
        return status;
    printf("map 0x%08" PRIx64 " 0x%" PRIx64 " %s", numbers[0], numbers[1], run_perm_word(command->choice));
    print_change(session, status);
    return MF_OK;
}

static mf_status perform_protect(run_session *session, const run_command *command) {
    const uint64_t *numbers = command->numbers;
    mf_status status =
        mf_memory_protect(session->memory, numbers[0], numbers[1], (mf_perm)command->choice, &session->diag);
    if (!change_is_answered(status))
        return status;
    printf("protect 0x%08" PRIx64 " 0x%" PRIx64 " %s", numbers[0], numbers[1],
           run_perm_word(command->choice));
    print_change(session, status);
    return MF_OK;
}

static mf_status perform_unmap(run_session *session, const run_command *command) {
    const uint64_t *numbers = command->numbers;
    mf_status status = mf_memory_unmap(session->memory, numbers[0], numbers[1], &session->diag);
    if (!change_is_answered(status))
        return status;
    printf("unmap 0x%08" PRIx64 " 0x%" PRIx64, numbers[0], numbers[1]);
    print_change(session, status);
    return MF_OK;
}

static mf_status perform_sbrk(run_session *session, const run_command *command) {
    uint64_t old_top = 0;
    mf_status status = mf_memory_sbrk(session->memory, command->numbers[0], &old_top, &session->diag);
    if (status != MF_OK && status != MF_HEAP_REFUSED)
        return status;
    printf("sbrk %" PRIu64, command->numbers[0]);
    if (status == MF_OK)
        printf(" = 0x%08" PRIx64 "\n", old_top);
    else
        puts(" ! refused");
    return MF_OK;
}

static mf_status perform_reset(run_session *session, const run_command *command) {
    (void)command;
    mf_status status = mf_memory_reset(session->memory, &session->diag);
    if (status != MF_OK)
        return status;
    fputs("reset", stdout);
    print_change(session, status);
    return MF_OK;
}

static perform *const performers[] = {[VERB_LOAD] = perform_load,   [VERB_STORE] = perform_store,
                                      [VERB_READ] = perform_read,   [VERB_WRITE] = perform_write,
                                      [VERB_FILL] = perform_fill,   [VERB_COPY] = perform_copy,
                                      [VERB_PERM] = perform_perm,   [VERB_ACCESSIBLE] = perform_accessible,
                                      [VERB_MAP] = perform_map,     [VERB_PROTECT] = perform_protect,
                                      [VERB_UNMAP] = perform_unmap, [VERB_SBRK] = perform_sbrk,
                                      [VERB_RESET] = perform_reset};

mf_status run_command_perform(run_session *session, const run_command *command) {
    return performers[command->verb](session, command);
}
