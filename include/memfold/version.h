/* The version of the library and of the memfold command. */
#ifndef MEMFOLD_VERSION_H
#define MEMFOLD_VERSION_H

#define MF_VERSION_MAJOR 0
#define MF_VERSION_MINOR 1
#define MF_VERSION_PATCH 0
#define MF_VERSION "0.1.0"

#endif
