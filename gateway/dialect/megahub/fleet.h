/* fleet.h - what the files of workers/ share: who works for a brand, from four sources.
 *
 *   the broker's WORKERS   who is linked, claims now or did within a minute, and what it holds
 *   worker_card objects    what workers say of themselves (POST workers/), and admins of them
 *   tallies                what each has ended in the newest FLEET_DAYS days
 *   agent objects          the workers that dialect 000 enrolled, by their cuids
 *
 * A worker is known by its name; its number is made of that. It is online while the broker has it,
 * or its newest heartbeat is younger than five minutes; one of dialect 000 when that says so. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_FLEET_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_FLEET_H
#include "gateway/dialect/megahub/monitor.h"
#include "proto/object.h"
#include "proto/roll.h"

enum { FLEET_DAYS = 7, FLEET_MAX = 4000, FLEET_FRESH_MS = 300000 };

enum figure { FIGURE_CPU, FIGURE_MEMORY, FIGURE_ACTIVE, FIGURE_PROCESSED, FIGURE_FAILED,
              FIGURE_LOAD, FIGURE_UPTIME, FIGURE_SUCCESS, FIGURE_HEARD, FIGURE_COUNT };

struct fleet_worker {
    uint64_t id;
    struct slice name, title, queues; /* title: what people call it; queues: comma between */
    struct roll_row now;       /* name empty: the broker does not have it */
    bool carded, enrolled, here, hidden, online, healthy; /* here: dialect 000 says it is online */
    double figures[FIGURE_COUNT]; /* NAN = not known; HEARD in ms */
};

struct fleet_state { /* what x->state begins with while the fleet is loaded */
    struct monitor monitor;
    struct tally_list ended;
    struct fleet_worker *list;
    uint32_t count;
    bool incomplete;
    void (*loaded)(struct exchange *x);
};

/* Loads all workers of the brand; refusals end the exchange. */
void fleet_load(struct exchange *x, void (*loaded)(struct exchange *x));
uint64_t fleet_id(struct slice name);
extern const char *const fleet_figures[]; /* "cpu_percent" …; by enum figure */
/* Writes the members of a worker, without the braces. */
void fleet_write(struct exchange *x, const struct fleet_worker *w);
struct fleet_worker *fleet_worker_find(const struct fleet_state *f, uint64_t id);

extern const struct routes megahub_fleet_card;
#endif
