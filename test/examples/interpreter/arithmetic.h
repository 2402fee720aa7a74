/* RV32IM without memory: what the instructions compute, and their immediates. */
#include <stdbool.h>
#include <stdint.h>

static inline uint32_t compute(uint32_t function, bool is_other, uint32_t a, uint32_t b) {
    switch (function) {
    case 0:
        return is_other ? a - b : a + b;
    case 1:
        return a << (b & 31);
    case 2:
        return (int32_t)a < (int32_t)b;
    case 3:
        return a < b;
    case 4:
        return a ^ b;
    case 5:
        return is_other ? (uint32_t)((int32_t)a >> (b & 31)) : a >> (b & 31);
    case 6:
        return a | b;
    default:
        return a & b;
    }
}

static inline uint32_t multiply(uint32_t function, uint32_t a, uint32_t b) {
    bool overflows = a == 0x80000000 && b == UINT32_MAX;
    switch (function) {
    case 0:
        return a * b;
    case 1:
        return (uint32_t)((uint64_t)((int64_t)(int32_t)a * (int32_t)b) >> 32);
    case 2:
        return (uint32_t)((uint64_t)((int64_t)(int32_t)a * (int64_t)b) >> 32);
    case 3:
        return (uint32_t)((uint64_t)a * b >> 32);
    case 4:
        return b == 0 ? UINT32_MAX : overflows ? a : (uint32_t)((int32_t)a / (int32_t)b);
    case 5:
        return b == 0 ? UINT32_MAX : a / b;
    case 6:
        return b == 0 ? a : overflows ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
    default:
        return b == 0 ? a : a % b;
    }
}

static inline bool branches(uint32_t function, uint32_t a, uint32_t b) {
    bool holds = function < 2 ? a == b : function < 6 ? (int32_t)a < (int32_t)b : a < b;
    return holds != (function & 1);
}

static inline uint32_t jump_offset(uint32_t i) {
    uint32_t top = (uint32_t)((int32_t)i >> 11) & ~0xfffffu;
    return top | (i & 0xff000) | (i >> 9 & 0x800) | (i >> 20 & 0x7fe);
}

static inline uint32_t branch_offset(uint32_t i) {
    uint32_t top = (uint32_t)((int32_t)i >> 19) & ~0xfffu;
    return top | (i << 4 & 0x800) | (i >> 20 & 0x7e0) | (i >> 7 & 0x1e);
}
