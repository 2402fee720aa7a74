// RUN: %cc %s -o %t && %t | FileCheck %s
//
// The first line of this file says nothing of what it proves.
//
// CHECK: done
int one;
