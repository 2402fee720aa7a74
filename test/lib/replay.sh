#!/bin/bash
# Runs the "$ memfold ..." lines of its input in the source directory, and prints each with what it really prints.
# usage: replay.sh MEMFOLD SOURCE
memfold() { "$MEMFOLD" "$@"; }
MEMFOLD=$1
cd "$2" || exit 1
grep '^\$ ' | while IFS= read -r line; do
    printf '%s\n' "$line"
    eval "${line#\$ }" < /dev/null
done
