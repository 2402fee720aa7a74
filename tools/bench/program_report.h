/* The programs in the report: tables for a person, JSON, and a picture. */
#ifndef MEMFOLD_TOOLS_BENCH_PROGRAM_REPORT_H
#define MEMFOLD_TOOLS_BENCH_PROGRAM_REPORT_H

#include "bench/programs.h"

#include <stdio.h>

/* Prints what the programs are, and tables with engines in rows and programs in columns. */
void program_report_print(const bench_programs *programs, FILE *to);

/* Prints the engines with all programs as a JSON array. */
void program_report_print_json(const bench_programs *programs, FILE *to);

/* Prints gnuplot's script of the picture: a group of bars for each program, and one for their means. */
void program_report_print_plot(const bench_programs *programs, FILE *to);

#endif
