/*
 * Whatever bytes an ELF file has: it is refused with a reason, or its layout is what its regions say.
 *
 * RUN: rm -rf %t.new %t.seeds && mkdir %t.new %t.seeds
 * RUN: python3 %S/../lib/write_elf.py %t.seeds/64 --segment rx:0x10000:0x2000:0102 --segment rw:0x11ff0:0x2000:03
 * RUN: python3 %S/../lib/write_elf.py %t.seeds/32 --class 32 --data msb --note --segment r:0xfffff000:0x1000:0102
 * RUN: python3 %S/../lib/write_elf.py %t.seeds/counted --extended --type dyn --segment rw:0:0x1000:ff
 * RUN: %fuzz-cc %s -o %t %fuzz
 * RUN: %t -seed=1 -runs=20000 -max_len=4096 -artifact_prefix=%t. %t.new %t.seeds 2>&1 | FileCheck %s
 *
 * REQUIRES: fuzz
 *
 * CHECK: Done {{[0-9]+}} runs
 */
#include "lib/fuzz_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    return fuzz_layout(data, bytes, MF_FORMAT_ELF);
}
