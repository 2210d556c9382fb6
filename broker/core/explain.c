#include "broker/core/explain.h"
#include "broker/core/crew.h"
#include "broker/core/effect.h"
#include "broker/core/lane.h"
#include "broker/core/words.h"

struct numbers { uint32_t queue, labels, linked, room, claims; };

static void gate(struct words *w, const char *name, bool open) {
    words_put(w, name);
    words_put(w, open ? "\topen\t" : "\tshut\t");
}

static void detail(struct words *w, const char *before, int64_t n, const char *after) {
    words_put(w, before);
    words_integer(w, n);
    words_put(w, after);
}

/* Counts the workers of the queue, those whose labels fit, and those with room. */
static struct numbers count_workers(const struct core *c, const struct lane *l) {
    struct numbers n = {0};
    for (size_t i = 0; i <= c->worker_names.mask; i++)
        for (struct map_node *x = c->worker_names.buckets[i]; x; x = x->next) {
            const struct worker *w = owner_of(x, struct worker, by_name);
            bool labels;
            const struct crew *crew = w->taker.crew;
            if (!crew || !crew_serves(&crew->serves, crew->brand, l, &labels)) continue;
            n.queue++;
            if (!labels) continue;
            n.labels++;
            if (!w->link || w->suspect || w->draining) continue;
            n.linked++;
            if (w->lease_count < w->slots + w->prefetch) n.room++;
        }
    for (struct node *x = l->crews.next; x != &l->crews; x = x->next) {
        const struct crew *crew = owner_of(x, struct crew_lane, in_lane)->crew;
        for (struct node *y = crew->idle.next; y != &crew->idle; y = y->next)
            n.claims += owner_of(y, struct taker, idle)->claim;
    }
    return n;
}

static void explain_queue(const struct core *c, struct words *w, const struct queue *q) {
    gate(w, "queue", !q->set.paused);
    words_put(w, q->set.paused ? "paused\n" : "not paused\n");
    gate(w, "limit", !q->set.running_max || q->leased < q->set.running_max);
    detail(w, "", q->leased, " running of ");
    if (q->set.running_max) detail(w, "", q->set.running_max, "\n");
    else words_put(w, "any number\n");
    gate(w, "rate", !q->set.rate_per_min || q->tokens > 0.999);
    if (q->set.rate_per_min) detail(w, "", q->set.rate_per_min, " a minute\n");
    else words_put(w, "no limit\n");
    gate(w, "capacity", c->leased < c->limits.running_max);
    detail(w, "", c->leased, " running in all, ");
    detail(w, "at most ", c->limits.running_max, "\n");
}

static void explain_workers(const struct core *c, struct words *w, const struct task *t) {
    const struct lane *l = t->lane;
    struct numbers n = count_workers(c, l);
    gate(w, "workers", n.queue + n.claims > 0);
    detail(w, "", n.queue, " serve this queue and type, ");
    detail(w, "", n.claims, " claims wait\n");
    gate(w, "labels", n.labels + n.claims > 0);
    detail(w, "", n.labels, " of ");
    detail(w, "", n.queue, " serve ");
    if (l->labels.len) words_bytes(w, l->labels);
    else words_put(w, "tasks without labels");
    words_put(w, "\n");
    gate(w, "health", n.linked + n.claims > 0);
    detail(w, "", n.linked, " of ");
    detail(w, "", n.labels, " are linked and not draining\n");
    gate(w, "slots", n.room + n.claims > 0);
    detail(w, "", n.room, " of ");
    detail(w, "", n.linked, " have a free slot\n");
    gate(w, "place", lane_place(c, t) <= 1);
    detail(w, "", (int64_t)lane_place(c, t), " in its lane, ");
    detail(w, "", (int64_t)lane_queued(l), " queued there\n");
}

void explain_say(struct core *c, const struct event *e, const struct task *t) {
    enum status status = (enum status)t->head.status;
    struct words w = {0};
    gate(&w, "state", !status_ended(status) && status != STATUS_PAUSED);
    words_put(&w, status_name(status));
    if (status_ended(status) && t->head.reason) {
        words_put(&w, ", reason ");
        words_put(&w, reason_name((enum reason)t->head.reason));
    }
    words_put(&w, "\n");
    if (t->lease) {
        gate(&w, "lease", true);
        words_put(&w, "held by ");
        words_bytes(&w, t->lease->worker->record.name);
        detail(&w, ", epoch ", (int64_t)t->lease->epoch, "\n");
    } else if (!status_ended(status)) {
        bool due = status != STATUS_SCHEDULED;
        gate(&w, "due", due);
        if (due) words_put(&w, "now\n");
        else detail(&w, "in ", t->head.due_ms - c->wall, " ms\n");
        explain_queue(c, &w, t->lane->queue);
        explain_workers(c, &w, t);
    }
    say_answer(c, e, CODE_OK, note_keep(c, words_done(&w)));
}
