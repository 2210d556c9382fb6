/* fleet.c - see fleet.h. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/fleet.h"
#include "gateway/dialect/qalpuch/agent.h"
#include <math.h>
#include <stdlib.h>

static const double percent_max = 90; /* of a healthy worker's processor and memory */

const char *const fleet_figures[] = {"cpu_percent", "memory_percent", "active_tasks",
                                     "processed_tasks", "failed_tasks", "load_average",
                                     "uptime_hours", "success_rate", "last_heartbeat", NULL};

uint64_t fleet_id(struct slice name) { /* FNV-1a, folded to what JSON reads exactly */
    uint64_t hash = 14695981039346656037u;
    for (uint32_t i = 0; i < name.len; i++) hash = (hash ^ name.data[i]) * 1099511628211u;
    return ((hash >> 53) ^ (hash & ((UINT64_C(1) << 53) - 1))) | 1;
}

struct fleet_worker *fleet_worker_find(const struct fleet_state *f, uint64_t id) {
    for (uint32_t i = 0; i < f->count; i++)
        if (f->list[i].id == id) return &f->list[i];
    return NULL;
}

static struct fleet_worker *worker_get(struct exchange *x, struct slice name) {
    struct fleet_state *f = x->state;
    struct fleet_worker *w = fleet_worker_find(f, fleet_id(name));
    if (w != NULL) return w;
    if (f->count == FLEET_MAX) {
        f->incomplete = true;
        return NULL;
    }
    w = &f->list[f->count++];
    *w = (struct fleet_worker){.id = fleet_id(name), .name = exchange_copy(x, name)};
    for (uint32_t i = 0; i < FIGURE_COUNT; i++) w->figures[i] = NAN;
    w->figures[FIGURE_ACTIVE] = w->figures[FIGURE_PROCESSED] = w->figures[FIGURE_FAILED] = 0;
    return w;
}

/* ---- the four sources ---- */

static void now_take(struct exchange *x, struct slice rows) {
    struct roll_row row;
    uint32_t at = 0;
    while (roll_row_next(rows, &at, &row)) {
        struct fleet_worker *w = worker_get(x, row.name);
        if (w == NULL) return;
        const double held = w->figures[FIGURE_ACTIVE] + row.held;
        if (w->now.name.len > 0 && w->now.online) row.online = true; /* two of one name */
        w->now = row;
        w->now.name = w->name;
        w->now.tasks = exchange_copy(x, row.tasks);
        w->now.queues = exchange_copy(x, row.queues);
        if (row.queues.len > 0) w->queues = w->now.queues;
        w->figures[FIGURE_ACTIVE] = held;
        if (row.heard_ms > 0) w->figures[FIGURE_HEARD] = (double)row.heard_ms;
    }
}

static double number_of(const json_t *card, const char *name) {
    const json_t *value = json_object_get(card, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void card_take(struct exchange *x, const struct object_row *row) {
    struct fleet_worker *w = worker_get(x, row->name);
    json_t *card = w != NULL ? json_of(row->body) : NULL;
    if (card == NULL) return;
    const json_t *queue = json_object_get(card, "queue_name");
    const double heard = number_of(card, "last_heartbeat_ms");
    const double started = number_of(card, "started_ms");
    w->carded = true;
    w->hidden = json_is_true(json_object_get(card, "hidden"));
    if (json_is_string(queue) && w->queues.len == 0)
        w->queues = exchange_copy(x, slice_text(json_string_value(queue)));
    w->figures[FIGURE_CPU] = number_of(card, "cpu_percent");
    w->figures[FIGURE_MEMORY] = number_of(card, "memory_percent");
    w->figures[FIGURE_LOAD] = number_of(card, "load_average");
    if (!(w->figures[FIGURE_HEARD] >= heard) && heard > 0) w->figures[FIGURE_HEARD] = heard;
    if (started > 0) w->figures[FIGURE_UPTIME] = ((double)x->wall_ms - started) / 3.6e6;
    json_decref(card);
}

/* Without capabilities it takes every type. */
static struct slice able_join(struct exchange *x, const struct capabilities *able) {
    struct buffer text = {0};
    for (uint32_t i = 0; i < able->count; i++) {
        if (i > 0) buffer_byte(&text, ',');
        buffer_append(&text, able->list[i].data, able->list[i].len);
    }
    const struct slice joined =
        able->count > 0 ? exchange_copy(x, buffer_slice(&text)) : slice_text("*");
    buffer_free(&text);
    return joined;
}

/* One that never registered is no worker yet. */
static void agent_take(struct exchange *x, const struct object_row *row) {
    struct agent a;
    if (!agent_of(x, row, &a) || a.boot == 0) return;
    struct fleet_worker *w = worker_get(x, a.id);
    if (w == NULL) return;
    w->enrolled = true;
    w->title = a.name;
    w->here = agent_here(x, &a);
    if (w->queues.len == 0 || slice_equal(w->queues, slice_text("*")))
        w->queues = able_join(x, &a.capabilities);
    if (!(w->figures[FIGURE_HEARD] >= (double)a.seen_ms))
        w->figures[FIGURE_HEARD] = (double)a.seen_ms;
    if (a.load >= 0 && isnan(w->figures[FIGURE_LOAD])) w->figures[FIGURE_LOAD] = a.load;
}

static void ended_take(struct exchange *x) {
    const struct fleet_state *f = x->state;
    for (uint32_t i = 0; i < f->ended.count; i++) {
        const struct tally_sums *sums = &f->ended.rows[i].sums;
        struct fleet_worker *w = worker_get(x, f->ended.rows[i].name);
        if (w == NULL) return;
        w->figures[FIGURE_PROCESSED] = (double)monitor_ended(sums);
        w->figures[FIGURE_FAILED] = (double)sums->failed;
        w->figures[FIGURE_SUCCESS] = monitor_success_rate(sums);
    }
}

/* ---- one after the other ---- */

static void judge(const struct exchange *x, struct fleet_worker *w) {
    const double since_ms = (double)x->wall_ms - w->figures[FIGURE_HEARD];
    const bool fresh = since_ms < FLEET_FRESH_MS; /* false when never heard */
    w->online = w->now.online || w->here || (w->carded && fresh);
    w->healthy = w->online && (fresh || w->now.online) &&
                 !(w->figures[FIGURE_CPU] >= percent_max) &&
                 !(w->figures[FIGURE_MEMORY] >= percent_max);
    if (w->now.online && isnan(w->figures[FIGURE_HEARD]))
        w->figures[FIGURE_HEARD] = (double)x->wall_ms;
}

static void ended_arrived(struct exchange *x) {
    struct fleet_state *f = x->state;
    uint32_t kept = 0;
    ended_take(x);
    for (uint32_t i = 0; i < f->count; i++) {
        judge(x, &f->list[i]);
        if (!f->list[i].hidden || f->list[i].now.name.len > 0) f->list[kept++] = f->list[i];
    }
    f->count = kept;
    f->loaded(x);
}

static void agents_arrived(struct exchange *x, const struct message *answer) {
    struct fleet_state *f = x->state;
    struct object_row row;
    uint32_t at = 0;
    while (object_row_next(answer->rows.rows, &at, &row)) agent_take(x, &row);
    f->incomplete |= answer->rows.next.len > 0;
    const struct tally_ask ask = {
        .span = "worker", .by = "name",
        .from_ms = (x->wall_ms / TALLY_DAY_MS - FLEET_DAYS + 1) * TALLY_DAY_MS};
    monitor_ask(x, &ask, &f->ended, ended_arrived);
}

/* They are objects of the installation, whose owner is their brand. */
static void cards_arrived(struct exchange *x, const struct message *answer) {
    struct fleet_state *f = x->state;
    struct object_row row;
    struct message m = {.verb = VERB_ASK};
    uint32_t at = 0;
    while (object_row_next(answer->rows.rows, &at, &row)) card_take(x, &row);
    f->incomplete |= answer->rows.next.len > 0;
    m.question = (struct question){.kind = slice_text("objects"), .object = slice_text("agent"),
                                   .limit = 1000, .priority = -1, .dialect = -1};
    if (x->who.brand != 0)
        m.question.owner = slice_text(exchange_print(x, "%u", x->who.brand));
    exchange_send_as(x, &account_house, &m, agents_arrived);
}

static void now_arrived(struct exchange *x, const struct message *answer) {
    struct fleet_state *f = x->state;
    struct message m = {.verb = VERB_ASK};
    f->incomplete = answer->rows.incomplete;
    now_take(x, answer->rows.rows);
    m.question = (struct question){.kind = slice_text("objects"),
                                   .object = slice_text("worker_card"), .brand = x->who.brand,
                                   .limit = 1000, .priority = -1, .dialect = -1};
    exchange_send(x, &m, cards_arrived);
}

void fleet_load(struct exchange *x, void (*loaded)(struct exchange *x)) {
    struct fleet_state *f = x->state;
    const struct message m = {.verb = VERB_WORKERS, .fleet = {.brand = x->who.brand}};
    f->loaded = loaded;
    f->list = exchange_alloc(x, FLEET_MAX * sizeof *f->list);
    exchange_send(x, &m, now_arrived);
}

/* ---- how one looks ---- */

void fleet_write(struct exchange *x, const struct fleet_worker *w) {
    const bool known = !isnan(w->figures[FIGURE_HEARD]);
    monitor_integer(x, "id", (int64_t)w->id);
    monitor_text(x, "worker_name", w->name);
    monitor_text(x, "display_name", w->title.len > 0 ? w->title : w->name);
    monitor_text(x, "queue_name", w->queues);
    out_key(&x->out, "is_online");
    out_bool(&x->out, w->online);
    for (uint32_t i = 0; i < FIGURE_HEARD; i++) monitor_number(x, fleet_figures[i], w->figures[i]);
    out_key(&x->out, "last_heartbeat");
    out_time(&x->out, known ? (int64_t)w->figures[FIGURE_HEARD] : 0);
    out_key(&x->out, "is_healthy");
    out_bool(&x->out, w->healthy);
}
