/* The list of accessors as a table. */
#include <memfold/accessors.h>

#include <string.h>

const mf_accessor_info *mf_accessor_info_get(mf_accessor_id id) {
    static const mf_accessor_info infos[MF_ACCESSOR_COUNT] = {
#define MF_X(ID, name, operation, width, sign) [MF_##ID] = {#name, operation, width, sign},
        MF_ACCESSORS(MF_X)
#undef MF_X
    };
    return (uint32_t)id < MF_ACCESSOR_COUNT ? &infos[id] : NULL;
}

/* The members stand in the order of the ids, both being expanded from one list. */
mf_accessor_fn *mf_accessors_member(const mf_accessors *set, mf_accessor_id id) {
    mf_accessor_fn *member;
    if ((uint32_t)id >= MF_ACCESSOR_COUNT)
        return NULL;
    memcpy(&member, (const unsigned char *)set + (size_t)id * sizeof member, sizeof member);
    return member;
}
