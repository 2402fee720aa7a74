// A program whose output nobody reads passes with an empty main.
//
// RUN: %cc %s -o %t && %t
int one;
