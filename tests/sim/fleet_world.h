/* fleet_world.h - the world of fleet.h, as the files that make it share it.
 *
 *   fleet.c        the broker's process, time, a run
 *   fleet_host.c   what stations, users and an administrator do
 *   fleet_look.c   what must hold */
#ifndef RELAIS_TESTS_SIM_FLEET_WORLD_H
#define RELAIS_TESTS_SIM_FLEET_WORLD_H
#include "broker/core/core.h"
#include "proto/base/random.h"
#include "proto/fleet.h"
#include "store/store.h"

enum { STATIONS = 4, SESSIONS = 8, SENDS = 64, WAITING = 64, TICK_MS = 20, BEAT_MS = 300,
       DEAD_MS = 1200, RECOVERY_MS = 200, SLACK_MS = 300, TICKS_WILD = 500, TICKS_CALM = 500,
       LOST_MS = 100, TAKE_MAX = 10,
       LATE_LOOKS = 4 };

enum step_of { BOOT, SERVE }; /* of a station's process: it registers, then it beats */
struct host { /* a station's process */
    bool lives, runs[SESSIONS], known; /* known: the broker has heard of it */
    enum step_of step;
    int64_t wake_at, silent_until, beat_at, asked_at;
    uint64_t asked;      /* number of the request under way */
    int64_t heard_at;    /* by the core, on its own clock; INT64_MIN = it left or never came */
    bool beaten;         /* in this life of the broker */
    uint32_t max;
    int64_t stuck_since; /* OFFLINE with sessions to recover, and others have room; 0 = not */
    uint32_t overdue;    /* looks in a row that saw them there too late */
    uint64_t ack[TAKE_MAX];
    uint32_t acks;
};

struct user { /* what the user of a session knows and wants */
    bool there, wanted, ended, deleting;
    int doing;           /* the act under way */
    uint64_t asked;
};

struct sent { uint8_t session; bool taken, given, reached, void_; uint64_t asked; };

struct answer_kept { uint64_t number; enum code code; uint8_t *body; uint32_t len; };

struct world {
    struct core_limits limits;
    struct core *core;
    struct store *store;
    struct effects fx;
    struct random random;
    struct buffer bytes;
    int64_t now, wall_off, core_stalled, up_at, room_since;
    uint64_t group, incarnation, number, steps, digest;
    uint32_t link;
    bool calm, compare, failed;
    struct answer_kept waiting[WAITING];
    uint32_t waiting_count;
    struct answer_kept now_answer; /* of a look: read at once */
    struct host hosts[STATIONS];
    struct user users[SESSIONS];
    struct sent sends[SENDS];
    uint32_t send_count;
    char *why;
    size_t why_size;
};

/* fleet.c */
__attribute__((format(printf, 2, 3))) void fleet_violate(struct world *w, const char *format, ...);
uint64_t fleet_speak(struct world *w, uint8_t role, struct message *m);
const char *fleet_name(char kind, int index); /* good for three more calls */
int fleet_index(struct slice name);           /* -1 = none */
static inline uint64_t fleet_below(struct world *w, uint64_t bound) {
    return random_below(&w->random, bound);
}
static inline bool fleet_chance(struct world *w, uint32_t permille) {
    return !w->calm && random_chance(&w->random, permille);
}

/* fleet_host.c */
void fleet_host_tick(struct world *w, int i);
void fleet_user_act(struct world *w);
void fleet_admin_act(struct world *w);
void fleet_admin_mend(struct world *w); /* every station takes sessions again */
void fleet_heard(struct world *w, const struct answer_kept *a);
void fleet_send_void(struct world *w, int k); /* the session's messages may be lost from now on */

/* fleet_look.c */
void fleet_look(struct world *w);
void fleet_look_calm(struct world *w); /* nothing has gone wrong for long */
#endif
