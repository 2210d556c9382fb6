/* filler.h - one page under way, as the files that fill it share it; only they include this.
 *
 *   rows.c        which records are walked, which match, totals
 *   rows_task.c   tasks: lanes and workers by number, fields, search, how a row looks
 *   rows_sort.c   pages in another order than that of creation
 *   rows_object.c objects
 *   rows_schedule.c schedules
 *   rows_session.c  sessions of dialect 003
 *   rows_tally.c  sums over tallies
 *   rows_queue.c  queues: their settings and the sums of their lanes */
#ifndef RELAIS_BROKER_FILLER_H
#define RELAIS_BROKER_FILLER_H
#include "broker/filter.h"
#include "broker/rows.h"
#include <jansson.h>

struct lane_entry { /* what a lane number stands for; copied out of the walk */
    struct map_node by_number;
    struct lane_record lane;
    uint64_t looked, wanted; /* bits of statuses and priorities: looked at, and asked for */
    uint8_t bytes[];
};

struct sorter;

enum { LANES_NEAR = 256 };

struct filler {
    struct rows_page *page;
    struct store_view *view;
    const struct question *q;
    struct filter *filter; /* NULL = none */
    struct map lanes, workers;
    uint64_t *active;   /* schedules that are, by number; NULL until asked for */
    size_t active_count;
    struct message message; /* a row of tasks */
    uint32_t skip, limit;
    bool searches; /* the walk finds what has the terms */
    bool brief;    /* heads of the walk have but what a brief has */
    struct lane_entry *near[LANES_NEAR];    /* lanes seen last, by the end of their numbers */
    bool exact;    /* the walk finds what is asked for, but for terms that are not sure */
    struct store_walk *results; /* borrowed: it brings the result of the task looked at; or NULL */
    int64_t known; /* how many match, from counters that are exact; -1 = not known */
};

/* ---- rows_task.c ---- */

/* Reads what lanes and workers are called. */
bool names_read(struct filler *f);
void names_free(struct filler *f);
const struct lane_record *lane_find(const struct filler *f, uint32_t number);
/* Has the walk of a brand's tasks look at those alone that may match, at as little of them as
 * matching and sorting need. */
void task_walk(struct filler *f, struct walk *walk);
bool task_matches(struct filler *f, const struct task_head *t, const struct lane_record *l);
void task_put(struct filler *f, const struct task_head *t);
/* What a task is sorted by, in the order of question.sort: `count` keys, the first SORT_TEXT_BYTES
 * of texts. */
enum { SORT_KEYS_MAX = 4, SORT_TEXT_BYTES = 40 };
struct sort_key {
    uint8_t kind; /* of struct field_value */
    bool descending;
    uint8_t len, text[SORT_TEXT_BYTES];
    double number;
};
uint32_t task_sort_keys(struct filler *f, const struct task_head *t,
                        struct sort_key keys[SORT_KEYS_MAX]);
/* Exact number of tasks that match, from the lanes' counters; false when the question tells apart
 * what they do not. */
bool task_counters(struct filler *f, int64_t *total);
void statuses_put(struct buffer *b, const uint64_t count[STATUS_COUNT][PRIORITY_COUNT]);

/* A member of a JSON object; `tree` is parsed once, owned by the caller and NULL at first. */
struct field_value field_of_member(json_t **tree, struct slice json, struct slice name);

/* ---- rows_object.c ---- */

/* Which objects of which brand. VALIDATION_ERROR when there is no such kind, FORBIDDEN when it is
 * not for that role. */
enum code object_walk(const struct question *q, uint8_t role, struct walk *walk);
bool object_matches(const struct filler *f, const struct object_record *o);
void object_put(struct filler *f, const struct object_record *o);

/* ---- rows_session.c ---- */

bool session_matches(const struct filler *f, const struct session_record *s);
void session_put(struct filler *f, const struct session_record *s);

void object_sort(struct filler *f, struct sorter *s, const struct object_record *o);

/* ---- rows_schedule.c ---- */

bool checkpoint_matches(const struct filler *f, const struct checkpoint_record *c);
void checkpoint_put(struct filler *f, const struct checkpoint_record *c);
bool schedule_matches(const struct filler *f, const struct schedule_record *s);
void schedule_put(struct filler *f, const struct schedule_record *s);
void schedule_sort(struct sorter *sorter, const struct schedule_record *s);
/* Whether the schedule with that number is there and active. */
bool schedule_is_active(struct filler *f, uint64_t id);

/* ---- rows_sort.c ---- */

/* The keys of a row by what its fields are. */
uint32_t sort_keys(struct slice sort, field_find *find, void *row,
                   struct sort_key keys[SORT_KEYS_MAX]);
/* NULL when memory is out. */
struct sorter *sorter_new(struct filler *f);
void sorter_destroy(struct sorter **self);
/* Keeps the task while it is among the first skip + limit. */
void sorter_take(struct sorter *s, const struct task_head *t);
/* The same for a row of another kind, which is written already. */
void sorter_take_row(struct sorter *s, uint64_t id, field_find *find, void *row,
                     struct slice bytes);
/* Writes the page; true when rows come after it. */
bool sorter_put(struct sorter *s);

/* ---- rows_tally.c ---- */

void tallies_fill(struct filler *f);

/* ---- rows_queue.c ---- */

void queues_fill(struct filler *f);
#endif
