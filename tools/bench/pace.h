/* How far the walk is: what is to come is announced, and each part said when it begins. */
#ifndef MEMFOLD_TOOLS_BENCH_PACE_H
#define MEMFOLD_TOOLS_BENCH_PACE_H

/* What takes about how long, in seconds of an idle machine; only how they stand to each other matters. */
#define PACE_ROUND 0.035        /* of all engines in one cell */
#define PACE_LAYOUT 0.6         /* all engines are compiled */
#define PACE_PROGRAM_ROUND 0.15 /* of all engines in one program */
#define PACE_PROGRAM 1.5        /* all engines are compiled */
#define PACE_COSTS 4.0          /* a section of other costs */

/* So much more is to be done. */
void bench_pace_expect(double seconds);

/* What comes now takes about so long: "doing what". What was said before is done. */
void bench_pace_begin(double seconds, const char *doing, const char *what);

#endif
