/* Layouts whose accessors are proved, broken and embedded. */
#ifndef MEMFOLD_TEST_SAMPLE_LAYOUTS_H
#define MEMFOLD_TEST_SAMPLE_LAYOUTS_H

#include <memfold/layout.h>

/* One window; windows of both permissions and a heap; sixteen regions; a window at 0. */
typedef enum sample { SAMPLE_WINDOW, SAMPLE_MIXED, SAMPLE_MANY, SAMPLE_LOW, SAMPLE_COUNT } sample;

/* The caller owns one reference. */
mf_layout *sample_layout(sample s);

#endif
