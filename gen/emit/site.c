#include "emit/site.h"

LLVMValueRef emit_index(const ir *ir, const emit_site *site) {
    if (site->v_address == NULL)
        return site->v_index;
    return LLVMBuildZExt(ir->builder, site->v_address, ir->t_i64, "index");
}
