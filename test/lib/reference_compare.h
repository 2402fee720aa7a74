/*
 * An engine at work beside the reference: the same access on both, and whether they still agree. Every
 * difference is printed with what `compare_describe` says about the place, and ends the program.
 */
#ifndef MEMFOLD_TEST_REFERENCE_COMPARE_H
#define MEMFOLD_TEST_REFERENCE_COMPARE_H

#include "engines.h"
#include "reference.h"

typedef struct access {
    mf_accessor_id id;
    uint64_t index;
    uint64_t value; /* to store */
} access;

/* What the reference says about an access that it has just done: the record is in reference.fault. */
typedef struct expectation {
    uint64_t value;
    uint32_t status;
} expectation;

/* Prints what is being done, for a person who wants to do it again. */
extern void (*compare_describe)(void);

/* Prints the difference and the place, and ends the program. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
_Noreturn void
compare_failed(const subject *s, const char *format, ...);

expectation reference_access(reference *r, const mf_accessor_options *options, access a);

/* Does the access on the subject: value, status, fault record and, for stores, the bytes around are equal. */
void compare_access(const reference *r, expectation expected, subject *s, access a);

void compare_fault(const reference *r, const subject *s);

/* The bytes of one page are equal, if the page can be read. */
void compare_page(const reference *r, subject *s, uint64_t number);

/* The bytes of every page that the reference has touched and that can be read. */
void compare_bytes(const reference *r, subject *s);

/* The live permissions of all pages, the length and the heap's top. */
void compare_pages_state(const reference *r, const subject *s);

#endif
