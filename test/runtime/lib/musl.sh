#!/usr/bin/env bash
# musl.sh SOURCE DIRECTORY PROGRAM...: the runtime built with musl-gcc and without warnings, and each program of
# test/runtime linked with it statically and run; its output is in DIRECTORY.
set -e
source=$1 directory=$2
shift 2
# The kernel's headers, which musl does not bring, come last.
compile=(musl-gcc -std=c11 -O1 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Werror -I"$source/include"
  -I"$source/test/lib" -idirafter /usr/include -idirafter "/usr/include/$(uname -m)-linux-gnu")
rm -rf "$directory" && mkdir -p "$directory/objects"
for file in "$source"/runtime/*.c "$source"/runtime/x86_paged/*.c "$source"/runtime/x86_paged/linux/*.c; do
  [ "${file##*/}" = absent.c ] || "${compile[@]}" -I"$source/runtime" -c "$file" -o "$directory/objects/$(basename "$(dirname "$file")")-${file##*/}.o"
done
ar rcs "$directory/libruntime.a" "$directory"/objects/*.o
for program in "$@"; do
  binary=$directory/${program//\//-}
  "${compile[@]}" -static "$source/test/runtime/$program.c" -o "$binary" "$directory/libruntime.a"
  "$binary" > "$binary.txt"
  printf '%s passes\n' "$program"
done
