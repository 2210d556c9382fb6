/* stream.c - what happens in a brand, told as it happens: as server-sent events, with
 * Last-Event-ID, and over a WebSocket. Both read the feed: the answer of one FEED is told, then the
 * next one is asked for from there, once the listener has taken enough of it: it is never more
 * than BEHIND_MAX or one event behind, however much it missed; the rest stays in the feed.
 *
 * An administrator and a service hear all of the brand, a user what concerns his own sessions:
 * those he has when he begins to listen, and those that the feed then says are his (at most
 * LIST_SESSIONS_MAX). Nothing is allocated per event, for a stream may last for days. */
#include "gateway/dialect/setting.h"
#include "gateway/dialect/whatsapp/whatsapp.h"
#include <stdio.h>
#include <stdlib.h>

enum { FEED_WAIT_MS = 15000, FEED_ROWS = 8, BEHIND_MAX = 16 << 10 };

static const char session_topic[] = "session_status_changed";
static const char station_topic[] = "worker_status_updated";
static const char *const topics[] = {session_topic, station_topic, "message_status_updated",
                                     "qr_code_updated"};

struct listening {
    uint64_t after;
    struct slice only;          /* ?sessionId=: this session alone; empty = all */
    struct slice topics;        /* packed */
    bool socket;
    uint32_t own_count;
    const char *own[LIST_SESSIONS_MAX]; /* a user's sessions */
};

/* ---- who hears what ---- */

static bool is_own(const struct listening *l, struct slice session) {
    for (uint32_t i = 0; i < l->own_count; i++) {
        if (slice_equal(slice_text(l->own[i]), session)) return true;
    }
    return false;
}

static void own_add(struct exchange *x, struct slice session) {
    struct listening *l = x->state;
    if (l->own_count == LIST_SESSIONS_MAX || is_own(l, session)) return;
    l->own[l->own_count++] = (const char *)exchange_copy(x, session).data;
}

/* Writes the event's data into x->out; false when this listener does not hear of it. */
static bool row_show(struct exchange *x, const struct feed_row *row) {
    bool all = x->who.role != ROLE_USER;
    struct session_row session;
    struct station_row station;
    uint32_t at = 0;
    if (slice_equal(row->topic, slice_text(station_topic))) {
        if (!all || !station_row_next(row->data, &at, &station)) return false;
        out_object(&x->out);
        station_show(&x->out, &station);
        out_object_end(&x->out);
        return true;
    }
    if (slice_equal(row->topic, slice_text(session_topic))) {
        if (!session_row_next(row->data, &at, &session)) return false;
        if (!all && !slice_equal(session.owner, session_owner(x))) return false;
        if (!all) own_add(x, session.name);
        out_object(&x->out);
        session_show(&x->out, &session);
        out_object_end(&x->out);
        return true;
    }
    json_t *data = json_of(row->data);
    const json_t *name = json_object_get(data, "sessionId");
    const char *text = json_string_value(name);
    struct slice id = slice_text(text != NULL ? text : "");
    const struct listening *l = x->state;
    bool shown = data != NULL && (all || is_own(l, id)) &&
                 (l->only.len == 0 || slice_equal(l->only, id));
    if (shown) out_json(&x->out, data);
    json_decref(data);
    return shown;
}

/* ---- telling ---- */

static void out_restart(struct exchange *x) {
    buffer_clear(&x->out.body);
    x->out = (struct out){.body = x->out.body};
}

static void tell_lost(struct exchange *x) {
    static const char event[] = "reset";
    const struct listening *l = x->state;
    if (l->socket) exchange_socket_send(x, true, slice_text("{\"event\":\"reset\"}"));
    else exchange_event(x, event, NULL, slice_text("{}"));
}

/* False when the listener must first take what it was told before. */
static bool tell(struct exchange *x, const struct feed_row *row) {
    const struct listening *l = x->state;
    char topic[64], id[24];
    out_restart(x);
    snprintf(topic, sizeof topic, "%.*s", (int)row->topic.len, (const char *)row->topic.data);
    snprintf(id, sizeof id, "%llu", (unsigned long long)row->seq);
    if (l->socket) {
        out_object(&x->out);
        out_key(&x->out, "event");
        out_string(&x->out, topic);
        out_key(&x->out, "id");
        out_string(&x->out, id);
        out_key(&x->out, "timestamp");
        out_time(&x->out, row->time_ms);
        out_key(&x->out, "data");
    }
    if (!row_show(x, row)) return true;
    if (l->socket) out_object_end(&x->out);
    const size_t behind = exchange_behind(x);
    if (behind > 0 && behind + x->out.body.len > BEHIND_MAX) return false;
    if (l->socket) {
        exchange_socket_send(x, true, buffer_slice(&x->out.body));
    } else {
        exchange_event(x, topic, id, buffer_slice(&x->out.body));
    }
    return true;
}

/* ---- the loop ---- */

static void feed_ask(struct exchange *x);

static void feed_go_on(struct exchange *x, const struct message *answer) {
    struct listening *l = x->state;
    struct feed_row row;
    uint32_t at = 0;
    if (exchange_code(answer) != CODE_OK || answer->verb != VERB_ROWS) {
        exchange_end(x); /* the listener comes back with the last number it saw */
        return;
    }
    if (answer->rows.incomplete) tell_lost(x);
    while (feed_row_next(answer->rows.rows, &at, &row)) {
        const bool other = l->only.len > 0 && slice_equal(row.topic, slice_text(session_topic)) &&
                           !slice_equal(row.key, l->only);
        if (!other && !tell(x, &row)) {
            exchange_drained(x, 0, feed_ask);
            return;
        }
        l->after = row.seq;
    }
    uint64_t next = feed_next_read(answer->rows.next);
    if (next > 0) l->after = next;
    exchange_drained(x, BEHIND_MAX / 2, feed_ask);
}

static struct message feed_message(const struct exchange *x, uint32_t wait_ms) {
    const struct listening *l = x->state;
    struct message m = {.verb = VERB_FEED};
    m.feed = (struct feed_ask){.after = l->after,
                               .brand = x->who.brand,
                               .wait_ms = wait_ms,
                               .limit = FEED_ROWS,
                               .topics = l->topics,
                               .topic_count = sizeof topics / sizeof *topics};
    return m;
}

static void feed_ask(struct exchange *x) {
    const struct message m = feed_message(x, FEED_WAIT_MS);
    exchange_try(x, &m, feed_go_on);
}

static void socket_open(struct exchange *x) { feed_ask(x); }

/* What a listener says is of no consequence; it keeps the connection alive. */
static void socket_text(struct exchange *x, struct slice message) {
    (void)x;
    (void)message;
}

static const struct socket_calls socket_calls = {.open = socket_open, .text = socket_text};

static void begin(struct exchange *x) {
    const struct listening *l = x->state;
    if (l->socket) {
        exchange_socket(x, &socket_calls);
        return;
    }
    exchange_events(x);
    feed_ask(x);
}

static void place_go_on(struct exchange *x, const struct message *answer) {
    struct listening *l = x->state;
    l->after = feed_next_read(answer->rows.next);
    begin(x);
}

/* Where the feed stands is known before the answer begins: whoever has seen the 200 hears of all
 * that happens from then on. */
static void place(struct exchange *x) {
    const struct listening *l = x->state;
    const struct message m = feed_message(x, 0);
    if (l->after > 0) begin(x);
    else exchange_send(x, &m, place_go_on);
}

static void own_go_on(struct exchange *x, const struct message *answer) {
    struct session_row session;
    uint32_t at = 0;
    while (session_row_next(answer->rows.rows, &at, &session)) own_add(x, session.name);
    place(x);
}

static bool last_read(struct exchange *x, uint64_t *ret) {
    const char *text = exchange_header(x, "Last-Event-ID");
    char *end;
    if (text == NULL) text = exchange_query(x, "lastEventId");
    if (text == NULL || *text == '\0') return true;
    *ret = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && strlen(text) <= 16) return true;
    field_wrong(&x->errors, "Last-Event-ID", FIELD_NOT_INTEGER, 0);
    return false;
}

static bool listen_read(struct exchange *x, bool socket) {
    struct listening *l = exchange_alloc(x, sizeof *l);
    struct buffer packed = {0};
    const char *only = exchange_query(x, "sessionId");
    x->state = l;
    l->socket = socket;
    if (only != NULL) l->only = slice_text(only);
    if (!last_read(x, &l->after)) return exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        text_put(&packed, slice_text(topics[i]));
    l->topics = exchange_copy(x, buffer_slice(&packed));
    buffer_free(&packed);
    if (x->who.role != ROLE_USER) {
        place(x);
        return false;
    }
    struct message ask = {.verb = VERB_ASK};
    const uint32_t most = setting_page_max(x);
    ask.question = (struct question){.kind = slice_text("sessions"),
                                     .brand = x->who.brand,
                                     .owner = session_owner(x),
                                     .priority = -1,
                                     .dialect = -1,
                                     .limit = most < LIST_SESSIONS_MAX ? most
                                                                       : LIST_SESSIONS_MAX};
    exchange_send(x, &ask, own_go_on);
    return false;
}

bool stream_events_read(struct exchange *x, struct message *m) {
    (void)m;
    return listen_read(x, false);
}

bool stream_socket_read(struct exchange *x, struct message *m) {
    (void)m;
    return listen_read(x, true);
}
