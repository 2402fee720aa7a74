#include "ir/target.h"

#include <llvm-c/Core.h>
#include <llvm-c/Target.h>

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* ---- What memfold knows of a target ---- */

/*
 * A 64-bit little-endian host. Some ABIs leave it to the callee to extend an unsigned 32-bit result to the
 * whole register; where LLVM's default is not what Linux distributions compile for, the ABI and features say
 * it. Where stores are seen in their order and loads are done in theirs (total store order), a plain load
 * acquires.
 */
typedef struct host_abi {
    const char *architecture;
    bool has_total_store_order;
    const char *i32_extension;
    const char *abi;
    const char *features;
    bool fault_entry_preserves;
} host_abi;

static const host_abi HOSTS[] = {
    {"x86_64", true, NULL, NULL, NULL, true},
    {"aarch64", false, NULL, NULL, NULL, false},
    {"riscv64", false, "signext", "lp64d", "+m,+a,+f,+d,+c", false},
    {"loongarch64", false, "signext", "lp64d", "+f,+d", false},
    {"powerpc64le", false, "zeroext", NULL, NULL, false},
    {"mips64el", false, "signext", NULL, NULL, false},
};

static const host_abi *find_host(const char *triple) {
    size_t length = strcspn(triple, "-");
    for (size_t i = 0; i < sizeof HOSTS / sizeof HOSTS[0]; i++)
        if (strlen(HOSTS[i].architecture) == length && strncmp(triple, HOSTS[i].architecture, length) == 0)
            return &HOSTS[i];
    return NULL;
}

const char *target_i32_extension(const char *triple) {
    const host_abi *host = find_host(triple);
    return host == NULL ? NULL : host->i32_extension;
}

bool target_fault_entry_preserves(const char *triple) {
    const host_abi *host = find_host(triple);
    return host != NULL && host->fault_entry_preserves;
}

bool target_has_total_store_order(const char *triple) {
    const host_abi *host = find_host(triple);
    return host != NULL && host->has_total_store_order;
}

mf_status target_check_backend(const char *triple, mf_backend backend, mf_diag *diag) {
    if (backend == MF_BACKEND_X86_PAGED && strncmp(triple, "x86_64", strlen("x86_64")) != 0)
        return mf_diag_set(diag, MF_INVALID_ARGUMENT, 0, "backend x86_paged needs an x86-64 target, not '%s'",
                           triple);
    return MF_OK;
}

static bool is_one_of(const char *word, size_t length, const char *const *prefixes) {
    for (; *prefixes != NULL; prefixes++)
        if (strlen(*prefixes) <= length && strncmp(word, *prefixes, strlen(*prefixes)) == 0)
            return true;
    return false;
}

/*
 * A normal triple is architecture-vendor-system-environment. Only what is known to be 64-bit ELF passes,
 * because LLVM aborts on some combinations of systems and object formats instead of refusing them.
 */
static bool uses_elf(const char *triple) {
    static const char *const SYSTEMS[] = {"linux",  "unknown", "none",    "freebsd",
                                          "netbsd", "openbsd", "fuchsia", NULL};
    static const char *const ENVIRONMENTS[] = {"gnu", "musl", "android", "elf", "unknown", "llvm", NULL};
    static const char *const NARROW[] = {"gnux32", "muslx32", "gnuabin32", "muslabin32", "gnu_ilp32", NULL};
    const char *fields[4] = {triple, "", "unknown", "unknown"};
    for (size_t i = 1; i < 4 && (triple = strchr(triple, '-')) != NULL; i++)
        fields[i] = ++triple;
    size_t environment_length = strlen(fields[3]);
    return is_one_of(fields[2], strcspn(fields[2], "-"), SYSTEMS) &&
           is_one_of(fields[3], environment_length, ENVIRONMENTS) && strchr(fields[3], '-') == NULL &&
           !is_one_of(fields[3], environment_length, NARROW) && strstr(fields[3], "coff") == NULL;
}

static mf_status check_host(const char *triple, mf_diag *diag) {
    if (find_host(triple) == NULL)
        return mf_diag_set(diag, MF_UNKNOWN_TARGET, 0, "target '%s' is not a 64-bit little-endian host",
                           triple);
    if (!uses_elf(triple))
        return mf_diag_set(diag, MF_UNKNOWN_TARGET, 0, "target '%s' does not use 64-bit ELF", triple);
    return MF_OK;
}

/* ---- Creation ---- */

/* LLVM's list of targets is shared by the process and not thread-safe: filling and reading it need this lock.
 */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;

static void initialize_host(void) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    LLVMInitializeNativeAsmParser();
}

static void initialize_all(void) {
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    LLVMInitializeAllAsmParsers();
}

typedef struct asm_parser {
    const char *target;
    void (*initialize)(void);
} asm_parser;

/* Of the targets that this LLVM was built with. */
static const asm_parser ASM_PARSERS[] = {
#define LLVM_ASM_PARSER(target) {#target, LLVMInitialize##target##AsmParser},
#include <llvm/Config/AsmParsers.def>
};

static const asm_parser *find_asm_parser(const char *target) {
    for (size_t i = 0; i < sizeof ASM_PARSERS / sizeof ASM_PARSERS[0]; i++)
        if (strcmp(ASM_PARSERS[i].target, target) == 0)
            return &ASM_PARSERS[i];
    return NULL;
}

/*
 * Once, because a client may be compiling in another thread: what is written then is one pointer, and either
 * the client has registered the same, or its module has no assembly, and it is not read.
 */
mf_status target_initialize_x86_assembly(mf_diag *diag) {
    static bool is_done;
    const asm_parser *parser = find_asm_parser("X86");
    if (parser == NULL)
        return mf_diag_set(diag, MF_UNKNOWN_TARGET, 0,
                           "backend x86_paged needs an LLVM that was built with the target X86");
    pthread_mutex_lock(&registry_lock);
    if (!is_done)
        parser->initialize();
    is_done = true;
    pthread_mutex_unlock(&registry_lock);
    return MF_OK;
}

static void set_abi(LLVMTargetMachineOptionsRef options, const char *triple) {
    const host_abi *host = find_host(triple);
    if (host != NULL && host->abi != NULL)
        LLVMTargetMachineOptionsSetABI(options, host->abi);
    if (host != NULL && host->features != NULL)
        LLVMTargetMachineOptionsSetFeatures(options, host->features);
}

static LLVMTargetMachineOptionsRef options_create(void) {
    LLVMTargetMachineOptionsRef options = LLVMCreateTargetMachineOptions();
    LLVMTargetMachineOptionsSetRelocMode(options, LLVMRelocPIC);
    LLVMTargetMachineOptionsSetCodeModel(options, LLVMCodeModelSmall);
    LLVMTargetMachineOptionsSetCodeGenOptLevel(options, LLVMCodeGenLevelDefault);
    return options;
}

/* Registering a target again does nothing, so each caller registers what it wants. */
static bool find_target(const char *triple, void (*initialize)(void), LLVMTargetRef *target) {
    char *error = NULL;
    pthread_mutex_lock(&registry_lock);
    initialize();
    bool found = !LLVMGetTargetFromTriple(triple, target, &error);
    pthread_mutex_unlock(&registry_lock);
    LLVMDisposeMessage(error);
    return found;
}

static mf_status machine_create(const char *triple, void (*initialize)(void),
                                LLVMTargetMachineOptionsRef options, LLVMTargetMachineRef *machine,
                                mf_diag *diag) {
    LLVMTargetRef target;
    if (!find_target(triple, initialize, &target))
        return mf_diag_set(diag, MF_UNKNOWN_TARGET, 0, "target '%s' is not known", triple);
    mf_status status = check_host(triple, diag);
    if (status != MF_OK)
        return status;
    if (!LLVMTargetHasTargetMachine(target) || !LLVMTargetHasAsmBackend(target))
        return mf_diag_set(diag, MF_UNKNOWN_TARGET, 0, "target '%s' has no code generator", triple);
    *machine = LLVMCreateTargetMachineWithOptions(target, triple, options);
    if (*machine == NULL)
        return mf_diag_set(diag, MF_LLVM, 0, "LLVM has no machine for target '%s'", triple);
    return MF_OK;
}

mf_status target_create_host(LLVMTargetMachineRef *machine, mf_diag *diag) {
    char *triple = LLVMGetDefaultTargetTriple();
    char *cpu = LLVMGetHostCPUName();
    char *features = LLVMGetHostCPUFeatures();
    LLVMTargetMachineOptionsRef options = options_create();
    LLVMTargetMachineOptionsSetCPU(options, cpu);
    LLVMTargetMachineOptionsSetFeatures(options, features);
    mf_status status = machine_create(triple, initialize_host, options, machine, diag);
    LLVMDisposeTargetMachineOptions(options);
    LLVMDisposeMessage(features);
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(triple);
    return status;
}

mf_status target_create(const char *triple, LLVMTargetMachineRef *machine, mf_diag *diag) {
    char *normal = triple == NULL ? LLVMGetDefaultTargetTriple() : LLVMNormalizeTargetTriple(triple);
    LLVMTargetMachineOptionsRef options = options_create();
    set_abi(options, normal);
    mf_status status = machine_create(normal, initialize_all, options, machine, diag);
    LLVMDisposeTargetMachineOptions(options);
    LLVMDisposeMessage(normal);
    return status;
}

/* ---- Use ---- */

static void keep_error(LLVMDiagnosticInfoRef info, void *into) {
    mf_diag *error = into;
    if (LLVMGetDiagInfoSeverity(info) != LLVMDSError || error->status != MF_OK)
        return;
    char *text = LLVMGetDiagInfoDescription(info);
    text[strcspn(text, "\n")] = '\0';
    mf_diag_set(error, MF_LLVM, 0, "LLVM: %s", text);
    LLVMDisposeMessage(text);
}

LLVMContextRef target_context_create(mf_diag *error) {
    LLVMContextRef context = LLVMContextCreate();
    error->status = MF_OK;
    LLVMContextSetDiagnosticHandler(context, keep_error, error);
    return context;
}

/* The module says the ABI too, for a client that compiles its IR or bitcode with a machine of its own. */
static void set_module_abi(LLVMModuleRef module, LLVMContextRef context, const char *triple) {
    const host_abi *host = find_host(triple);
    if (host == NULL || host->abi == NULL)
        return;
    LLVMMetadataRef abi = LLVMMDStringInContext2(context, host->abi, strlen(host->abi));
    LLVMAddModuleFlag(module, LLVMModuleFlagBehaviorError, "target-abi", strlen("target-abi"), abi);
}

LLVMModuleRef target_module_create(LLVMTargetMachineRef machine, LLVMContextRef context, const char *name) {
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext(name, context);
    LLVMTargetDataRef data = LLVMCreateTargetDataLayout(machine);
    char *triple = LLVMGetTargetMachineTriple(machine);
    LLVMSetModuleDataLayout(module, data);
    LLVMSetTarget(module, triple);
    set_module_abi(module, context, triple);
    LLVMDisposeMessage(triple);
    LLVMDisposeTargetData(data);
    return module;
}

mf_status target_compile(LLVMTargetMachineRef machine, LLVMModuleRef module, LLVMCodeGenFileType type,
                         LLVMMemoryBufferRef *output, mf_diag *diag) {
    const mf_diag *kept = LLVMContextGetDiagnosticContext(LLVMGetModuleContext(module));
    char *error = NULL;
    LLVMMemoryBufferRef made = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, type, &error, &made)) {
        mf_diag_set(diag, MF_LLVM, 0, "LLVM cannot compile the accessors: %s", error);
        LLVMDisposeMessage(error);
        return MF_LLVM;
    }
    if (kept->status != MF_OK) {
        LLVMDisposeMemoryBuffer(made);
        return mf_diag_set(diag, MF_LLVM, 0, "%s", kept->message);
    }
    *output = made;
    return MF_OK;
}
