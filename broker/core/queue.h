/* queue.h - what holds for all tasks of (brand, queue name): pause, limits, share, retention. */
#ifndef RELAIS_CORE_QUEUE_H
#define RELAIS_CORE_QUEUE_H
#include "broker/core/state.h"

/* The queue, made when it is new; NULL when queues_max is reached. */
struct queue *queue_get(struct core *c, uint32_t brand, struct slice name);
struct queue *queue_find(const struct core *c, uint32_t brand, struct slice name);
void queue_restore(struct core *c, const struct queue_record *record);
/* False while it is paused, at its running limit, or out of rate tokens (then its timer is set). */
bool queue_open(struct core *c, struct queue *q);
/* Counts a delivery and its end. */
void queue_lease(struct core *c, struct queue *q);
void queue_unlease(struct core *c, struct queue *q);
/* Decides anew for all of its lanes and delivers what became possible. */
void queue_update(struct core *c, struct queue *q);
/* QUEUE: sets what is given and answers the settings as text lines. */
void queue_step(struct core *c, const struct event *e);
void queue_close(struct core *c);
void queue_free(struct core *c);
#endif
