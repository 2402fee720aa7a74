// A formatter leaves these directives alone: they are longer than a line of code, and follow one another.
//
// RUN: %cc %s -o %t/a-program-with-a-long-name %runtime && %t/a-program-with-a-long-name 2>&1 | FileCheck %s --match-full-lines
// CHECK:      one
// CHECK-NEXT: {{^}}a line of output so long that it does not fit in the 110 columns that the format allows for code{{$}}
// CHECK-NEXT: two
//
// UNSUPPORTED: sanitizer
int one;

/*
 * The other kind of comment, with the same directives:
 *
 * CHECK: three
 * CHECK-NEXT: {{^}}a line of output so long that it does not fit in the 110 columns that the format allows for code{{$}}
 * CHECK-NEXT: four
 */
int two;
