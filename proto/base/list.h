/* list.h - intrusive doubly linked lists.
 *
 * A node lies inside its owner; an unlinked node points to itself, so that unlinking twice is
 * harmless. The list owns nothing. Pure. */
#ifndef RELAIS_PROTO_BASE_LIST_H
#define RELAIS_PROTO_BASE_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct node { struct node *next, *prev; };

#define owner_of(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

static inline void list_init(struct node *n) { n->next = n->prev = n; }
static inline bool list_empty(const struct node *list) { return list->next == list; }
static inline void list_unlink(struct node *n) {
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}
/* Puts n before `at`; before the list's own node means at its end. */
static inline void list_insert(struct node *at, struct node *n) {
    n->next = at;
    n->prev = at->prev;
    at->prev->next = n;
    at->prev = n;
}
static inline void list_push(struct node *list, struct node *n) { list_insert(list, n); }
static inline void list_push_front(struct node *list, struct node *n) {
    list_insert(list->next, n);
}
static inline struct node *list_first(const struct node *list) {
    return list_empty(list) ? NULL : list->next;
}
static inline struct node *list_last(const struct node *list) {
    return list_empty(list) ? NULL : list->prev;
}
#endif
