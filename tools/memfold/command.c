/* What every subcommand shares: parsing with argp, help, messages. */
#include "command.h"

#include "progress.h"

#include <memfold/version.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* One command runs per process: its full name, for help and messages. */
static const char *command_name = "memfold";

static void print_hint(void) {
    fprintf(stderr, "try '%s --help'\n", command_name);
}

/* Writes text[0, count), with what cannot be shown replaced; lines may end in it. */
static void write_shown(const char *text, size_t count, FILE *to) {
    for (const char *from = text, *end = text + count; text < end; from = text) {
        bool is_replaced = mf_character_take(&text) == '?';
        if (*from == '\n')
            fputc('\n', to);
        else if (is_replaced)
            fputc('?', to);
        else
            fwrite(from, 1, (size_t)(text - from), to);
    }
}

/* A write of the stream below: `bytes` has no terminator. */
static ssize_t take_message(void *to, const char *bytes, size_t count) {
    char *text = strndup(bytes, count);
    if (text != NULL)
        write_shown(text, strlen(text), to);
    free(text);
    return (ssize_t)count;
}

/* getopt prints words of the command line as they are, to standard error: it gets this stream instead. */
static FILE *shown_stream(FILE *to) {
    FILE *stream = fopencookie(to, "w", (cookie_io_functions_t){.write = take_message});
    if (stream != NULL)
        setvbuf(stream, NULL, _IOLBF, 0);
    return stream;
}

/* ARGP_NO_HELP: argp's own --help would name the program, not the command. */
void command_parse(const struct argp *argp, const char *name, unsigned flags, int argc, char **argv,
                   void *input) {
    FILE *plain = stderr;
    FILE *shown = shown_stream(plain);
    command_name = name;
    stderr = shown != NULL ? shown : plain;
    error_t error = argp_parse(argp, argc, argv, flags | ARGP_NO_HELP, NULL, input);
    stderr = plain;
    if (shown != NULL)
        fclose(shown);
    if (error != 0) {
        print_hint();
        exit(EXIT_BAD_USAGE);
    }
}

void command_init(struct argp_state *state) {
    /* getopt has already named the bad word. With a stream, argp would print its own hint and exit. */
    state->err_stream = NULL;
}

/* ---- What a shell completes ---- */

#define OFFERS_MAX 12

typedef struct command_offer {
    const char *option, *choices;
} offer;

static offer offers[OFFERS_MAX];
static size_t offer_count;

void command_offer(const char *option, const char *choices) {
    if (offer_count == OFFERS_MAX)
        abort();
    offers[offer_count++] = (offer){option, choices};
}

/* What was offered for the option, or else its argument as the help shows it. */
static const char *choices_of(const struct argp_option *option) {
    for (size_t i = 0; i < offer_count; i++)
        if (strcmp(offers[i].option, option->name) == 0)
            return offers[i].choices;
    return option->arg;
}

static bool is_list(const struct argp_option *option) {
    size_t length = strlen(option->arg);
    return length > 4 && strcmp(option->arg + length - 4, ",...") == 0;
}

/*
 * A line for each option: its name, whether it takes nothing ("none"), a word ("word"), or words between
 * commas ("list"), the choices or what stands for them, and the first line of its help, with tabs between.
 */
static void print_offers(const struct argp *argp) {
    for (const struct argp_option *option = argp->options;
         option != NULL && (option->name != NULL || option->doc != NULL); option++) {
        if (option->name == NULL || (option->flags & (OPTION_HIDDEN | OPTION_DOC)) != 0)
            continue;
        if (option->arg == NULL)
            printf("--%s\tnone\t\t%s\n", option->name, option->doc);
        else
            printf("--%s\t%s\t%s\t%s\n", option->name, is_list(option) ? "list" : "word", choices_of(option),
                   option->doc);
    }
    for (const struct argp_child *child = argp->children; child != NULL && child->argp != NULL; child++)
        print_offers(child->argp);
}

/* ---- The options of all commands ---- */

enum { KEY_HELP = '?', KEY_VERSION = 'V', KEY_USAGE = 0x300, KEY_OFFERS };

/* The last group of a command's options. */
static const struct argp_option help_options[] = {{"help", KEY_HELP, NULL, 0, "Print this help", -1},
                                                  {"usage", KEY_USAGE, NULL, 0, "Print the options only", -1},
                                                  {"version", KEY_VERSION, NULL, 0, "Print the version", -1},
                                                  {"complete", KEY_OFFERS, NULL, OPTION_HIDDEN, NULL, -1},
                                                  {0}};

static error_t help_parse(int key, char *word, struct argp_state *state) {
    (void)word;
    state->name = (char *)command_name;
    switch (key) {
    case KEY_HELP:
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        return 0;
    case KEY_USAGE:
        argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
        return 0;
    case KEY_OFFERS:
        print_offers(state->root_argp);
        exit(0);
    case KEY_VERSION:
        puts("memfold " MF_VERSION);
        exit(0);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp help_argp = {help_options, help_parse, NULL, NULL, NULL, NULL, NULL};

error_t operands_take(command_operands *operands, int key, char *word, const struct argp_state *state) {
    if (key == ARGP_KEY_ARG) {
        if (state->arg_num >= operands->count)
            usage_error("unexpected operand '%s'", word);
        operands->values[state->arg_num] = word;
        return 0;
    }
    if (key == ARGP_KEY_END) {
        if (state->arg_num < operands->count)
            usage_error("missing operand %s", operands->names[state->arg_num]);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

/* Lines do not end in it either. */
static void print_line_part(const char *text) {
    for (size_t count; *text != '\0'; text += count) {
        count = strcspn(text, "\n");
        write_shown(text, count, stderr);
        if (text[count] == '\n') {
            fputc('?', stderr);
            count++;
        }
    }
}

/* Words of the command line, names and paths are part of a message: they do not control the terminal. */
__attribute__((format(printf, 1, 0))) static void vprint_message(const char *format, va_list arguments) {
    char *message;
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    print_line_part(message == NULL ? mf_status_message(MF_OUT_OF_MEMORY) : message);
    fputc('\n', stderr);
    free(message);
}

void usage_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "memfold: ");
    vprint_message(format, arguments);
    va_end(arguments);
    print_hint();
    exit(EXIT_BAD_USAGE);
}

int fail_print(const char *file, uint64_t line, const char *format, ...) {
    progress_clear();
    fflush(stdout);
    print_line_part(file == NULL ? "memfold" : file);
    fputc(':', stderr);
    if (line != 0)
        fprintf(stderr, "%ju:", (uintmax_t)line);
    fputc(' ', stderr);
    va_list arguments;
    va_start(arguments, format);
    vprint_message(format, arguments);
    va_end(arguments);
    return EXIT_BAD_INPUT;
}

int fail_diag(const mf_diag *diag, const char *file) {
    const char *message = diag->message[0] == '\0' ? mf_status_message(diag->status) : diag->message;
    return fail_print(diag->file[0] == '\0' ? file : diag->file, diag->line, "%s", message);
}
