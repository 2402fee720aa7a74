/* What every subcommand shares: its entry, its operands, its messages and exit codes. */
#ifndef MEMFOLD_TOOLS_COMMAND_H
#define MEMFOLD_TOOLS_COMMAND_H

#include <memfold/abi.h>
#include <memfold/layout_file.h>
#include <memfold/status.h>

#include <argp.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes: 0 done, 1 bad input or environment, 2 bad usage. */
enum { EXIT_BAD_INPUT = 1, EXIT_BAD_USAGE = 2 };

/* The word that stands for standard input, and after -o or --svg for standard output. */
#define STANDARD_STREAM "-"

/*
 * Runs one subcommand; `argv[0]` is "memfold". Returns the exit code. They stand in map/, plan.c, emit.c,
 * run/, verify.c and, beside this directory, bench/.
 */
int map_main(int argc, char **argv);
int plan_main(int argc, char **argv);
int emit_main(int argc, char **argv);
int run_main(int argc, char **argv);
int verify_main(int argc, char **argv);
int bench_main(int argc, char **argv);

/* The words of a command line that are not options: `count` of them, all required. */
typedef struct command_operands {
    const char *const *names; /* "LAYOUT", ... as the messages call them */
    const char *values[2];
    unsigned count;
} command_operands;

/* The child that every command has: --help, --usage, --version. */
extern const struct argp help_argp;

/* Parses a command line with `argp`; bad usage ends the process. `name`, "memfold CMD", stays borrowed. */
void command_parse(const struct argp *argp, const char *name, unsigned flags, int argc, char **argv,
                   void *input);

/*
 * For ARGP_KEY_INIT: what the shells complete after --option= where the help names it otherwise, "a|b|c".
 * With the hidden option --complete, which follows all others, a command prints its options for
 * tools/completion/.
 */
void command_offer(const char *option, const char *choices);

/* For ARGP_KEY_INIT: argp then prints no error of its own; command_parse does. */
void command_init(struct argp_state *state);

/* For ARGP_KEY_ARG and ARGP_KEY_END: takes the operands; a missing or further one is bad usage. */
error_t operands_take(command_operands *operands, int key, char *word, const struct argp_state *state);

/* Says what is wrong with the command line and where help is, and exits with EXIT_BAD_USAGE. */
__attribute__((format(printf, 1, 2))) MF_NORETURN void usage_error(const char *format, ...);

/*
 * Prints "file:line: message" to standard error, after everything on standard output. Without a line (0)
 * "file: message", without a file (NULL) "memfold: message". Returns EXIT_BAD_INPUT.
 */
__attribute__((format(printf, 3, 4))) int fail_print(const char *file, uint64_t line, const char *format,
                                                     ...);

/* Prints `diag` the same way. Where it names no file, the message is about `file`. */
int fail_diag(const mf_diag *diag, const char *file);

#endif
