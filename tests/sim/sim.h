/* sim.h - a world in which the broker's core lives: everything is drawn from one seed.
 *
 * agenda.c   what happens when: a heap of events, and the packets they carry
 * process.c  the broker's process: the real core, groups, a memory store, loads, crashes
 * net.c      connections: delay, loss, duplication, reordering, cuts
 * client.c   clients: they submit, cancel, retry, read
 * worker.c   native workers and workers that poll over a gateway
 * fault.c    what goes wrong
 * object.c   clients that put, read and drop objects, with their invariants
 * judge.c    the invariants that are checked at each message and each record
 * audit.c    the invariants that are checked against the whole store
 *
 * Two modes share one run: until `calm_ms` anything may go wrong and every promise of safety is
 * checked; from then on nothing goes wrong any more, and what was acknowledged must come to its
 * end. The first violation ends the run. */
#ifndef RELAIS_TESTS_SIM_H
#define RELAIS_TESTS_SIM_H
#include "broker/core/core.h"
#include "proto/base/random.h"
#include "store/store.h"
#include <stdio.h>

enum { ACTORS_MAX = 24, WORKS_MAX = 24, CONNS_MAX = 64, LANES_MAX = 16, ASKS = 1 << 12,
       WHY_MAX = 240, LONG_AGO_MS = 1000000, SIM_BRANDS = 2, SIM_QUEUES = 2, SIM_TYPES = 2 };

enum happening { /* kinds of events of the agenda */
    AT_BROKER = 1, AT_PEER, TICK_ACTOR, TICK_WORK, TURN, SYNCED, LOADED, WAKE, FAULT, START,
    RESUME, CUT_SEEN, CONNECT, ROOM
};

enum actor_kind { CLIENT, WORKER, GATEWAY, POLLER };

/* One message in either direction, without anything that would have to be freed. */
struct packet {
    struct packet *next; /* free list */
    enum verb verb;
    enum code code;
    uint64_t number, task, epoch, op;
    uint32_t serial;     /* of the connection */
    uint32_t boot;       /* of who speaks */
    uint32_t link, seq, value, tag, wait_ms, run, version;
    uint16_t actor;      /* who speaks, or is meant */
    uint8_t conn, reason, percent, priority, status, held_count;
    bool flag, now, gap; /* gap: the parts that a view shows do not follow each other */
    uint32_t set, parts;
    uint64_t key, resume;
    int64_t delay_ms;
    struct { uint64_t task, epoch; uint8_t verdict; } held[WORKS_MAX];
};

struct event_at { int64_t at; uint64_t order; uint32_t what, who; struct packet *packet; };

struct agenda {
    struct event_at *heap;
    uint32_t count, cap;
    uint64_t order;
    struct packet *free_packets;
    struct packet **blocks;
    uint32_t block_count;
};

struct conn { /* a connection; its number is the peer's number at the broker */
    bool open;       /* at the peer's side */
    bool known;      /* at the broker's side */
    bool used;
    uint16_t actor;
    uint32_t serial, boot;
    int64_t to_broker_at, to_peer_at; /* order is kept: nothing arrives before these */
};

enum work_phase { WORK_NONE, WORK_NEW, WORK_RUNS, WORK_ENDED };
struct work { /* what a worker holds */
    uint64_t task, epoch;
    enum work_phase phase;
    enum verb end;       /* how it ended: DONE FAIL RELEASE */
    uint8_t end_reason;
    uint32_t gen, seq, tag, steps; /* gen: of its timer; seq: newest checkpoint it knows */
    uint64_t number;     /* POLLER: of the report it waits for */
    int64_t sent_at;
    bool names;          /* numbers its checkpoints itself */
};

struct actor {
    enum actor_kind kind;
    struct who who;
    uint32_t brand;
    uint8_t conn;        /* CONNS_MAX = none */
    uint16_t gateway;    /* POLLER */
    uint32_t link, boot, gen;
    bool linked, hello_out, dead, paused, draining;
    int64_t hello_at, heard_at, beat_at, paused_until;
    int64_t blamed_at;   /* the newest fault that may cost it its leases */
    uint64_t hello_number, claim_number;
    int64_t claim_at;
    uint32_t slots, prefetch;
    uint8_t queue_mask, type_mask;
    uint16_t type_count;
    struct buffer queues, types; /* packed */
    char name[8];
    bool implied;
    struct work works[WORKS_MAX];
    uint64_t op;         /* CLIENT: the operation under way, 0 = none */
    int64_t op_at;
};

struct op { /* a SUBMIT as its client meant it */
    uint64_t key, task /* acknowledged */, body;
    int64_t due_wall_ms, sent_ms;
    uint32_t copies, tasks;
    uint8_t brand, queue, type, priority, client;
    bool accepted, keyed, kept, none, delayed, given_up, conflict;
};

struct said { /* what is known of a task from what was said, and from durable groups */
    uint64_t id, op;
    uint64_t cur;         /* the epoch that was given or kept last, in the life `cur_life` */
    uint64_t rec_epoch, done_epoch;
    uint32_t cur_life;
    uint32_t parts;      /* that a view has shown */
    uint32_t ckpt_acked, resume, tag_seq[8], tags[8]; /* acknowledged checkpoints */
    uint32_t end_run, rec_run, rec_ckpt, gives, audit;
    uint8_t end_status, rec_status;
    bool acked, rec, gone;
    bool end_asked;       /* somebody has sent what may end it: DONE, FAIL, CANCEL, REMOVE */
    bool moved;           /* its place in line was changed */
    bool resumed, revived, removed, stop_asked;
    bool bond, bond_drops; /* an object was bound to it; somebody asked to drop that */
};

struct ask { /* a request by number, to understand its answer */
    uint64_t number, task, epoch, op, cur /* of the task, when the core got it */;
    uint32_t tag, seq, boot;
    uint16_t actor;
    enum verb verb;
    uint8_t reason;
    bool mine;           /* named no epoch: "my lease" */
    bool bond;           /* of an object that ends with `task` */
    uint32_t cur_life;
};

struct rec { /* what a record says, kept until its group is durable */
    enum record_kind kind;
    uint64_t id, epoch, brand;
    uint32_t run, checkpoint, lane;
    uint8_t status, priority, reason;
};

struct rates { /* permille of occasions, drawn per seed */
    uint32_t duplicate, reorder, lose, cut, crash, pause, kill, stall, append_fail, slow_sync,
        slow_load, fail_load, jump, disk_full, clean, fail, release, cancel, retry, update, get,
        watch, remove, checkpoint, keyed, conflict, delay, accepted, give_back, twice, limit, drain,
        object, feed;
};

struct held_bytes { struct packet **at; uint32_t count, cap; };
struct recs { struct rec *at; uint32_t count, cap; };

struct process { /* the broker */
    struct core *core; /* NULL while it is down */
    struct store *store;
    struct effects fx;
    struct buffer bytes, load;
    struct record *loaded;
    uint32_t loaded_cap;
    uint64_t incarnation, group /* next to close */, durable;
    bool flying, turn_due, ready, disk_full;
    int64_t stalled_until, stall_ms, wake_at, born_at, unstable_at;
    struct held_bytes open, flight;    /* said, for the open group and for the one under way */
    struct recs open_recs;             /* of groups that are appended and not durable */
    struct { uint64_t group; uint32_t count; } appended[64];
    uint32_t appended_count;
    struct load { struct need need; uint64_t group; uint8_t key[32]; bool used; uint32_t life; }
        loads[256];
    uint32_t life;                     /* raised at each start */
    uint64_t restarts, groups;
    uint64_t digest;
    bool compare;                      /* the next restore must have this digest */
};

struct map64 { uint64_t *keys, *values; size_t mask, count; };

struct object_seen;
struct object_world {
    struct object_seen *seen;
    uint64_t count, cap;
    struct map64 by_id, owners /* file -> object */, told /* tags of changes */,
        unlinked /* files */;
    uint32_t tag;
    uint64_t listened[ACTORS_MAX]; /* what each has heard of its feed */
    struct buffer keys;            /* of speech, as the next two */
    uint8_t body[8];
    char name[24];
};

struct sim {
    uint64_t seed, events, steps, bugs;
    struct random random;
    int64_t now, wall_off, wall_max /* before it was set back */, calm_ms, end_ms;
    bool calm, failed;
    uint64_t trace;      /* task to be told about; UINT64_MAX = all */
    char why[WHY_MAX];
    struct core_limits limits;
    struct rates rates;
    struct agenda agenda;
    struct process process;
    struct conn conns[CONNS_MAX];
    uint32_t conn_serial;
    struct actor actors[ACTORS_MAX];
    uint32_t actor_count, client_count;
    struct op *ops;
    uint64_t op_count, op_cap, op_max;
    struct said *tasks;
    uint64_t task_count, task_cap;
    struct map64 by_id, owners; /* id -> index + 1; epoch -> task, actor, boot packed */
    struct map64 heard;         /* epochs whose TASK has arrived */
    struct map64 keys, acks;    /* client key -> task; epoch -> the verb that ended it */
    struct buffer held;         /* of speech */
    uint8_t body[64], key[16], data[16];
    struct object_world objects;
    uint64_t lane_last[SIM_BRANDS * SIM_QUEUES * SIM_TYPES][PRIORITY_COUNT];
    struct ask asks[ASKS], ending; /* ending: the report that the core handles */
    uint64_t number, tag;
    uint64_t counts[16];
};

/* agenda.c */
void agenda_put(struct sim *s, int64_t at, enum happening what, uint32_t who, struct packet *p);
bool agenda_take(struct sim *s, struct event_at *e);
struct packet *packet_new(struct sim *s);
void packet_free(struct sim *s, struct packet *p);
void agenda_free(struct sim *s);
uint64_t map64_get(const struct map64 *m, uint64_t key); /* 0 = absent */
void map64_set(struct map64 *m, uint64_t key, uint64_t value);
void map64_free(struct map64 *m);

/* process.c */
void process_open(struct sim *s);
void process_close(struct sim *s);
void process_packet(struct sim *s, struct packet *p);  /* takes p */
void process_happens(struct sim *s, const struct event_at *e);
void process_link_gone(struct sim *s, uint8_t conn);
void process_crash(struct sim *s, int64_t down_ms);
void process_disk(struct sim *s, bool full);
void process_stall(struct sim *s, int64_t ms);
bool process_idle(const struct sim *s);
void process_soon(struct sim *s); /* a turn, soon */

/* speech.c: the packet as the message that the core steps on; slices are borrowed until the next */
void speech(struct sim *s, const struct packet *p, struct message *m);

/* net.c */
void net_connect(struct sim *s, uint16_t actor);
void net_cut(struct sim *s, uint8_t conn, bool seen);
void net_to_broker(struct sim *s, uint16_t actor, struct packet *p);
void net_to_peer(struct sim *s, struct packet *p);
void net_down(struct sim *s); /* the broker's process is gone */

/* client.c, worker.c */
void actors_open(struct sim *s);
void actor_tick(struct sim *s, uint16_t a);
void actor_heard(struct sim *s, uint16_t a, struct packet *p); /* p is borrowed */
void actor_cut(struct sim *s, uint16_t a);
void actor_hello(struct sim *s, uint16_t a);
void client_tick(struct sim *s, uint16_t a);
void client_heard(struct sim *s, uint16_t a, const struct packet *p);
void work_look(struct sim *s, uint16_t a);
void work_heard(struct sim *s, uint16_t a, struct packet *p);
void work_kill(struct sim *s, uint16_t a);
void work_tick(struct sim *s, uint16_t a, uint32_t slot, uint32_t gen);
struct packet *request_new(struct sim *s, uint16_t a, enum verb verb, bool numbered);
struct ask *ask_of(struct sim *s, uint64_t number);
struct op *op_at(struct sim *s, uint64_t op); /* ops count from 1 */

/* fault.c */
void fault_rates(struct sim *s);
void fault_happens(struct sim *s);
void fault_calm(struct sim *s);
static inline bool chance(struct sim *s, uint32_t permille) {
    return permille && !s->calm && random_chance(&s->random, permille);
}
static inline uint64_t below(struct sim *s, uint64_t bound) {
    return random_below(&s->random, bound);
}

/* judge.c: what leaves, what is recorded, what may not be */
__attribute__((format(printf, 2, 3))) void violate(struct sim *s, const char *format, ...);
void judge_said(struct sim *s, const struct say *say, const struct packet *p);
void judge_left(struct sim *s, const struct packet *p);
void judge_asked(struct sim *s, const struct packet *p); /* the core gets this request now */
void judge_record(struct sim *s, const struct record *r, struct rec *rec);
void judge_durable(struct sim *s, const struct rec *rec);
struct said *said_of(struct sim *s, uint64_t id);
struct said *said_make(struct sim *s, uint64_t id);

void tell(const struct sim *s, const char *what, const struct packet *p);
__attribute__((format(printf, 3, 4))) void tell_task(const struct sim *s, uint64_t id,
                                                      const char *format, ...);

/* object.c */
void object_meddle(struct sim *s, uint16_t a);
void bond_meddle(struct sim *s, uint16_t a, uint64_t task);
void feed_meddle(struct sim *s, uint16_t a);
void object_speech(struct sim *s, const struct packet *p, struct object_ref *m);
void feed_speech(const struct packet *p, struct feed_ask *m);
void object_packet(struct packet *p, const struct answer *m);
void feed_packet(struct packet *p, const struct rows *m);
void object_said(struct sim *s, const struct packet *p, const struct ask *ask);
void object_left(struct sim *s, const struct packet *p, const struct ask *ask);
void feed_left(struct sim *s, const struct packet *p, const struct ask *ask);
void feed_heard(struct sim *s, uint16_t a, const struct packet *p);
void object_file_gone(struct sim *s, uint64_t file); /* that is durable */
/* serial: tasks that are there have it as `audit`. */
void object_audit(struct sim *s, struct store_view *v, uint32_t serial);
void object_world_free(struct object_world *w);

/* audit.c: the whole store against what is known */
void audit_store(struct sim *s);
/* Tasks acknowledged and not ended; at the end of the calm it must be 0. */
uint64_t audit_open(struct sim *s, char *which, size_t size);

/* sim.c */
void sim_open(struct sim *s, uint64_t seed, uint64_t ops);
void sim_run(struct sim *s, uint64_t events);
void sim_close(struct sim *s);
#endif
