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

/* ---- thing.c: shared by kind.c and queue.c ---- */

struct things { /* one kind of objects with a name */
    const char *object;          /* kind of the object */
    const char *path;
    struct page_list list;
    /* Notes wrong fields; appends the body's JSON. `before` is the stored body, empty for POST;
     * whole: what is not said gets its default. */
    void (*read)(struct exchange *x, struct slice before, bool whole, struct out *body);
    /* After it is stored: the rest, then things_done(). NULL = none. */
    void (*stored)(struct exchange *x, const struct object_row *row, bool gone);
};
extern const struct things things_types, things_queues;

void things_done(struct exchange *x);

/* Their routes: which things they are about is told by the path. */
bool things_list_read(struct exchange *x, struct message *m);
void things_list_write(struct exchange *x, const struct message *answer);
bool things_create_read(struct exchange *x, struct message *m);
bool things_detail_read(struct exchange *x, struct message *m);
bool things_change_read(struct exchange *x, struct message *m);
bool things_delete_read(struct exchange *x, struct message *m);

#define THINGS_MEMBER (GUARD_USER | GUARD_ADMIN)
#define THINGS_BOSS (GUARD_ADMIN | GUARD_BRAND_ADMIN)
#define THINGS_ROUTES(path, many, one) \
    ROUTE(GET, NONE, path, THINGS_MEMBER, 200, things_list_read, "lists " many, .verb = VERB_ASK, \
          .write = things_list_write), \
    ROUTE(POST, JSON, path, THINGS_BOSS, 201, things_create_read, "sets up " one), \
    ROUTE(GET, NONE, path "/{id}", THINGS_MEMBER, 200, things_detail_read, "reads " one), \
    ROUTE(PUT, JSON, path "/{id}", THINGS_BOSS, 200, things_change_read, "changes " one), \
    ROUTE(PATCH, JSON, path "/{id}", THINGS_BOSS, 200, things_change_read, "changes " one), \
    ROUTE(DELETE, NONE, path "/{id}", THINGS_BOSS, 204, things_delete_read, "deletes " one)

extern const struct routes megahub_kinds, megahub_queues, megahub_history;
#endif
