/* turn_state.h - what the loop holds, on one page. Internal to turn.c, intake.c and group.c. */
#ifndef RELAIS_BROKER_TURN_STATE_H
#define RELAIS_BROKER_TURN_STATE_H
#include "broker/acts.h"
#include "broker/keys.h"
#include "broker/loader.h"
#include "broker/turn.h"

enum store_life { LIFE_DOWN, LIFE_OPENING, LIFE_RESTORING, LIFE_SETTLING, LIFE_UP };

struct file_job { uint64_t file; bool gone; }; /* follows a group: place or unlink */
struct file_jobs { struct file_job *at; uint32_t count, cap; };

struct turn {
    struct turn_setup setup;
    struct wake wake;
    struct post loaded, answered; /* from the loader, from ask */
    struct writer *writer;
    struct loader *loader;
    struct ask *ask;
    struct keys keys;
    struct acts acts;
    atomic_bool stopping;
    /* the core, and the store behind it */
    struct core *core;         /* NULL while down or opening */
    struct effects fx;
    enum store_life life;
    uint32_t opened;           /* the opening of the store that the core belongs to */
    uint64_t incarnation, group /* the next to close */, durable;
    bool flying;               /* a group is with the store thread */
    uint64_t group_items;      /* stepped since the last close */
    uint32_t here_off;         /* so many groups are not written in this thread, */
    uint32_t yield_off;        /* or without letting others go first */
    bool wrote_here;           /* the last turn did, and what came meanwhile was not heard */
    struct buffer records;     /* of the group that is being closed */
    struct file_jobs filling, in_flight;
    uint32_t files_settled;    /* the opening whose records the files were compared with */
    int64_t reopen_at_ms, reopen_wait_ms;
    bool was_up;               /* since the start: links must hear RESYNC */
    char why[WHY_MAX];         /* why the store could not be opened */
    /* admission */
    double debt;
    bool disk_full;
    size_t open_bytes;         /* frames stepped since the last close */
    struct lobby lobby;
    int64_t dry_ms;            /* when all that had come was read last */
    int64_t stalled_ms;        /* in all: the lobby's clock stands still meanwhile */
    /* time */
    int64_t mono_ms, wall_ms, slept_ms /* of the last sleep, as it was meant */;
    int64_t sweep_at_ms;
    uint64_t rested_items;     /* stats.items at the last chores */
    uint64_t seed;
    bool heard;                /* the sockets' descriptors have just said which have something */
    bool send_blocked, draining;
    struct message message;    /* the item being stepped */
    uint8_t hash[32];          /* of the file that it names */
    struct buffer row;         /* of the object that is being said */
    struct { uint64_t turns, frames, items, refused, groups, group_bytes, restarts; } stats;
};

/* intake.c: frames and answers */
/* Takes what a turn takes; true when there may be more. */
bool turn_take_frames(struct turn *t);
/* Steps the core and routes its effects. */
void turn_step(struct turn *t, struct event *e);
struct event turn_event(struct turn *t, enum event_kind kind);
void turn_take_answers(struct turn *t);
void turn_bury_peers(struct turn *t);
/* Workers whose deliveries have left are given more; true when that was said to be there. */
bool turn_tell_room(struct turn *t);
/* The registry changed: connections whose key has gone lose their link. */
void turn_check_keys(struct turn *t);
void turn_push_keyring(struct turn *t, uint32_t peer);

/* acts.c: administration. Before the item is stepped: 0, or why it is refused. */
enum code turn_note_act(struct turn *t, const struct peer *p, const struct who *who);
/* The core says m to the peer. */
void turn_settle_act(struct turn *t, uint32_t peer, const struct message *m);
/* Reads the revocations when that is due; call once a turn. */
void turn_tend_revoked(struct turn *t);
void turn_take_revoked(struct turn *t, const struct message *m);

/* group.c: the store's life and the groups */
/* Brings the store up, step by step; call once a turn. */
void turn_tend_store(struct turn *t);
void turn_take_loaded(struct turn *t);
/* Hands the open group over when the store thread is idle, or writes it in this one: HERE_ in
 * turn.h. more: the turn left something to do. */
void turn_close_group(struct turn *t, bool more);
/* Places and unlinks what the group that was in flight says; it is durable. */
void turn_run_file_jobs(struct turn *t);

#endif
