/*
 * The trees of libelf.a since elfutils 0.192, which Debian ships without the library that has them. They are
 * those of the C library, so that their allocations are refused as well. Older ones ask for none of these.
 */
#include <search.h>
#include <stddef.h>

/* elfutils' search_tree begins with its root; a lock is behind it where libelf is built for threads. */
typedef struct tree {
    void *root;
} tree;

void eu_search_tree_init(tree *t);
void eu_search_tree_fini(tree *t, void (*free_node)(void *));
void *eu_tsearch(const void *key, tree *t, int (*compare)(const void *, const void *));
void *eu_tdelete(const void *key, tree *t, int (*compare)(const void *, const void *));

void eu_search_tree_init(tree *t) {
    t->root = NULL;
}

void eu_search_tree_fini(tree *t, void (*free_node)(void *)) {
    tdestroy(t->root, free_node);
}

void *eu_tsearch(const void *key, tree *t, int (*compare)(const void *, const void *)) {
    return tsearch(key, &t->root, compare);
}

void *eu_tdelete(const void *key, tree *t, int (*compare)(const void *, const void *)) {
    return tdelete(key, &t->root, compare);
}
