/* Hosts that have no paged backend. */
#include "backend.h"

#include <memfold/fault_handler.h>

const backend_ops *const backend_x86_paged = NULL;
const reuse_ops *const reuse_x86_paged = NULL;

mf_status mf_fault_handler_install(mf_diag *diag) {
    return mf_diag_set(diag, MF_INVALID_ARGUMENT, MF_BACKEND_X86_PAGED,
                       "the x86_paged backend needs Linux on x86-64");
}

void mf_fault_handler_uninstall(void) {
}

mf_status mf_fault_handler_mode(mf_fault_handler_owner owner, mf_diag *diag) {
    (void)owner;
    return mf_fault_handler_install(diag);
}

bool mf_fault_handle(int signal, const void *siginfo, void *ucontext) {
    (void)signal;
    (void)siginfo;
    (void)ucontext;
    return false;
}
