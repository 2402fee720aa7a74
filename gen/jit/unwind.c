#include "jit/unwind.h"

#include <string.h>

/* ---- The interface: libgcc takes a section of entries, LLVM's libunwind one FDE ---- */

extern void __register_frame(void *begin) __attribute__((weak));
extern void __deregister_frame(void *begin) __attribute__((weak));
extern void __unw_add_dynamic_fde(uintptr_t fde) __attribute__((weak));

/* ---- The entries (DWARF 4, 6.4; Linux Standard Base 5, 10.6) ---- */

enum { REGISTER_RSP = 7, REGISTER_RETURN_ADDRESS = 16 };

enum {
    CFA_DEF_CFA_EXPRESSION = 0x0f,
    CFA_OFFSET = 0x80, /* | register */
    OP_CONST1S = 0x09,
    OP_AND = 0x1a,
    OP_PLUS_UCONST = 0x23,
    OP_BREG = 0x70, /* + register */
};

/* Lengths count what follows them. Zero bytes at the end of an entry are DW_CFA_nop. */
typedef struct cie {
    uint32_t length;
    uint32_t id;
    uint8_t version;
    char augmentation[3];
    uint8_t code_alignment;
    uint8_t data_alignment; /* a signed LEB128 */
    uint8_t return_address_register;
    uint8_t augmentation_bytes;
    uint8_t address_encoding; /* 0: absolute, eight bytes */
    uint8_t instructions[15];
} cie;

typedef struct fde {
    uint32_t length;
    uint32_t cie_distance; /* from this field back to the CIE */
    uint64_t start;
    uint64_t bytes;
    uint8_t augmentation_bytes;
    uint8_t instructions[7];
} fde;

typedef struct entries {
    cie cie;
    fde fde;
    uint32_t end[2];
} entries;

_Static_assert(sizeof(cie) == 32 && sizeof(fde) == 32 && offsetof(entries, fde) == 32, "no padding");
_Static_assert(sizeof(entries) <= UNWIND_BYTES, "there is room for the entries");

void unwind_info_init(unwind_info *info, uintptr_t start, size_t bytes) {
    const entries filled = {
        .cie = {.length = sizeof(cie) - sizeof(uint32_t),
                .version = 1,
                .augmentation = "zR",
                .code_alignment = 1,
                .data_alignment = 0x78, /* -8 */
                .return_address_register = REGISTER_RETURN_ADDRESS,
                .augmentation_bytes = 1,
                .instructions = {CFA_DEF_CFA_EXPRESSION, 7, OP_BREG + REGISTER_RSP, 0, OP_CONST1S, 0x100 - 16,
                                 OP_AND, OP_PLUS_UCONST, 16, CFA_OFFSET | REGISTER_RETURN_ADDRESS, 1}},
        .fde = {.length = sizeof(fde) - sizeof(uint32_t),
                .cie_distance = offsetof(entries, fde) + offsetof(fde, cie_distance),
                .start = start,
                .bytes = bytes},
    };
    memset(info->bytes, 0, sizeof info->bytes);
    memcpy(info->bytes, &filled, sizeof filled);
}

static void *what_is_registered(unwind_info *info) {
    return info->bytes + (__unw_add_dynamic_fde != NULL ? offsetof(entries, fde) : 0);
}

void unwind_register(unwind_info *info) {
    if (__register_frame != NULL && __deregister_frame != NULL)
        __register_frame(what_is_registered(info));
}

void unwind_unregister(unwind_info *info) {
    if (__register_frame != NULL && __deregister_frame != NULL)
        __deregister_frame(what_is_registered(info));
}
