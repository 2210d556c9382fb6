/* history.c - figures and events of a worker: written once, kept for 7 days, listed newest first.
 * Losing one is no reason to refuse the heartbeat or event that brought it. */
#include "gateway/dialect/setting.h"
#include "gateway/dialect/whatsapp/whatsapp.h"

enum { PAGE_SIZE = 50, EVENT_DATA_MAX = 32 << 10 };

/* ---- writing ---- */

struct writing { void *before; history_then *then; };

static void written(struct exchange *x, const struct message *answer) {
    const struct writing *w = x->state;
    history_then *then = w->then;
    (void)answer;
    x->state = w->before;
    then(x);
}

/* Takes the buffer of `o`. */
static void record_put(struct exchange *x, const char *kind, const char *name,
                       struct slice station, struct out *o, history_then *then) {
    struct writing *w = exchange_alloc(x, sizeof *w);
    *w = (struct writing){x->state, then};
    x->state = w;
    struct message m = {.verb = VERB_PUT};
    m.object = (struct object_ref){
        .kind = slice_text(kind),
        .name = exchange_copy(x, slice_text(name)),
        .body = exchange_copy(x, buffer_slice(&o->body)),
        .mode = PUT_CREATE,
        .brand = x->who.brand,
        .options = {.owner = station, .until_ms = x->wall_ms + WEEK_MS},
    };
    buffer_free(&o->body);
    whatsapp_keep(x, &m, written);
}

static void figure_out(struct out *o, const char *key, int64_t value) {
    out_key(o, key);
    if (value >= 0) out_integer(o, value);
    else out_null(o);
}

static void percent_out(struct out *o, const char *key, double value) {
    out_key(o, key);
    if (value >= 0) out_number(o, value);
    else out_null(o);
}

static void load_out(struct out *o, const struct heartbeat *h) {
    percent_out(o, "cpuUsage", h->cpu);
    percent_out(o, "memoryUsage", h->memory);
    figure_out(o, "uptime", h->uptime_s);
    figure_out(o, "messageCount", h->messages);
}

/* How many of the listed sessions stand so; a worker that lists them need not count them. */
static void totals_of(const struct heartbeat *h, int64_t totals[TOTALS]) {
    static const enum session_status order[TOTALS] = {
        0, SESSION_CONNECTED, SESSION_DISCONNECTED, SESSION_QR_REQUIRED, SESSION_RECONNECTING,
        SESSION_ERROR};
    memcpy(totals, h->totals, sizeof h->totals);
    if (h->sessions == NULL) return;
    int64_t counted[TOTALS] = {0};
    for (uint32_t i = 0; i < json_array_size(h->sessions); i++) {
        struct session_report s;
        if (!heartbeat_session(h, i, &s)) continue;
        counted[0]++;
        for (int k = 1; k < TOTALS; k++) counted[k] += s.status == order[k];
    }
    for (int k = 0; k < TOTALS; k++)
        if (totals[k] < 0) totals[k] = counted[k];
}

struct slice history_beat(struct exchange *x, const struct heartbeat *h) {
    struct out o = {0};
    int64_t totals[TOTALS];
    totals_of(h, totals);
    out_object(&o);
    load_out(&o, h);
    out_key(&o, "sessions");
    out_object(&o);
    for (int k = 0; k < TOTALS; k++) figure_out(&o, total_names[k], totals[k]);
    out_object_end(&o);
    out_object_end(&o);
    struct slice text = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return text;
}

void history_metric(struct exchange *x, struct slice station, const struct heartbeat *h,
                    history_then *then) {
    static const char *const names[TOTALS] = {"sessionTotal",        "sessionConnected",
                                              "sessionDisconnected", "sessionQrRequired",
                                              "sessionReconnecting", "sessionError"};
    struct out o = {0};
    int64_t totals[TOTALS];
    char id[UUID_SIZE];
    uuid_new(id);
    totals_of(h, totals);
    out_object(&o);
    out_key(&o, "id");
    out_string(&o, id);
    out_key(&o, "workerId");
    out_text(&o, station);
    out_key(&o, "status");
    out_string(&o, h->status != 0 ? station_word(h->status) : "ONLINE");
    load_out(&o, h);
    for (int k = 0; k < TOTALS; k++) figure_out(&o, names[k], totals[k]);
    out_key(&o, "timestamp");
    out_time(&o, h->time_ms > 0 ? h->time_ms : x->wall_ms);
    out_object_end(&o);
    record_put(x, "fleet_metric", id, station, &o, then);
}

/* The event's data without its picture, which is kept elsewhere. */
static void data_out(struct out *o, const json_t *data) {
    const char *key;
    json_t *value;
    out_object(o);
    json_object_foreach((json_t *)(uintptr_t)data, key, value) {
        if (strcmp(key, "qrCode") == 0 || strcmp(key, "qr_code") == 0) continue;
        out_key_slice(o, slice_text(key));
        out_json(o, value);
        if (o->body.len > EVENT_DATA_MAX) break; /* the rest is cut off */
    }
    out_object_end(o);
}

void history_event(struct exchange *x, struct slice station, struct slice event,
                   struct slice session, const json_t *data, int64_t time_ms,
                   history_then *then) {
    struct out o = {0}, inner = {0};
    char id[UUID_SIZE];
    uuid_new(id);
    data_out(&inner, data);
    out_object(&o);
    out_key(&o, "id");
    out_string(&o, id);
    out_key(&o, "workerId");
    out_text(&o, station);
    out_key(&o, "event");
    out_text(&o, event);
    out_key(&o, "sessionId");
    out_text_or_null(&o, session);
    out_key(&o, "data");
    out_raw(&o, inner.body.len <= 2 * EVENT_DATA_MAX ? buffer_slice(&inner.body)
                                                     : slice_text("{}"));
    out_key(&o, "timestamp");
    out_time(&o, time_ms > 0 ? time_ms : x->wall_ms);
    out_key(&o, "receivedAt");
    out_time(&o, x->wall_ms);
    out_object_end(&o);
    buffer_free(&inner.body);
    record_put(x, "fleet_event", id, station, &o, then);
}

/* ---- reading ---- */

struct listing { const char *kind, *member; struct paging page; };

static void listing_write(struct exchange *x, const struct message *answer) {
    const struct listing *l = x->state;
    const struct rows *rows = &answer->rows;
    struct out *o = &x->out;
    whatsapp_open(x, NULL);
    out_key(o, "workerId");
    out_text(o, exchange_param(x, "id"));
    records_show(o, l->member, rows->rows);
    out_key(o, "page");
    out_unsigned(o, l->page.number);
    out_key(o, "limit");
    out_unsigned(o, l->page.size);
    if (rows->total >= 0) {
        out_key(o, "total");
        out_integer(o, rows->total);
        out_key(o, "count_exact");
        out_bool(o, rows->total_exact);
    }
    if (rows->incomplete) {
        out_key(o, "incomplete");
        out_bool(o, true);
    }
    whatsapp_close(x);
}

/* The worker is there: only then are its records looked for. */
static void listing_ask(struct exchange *x, const struct message *answer) {
    const struct listing *l = x->state;
    (void)answer;
    records_ask(x, l->kind, l->page.size, paging_offset(&l->page), listing_write);
}

static bool listing_read(struct exchange *x, const char *kind, const char *member) {
    struct listing *l = exchange_alloc(x, sizeof *l);
    *l = (struct listing){.kind = kind, .member = member,
                          .page = paging_read(x, PAGE_SIZE, setting_page_max(x))};
    x->state = l;
    return station_get(x, listing_ask);
}

bool history_metrics_read(struct exchange *x, struct message *m) {
    (void)m;
    return listing_read(x, "fleet_metric", "metrics");
}

bool history_events_read(struct exchange *x, struct message *m) {
    (void)m;
    return listing_read(x, "fleet_event", "events");
}
