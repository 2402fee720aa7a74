# build.sh DIRECTORY MEMFOLD INCLUDE "LIBRARIES" PROGRAM: the image of a program of the client, and the interpreter in
# every form, each as DIRECTORY/FORM.
set -e
directory=$1 memfold=$2 include=$3 libraries=$4 program=$5
lib=$(dirname "$0")
programs=$lib/../../client/programs
mkdir -p "$directory"
clang --target=riscv32 -march=rv32im -mabi=ilp32 -std=c11 -O2 -w -ffreestanding -fno-pic -ffunction-sections -static \
  -nostdlib -fuse-ld=lld -T "$lib/image.ld" -I"$programs" "$programs/platform_riscv.c" "$programs/$program.c" \
  -o "$directory/program.elf"
llvm-objcopy -O binary "$directory/program.elf" "$directory/program.bin"

# form NAME MACRO "OPTIONS of memfold emit" object|bitcode "OTHER FLAGS"
form() {
  for kind in obj bc header; do
    $memfold emit "$lib/box.yaml" $3 --emit=$kind -o "$directory/box.$kind"
  done
  mv "$directory/box.header" "$directory/box.h"
  if [ "$4" = bitcode ]; then
    how="-Xclang -mlink-builtin-bitcode -Xclang $directory/box.bc"
  else
    how=$directory/box.obj
  fi
  clang -std=gnu11 -O2 -w -I"$include" -I"$directory" -D"FORM_$2" $5 "$lib/interpreter.c" $how -o "$directory/$1" $libraries
}
form raw raw "" object
form check check "" object
form generic generic "" object
form pointers pointers "" object
form object code "" object
form object-at code_at --base=argument object
form inlined code "" bitcode
form inlined-at code_at --base=argument bitcode -fno-delete-null-pointer-checks
form paged-object code --backend=paged object
form paged-inlined code --backend=paged bitcode
form paged-inlined-at code_at "--backend=paged --base=argument" bitcode -fno-delete-null-pointer-checks
