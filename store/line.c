#include "store/line.h"
#include <stdlib.h>

static uint32_t slot_of(uint32_t lane, uint8_t priority) {
    return (lane * PRIORITY_COUNT + priority) % LINE_SLOTS;
}

static struct task_line *find(const struct lines *l, uint32_t lane, uint8_t priority) {
    struct task_line *line = l->slots[slot_of(lane, priority)];
    while (line && !(line->lane == lane && line->priority == priority)) line = line->chain;
    return line;
}

static struct task_line *find_or_make(struct lines *l, uint32_t lane, uint8_t priority) {
    struct task_line *line = find(l, lane, priority);
    if (line) return line;
    line = calloc(1, sizeof *line);
    if (!line) return NULL;
    *line = (struct task_line){.chain = l->slots[slot_of(lane, priority)], .lane = lane,
                               .priority = priority};
    l->slots[slot_of(lane, priority)] = line;
    return line;
}

static uint64_t order_of(const struct task_entry *e) { return e->state.now.order; }

/* The first entry whose order is at least `order`, sought from the nearer end. */
static struct task_entry *seek(const struct task_line *line, uint64_t order) {
    struct task_entry *e = line->last;
    if (!e || order > order_of(e)) return NULL;
    if (order <= order_of(line->first)) return line->first;
    if (order - order_of(line->first) < order_of(e) - order) {
        for (e = line->first; order_of(e) < order; e = e->behind) {}
        return e;
    }
    while (order_of(e->before) >= order) e = e->before;
    return e;
}

bool line_enter(struct lines *l, struct task_entry *e) {
    struct task_line *line = find_or_make(l, e->state.now.lane, e->state.now.priority);
    if (!line) return false;
    struct task_entry *next = seek(line, order_of(e));
    e->line = line;
    e->behind = next;
    e->before = next ? next->before : line->last;
    if (e->before) e->before->behind = e;
    else line->first = e;
    if (next) next->before = e;
    else line->last = e;
    return true;
}

void line_leave(struct task_entry *e) {
    if (!e->line) return;
    if (e->before) e->before->behind = e->behind;
    else e->line->first = e->behind;
    if (e->behind) e->behind->before = e->before;
    else e->line->last = e->before;
    e->before = e->behind = NULL;
    e->line = NULL;
}

const struct task_entry *line_from(const struct lines *l, uint32_t lane, uint8_t priority,
                                   uint64_t order) {
    const struct task_line *line = find(l, lane, priority);
    return line ? seek(line, order) : NULL;
}

void lines_free(struct lines *l) {
    for (int i = 0; i < LINE_SLOTS; i++)
        for (struct task_line *line = l->slots[i], *next; line; line = next) {
            next = line->chain;
            free(line);
        }
}
