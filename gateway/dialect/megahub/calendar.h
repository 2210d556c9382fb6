/* calendar.h - calendars of dialect 002: named collections of periodic tasks.
 *
 * A calendar is an object of its brand whose body holds its fields and its entries, so that one
 * read shows all of it and one write changes it (by version, as schedules). An entry names a
 * periodic task, and perhaps a cron expression of its own (in the calendar's time zone) and a
 * configuration; one whose periodic task was deleted counts no more.
 *
 * Limits: ENTRIES_MAX a calendar, ENTRY_CONFIG_MAX bytes of configuration an entry. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_CALENDAR_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_CALENDAR_H
#include "gateway/dialect/megahub/schedule.h"
#include "proto/object.h"

enum { ENTRIES_MAX = 200, ENTRY_CONFIG_MAX = 4096 };

struct held_task { /* a periodic task that some entry names; texts in the exchange's memory */
    uint64_t id;
    struct slice type, expression, zone, description;
    int64_t start_ms, end_ms;
    bool active;
};
struct held_tasks { struct held_task *list; uint32_t count, room; };

struct calendar { /* x->state of an exchange about one */
    uint64_t id;
    uint32_t version, tries;
    struct slice body; /* JSON, in the exchange's memory */
    struct object_row row;
    struct held_tasks held;
    void (*read)(struct exchange *x, struct calendar *c);
    void (*done)(struct exchange *x, struct calendar *c);
    void *own;
};

/* ---- calendar.c ---- */

/* Reads the calendar that {id} names, then the periodic tasks of its entries, and calls `then`.
 * Always false. `own` is the caller's. */
bool calendar_open(struct exchange *x, void *own,
                   void (*then)(struct exchange *x, struct calendar *c));
/* Stores a changed body (taken), under a name that may have changed, and calls `done`. When
 * somebody else was faster it is read again, and the function of calendar_open called anew. */
void calendar_put(struct exchange *x, json_t *body,
                  void (*done)(struct exchange *x, struct calendar *c));
/* The body as JSON, owned by the caller. */
json_t *calendar_body(const struct calendar *c);
/* The periodic task of an entry; NULL when it is gone. */
const struct held_task *held_find(const struct held_tasks *held, uint64_t id);
/* How many entries there are whose task is, and how many of these are active. */
void entries_count(const json_t *body, const struct held_tasks *held, uint64_t *all,
                   uint64_t *active);
uint64_t entry_number(const json_t *entry, const char *name);

/* ---- schedule_event.c ---- */

bool calendar_events_read(struct exchange *x, struct message *m);
bool calendar_stats_read(struct exchange *x, struct message *m);
bool calendar_add_read(struct exchange *x, struct message *m);
bool calendar_remove_read(struct exchange *x, struct message *m);
#endif
