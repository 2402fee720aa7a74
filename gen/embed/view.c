/* Whether the view is of a memory that the code around the accesses was made for. */
#include "embed/embed.h"

/* By the layout itself: accesses at constant addresses and ranges are decided by it, also on x86_paged. */
void mf_embed_check_view(const mf_embed *embed, LLVMBuilderRef builder, LLVMValueRef view) {
    ir ir = embed->ir;
    ir.builder = builder;
    uint64_t stamp = MF_LAYOUT_STAMP(mf_layout_fingerprint(embed->layout), embed->options.backend);
    mf_plan plan = {.index = embed->options.index};
    mf_plan_step step = {.kind = MF_STEP_SAME_LAYOUT, .start = stamp};
    emit_site site = {.plan = &plan, .options = &embed->options, .v_view = view};
    emit_same_stamp(&ir, &site, &step);
}
