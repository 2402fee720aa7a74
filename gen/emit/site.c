#include "emit/site.h"

bool emit_site_is_word(const ir *ir, const emit_site *site) {
    return site->t_raw == ir->t_i8 || site->t_raw == ir->t_i16 || site->t_raw == ir->t_i32 ||
           site->t_raw == ir->t_i64;
}

LLVMValueRef emit_index(const ir *ir, const emit_site *site) {
    if (site->v_address == NULL)
        return site->v_index;
    return LLVMBuildZExt(ir->builder, site->v_address, ir->t_i64, "index");
}
