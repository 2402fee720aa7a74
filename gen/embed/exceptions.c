/* The exception table of a client's module. */
#include "embed/embed.h"

#include "emit/paged.h"
#include "ir/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Module assembly comes before the functions, but what is in a later subsection comes after their entries.
 * Both labels are local to the object: a JIT refuses objects that define more than their module has said.
 */
static const char BOUNDS_FORMAT[] = ".pushsection " MF_EXCEPTION_SECTION ",\"aR\",@progbits\n"
                                    ".balign 4\n%s_begin:\n.subsection 1\n%s_end:\n.popsection\n";

/* Declares the label "<name>_<suffix>" of the module's assembly. NULL if the host has no memory. */
static LLVMValueRef declare_label(LLVMModuleRef module, const char *name, const char *suffix) {
    char *symbol = NULL;
    if (asprintf(&symbol, "%s_%s", name, suffix) < 0)
        return NULL;
    LLVMTypeRef t_entries = LLVMArrayType2(LLVMInt8TypeInContext(LLVMGetModuleContext(module)), 0);
    LLVMValueRef v_label = LLVMAddGlobal(module, t_entries, symbol);
    free(symbol);
    return v_label;
}

static bool define_bounds(LLVMModuleRef module, const char *name) {
    LLVMValueRef members[] = {declare_label(module, name, "begin"), declare_label(module, name, "end")};
    char *text = NULL;
    if (members[0] == NULL || members[1] == NULL || asprintf(&text, BOUNDS_FORMAT, name, name) < 0)
        return false;
    LLVMAppendModuleInlineAsm(module, text, strlen(text));
    free(text);
    LLVMValueRef v_bounds = LLVMConstStructInContext(LLVMGetModuleContext(module), members, 2, false);
    LLVMValueRef v_table = LLVMAddGlobal(module, LLVMTypeOf(v_bounds), name);
    LLVMSetInitializer(v_table, v_bounds);
    LLVMSetGlobalConstant(v_table, true);
    return true;
}

/* Accesses ask for this mark (emit/paged.c), so that nobody forgets the table. It leaves nothing in the
 * object. */
static void set_mark(LLVMModuleRef module) {
    static const char TEXT[] = ".set " EMIT_TABLE_MARK ", 1\n";
    LLVMAppendModuleInlineAsm(module, TEXT, sizeof TEXT - 1);
}

mf_status mf_embed_define_exception_table(LLVMModuleRef module, const char *name, mf_diag *diag) {
    mf_status status = target_initialize_x86_assembly(diag); /* what is added is assembly itself */
    if (status != MF_OK)
        return status;
    set_mark(module);
    if (name == NULL || define_bounds(module, name))
        return MF_OK;
    return mf_diag_set(diag, MF_OUT_OF_MEMORY, 0, "no memory for an exception table");
}
