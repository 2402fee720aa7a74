#include <memfold/abi.h>
