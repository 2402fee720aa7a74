/* Permission tables in a kernel: each is allocated. */
#include "perm_space.h"
#include "os.h"

bool perm_space_take(perm_space *space) {
    space->bytes = os_reserve(MF_PERM_TABLE_PAGES, 0);
    return space->bytes != NULL && os_commit(space->bytes, MF_PERM_TABLE_PAGES);
}

void perm_space_give(perm_space space) {
    os_release(space.bytes, MF_PERM_TABLE_PAGES);
}
