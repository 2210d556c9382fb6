/* lobby.c - see lobby.h. */
#include "broker/lobby.h"
#include <assert.h>
#include <stdlib.h>

enum { COST_ITEMS = 1 << 17, COST_MS = 1 << 20 };

struct waiting {
    struct waiting *next;
    zmq_msg_t body;
    int64_t since_ms;
    uint32_t items, before; /* before: items that stood in the line when it came */
};

void lobby_open(struct lobby *l, uint32_t wait_ms_max) {
    *l = (struct lobby){.wait_ms_max = wait_ms_max};
    list_init(&l->turns);
}

void lobby_close(struct lobby *l) {
    for (struct node *n; (n = list_first(&l->turns)) != NULL;)
        lobby_forget(l, owner_of(n, struct line, turn));
    for (struct waiting *w; (w = l->free) != NULL;) {
        l->free = w->next;
        free(w);
    }
    l->free_count = 0;
}

/* How long what comes now would wait. */
static uint64_t line_ms(const struct line *line) {
    if (line->items < LOBBY_QUANTUM || line->cost_items == 0) return 0;
    return (uint64_t)line->items * line->cost_ms / line->cost_items;
}

bool lobby_admits(const struct lobby *l, struct line *line, int64_t now_ms) {
    const int64_t most_ms = l->wait_ms_max / (line->shed ? LOBBY_SHED_PART : 1);
    const int64_t oldest_ms = line->first == NULL ? 0 : now_ms - line->first->since_ms;
    const bool good = oldest_ms <= l->wait_ms_max && line_ms(line) <= (uint64_t)most_ms
        && l->bytes <= LOBBY_BYTES_MAX;
    if (!good && line->first != NULL) line->shed = true;
    return good;
}

static struct waiting *waiting_new(struct lobby *l) {
    struct waiting *w = l->free;
    if (w == NULL) return malloc(sizeof *w);
    l->free = w->next;
    l->free_count--;
    return w;
}

static void waiting_free(struct lobby *l, struct waiting *w) {
    if (l->free_count == LOBBY_FREE_MAX) {
        free(w);
        return;
    }
    w->next = l->free;
    l->free = w;
    l->free_count++;
}

bool lobby_put(struct lobby *l, struct line *line, zmq_msg_t *body, uint32_t items,
               int64_t now_ms) {
    struct waiting *w = waiting_new(l);
    if (w == NULL) return false;
    w->next = NULL;
    w->since_ms = now_ms;
    w->items = items;
    w->before = line->items;
    zmq_msg_init(&w->body);
    zmq_msg_move(&w->body, body);
    if (line->last == NULL) {
        line->first = w;
        list_init(&line->turn);
        list_push(&l->turns, &line->turn);
    } else {
        line->last->next = w;
    }
    line->last = w;
    line->items += items;
    l->bytes += zmq_msg_size(&w->body);
    return true;
}

/* Takes the first frame off the line. */
static void line_pop(struct lobby *l, struct line *line, zmq_msg_t *body) {
    struct waiting *w = line->first;
    assert(l->bytes >= zmq_msg_size(&w->body) && line->items >= w->items);
    line->first = w->next;
    line->items -= w->items;
    l->bytes -= zmq_msg_size(&w->body);
    zmq_msg_init(body);
    zmq_msg_move(body, &w->body);
    zmq_msg_close(&w->body);
    waiting_free(l, w);
    if (line->first != NULL) return;
    line->last = NULL;
    line->credit = 0;
    line->shed = false;
    list_unlink(&line->turn);
}

static void line_learn(struct line *line, const struct waiting *w, int64_t now_ms) {
    if (w->before < LOBBY_QUANTUM) return; /* its wait was mostly the turn's own time */
    line->cost_ms += (uint32_t)(now_ms - w->since_ms);
    line->cost_items += w->before;
    if (line->cost_items < COST_ITEMS && line->cost_ms < COST_MS) return;
    line->cost_ms /= 2; /* what is newer counts for more */
    line->cost_items /= 2;
}

struct line *lobby_take(struct lobby *l, zmq_msg_t *body, int64_t now_ms) {
    struct node *n;
    while ((n = list_first(&l->turns)) != NULL) {
        struct line *line = owner_of(n, struct line, turn);
        struct waiting *w = line->first;
        if (line->credit < w->items) { /* it goes on when the others have had theirs */
            line->credit += LOBBY_QUANTUM;
            list_unlink(n);
            list_push(&l->turns, n);
            continue;
        }
        line->credit -= w->items;
        line_learn(line, w, now_ms);
        line_pop(l, line, body);
        return line;
    }
    return NULL;
}

void lobby_forget(struct lobby *l, struct line *line) {
    while (line->first != NULL) {
        zmq_msg_t body;
        line_pop(l, line, &body);
        zmq_msg_close(&body);
    }
}

bool lobby_empty(const struct lobby *l) { return list_empty(&l->turns); }
