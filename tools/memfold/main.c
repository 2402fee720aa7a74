/* The command: finds the subcommand and gives it the rest of the line. */
#include "command.h"
#include "output.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

typedef struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
} subcommand;

static const subcommand commands[] = {{"map", map_main}, {"plan", plan_main},     {"emit", emit_main},
                                      {"run", run_main}, {"verify", verify_main}, {"bench", bench_main}};

/* What is left of the command line once the command is found. */
typedef struct command_invocation {
    const subcommand *command;
    int argc;
    char **argv;
} command_invocation;

static const subcommand *find_command(const char *name) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    usage_error("unknown command '%s'", name);
}

/* The first word is the command; everything after it is the command's own. */
static void take_command(command_invocation *invocation, const char *word, struct argp_state *state) {
    invocation->command = find_command(word);
    invocation->argc = state->argc - state->next + 1;
    invocation->argv = state->argv + state->next - 1;
    invocation->argv[0] = state->argv[0];
    state->next = state->argc;
}

static error_t main_parse(int key, char *word, struct argp_state *state) {
    command_invocation *invocation = state->input;
    if (key == ARGP_KEY_INIT)
        command_init(state);
    else if (key == ARGP_KEY_ARG)
        take_command(invocation, word, state);
    else if (key == ARGP_KEY_NO_ARGS)
        usage_error("missing command");
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const char main_doc[] = "Compiles the memory map of a 32-bit guest into machine code.\n"
                               "\n"
                               "Commands:\n"
                               "  map LAYOUT         the address space as a picture\n"
                               "  plan LAYOUT        the check of every accessor and its constants\n"
                               "  emit LAYOUT        the accessors as object, assembly, IR or C header\n"
                               "  run LAYOUT SCRIPT  perform the accesses of a script\n"
                               "  verify LAYOUT      prove the machine code of every accessor\n"
                               "  bench [LAYOUT]     measure accesses beside what others do\n"
                               "\n"
                               "LAYOUT is a YAML description or an ELF file, '-' is standard input.\n"
                               "'memfold COMMAND --help' explains a command.\v"
                               "Exit status: 0 done, 1 bad input, 2 bad usage.";

static const struct argp_child main_children[] = {{&help_argp, 0, NULL, 0}, {0}};
static const struct argp main_argp = {NULL, main_parse, "COMMAND ...", main_doc, main_children, NULL, NULL};

int main(int argc, char **argv) {
    static char program_name[] = "memfold";
    command_invocation invocation = {0};
    standard_streams_watch();
    setlocale(LC_CTYPE, "");
    if (argc > 0)
        argv[0] = program_name;
    command_parse(&main_argp, "memfold", ARGP_IN_ORDER, argc, argv, &invocation);
    return invocation.command->run(invocation.argc, invocation.argv);
}
