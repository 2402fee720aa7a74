#include "mutants.h"

#include "stencil/table.h"

#include <stdlib.h>
#include <string.h>

/* ---- Changes of plans ---- */

/* The first step of this kind, or the test ends: the mutant would be none. */
static mf_plan_step *step_of(mf_plan *plan, mf_step_kind kind, mf_step_at at) {
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kind == kind && plan->steps[i].at == at)
            return &plan->steps[i];
    abort();
}

static mf_plan_step *load_step(plan_set *plans, mf_step_kind kind, mf_step_at at) {
    return step_of(&plans->plans[MF_LOAD_U32], kind, at);
}

static void raise_last(plan_set *p) {
    load_step(p, MF_STEP_IN_WINDOW, MF_AT_FIRST)->last++;
}

static void lower_last(plan_set *p) {
    load_step(p, MF_STEP_IN_WINDOW, MF_AT_FIRST)->last--;
}

static void move_start_by_page(plan_set *p) {
    load_step(p, MF_STEP_IN_WINDOW, MF_AT_FIRST)->start += MF_PAGE_SIZE;
}

static void flip_top_bit_of_start(plan_set *p) {
    load_step(p, MF_STEP_IN_WINDOW, MF_AT_FIRST)->start ^= UINT64_C(1) << 31;
}

/* As if every access had one byte. */
static void forget_width(plan_set *p) {
    load_step(p, MF_STEP_IN_WINDOW, MF_AT_FIRST)->last += 3;
}

static void lower_hole(plan_set *p) {
    load_step(p, MF_STEP_NOT_IN_HOLE, MF_AT_FIRST)->last--;
}

static void raise_hole_start(plan_set *p) {
    load_step(p, MF_STEP_NOT_IN_HOLE, MF_AT_FIRST)->start++;
}

static void ask_growth_of_first_byte(plan_set *p) {
    load_step(p, MF_STEP_NOT_IN_GROWTH, MF_AT_LAST)->at = MF_AT_FIRST;
}

static void lower_growth_end(plan_set *p) {
    load_step(p, MF_STEP_NOT_IN_GROWTH, MF_AT_LAST)->last -= MF_PAGE_SIZE;
}

static void allow_stores_as_loads(plan_set *p) {
    mf_plan *store = &p->plans[MF_STORE_U32];
    memcpy(store->steps, p->plans[MF_LOAD_U32].steps, sizeof store->steps);
    store->step_count = p->plans[MF_LOAD_U32].step_count;
}

static void use_table_of_loads(plan_set *p) {
    memcpy(p->tables[MF_STORE].bytes, p->tables[MF_LOAD].bytes, p->tables[MF_STORE].byte_count);
}

static void flip_entry_of_table(plan_set *p) {
    p->tables[MF_LOAD].bytes[7] ^= 1;
}

static void raise_granule(plan_set *p) {
    load_step(p, MF_STEP_TABLE_BYTE, MF_AT_FIRST)->granule_log2++;
}

static void ask_first_granule_twice(plan_set *p) {
    load_step(p, MF_STEP_TABLE_BYTE, MF_AT_LAST)->at = MF_AT_FIRST;
}

static void raise_place_in_granule(plan_set *p) {
    load_step(p, MF_STEP_IN_GRANULE, MF_AT_FIRST)->last++;
}

/* The access ends in the next granule, and nobody asks. */
static void drop_second_page(plan_set *p) {
    load_step(p, MF_STEP_IN_GRANULE, MF_AT_FIRST)->on_fail = MF_EXIT_ALLOWED;
}

static void drop_in_space(plan_set *p) {
    load_step(p, MF_STEP_IN_SPACE, MF_AT_FIRST)->last += 8;
}

static void flip_immediate_bit(plan_set *p) {
    load_step(p, MF_STEP_IMMEDIATE_BIT, MF_AT_FIRST)->bits ^= 1;
}

static void allow_everything(plan_set *p) {
    mf_plan *plan = &p->plans[MF_LOAD_U32];
    memset(plan->steps, 0, sizeof plan->steps);
    plan->step_count = 1;
    plan->steps[0] =
        (mf_plan_step){.kind = MF_STEP_ALWAYS, .on_pass = MF_EXIT_ALLOWED, .on_fail = MF_EXIT_ALLOWED};
    plan->check = MF_CHECK_ALWAYS_ALLOWED;
}

static void refuse_everything(plan_set *p) {
    allow_everything(p);
    mf_plan *plan = &p->plans[MF_LOAD_U32];
    plan->steps[0].on_pass = plan->steps[0].on_fail = MF_EXIT_FAULT;
    plan->check = MF_CHECK_ALWAYS_FAULT;
}

static void raise_limit(plan_set *p) {
    p->plans[MF_LOAD_U32].limit = MF_SPACE_BYTES;
}

/* As if the code had been made before somebody changed the layout: the stack was a page larger. */
static void remember_former_layout(plan_set *p) {
    for (mf_accessor_id id = 0; id < MF_ACCESSOR_COUNT; id++)
        step_of(&p->plans[id], MF_STEP_IN_WINDOW, MF_AT_FIRST)->last += MF_PAGE_SIZE;
}

static void drop_stamp(plan_set *p) {
    mf_plan *plan = &p->plans[MF_LOAD_U32];
    memmove(&plan->steps[0], &plan->steps[1], (plan->step_count - 1) * sizeof plan->steps[0]);
    plan->step_count--;
}

static void change_stamp(plan_set *p) {
    p->plans[MF_LOAD_U32].steps[0].start ^= UINT64_C(1) << 40;
}

static void drop_mask(plan_set *p) {
    mf_plan *plan = &p->plans[MF_LOAD_U32];
    plan->step_count--;
    plan->steps[plan->step_count - 1].on_pass = MF_EXIT_ALLOWED;
}

static void mask_to_zero(plan_set *p) {
    load_step(p, MF_STEP_MASK, MF_AT_FIRST)->start = 0;
}

/* ---- Changes of stencils that were written ---- */

/* Where a hole of this form for this number is, in the pieces of load_u32. */
static uint32_t find_hole(const stencil_set *set, uint8_t form, uint8_t what) {
    const stencil_pieces *pieces = &set->pieces[MF_LOAD_U32];
    uint32_t at = set->functions[MF_LOAD_U32];
    for (uint8_t i = 0; i < pieces->count; i++) {
        const stencil *s = &STENCIL_TABLE.stencils[pieces->numbers[i]];
        for (uint32_t n = 0; n < s->hole_count; n++) {
            const stencil_hole *hole = &STENCIL_TABLE.holes[s->first_hole + n];
            if (hole->form == form && hole->what == what)
                return at + hole->offset;
        }
        at += s->code_bytes;
    }
    abort();
}

static void exchange(unsigned char *a, unsigned char *b, size_t count) {
    unsigned char kept[8];
    memcpy(kept, a, count);
    memcpy(a, b, count);
    memcpy(b, kept, count);
}

static void patch_wrong_holes(const stencil_set *set, unsigned char *bytes) {
    exchange(bytes + find_hole(set, STENCIL_HALF, PLAN_NUMBER_MINUS_START),
             bytes + find_hole(set, STENCIL_HALF, PLAN_NUMBER_LAST), 4);
}

static void forget_hole(const stencil_set *set, unsigned char *bytes) {
    memset(bytes + find_hole(set, STENCIL_HALF, PLAN_NUMBER_LAST), 0, 4);
}

static void add_to_hole(const stencil_set *set, unsigned char *bytes) {
    bytes[find_hole(set, STENCIL_HALF, PLAN_NUMBER_LAST)] += 1;
}

static void reach_wrong_entry(const stencil_set *set, unsigned char *bytes) {
    bytes[find_hole(set, STENCIL_RELATIVE, (uint8_t)STENCIL_PLACE_ENTRY + (uint8_t)MF_RT_FAULT)] +=
        sizeof(uint64_t);
}

static void exchange_addresses(const stencil_set *set, unsigned char *bytes) {
    unsigned char *addresses = bytes + set->addresses;
    exchange(addresses + 8 * MF_RT_FAULT, addresses + 8 * MF_RT_ACCESSIBLE, 8);
}

static void lead_fault_to_access(const stencil_set *set, unsigned char *bytes) {
    memset(bytes + find_hole(set, STENCIL_RELATIVE, STENCIL_PLACE_FAULT), 0, 4);
}

static void move_entry(const stencil_set *set, unsigned char *bytes) {
    mf_exception_entry *entry = (mf_exception_entry *)(bytes + set->entries) + MF_LOAD_U32;
    entry->fault++;
}

static void move_resume(const stencil_set *set, unsigned char *bytes) {
    mf_exception_entry *entry = (mf_exception_entry *)(bytes + set->entries) + MF_LOAD_U32;
    entry->resume += 3;
}

static void exchange_entries(const stencil_set *set, unsigned char *bytes) {
    mf_exception_entry *entries = (mf_exception_entry *)(bytes + set->entries);
    int32_t apart = (int32_t)sizeof *entries;
    int32_t first = entries[MF_LOAD_U32].resume;
    entries[MF_LOAD_U32].resume = entries[MF_STORE_U32].resume + (MF_STORE_U32 - MF_LOAD_U32) * apart;
    entries[MF_STORE_U32].resume = first - (MF_STORE_U32 - MF_LOAD_U32) * apart;
}

/* ---- All ---- */

#define IR(in, from, to) .function = in, .ir_from = from, .ir_to = to
#define ASSEMBLY(in, from, to) .function = in, .assembly_from = from, .assembly_to = to
#define WITH(...) .options = {__VA_ARGS__}

/* One entry of a table in the middle of nowhere is not found by a sample. */
const mutant MUTANTS[] = {
    /* The planner. */
    {"limit one too high", SAMPLE_WINDOW, .change_plans = raise_last},
    {"limit one too low", SAMPLE_WINDOW, .change_plans = lower_last},
    {"width forgotten", SAMPLE_WINDOW, .change_plans = forget_width},
    {"start a page too high", SAMPLE_WINDOW, .change_plans = move_start_by_page},
    {"start in the other half", SAMPLE_WINDOW, .change_plans = flip_top_bit_of_start},
    {"hole one too short", SAMPLE_MIXED, .change_plans = lower_hole},
    {"hole one too late", SAMPLE_MIXED, .change_plans = raise_hole_start},
    {"growth asked of the first byte", SAMPLE_MIXED, .change_plans = ask_growth_of_first_byte},
    {"growth ends a page early", SAMPLE_MIXED, .change_plans = lower_growth_end},
    {"stores allowed as loads", SAMPLE_MIXED, .change_plans = allow_stores_as_loads},
    {"table of the other operation", SAMPLE_MANY, WITH(.strategy = MF_STRATEGY_GRANULE_TABLE),
     .change_plans = use_table_of_loads},
    {"entry of the table", SAMPLE_MANY, WITH(.strategy = MF_STRATEGY_GRANULE_TABLE),
     .change_plans = flip_entry_of_table, .is_unswept = true},
    {"entry of the bitmap", SAMPLE_MANY, WITH(.strategy = MF_STRATEGY_GRANULE_BITMAP),
     .change_plans = flip_entry_of_table},
    {"granule too large", SAMPLE_MANY, WITH(.strategy = MF_STRATEGY_GRANULE_TABLE),
     .change_plans = raise_granule},
    {"first granule asked twice", SAMPLE_MANY, WITH(.strategy = MF_STRATEGY_GRANULE_TABLE),
     .change_plans = ask_first_granule_twice},
    {"place in the granule", SAMPLE_MANY, WITH(.strategy = MF_STRATEGY_GRANULE_TABLE),
     .change_plans = raise_place_in_granule},
    {"second granule dropped", SAMPLE_MANY, WITH(.strategy = MF_STRATEGY_GRANULE_TABLE),
     .change_plans = drop_second_page},
    {"second page dropped", SAMPLE_MIXED, WITH(.strategy = MF_STRATEGY_PERM_TABLE),
     .change_plans = drop_second_page},
    {"index beyond the space", SAMPLE_MANY,
     WITH(.strategy = MF_STRATEGY_GRANULE_TABLE, .index = MF_INDEX_U33), .change_plans = drop_in_space,
     .is_unknown = true, .is_unseen = true, .is_unswept = true},
    {"bit of the immediate bitmap", SAMPLE_MANY, WITH(.strategy = MF_STRATEGY_IMMEDIATE_BITMAP),
     .change_plans = flip_immediate_bit},
    {"always allowed", SAMPLE_WINDOW, .change_plans = allow_everything},
    {"always refused", SAMPLE_WINDOW, .change_plans = refuse_everything},
    {"limit of the record", SAMPLE_WINDOW, WITH(.policy = MF_POLICY_BOUNDS), .change_plans = raise_limit},
    {"permissions of a former layout", SAMPLE_MIXED, .change_plans = remember_former_layout},
    {"stale check dropped", SAMPLE_WINDOW, WITH(.stale = MF_STALE_CHECK), .change_plans = drop_stamp,
     .is_unswept = true},
    {"stale check of another layout", SAMPLE_WINDOW, WITH(.stale = MF_STALE_CHECK),
     .change_plans = change_stamp},
    {"mask dropped", SAMPLE_WINDOW, WITH(.spectre = MF_SPECTRE_MASK), .change_plans = drop_mask,
     .is_unseen = true, .is_unswept = true},
    {"mask to the wrong place", SAMPLE_WINDOW, WITH(.spectre = MF_SPECTRE_MASK), .change_plans = mask_to_zero,
     .is_unseen = true, .is_unswept = true},

    /* The emitters. */
    {"zero extension of the address by the sign", SAMPLE_WINDOW,
     IR("load_u32", "zext i32 %address", "sext i32 %address")},
    {"<= becomes <", SAMPLE_WINDOW, IR("load_u32", "icmp ule", "icmp ult")},
    {"<= of signed numbers", SAMPLE_WINDOW, IR("load_u32", "icmp ule", "icmp sle")},
    {"> becomes >=", SAMPLE_MIXED, IR("load_u32", "icmp ugt", "icmp uge")},
    {"< becomes <= at the heap's end", SAMPLE_MIXED,
     IR("load_u32", "icmp ult i64 %offset", "icmp ule i64 %offset")},
    {"heap end from another field", SAMPLE_MIXED,
     IR("load_u32", "%mf_view, ptr %view, i32 0, i32 2", "%mf_view, ptr %view, i32 0, i32 3")},
    {"permission bit swapped", SAMPLE_MIXED, WITH(.strategy = MF_STRATEGY_PERM_TABLE),
     IR("store_u32", "icmp uge i8 %perm, 2", "icmp uge i8 %perm, 1")},
    {"permission bit swapped for loads", SAMPLE_MIXED, WITH(.strategy = MF_STRATEGY_PERM_TABLE),
     IR("load_u32", "icmp uge i8 %perm, 1", "icmp uge i8 %perm, 2")},
    {"table index shifted by one more", SAMPLE_MIXED, WITH(.strategy = MF_STRATEGY_PERM_TABLE),
     IR("load_u32", "lshr i32 %address1, 12", "lshr i32 %address1, 13")},
    {"value by the sign", SAMPLE_WINDOW, IR("load_u32", "zext i32 %raw", "sext i32 %raw")},
    {"value by zeros", SAMPLE_WINDOW, IR("load_i16", "sext i16 %raw", "zext i16 %raw")},
    {"wrong byte order", SAMPLE_WINDOW, WITH(.endian = MF_BIG_ENDIAN),
     IR("load_u32", "call i32 @llvm.bswap.i32(i32 %raw)", "or i32 %raw, 0")},
    {"access a byte beside", SAMPLE_WINDOW,
     IR("load_u32", "%raw = load i32, ptr %host",
        "%beside = getelementptr i8, ptr %host, i64 1\n  %raw = load i32, ptr %beside")},
    {"store of twice the width", SAMPLE_WINDOW,
     IR("store_u32", "store i32 %bits, ptr %host", "store i64 %value, ptr %host")},
    {"store before the check, and too wide", SAMPLE_WINDOW,
     IR("store_u8", "%ok = ",
        "%early = getelementptr i8, ptr %base, i64 %index\n  store i16 0, ptr %early, align 1\n  %ok = ")},
    {"fault call lost", SAMPLE_WINDOW,
     IR("load_u32",
        "%status = call preserve_mostcc range(i32 1, 3) i32 @mf_rt_fault_v3(ptr %view, i64 %index, i64 8, "
        "i64 0)",
        "%status = add i32 1, 0")},
    {"access code of the other operation", SAMPLE_WINDOW, IR("store_u32", "i64 9, i64 0)", "i64 8, i64 0)")},
    {"access code of another width", SAMPLE_WINDOW, IR("load_u32", "i64 8, i64 0)", "i64 16, i64 0)")},
    {"limit in the call", SAMPLE_WINDOW, IR("load_u32", "i64 8, i64 0)", "i64 8, i64 8589934592)")},
    {"index in the call", SAMPLE_WINDOW,
     IR("load_u32", "@mf_rt_fault_v3(ptr %view, i64 %index,", "@mf_rt_fault_v3(ptr %view, i64 %offset,")},
    {"status of a good access", SAMPLE_WINDOW, IR("store_u32", "phi i32 [ 0,", "phi i32 [ 1,")},
    {"value of a refused load", SAMPLE_WINDOW,
     IR("load_u32", "[ 0, %fault ]\n  %status", "[ 1, %fault ]\n  %status")},
    {"ways exchanged", SAMPLE_WINDOW,
     IR("load_u32", "label %access, label %fault", "label %fault, label %access")},
    {"trap returns", SAMPLE_WINDOW, WITH(.on_fault = MF_ON_FAULT_TRAP),
     IR("store_u32", "call void @mf_rt_trap_v3(ptr %view, i64 %index, i64 9, i64 0)\n  unreachable",
        "ret void")},
    {"write to the view", SAMPLE_WINDOW,
     IR("load_u32", "%raw = load",
        "%field = getelementptr i8, ptr %view, i64 16\n  store i64 4096, ptr %field\n  %raw = load")},

    /* The assembly: what a compiler may do wrong. */
    {"zero extension dropped", SAMPLE_WINDOW, ASSEMBLY("load_u32", "movl\t%esi, %esi", "")},
    {"ja becomes jae", SAMPLE_WINDOW, ASSEMBLY("load_u32", "\tja\t", "\tjae\t")},
    {"ja becomes jg", SAMPLE_WINDOW, ASSEMBLY("load_u32", "\tja\t", "\tjg\t")},
    {"index of the wrong type at the access", SAMPLE_MIXED,
     ASSEMBLY("load_u32", "movl\t(%rcx,%rsi), %eax", "movslq\t%esi, %rsi\n\tmovl\t(%rcx,%rsi), %eax")},
    {"load of twice the width", SAMPLE_WINDOW,
     ASSEMBLY("load_u16", "movzwl\t(%rax,%rsi), %eax", "movl\t(%rax,%rsi), %eax\n\tmovzwl\t%ax, %eax"),
     .is_unseen = true, .is_unswept = true},
    {"address by 32 bits", SAMPLE_WINDOW, ASSEMBLY("load_u32", "(%rax,%rsi), %eax", "(%eax,%esi), %eax")},
    {"base folded twice", SAMPLE_WINDOW, ASSEMBLY("load_u32", "(%rax,%rsi), %eax", "8(%rax,%rsi), %eax")},
    {"callee-saved register clobbered", SAMPLE_WINDOW,
     ASSEMBLY("load_u32", "\tretq", "\txorl\t%ebx, %ebx\n\tretq")},
    {"direction flag set", SAMPLE_WINDOW, ASSEMBLY("store_u8", "\tretq", "\tstd\n\tretq")},
    {"stack misaligned at the call", SAMPLE_WINDOW,
     ASSEMBLY("load_u32", "callq\t*mf_rt_fault_v3@GOTPCREL(%rip)",
              "pushq\t%rcx\n\tcallq\t*mf_rt_fault_v3@GOTPCREL(%rip)\n\tpopq\t%rcx"),
     .is_unseen = true, .is_unswept = true},
    {"stack not given back", SAMPLE_WINDOW, ASSEMBLY("load_u32", "addq\t$8, %rsp", "addq\t$16, %rsp")},
    {"write above the stack pointer", SAMPLE_WINDOW,
     ASSEMBLY("load_u32", "\txorl\t%edx, %edx", "\txorl\t%edx, %edx\n\tmovq\t%rdx, 8(%rsp)")},
    {"a way without an end", SAMPLE_WINDOW, ASSEMBLY("load_u32", "\tpushq\t%rax", "9:\tjmp\t9b"),
     .is_unknown = true, .is_unseen = true},
    {"status in the wrong half", SAMPLE_WINDOW, ASSEMBLY("load_u32", "movl\t%eax, %edx", "shlq\t$32, %rax")},
    {"another entry of the runtime", SAMPLE_WINDOW,
     ASSEMBLY("load_u32", "mf_rt_fault_v3@", "mf_rt_accessible_v3@")},
    {"entry of the exception table one byte off", SAMPLE_WINDOW, WITH(.backend = MF_BACKEND_X86_PAGED),
     ASSEMBLY("load_u32", "\t.long\t.Ltmp6-.Ltmp7", "\t.long\t.Ltmp6-.Ltmp7+1")},
    {"fixup at the access", SAMPLE_WINDOW, WITH(.backend = MF_BACKEND_X86_PAGED),
     ASSEMBLY("load_u32", "\t.long\t.LBB2_3-.Ltmp8", "\t.long\t.Ltmp6-.Ltmp8+3")},

    /* What writes stencils. */
    {"patch of the wrong hole", SAMPLE_WINDOW, .by_stencils = true, .change_bytes = patch_wrong_holes},
    {"hole not filled", SAMPLE_WINDOW, .by_stencils = true, .change_bytes = forget_hole},
    {"one more in the hole", SAMPLE_WINDOW, .by_stencils = true, .change_bytes = add_to_hole},
    {"the next entry of the runtime", SAMPLE_WINDOW, .by_stencils = true, .change_bytes = reach_wrong_entry},
    {"addresses exchanged", SAMPLE_WINDOW, .by_stencils = true, .change_bytes = exchange_addresses},
    {"jump to the fault leads to the access", SAMPLE_WINDOW, .by_stencils = true,
     .change_bytes = lead_fault_to_access},
    {"stencil's entry one byte off", SAMPLE_WINDOW, WITH(.backend = MF_BACKEND_X86_PAGED),
     .by_stencils = true, .change_bytes = move_entry},
    {"stencil's fixup elsewhere", SAMPLE_WINDOW, WITH(.backend = MF_BACKEND_X86_PAGED), .by_stencils = true,
     .change_bytes = move_resume},
    {"fixups exchanged", SAMPLE_WINDOW, WITH(.backend = MF_BACKEND_X86_PAGED), .by_stencils = true,
     .change_bytes = exchange_entries},
    {"plan of a stencil one too high", SAMPLE_WINDOW, .by_stencils = true, .change_plans = raise_last},
};
const size_t MUTANT_COUNT = sizeof MUTANTS / sizeof MUTANTS[0];
