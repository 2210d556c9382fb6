/* judge.c - the promises, at each message that the core says and each record that it writes.
 *
 * P1 what was acknowledged or shown is there after any crash (audit.c looks)
 * P2 a key makes one task                         P3 an epoch belongs to one worker incarnation,
 * no number is given twice, stale writes are refused        P4 a run ends once
 * P5 checkpoints only grow, and ride along        P7 first deliveries are in order
 * P8 who is blameless keeps its lease; what was acknowledged ends (sim.c waits for it)
 * P9 nothing is delivered before its time         P10 nobody gets another brand's task */
#include "tests/sim/sim.h"
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

enum { BLAME_MS = 7000 };

void violate(struct sim *s, const char *format, ...) {
    if (s->failed) return;
    s->failed = true;
    va_list list;
    va_start(list, format);
    vsnprintf(s->why, sizeof s->why, format, list);
    va_end(list);
}

struct said *said_of(struct sim *s, uint64_t id) {
    uint64_t index = map64_get(&s->by_id, id);
    return index ? &s->tasks[index - 1] : NULL;
}

struct said *said_make(struct sim *s, uint64_t id) {
    struct said *t = said_of(s, id);
    if (t) return t;
    if (s->task_count == s->task_cap) {
        s->task_cap = s->task_cap ? s->task_cap * 2 : 256;
        s->tasks = realloc(s->tasks, s->task_cap * sizeof *s->tasks);
        assert(s->tasks != NULL);
    }
    if (map64_get(&s->owners, id)) violate(s, "number %llu is an epoch and an id",
                                           (unsigned long long)id);
    t = &s->tasks[s->task_count++];
    *t = (struct said){.id = id};
    map64_set(&s->by_id, id, s->task_count);
    return t;
}

static uint64_t owner_pack(const struct sim *s, const struct said *t, uint32_t actor,
                           uint32_t boot) {
    return (uint64_t)(t - s->tasks + 1) << 24 | (uint64_t)actor << 16 | (boot & 0xffff);
}

static unsigned long long n(uint64_t number) { return number; }

/* ---- deliveries ---- */

static uint32_t lane_of(const struct op *op) {
    return ((uint32_t)(op->brand - 1) * SIM_QUEUES + op->queue) * SIM_TYPES + op->type;
}

static void judge_order(struct sim *s, struct said *t, const struct op *op) {
    if (t->gives++ || t->moved || op->delayed) return;
    uint64_t *last = &s->lane_last[lane_of(op)][op->priority];
    if (t->id < *last)
        violate(s, "P7 task %llu is delivered after %llu", n(t->id), n(*last));
    else *last = t->id;
}

static void judge_given(struct sim *s, const struct packet *p, struct said *t, uint16_t a,
                        uint32_t boot) {
    const struct op *op = op_at(s, t->op);
    const struct actor *actor = &s->actors[a];
    uint64_t owner = owner_pack(s, t, a, boot), before = map64_get(&s->owners, p->epoch);
    if (before && before != owner)
        violate(s, "P3 epoch %llu of task %llu is given twice", n(p->epoch), n(t->id));
    if (map64_get(&s->by_id, p->epoch)) violate(s, "P3 epoch %llu is an id", n(p->epoch));
    if (!before) map64_set(&s->owners, p->epoch, owner);
    if (t->gone) violate(s, "P4 task %llu is delivered after its end", n(t->id));
    if (p->epoch < t->rec_epoch)
        violate(s, "P3 epoch %llu of task %llu is older than the recorded %llu", n(p->epoch),
                n(t->id), n(t->rec_epoch));
    if (actor->brand && actor->brand != op->brand)
        violate(s, "P10 task %llu of brand %u goes to brand %u", n(t->id), op->brand,
                actor->brand);
    if (!(actor->queue_mask >> op->queue & 1)) violate(s, "task %llu: wrong queue", n(t->id));
    if (op->type && !(actor->type_mask >> op->type & 1) && actor->type_mask)
        violate(s, "task %llu: wrong type", n(t->id));
    if (op->delayed && !t->moved && s->now + s->wall_off < op->due_wall_ms &&
        s->wall_max < op->due_wall_ms && !t->gives)
        violate(s, "P9 task %llu is delivered before its time", n(t->id));
    judge_order(s, t, op);
    t->cur = p->epoch;
    t->cur_life = s->process.life;
}

static struct said *judge_known(struct sim *s, const struct packet *p) {
    if (p->op == 0 || p->op > s->op_count) {
        violate(s, "task %llu was never submitted", n(p->task));
        return NULL;
    }
    struct said *t = said_make(s, p->task);
    if (!t->op) t->op = p->op;
    if (t->op == p->op) return t;
    violate(s, "P3 task %llu is two tasks", n(p->task));
    return NULL;
}

static void judge_task(struct sim *s, const struct packet *p) {
    if (!p->task) return;
    struct said *t = judge_known(s, p);
    if (!t) return;
    const struct ask *ask = p->number ? ask_of(s, p->number) : NULL;
    if (p->number && !ask) violate(s, "TASK answers no CLAIM");
    else if (ask) judge_given(s, p, t, ask->actor, ask->boot);
    else judge_given(s, p, t, p->actor, s->conns[p->conn].boot);
}

/* ---- what workers write ---- */

static bool acked_before(const struct sim *s, uint64_t epoch, enum verb verb) {
    return map64_get(&s->acks, epoch) == (uint64_t)verb;
}

static void judge_end(struct sim *s, struct said *t, uint32_t run, uint8_t status) {
    if (t->end_run == run && t->end_status != status)
        violate(s, "P4 run %u of task %llu ends as %s and as %s", run, n(t->id),
                status_name(t->end_status), status_name(status));
    t->end_run = run;
    t->end_status = status;
}

/* A report was accepted: it must be the holder's, and not stale. */
static void judge_write(struct sim *s, const struct ask *ask) {
    struct said *t = said_of(s, ask->task);
    if (!t) {
        violate(s, "a report about no task is accepted");
        return;
    }
    struct ask named = *ask;
    if (ask->mine && map64_get(&s->owners, ask->cur) == owner_pack(s, t, ask->actor, ask->boot))
        named.epoch = ask->cur; /* two attempts of one incarnation cannot be told apart */
    ask = &named;
    uint64_t owner = map64_get(&s->owners, ask->epoch);
    if (owner != owner_pack(s, t, ask->actor, ask->boot)) {
        violate(s, "P3 task %llu: who never held epoch %llu writes", n(t->id), n(ask->epoch));
        return;
    }
    bool ends = ask->verb == VERB_DONE || ask->verb == VERB_FAIL || ask->verb == VERB_RELEASE;
    if (ends && acked_before(s, ask->epoch, ask->verb)) return;
    bool stale = ask->cur_life == s->process.life ? ask->epoch != ask->cur
                                                  : ask->epoch < t->rec_epoch;
    if (stale)
        violate(s, "P3 task %llu: a %s of epoch %llu is accepted, but it is fenced by %llu",
                n(t->id), verb_name(ask->verb), n(ask->epoch), n(ask->cur));
    if (!ends) return;
    map64_set(&s->acks, ask->epoch, (uint64_t)ask->verb);
}

static void judge_checkpoint(struct sim *s, const struct packet *p, const struct ask *ask) {
    struct said *t = said_of(s, ask->task);
    if (!t) return;
    bool repeated = p->seq && t->tag_seq[p->seq % 8] == p->seq && t->tags[p->seq % 8] == ask->tag;
    if (p->seq <= t->ckpt_acked && !repeated)
        violate(s, "P5 task %llu: checkpoint %u is acknowledged after %u", n(t->id), p->seq,
                t->ckpt_acked);
    if (p->seq > t->ckpt_acked) t->ckpt_acked = p->seq;
    t->tag_seq[p->seq % 8] = p->seq;
    t->tags[p->seq % 8] = ask->tag;
}

void judge_asked(struct sim *s, const struct packet *p) {
    struct said *t = p->task ? said_of(s, p->task) : NULL;
    struct ask *ask = p->number ? ask_of(s, p->number) : NULL;
    if (s->trace) tell(s, ">", p);
    s->ending = (struct ask){0};
    if (!t) return;
    if (ask && (p->verb == VERB_RELEASE || p->verb == VERB_FAIL)) {
        s->ending = *ask;
        if (ask->mine) s->ending.epoch = t->cur;
    }
    if (ask) {
        ask->cur = t->cur;
        ask->cur_life = t->cur_life;
    }
    switch ((int)p->verb) {
    case VERB_DONE: case VERB_FAIL: case VERB_REMOVE: t->end_asked = true; break;
    case VERB_CANCEL: t->end_asked = t->stop_asked = t->moved = true; break;
    case VERB_RETRY: t->revived = t->moved = true; break;
    case VERB_UPDATE: t->moved = true; break;
    default: break;
    }
    if (p->verb == VERB_REMOVE) t->removed = t->stop_asked = t->moved = true;
    if (p->verb == VERB_RETRY && p->resume) {
        t->resumed = true;
        t->resume = (uint32_t)p->resume;
    }
}

/* ---- links ---- */

static void judge_verdict(struct sim *s, const struct packet *p, int i) {
    struct said *t = said_of(s, p->held[i].task);
    uint64_t epoch = p->held[i].epoch;
    if (!t) return;
    bool mine = map64_get(&s->owners, epoch) ==
                owner_pack(s, t, p->actor, s->conns[p->conn].boot);
    if (p->held[i].verdict == VERDICT_KEEP) {
        if (!mine) violate(s, "P3 task %llu is kept by who never held it", n(t->id));
        if (epoch < t->rec_epoch)
            violate(s, "P3 task %llu: epoch %llu is kept, but %llu is recorded", n(t->id),
                    n(epoch), n(t->rec_epoch));
        if (t->cur_life == s->process.life && t->cur > epoch)
            violate(s, "P3 task %llu: epoch %llu is kept, but %llu was given", n(t->id),
                    n(epoch), n(t->cur));
        t->cur = epoch;
        t->cur_life = s->process.life;
        return;
    }
    bool held = t->rec && !t->gone && t->rec_epoch == epoch && mine &&
                t->cur_life != s->process.life &&
                (t->rec_status == STATUS_RUNNING || t->rec_status == STATUS_DELIVERED);
    int64_t age = s->now - s->process.born_at;
    if (p->held[i].verdict == VERDICT_STOP && held && !t->stop_asked &&
        age < (int64_t)s->limits.quiet_ms / 2)
        violate(s, "P3 task %llu is not kept after a restart, though its worker has it", n(t->id));
}

void tell_task(const struct sim *s, uint64_t id, const char *format, ...) {
    if (!s->trace || (s->trace != UINT64_MAX && s->trace != id)) return;
    va_list list;
    printf("# [%7lld] task %llu ", (long long)s->now, n(id));
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
}

void tell(const struct sim *s, const char *what, const struct packet *p) {
    if (!s->trace) return;
    for (int i = 0; i < p->held_count; i++)
        tell_task(s, p->held[i].task, "%s %s %s epoch %llu verdict %u", what, verb_name(p->verb),
                  s->actors[p->actor].name, n(p->held[i].epoch), p->held[i].verdict);
    if (p->task || s->trace == UINT64_MAX)
        tell_task(s, p->task, "%s %s %s number %llu epoch %llu %s seq %u status %s%s", what,
                  verb_name(p->verb), s->actors[p->actor].name, n(p->number), n(p->epoch),
                  code_name(p->code), p->seq, p->status ? status_name(p->status) : "-",
                  p->now ? " now" : "");
}

void judge_said(struct sim *s, const struct say *say, const struct packet *p) {
    const struct ask *ask = p->number ? ask_of(s, p->number) : NULL;
    if (s->trace) tell(s, "<", p);
    bool harmless = p->verb == VERB_TASK || p->verb == VERB_BEAT || p->verb == VERB_RESYNC ||
                    (p->verb == VERB_WELCOME && p->held_count == 0);
    if (say->now && !s->bugs && !harmless)
        violate(s, "P1 %s may leave before its group is durable", verb_name(p->verb));
    switch ((int)p->verb) {
    case VERB_TASK: judge_task(s, p); break;
    case VERB_WELCOME:
        for (int i = 0; i < p->held_count; i++) judge_verdict(s, p, i);
        break;
    case VERB_SETTLED:
        if (ask && p->code == CODE_OK && ask->verb != VERB_STOPPED) judge_write(s, ask);
        break;
    case VERB_CHECKPOINT_OK:
        if (ask && p->code == CODE_OK) judge_write(s, ask);
        break;
    case VERB_ANSWER:
        if (ask) object_said(s, p, ask);
        if (ask && p->code == CODE_OK &&
            (ask->verb == VERB_START || ask->verb == VERB_PROGRESS || ask->verb == VERB_LOG))
            judge_write(s, ask);
        break;
    default: break;
    }
}

/* ---- what has left the process ---- */

static void left_submitted(struct sim *s, const struct packet *p) {
    const struct ask *ask = ask_of(s, p->number);
    if (!ask || p->code != CODE_OK) return;
    struct op *op = op_at(s, ask->op);
    struct said *t = said_make(s, p->task);
    if (!t->op) t->op = ask->op;
    if (!op->task) op->task = p->task;
    if (op->keyed) {
        uint64_t first = map64_get(&s->keys, op->key);
        if (!first) map64_set(&s->keys, op->key, p->task);
        else if (first != p->task)
            violate(s, "P2 key %llu makes two tasks, %llu and %llu", n(op->key), n(first),
                    n(p->task));
        if (t->op != ask->op)
            violate(s, "P2 key %llu takes two bodies", n(op->key));
    }
    if (!op->accepted) t->acked = true;
}

static void left_task(struct sim *s, const struct packet *p) {
    struct said *t = p->task ? said_of(s, p->task) : NULL;
    if (!t) return;
    bool chosen = t->resumed && p->seq == t->resume;
    if (p->seq < t->ckpt_acked && !chosen)
        violate(s, "P5 task %llu takes checkpoint %u along, but %u was acknowledged", n(t->id),
                p->seq, t->ckpt_acked);
    if (p->seq && t->tag_seq[p->seq % 8] == p->seq && t->tags[p->seq % 8] != p->tag)
        violate(s, "P5 task %llu: checkpoint %u is another one", n(t->id), p->seq);
    bool leased = t->rec_status == STATUS_DELIVERED || t->rec_status == STATUS_RUNNING;
    bool ended = acked_before(s, t->rec_epoch, VERB_RELEASE) ||
                 acked_before(s, t->rec_epoch, VERB_FAIL);
    bool now_ended = s->ending.task == t->id && s->ending.epoch == t->rec_epoch; /* by this step */
    if (t->rec && !t->gone && leased && t->rec_epoch < p->epoch && !now_ended && !ended)
        violate(s, "P3 task %llu is given again by epoch %llu, but the record says %llu holds it",
                n(t->id), n(p->epoch), n(t->rec_epoch));
}

static void left_view(struct sim *s, const struct packet *p) {
    if (p->code != CODE_OK || !p->task) return;
    struct said *t = said_make(s, p->task);
    if (!t->op && p->op && p->op <= s->op_count) t->op = p->op;
    if (t->op && !op_at(s, t->op)->accepted) t->acked = true; /* what was shown stays */
    if (p->gap) violate(s, "task %llu shows parts with a gap", n(t->id));
    if (p->parts < t->parts)
        violate(s, "P1 task %llu has shown %u parts, and %u are there", n(t->id), t->parts,
                p->parts);
    t->parts = p->parts;
    if (status_ended(p->status)) judge_end(s, t, p->run, p->status);
}

void judge_left(struct sim *s, const struct packet *p) {
    const struct ask *ask = p->number ? ask_of(s, p->number) : NULL;
    switch ((int)p->verb) {
    case VERB_SUBMITTED: left_submitted(s, p); break;
    case VERB_TASK: left_task(s, p); break;
    case VERB_VIEW: left_view(s, p); break;
    case VERB_ANSWER:
        if (ask) object_left(s, p, ask);
        break;
    case VERB_ROWS:
        if (ask) feed_left(s, p, ask);
        break;
    case VERB_CHECKPOINT_OK:
        if (ask && p->code == CODE_OK) judge_checkpoint(s, p, ask);
        break;
    case VERB_SETTLED:
        if (ask && p->code == CODE_OK && ask->verb == VERB_DONE) {
            struct said *t = said_of(s, ask->task);
            if (t) t->done_epoch = ask->epoch;
        }
        break;
    default: break;
    }
}

/* ---- records ---- */

/* A lease was lost: its worker must have given cause. */
static void judge_loss(struct sim *s, const struct attempt_record *r) {
    uint64_t owner = map64_get(&s->owners, r->epoch);
    const struct actor *a = &s->actors[(owner >> 16) & 0xff];
    if (!owner || !map64_get(&s->heard, r->epoch)) return;
    if (a->kind == POLLER && s->now - s->actors[a->gateway].blamed_at < BLAME_MS) return;
    if (a->boot % 65536 != (owner & 0xffff)) return; /* another process by now */
    if (s->now - a->blamed_at < BLAME_MS || s->now - s->process.unstable_at < BLAME_MS) return;
    violate(s, "P8 task %llu: %s loses its lease by %s and gave no cause", n(r->id), a->name,
            reason_name(r->reason));
}

void judge_record(struct sim *s, const struct record *r, struct rec *rec) {
    *rec = (struct rec){.kind = r->kind};
    if (r->kind == RECORD_TASK || r->kind == RECORD_TASK_GONE)
        *rec = (struct rec){.kind = r->kind, .id = r->task.id, .epoch = r->task.epoch,
                            .run = r->task.run, .checkpoint = r->task.checkpoint,
                            .lane = r->task.lane, .status = r->task.status,
                            .priority = r->task.priority, .reason = r->task.reason};
    if (r->kind == RECORD_FILE_GONE) rec->id = r->file.file;
    if (r->kind == RECORD_ATTEMPT && (r->attempt.reason == REASON_LEASE_LOST ||
                                      r->attempt.reason == REASON_BROKER_RESTART))
        judge_loss(s, &r->attempt);
}

void judge_durable(struct sim *s, const struct rec *r) {
    if (r->kind == RECORD_FILE_GONE) object_file_gone(s, r->id);
    if (r->kind != RECORD_TASK && r->kind != RECORD_TASK_GONE) return;
    struct said *t = said_make(s, r->id);
    tell_task(s, r->id, "record %s epoch %llu run %u checkpoint %u%s", status_name(r->status),
              n(r->epoch), r->run, r->checkpoint, r->kind == RECORD_TASK ? "" : " GONE");
    if (t->gone) violate(s, "task %llu is written after it went", n(t->id));
    if (r->kind == RECORD_TASK_GONE) {
        t->gone = true;
        bool by_broker = r->status == STATUS_FAILED &&
                         (r->reason == REASON_POISON || r->reason == REASON_TIMEOUT ||
                          r->reason == REASON_LEASE_LOST || r->reason == REASON_BROKER_RESTART);
        if (by_broker) t->end_asked = true;
        return;
    }
    if (t->rec && r->epoch < t->rec_epoch)
        violate(s, "P3 task %llu: epoch %llu is recorded after %llu", n(t->id), n(r->epoch),
                n(t->rec_epoch));
    if (t->rec && r->checkpoint < t->rec_ckpt)
        violate(s, "P5 task %llu: checkpoint %u is recorded after %u", n(t->id), r->checkpoint,
                t->rec_ckpt);
    if (status_ended(r->status)) judge_end(s, t, r->run, r->status);
    if (t->end_run == r->run && !status_ended(r->status))
        violate(s, "P4 run %u of task %llu goes on after its end", r->run, n(t->id));
    t->rec = true;
    t->rec_epoch = r->epoch;
    t->rec_run = r->run;
    t->rec_ckpt = r->checkpoint;
    t->rec_status = r->status;
}
