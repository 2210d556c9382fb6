/* fleet_card.c - workers/: what is written of a worker.
 *
 * A worker's own token reports its figures by POST, as often as it likes: each is a heartbeat.
 * Admins of the brand make, change and delete workers that others only hear of. A deleted worker
 * is hidden until it is there again. The card is an object under the worker's name. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/fleet.h"
#include <stdlib.h>

enum { TRIES_MAX = 5, CARD_ADMIN = GUARD_ADMIN | GUARD_BRAND_ADMIN };

struct card {
    struct fleet_state fleet; /* first: x->state */
    struct slice name;
    uint64_t id;
    uint32_t tries;
    bool heartbeat; /* by the worker itself */
    bool known;     /* it was there before */
};

static void figures_read(struct exchange *x) {
    member_number(x->json, "cpu_percent", NULLABLE, 0, 0, 100000, &x->errors);
    member_number(x->json, "memory_percent", NULLABLE, 0, 0, 100, &x->errors);
    member_number(x->json, "load_average", NULLABLE, 0, 0, 1e6, &x->errors);
    member_number(x->json, "uptime_hours", NULLABLE, 0, 0, 1e6, &x->errors);
    member_text(x->json, "queue_name", NULLABLE | BLANK_OK, TASK_NAME_MAX, &x->errors);
}

/* What is stored, with what was said; PUT takes what it does not name away. */
static struct slice card_body(struct exchange *x, struct slice before) {
    static const char *const kept[] = {"cpu_percent", "memory_percent", "load_average",
                                       "queue_name"};
    const struct card *c = x->state;
    json_t *card = json_of(before);
    json_t *uptime = member_find(x->json, "uptime_hours");
    if (!json_is_object(card)) {
        json_decref(card);
        card = json_object();
    }
    json_object_del(card, "hidden");
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = member_find(x->json, kept[i]);
        if (json_is_null(value) || x->method == METHOD_PUT) json_object_del(card, kept[i]);
        if (json_is_null(value)) continue;
        if (value != NULL) json_object_set(card, kept[i], value);
    }
    if (json_is_number(uptime))
        json_object_set_new(card, "started_ms", json_integer(
            x->wall_ms - (int64_t)(json_number_value(uptime) * 3.6e6)));
    if (c->heartbeat)
        json_object_set_new(card, "last_heartbeat_ms", json_integer(x->wall_ms));
    if (c->heartbeat && json_object_get(card, "started_ms") == NULL)
        json_object_set_new(card, "started_ms", json_integer(x->wall_ms));
    if (x->method == METHOD_DELETE) json_object_set_new(card, "hidden", json_true());
    char *text = json_dumps(card, JSON_COMPACT);
    const struct slice body = exchange_copy(x, slice_text(text != NULL ? text : "{}"));
    free(text);
    json_decref(card);
    return body;
}

static struct message card_message(const struct exchange *x, enum verb verb) {
    const struct card *c = x->state;
    struct message m = {.verb = verb};
    m.object.kind = slice_text("worker_card");
    m.object.name = c->name;
    m.object.brand = x->who.brand;
    return m;
}

/* ---- reading back ---- */

static void shown(struct exchange *x) {
    const struct card *c = x->state;
    const struct fleet_worker *w = fleet_worker_find(&c->fleet, fleet_id(c->name));
    if (w == NULL) {
        monitor_missing(x);
        return;
    }
    out_object(&x->out);
    fleet_write(x, w);
    out_object_end(&x->out);
    exchange_answer(x, x->method == METHOD_POST && !c->known ? 201 : 200);
}

/* Only who may ask for the fleet is shown it: a worker gets what it said, acknowledged. */
static void card_stored(struct exchange *x) {
    struct card *c = x->state;
    if (x->method == METHOD_DELETE) {
        exchange_answer(x, x->route->status);
    } else if (!c->heartbeat) {
        c->fleet = (struct fleet_state){0};
        fleet_load(x, shown);
    } else {
        out_object(&x->out);
        monitor_integer(x, "id", (int64_t)fleet_id(c->name));
        monitor_text(x, "worker_name", c->name);
        out_key(&x->out, "is_online");
        out_bool(&x->out, true);
        out_key(&x->out, "last_heartbeat");
        out_time(&x->out, x->wall_ms);
        out_object_end(&x->out);
        exchange_answer(x, c->known ? 200 : 201);
    }
}

/* ---- writing ---- */

static void card_look(struct exchange *x);

static void card_put(struct exchange *x, const struct message *answer) {
    struct card *c = x->state;
    const enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT && ++c->tries < TRIES_MAX) card_look(x);
    else if (code == CODE_OK) card_stored(x);
    else exchange_refuse(x, code, NULL);
}

static void card_looked(struct exchange *x, const struct message *answer) {
    struct card *c = x->state;
    const enum code code = exchange_code(answer);
    struct object_row row = {0};
    if (code != CODE_OK && code != CODE_NOT_FOUND) {
        exchange_refuse(x, code, NULL);
        return;
    }
    const bool there = code == CODE_OK && object_row_read(answer->answer.body, &row);
    if (x->method == METHOD_POST) c->known = there;
    if (there && x->method == METHOD_POST && !c->heartbeat) {
        field_refuse(&x->errors, "worker_name", megahub_french(x)
                         ? "Un objet avec ce champ existe déjà."
                         : "A worker with this name already exists.");
        megahub_fields_good(x);
        return;
    }
    struct message m = card_message(x, VERB_PUT);
    m.object.mode = there ? PUT_REPLACE : PUT_CREATE;
    m.object.options.version = row.version;
    m.object.body = card_body(x, row.body);
    exchange_try_as(x, &account_house, &m, card_put);
}

static void card_look(struct exchange *x) {
    const struct message m = card_message(x, VERB_FETCH);
    exchange_try_as(x, &account_house, &m, card_looked);
}

static struct card *card_new(struct exchange *x) {
    struct card *c = exchange_alloc(x, sizeof *c);
    x->state = c;
    return c;
}

static bool brand_good(struct exchange *x) {
    if (x->who.brand != 0) return true;
    x->cause = CAUSE_BRAND_MALFORMED;
    return exchange_refuse(x, CODE_VALIDATION_ERROR, "X-Brand-ID must name one brand.");
}

static bool make_read(struct exchange *x, struct message *m) {
    struct card *c = card_new(x);
    (void)m;
    c->heartbeat = x->who.role == ROLE_WORKER;
    figures_read(x);
    if (!brand_good(x)) return false;
    const uint32_t need = c->heartbeat ? NULLABLE : REQUIRED;
    c->name = member_text(x->json, "worker_name", need, TASK_NAME_MAX, &x->errors);
    if (!megahub_fields_good(x)) return false;
    const struct slice own = slice_text(x->who.name);
    if (c->heartbeat && c->name.len > 0 && !slice_equal(c->name, own)) {
        x->cause = CAUSE_ROLE;
        return exchange_refuse(x, CODE_FORBIDDEN, NULL);
    }
    if (c->heartbeat) c->name = own;
    card_look(x);
    return false;
}

static void change_found(struct exchange *x) {
    struct card *c = x->state;
    const struct fleet_worker *w = fleet_worker_find(&c->fleet, c->id);
    if (w == NULL) {
        monitor_missing(x);
        return;
    }
    c->name = w->name;
    c->known = true;
    card_look(x);
}

static bool change_read(struct exchange *x, struct message *m) {
    struct card *c = card_new(x);
    (void)m;
    if (!monitor_id(x, &c->id)) return false;
    figures_read(x);
    if (!megahub_fields_good(x) || !brand_good(x)) return false;
    fleet_load(x, change_found);
    return false;
}

#define BASE "/tasks/monitoring/workers"
static const struct route routes[] = {
    ROUTE(POST, JSON, BASE, CARD_ADMIN | GUARD_WORKER, 201, make_read,
          "a worker's figures, by itself; or a worker, by an admin"),
    ROUTE(PUT, JSON, BASE "/{id}", CARD_ADMIN, 200, change_read,
          "replaces what is kept of a worker"),
    ROUTE(PATCH, JSON, BASE "/{id}", CARD_ADMIN, 200, change_read,
          "changes what is kept of a worker"),
    ROUTE(DELETE, NONE, BASE "/{id}", CARD_ADMIN, 204, change_read,
          "hides a worker until it is there again"),
};
const struct routes megahub_fleet_card = {routes, sizeof routes / sizeof *routes};
