// A command that a signal ends in the middle of a file leaves the old file and nothing beside it; the signal
// is what ends it. What the user has set to be ignored stays ignored. The new file takes over the mode,
// without set-ID bits.
//
// RUN: rm -rf %t.d && mkdir %t.d
// RUN: %cc -D_GNU_SOURCE -I%source/tools/memfold %s %source/tools/memfold/output.c -o %t %layout
// RUN: %t %t.d | FileCheck %s
//
// CHECK: Hangup: 1 file, old
// CHECK-NEXT: Interrupt: 1 file, old
// CHECK-NEXT: Terminated: 1 file, old
// CHECK-NEXT: File size limit exceeded: 1 file, old
// CHECK-NEXT: ignored: 1 file, new, mode 750
// CHECK-NEXT: after the last write: 1 file, new, mode 750
#include "command.h"
#include "output.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int fail_print(const char *file, uint64_t line, const char *format, ...) {
    (void)line;
    printf("%s: %s\n", file, format);
    return EXIT_BAD_INPUT;
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        exit(1);
}

/* Writes the file in a child that sends itself `number` while the file is open, or when it is complete. */
static int write_in_child(const char *path, int number, bool is_ignored, bool is_late) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        output_file output;
        signal(number, is_ignored ? SIG_IGN : SIG_DFL);
        if (!output_open(&output, path))
            _exit(2);
        fputs("new", output.stream);
        fflush(output.stream);
        if (!is_late)
            raise(number);
        if (!output_finish(&output))
            _exit(3);
        if (is_late)
            raise(number);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status;
}

static void tell(const char *directory, const char *path, const char *what) {
    char text[8] = "";
    int count = 0;
    DIR *files = opendir(directory);
    for (struct dirent *entry; (entry = readdir(files)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(files);
    FILE *file = fopen(path, "r");
    struct stat found;
    if (file == NULL || fgets(text, sizeof text, file) == NULL || fstat(fileno(file), &found) != 0)
        exit(1);
    fclose(file);
    printf("%s: %d file, %s", what, count, text);
    if (strcmp(text, "new") == 0)
        printf(", mode %o", (unsigned)found.st_mode & 07777);
    printf("\n");
    fflush(stdout);
}

int main(int count, char **arguments) {
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    const char *directory = arguments[count - 1];
    char path[4096];
    snprintf(path, sizeof path, "%s/file", directory);
    setvbuf(stdout, NULL, _IONBF, 0);
    put(path, "old");
    if (chmod(path, 06750) != 0)
        return 1;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        int status = write_in_child(path, signals[i], false, false);
        tell(directory, path, WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "no signal");
    }
    write_in_child(path, SIGINT, true, false);
    tell(directory, path, "ignored");
    put(path, "old");
    write_in_child(path, SIGINT, false, true);
    tell(directory, path, "after the last write");
    return 0;
}
