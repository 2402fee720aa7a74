/* The two forms of the picture of `memfold map`. */
#ifndef MEMFOLD_TOOLS_PICTURE_H
#define MEMFOLD_TOOLS_PICTURE_H

#include "space.h"

#include <stdio.h>

/* Prints the picture for a terminal: box drawing, or plain ASCII. Stable text. */
void picture_print(const struct space *space, bool ascii_only, FILE *to);

/* Writes the picture as a standalone SVG file. */
void svg_print(const struct space *space, FILE *to);

#endif
