#!/usr/bin/env bash
# build.sh COMPILER SOURCE PROGRAM: the runtime without the paged backend, and neighbours.c, in one static program.
set -e
compiler=$1 source=$2 program=$3
shopt -s nullglob
files=("$source"/runtime/*.c "$source"/runtime/x86_paged/absent.c)
"$compiler" -std=c11 -O1 -static -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Werror \
  -I"$source/include" -I"$source/runtime" "$source/test/runtime/copy/lib/neighbours.c" "${files[@]}" -o "$program" -lpthread
