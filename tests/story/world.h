/* world.h - the real core over a memory store, one step at a time, with time as an argument.
 *
 * The world plays the broker's turn: it steps events, commits groups, answers needs, and lets what
 * was said leave: at once when the core said `now`, else when the group is durable. Unless it is
 * told to hold, it commits after every step until nothing more happens. Whoever looks on gets each
 * message as it leaves, through `tell`, and may read more of it when it was said, through `note`:
 * the text that `note` returns (owned by the caller's caller, freed here) comes back in `tell`. */
#ifndef RELAIS_TESTS_STORY_WORLD_H
#define RELAIS_TESTS_STORY_WORLD_H
#include "broker/core/core.h"
#include "store/store.h"

struct left { /* a message that may leave, without its slices */
    uint32_t peer, link;
    enum verb verb;
    enum code code;
    uint64_t number, task, epoch;
    char *text; /* owned */
    bool now;
};

struct need_kept { struct need need; uint64_t group; uint8_t key[256]; };

struct world {
    struct core_limits limits;
    struct core *core;
    struct store *store;
    struct effects fx;
    int64_t mono_ms, wall_ms;
    uint64_t seed, incarnation, group; /* group: the next to close */
    uint64_t lane_records; /* that were committed */
    bool hold, deaf;    /* hold: commit nothing; deaf: answer no needs */
    struct buffer bytes;
    struct left *waiting; /* for the open group */
    uint32_t waiting_count, waiting_cap;
    struct need_kept *needs;
    uint32_t need_count, need_cap;
    uint32_t full;      /* the peer that was filled last */
    char *(*note)(struct world *w, const struct say *say);
    void (*tell)(struct world *w, const struct left *left);
    void *context;
};

void world_open(struct world *w);
void world_close(struct world *w);
/* The broker's process dies and starts again; what was not committed is gone. */
void world_crash(struct world *w);
/* Steps one event and settles, unless held. mono, wall and seed are filled in. */
void world_step(struct world *w, struct event *e);
/* Commits and answers needs until nothing more happens. */
void world_settle(struct world *w);
/* Closes the open group, makes it durable, lets what it said leave. False when it was empty. */
bool world_commit(struct world *w);
/* Lets time pass, stepping the core whenever it asks to be woken. */
void world_wait(struct world *w, int64_t ms);
#endif
