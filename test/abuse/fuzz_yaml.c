/*
 * Whatever bytes an YAML file has: it is refused with a reason, or its layout is what its regions say.
 *
 * RUN: rm -rf %t.new && mkdir %t.new
 * RUN: %fuzz-cc %s -o %t %fuzz
 * RUN: %t -seed=1 -runs=20000 -max_len=4096 -artifact_prefix=%t. %t.new %S/corpus/yaml 2>&1 | FileCheck %s
 *
 * REQUIRES: fuzz
 *
 * CHECK: Done {{[0-9]+}} runs
 */
#include "lib/fuzz_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    return fuzz_layout(data, bytes, MF_FORMAT_YAML);
}
