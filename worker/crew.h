/* crew.h - the loop of an exec worker: one thread that feeds `slot_count` slots.
 *
 * Takes a task whenever a slot is free, polls commands, transfers and the worker's link, and ends
 * when it is told to. The first TERM or INT drains: no new tasks, what runs finishes. The second
 * ends the commands and hands their tasks back. */
#ifndef RELAIS_WORKER_CREW_H
#define RELAIS_WORKER_CREW_H
#include "worker/slot.h"

struct crew {
    struct work *work;
    struct slot *slots;
    struct pollfd *polls; /* crew_polls() entries */
    uint32_t slot_count;
    int signals;     /* descriptor of signal_open */
    int link;        /* descriptor of the worker's link */
    uint32_t barren; /* polls in a row in which the link had news, but no task */
    bool prefetch;   /* tasks may be ready while no slot is free */
    bool draining, releasing, closed;
    int refused;     /* why the broker does not want this worker; 0 = it does */
    int64_t warn_ms; /* when silence of the broker is worth a line */
    bool unheard;    /* that line was said */
};

/* Memory for slots and polls; false when it is out. */
bool crew_open(struct crew *c, struct work *work, uint32_t slot_count, bool prefetch, int signals);
void crew_close(struct crew *c);
/* Works until it is told to end. False when the broker refused the worker: c->refused. */
bool crew_run(struct crew *c);
#endif
