"""The memfold suite.

Substitutions for RUN lines:
  %memfold      the command
  %cc           the C compiler of this build, its warnings and sanitizers, and the include path
  %cxx          the same for C++17
  %runtime      link flags of a program that uses the runtime only
  %layout       the same with the file readers
  %plan         the same with the plan
  %stencil      the same with plan and stencils
  %makes        the same with the jit, which makes code without LLVM
  %by-stencils  compiles a test of the jit for stencils instead of LLVM
  %inline       the same with code for a client's registers
  %gen          the same with everything, LLVM included
  %verify       what proofs need beside any of these
  %source       the source directory
  %build        the build directory
  %include      include
  %sanitize     the sanitizer flags alone, for a clang that links what this build has compiled
  %inputs       test/Inputs
  %reference    the reference and what compares engines with it, without a table of engines
  %refuse-calls links a program whose calls of the host go through abuse/lib/refuse_calls.c
  %refuse-llvm  the same for LLVM and abuse/lib/refuse_llvm.c
  %llvm-include the headers of LLVM
  %major-of-llvm its major version; `clang`, `llvm-nm` and so on are that LLVM's
  %fuzz-cc      a clang that makes fuzzers, with the include paths of what is fuzzed
  %fuzz         what is fuzzed
  %bare-cc      the C compiler for a kernel, with the files of the kernel around a test
  %bare-lib     the directory of those files
  %bare-sets    emits the accessors of engines_bare.c into a directory
  %bare         the library for kernels
  %boot         boots a kernel in QEMU and shows its serial port
"""

import os
import subprocess

import lit.formats

config.name = "memfold"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".c", ".cpp", ".test", ".yaml"]
config.excludes = ["Inputs", "lib"]
config.test_source_root = os.path.join(config.memfold_source, "test")
config.test_exec_root = os.path.join(config.memfold_build, "test", "out")

build = config.memfold_build
warnings = "-Wall -Wextra -Wpedantic -Wconversion -Werror"
cc = (
    f"{config.memfold_cc} -std=c11 -g -O1 -D_DEFAULT_SOURCE {warnings} "
    f"-I{config.memfold_source}/include -I{config.memfold_source}/test/lib"
)
if config.memfold_sanitize:
    cc += f" -fsanitize={config.memfold_sanitize} -fno-sanitize-recover=all"
    config.available_features.add("sanitizer")
    for name in config.memfold_sanitize.split(","):
        config.available_features.add(f"sanitize-{name}")
if config.memfold_build_type == "Debug":
    config.available_features.add("debug")

# What LLVM prints differs by its version: --check-prefixes=CHECK,%if llvm-22 %{SINCE22%} %else %{BEFORE22%}
for major in range(20, int(config.llvm_major) + 1):
    config.available_features.add(f"llvm-{major}")

compiler_directory, compiler_name = os.path.split(config.memfold_cc)
if "gcc" in compiler_name:
    config.available_features.add("gcc")  # for what one build of several shows well enough
cxx_name = compiler_name.replace("gcc", "g++").replace("clang", "clang++")
cxx = cc.replace(config.memfold_cc, os.path.join(compiler_directory, cxx_name)).replace("-std=c11", "-std=c++17")

runtime = f"{build}/runtime/libmemfold_runtime.a -lpthread"
plan = f"{build}/gen/libmemfold_plan.a {runtime}"
inline = f"{build}/gen/libmemfold_inline.a {plan}"
stencil = f"{build}/gen/libmemfold_stencil.a {plan}"
layout = f"{build}/gen/libmemfold_layout.a {runtime} -lyaml -lelf"
rooms = " ".join(f"{build}/gen/libmemfold_{room}.a" for room in ("aot", "note", "maker", "embed", "emit", "ir"))
jit = " ".join(f"{build}/gen/libmemfold_{room}.a" for room in ("jit", "inline", "stencil", "host", "plan")) + f" {runtime}"
verify = f"{build}/gen/libmemfold_verify.a {build}/gen/libmemfold_note.a {plan} -lz3 -lcapstone"
gen = f"{rooms} {jit} {layout} -L{config.memfold_libs} -lLLVM-{config.llvm_major}"

sanitize = f"-fsanitize={config.memfold_sanitize}" if config.memfold_sanitize else ""

bare_lib = f"{config.memfold_source}/test/runtime/x86_paged/bare/lib"
bare_cc = (
    f"{config.memfold_cc} -std=c11 -g -O2 {warnings} -ffreestanding -D__NO_INLINE__ -fno-stack-protector -mno-red-zone "
    f"-fno-delete-null-pointer-checks -mgeneral-regs-only -fno-pie -mcmodel=kernel -nostdlib -static -Wl,--build-id=none -Wl,-n -Wl,--no-warn-rwx-segments "
    f"-I{config.memfold_source}/include -I{config.memfold_source}/test/lib -I{config.memfold_source}/runtime "
    f"-I{bare_lib} -T {bare_lib}/kernel.ld {bare_lib}/boot.S {bare_lib}/kernel.c "
    f"{config.memfold_source}/runtime/x86_paged/bare/format.c "
    f"-fno-builtin -Wl,--whole-archive {build}/lib/libmemfold-bare.a -Wl,--no-whole-archive"
)

by_stencils = "-DJIT_MAKER=NULL"

lib = os.path.join(config.test_source_root, "lib")
reference = f"{lib}/reference.c {lib}/reference_compare.c {lib}/engines.c"

# What abuse/lib/refuse_calls.c and refuse_llvm.c can let fail.
refused_calls = (
    "malloc calloc realloc strdup strndup free tsearch mmap munmap mprotect mremap madvise open close read pread fstat ioctl "
    "fopen sigaction pthread_atfork memfd_create ftruncate fallocate fcntl syscall"
)
refused_llvm = (
    "LLVMGetTargetFromTriple LLVMTargetMachineEmitToMemoryBuffer LLVMOrcCreateLLJIT LLVMOrcJITDylibDefine "
    "LLVMOrcLLJITAddObjectFileWithRT LLVMOrcLLJITLookup"
)

fuzz_cc = (
    f"{os.path.join(config.llvm_root, 'bin', 'clang')} -std=c11 -g -O1 -D_GNU_SOURCE {warnings} "
    f"-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I{config.memfold_source}/include "
    f"-I{config.memfold_source}/test/lib -iquote {config.memfold_source}/tools/memfold"
)
if not config.memfold_sanitize:
    config.available_features.add("fuzz")

# QEMU 10 takes a size of host pages, and keeps its own.
if "deprecated change to host page size" not in subprocess.getoutput("qemu-aarch64 -h"):
    config.available_features.add("qemu-page-sizes")


def wrap(names):
    return " ".join(f"-Wl,--wrap={name}" for name in names.split())


config.substitutions += [
    ("%fuzz-cc", fuzz_cc),
    ("%fuzz", f"{build}/test/abuse/libfuzz.a -lyaml -lelf -lpthread"),
    ("%refuse-calls", wrap(refused_calls)),
    ("%refuse-llvm", wrap(refused_llvm)),
    ("%major-of-llvm", config.llvm_major),
    ("%llvm-include", os.path.join(config.llvm_root, "include")),
    ("%reference", reference),
    ("%bare-cc", bare_cc),
    ("%bare-lib", bare_lib),
    ("%bare-sets", f"{bare_lib}/emit_sets.sh {build}/bin/memfold {config.test_source_root}/Inputs/sandbox.yaml"),
    ("%bare", f"{build}/lib/libmemfold-bare.a"),
    ("%boot", f"{config.memfold_python} {bare_lib}/boot.py"),
    ("%sanitize", sanitize),
    ("%memfold", f"{build}/bin/memfold"),
    ("%cc", cc),
    ("%cxx", cxx),
    ("%runtime", runtime),
    ("%layout", layout),
    ("%plan", plan),
    ("%inline", inline),
    ("%stencil", stencil),
    ("%makes", jit),
    ("%by-stencils", by_stencils),
    ("%gen", gen),
    ("%verify", verify),
    ("%source", config.memfold_source),
    ("%build", build),
    ("%include", os.path.join(config.memfold_source, "include")),
    ("%inputs", os.path.join(config.test_source_root, "Inputs")),
]
config.environment["PATH"] = os.pathsep.join([os.path.join(config.llvm_root, "bin"), os.environ["PATH"]])
config.environment["LC_ALL"] = "C.UTF-8"
for name in ("MEMFOLD_TEST_ACCESSES", "HOME", "TMPDIR"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
