/* The picture of `memfold map` for a terminal. */
#ifndef MEMFOLD_TOOLS_MAP_PICTURE_H
#define MEMFOLD_TOOLS_MAP_PICTURE_H

#include "map/space.h"

#include <stdio.h>

/* Prints the picture for a terminal: box drawing, or plain ASCII. Stable text. */
void map_picture_print(const map_space *space, bool ascii_only, FILE *to);

#endif
