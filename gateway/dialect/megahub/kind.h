/* kind.h - types of tasks and queues that an administrator of the brand sets up.
 *
 * kind.c   /tasks/types/: an object "task_type" with the type's name: default_queue,
 *          default_priority, timeout_seconds, max_retries. POST /tasks/ takes from it what it
 *          does not say itself, as it stood a second ago at most (gateway/known.h).
 * queue.c  /tasks/queues/: an object "task_queue" with the queue's name: concurrency (0 = no
 *          limit), is_active, max_memory_mb, which workers may heed; the first two are also given
 *          to the broker, which obeys them at once.
 *
 * {id} is the object's number; names are unique in their brand. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_KIND_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_KIND_H
#include "gateway/dialect/megahub/page.h"
#include "proto/object.h"

struct kind_defaults { /* what POST /tasks/ takes from its type; 0 or -1 = nothing is said */
    struct slice queue;
    int priority;
    int64_t timeout_ms, max_retries;
};

/* True when it is remembered what the type says; else kind_load, which then calls `then`. */
bool kind_known(struct exchange *x, struct slice type);
void kind_load(struct exchange *x, struct slice type, void (*then)(struct exchange *x));
struct kind_defaults kind_defaults(struct exchange *x, struct slice type);

/* ---- shared by kind.c and queue.c ---- */

struct things { /* one kind of objects with a name */
    const char *object;          /* kind of the object */
    const char *path;
    void (*write)(struct exchange *x, const struct object_row *row);
    /* Notes wrong fields; appends the body's JSON. `before` is the stored body, empty for POST;
     * whole: what is not said gets its default. */
    void (*read)(struct exchange *x, struct slice before, bool whole, struct out *body);
    /* After it is stored: the rest, then things_done(). NULL = none. */
    void (*stored)(struct exchange *x, const struct object_row *row, bool gone);
};
struct thing { /* x->state of a change */
    const struct things *things;
    struct object_row row;       /* as it stands now, or stood */
    bool gone;
    void (*found)(struct exchange *x);
};
void things_ask(struct exchange *x, const struct things *things, struct question *q);
bool things_create(struct exchange *x, const struct things *things);
bool things_detail(struct exchange *x, const struct things *things);
bool things_change(struct exchange *x, const struct things *things);
bool things_delete(struct exchange *x, const struct things *things);
void things_done(struct exchange *x);

extern const struct routes megahub_kinds, megahub_queues, megahub_history;
#endif
