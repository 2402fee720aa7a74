// A directive whose end a formatter has moved to the next line is found by the text that follows it.
//
// RUN: %cc %s -o %t && %t | FileCheck %s
// CHECK: a line of output that does not fit in the 110 columns that the format allows for code, so that its
// end would be checked no more
int one;
