/* The primes below two million, one bit each in memory from sbrk, and Goldbach's conjecture for a few
 * numbers. */
#include "program.h"

#define LIMIT 2000000u

static uint8_t *composite;

static int is_composite(uint32_t n) {
    return composite[n / 8] >> (n % 8) & 1;
}

static void sieve(void) {
    composite[0] = 3;
    for (uint32_t n = 2; n * n < LIMIT; n++)
        if (!is_composite(n))
            for (uint32_t multiple = n * n; multiple < LIMIT; multiple += n)
                composite[multiple / 8] |= (uint8_t)(1 << multiple % 8);
}

static void split(uint32_t even) {
    uint32_t prime = 2;
    while (is_composite(prime) || is_composite(even - prime))
        prime++;
    print_number(even);
    print(" = ");
    print_number(prime);
    print(" + ");
    print_number(even - prime);
    print("\n");
}

int program(void) {
    uint32_t count = 0;
    uint64_t sum = 0;
    composite = platform_sbrk(LIMIT / 8 + 1);
    sieve();
    for (uint32_t n = 0; n < LIMIT; n++)
        if (!is_composite(n)) {
            count++;
            sum += n;
        }
    print_number(count);
    print(" primes, sum ");
    print_number(sum);
    print("\n");
    for (uint32_t even = 1000; even < LIMIT; even *= 7)
        split(even);
    return (int)(count % 100);
}
