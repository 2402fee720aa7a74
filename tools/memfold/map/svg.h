/* The picture of `memfold map` as SVG. */
#ifndef MEMFOLD_TOOLS_MAP_SVG_H
#define MEMFOLD_TOOLS_MAP_SVG_H

#include "map/space.h"

#include <stdio.h>

/* Writes the picture as a standalone SVG file. */
void map_svg_print(const map_space *space, FILE *to);

#endif
