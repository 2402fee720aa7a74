#!/usr/bin/env bash
# emit_sets.sh MEMFOLD LAYOUT DIRECTORY: emits the sets of engines_bare.c as objects.
set -euo pipefail
mkdir -p "$3"
for order in le:little be:big; do
  for fault in return trap; do
    for base in view argument constant{0..3}; do
      options=(--base="${base%[0-9]}")
      [[ $base != constant* ]] || options+=(--base-address=$((${base#constant} * 16 << 30)))
      for index in u32 u33; do
        name=${order%:*}_${fault}_${base}_${index}
        "$1" emit --emit=obj -o "$3/$name.o" --prefix="$name" --backend=paged --endian="${order#*:}" \
          --on-fault="$fault" "${options[@]}" --index="$index" "$2"
      done
    done
  done
done
