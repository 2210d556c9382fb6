/* line.h - pending queued tasks by lane and priority, in order: a part of pending.
 *
 * A line is a list sorted by order. Tasks come in at its end but for those that go back to their
 * old place, which are sought from the nearer end. Lines are never freed before the whole is: there
 * are as many as lanes in use. */
#ifndef RELAIS_STORE_LINE_H
#define RELAIS_STORE_LINE_H
#include "store/pending.h"

struct task_line {
    struct task_line *chain;
    uint32_t lane;
    uint8_t priority;
    struct task_entry *first, *last;
};
enum { LINE_SLOTS = 1024 };
struct lines { struct task_line *slots[LINE_SLOTS]; };

/* Puts the entry where its state says. False when memory is out. */
bool line_enter(struct lines *l, struct task_entry *e);
void line_leave(struct task_entry *e);
const struct task_entry *line_from(const struct lines *l, uint32_t lane, uint8_t priority,
                                   uint64_t order);
void lines_free(struct lines *l);
#endif
