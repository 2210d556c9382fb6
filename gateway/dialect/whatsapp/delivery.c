/* delivery.c - the record of one message. Workers report it in any order and more than once, and
 * its sender makes it: both come here, and whoever comes second merges into what is there. A state
 * only moves forward; what is written under a version that is no longer the stored one is refused,
 * read again and merged again. */
#include "gateway/dialect/whatsapp/whatsapp.h"
#include <sodium.h>

enum { TRIES_MAX = 16 };

struct delivering {
    const struct delivery_report *report;
    struct slice facts;     /* JSON text, like all that outlives a callback: in the arena */
    struct slice body;      /* the message as merged */
    delivery_then *then;
    void *before;           /* x->state of the caller */
    const char *name;
    struct slice key;
    uint32_t version;       /* of what was read; 0 = not there */
    int tries;
    bool without_key;       /* another session's message has the key */
    bool fulfilled;         /* it left PENDING: its command is done */
};

static void look(struct exchange *x);

void delivery_name(struct slice session, struct slice message, char text[DELIVERY_NAME_SIZE]) {
    uint8_t hash[16];
    crypto_generichash_state s;
    crypto_generichash_init(&s, NULL, 0, sizeof hash);
    crypto_generichash_update(&s, session.data, session.len);
    crypto_generichash_update(&s, (const uint8_t *)"\n", 1);
    crypto_generichash_update(&s, message.data, message.len);
    crypto_generichash_final(&s, hash, sizeof hash);
    sodium_bin2hex(text, DELIVERY_NAME_SIZE, hash, sizeof hash);
}

struct slice delivery_key(struct exchange *x, struct slice message) {
    return slice_text(exchange_print(x, "m:%.*s", (int)message.len, (const char *)message.data));
}

/* ---- merging ---- */

static void text_set(json_t *to, const char *key, struct slice text) {
    if (text.len == 0 || json_is_string(json_object_get(to, key))) return;
    json_object_set_new(to, key, json_stringn_nocheck((const char *)text.data, text.len));
}

static void time_set(json_t *to, const char *key, int64_t ms, bool renew) {
    struct out o = {0};
    if (ms == 0 || (!renew && json_is_string(json_object_get(to, key)))) return;
    out_time(&o, ms);
    json_object_set_new(to, key, json_of(buffer_slice(&o.body)));
    buffer_free(&o.body);
}

static enum delivery_word state_of(const json_t *stored) {
    const json_t *word = json_object_get(stored, "status");
    return json_is_string(word)
               ? word_delivery(slice_of(json_string_value(word), json_string_length(word)))
               : DELIVERY_NONE;
}

/* The time that belongs to the new state, when the worker did not say it. */
static void state_time_set(struct exchange *x, json_t *to, const struct delivery_report *r) {
    static const char *const names[] = {[DELIVERY_SENT] = "sentAt",
                                        [DELIVERY_DELIVERED] = "deliveredAt",
                                        [DELIVERY_READ] = "readAt",
                                        [DELIVERY_FAILED] = "failedAt"};
    int64_t now = r->time_ms > 0 ? r->time_ms : x->wall_ms;
    if (r->status >= DELIVERY_SENT) time_set(to, names[r->status], now, false);
}

/* Members that a sender gave and a report did not know. */
static void facts_set(json_t *to, struct slice facts) {
    const char *key;
    json_t *value;
    json_t *given = json_of(facts);
    json_object_foreach(given, key, value) {
        json_t *old = json_object_get(to, key);
        if (old == NULL || json_is_null(old)) json_object_set(to, key, value);
    }
    json_decref(given);
}

static void report_set(struct exchange *x, struct delivering *d, json_t *to) {
    const struct delivery_report *r = d->report;
    enum delivery_word now = state_of(to);
    facts_set(to, d->facts);
    text_set(to, "messageId", r->message);
    text_set(to, "sessionId", r->session);
    text_set(to, "to", r->to);
    text_set(to, "from", r->from);
    if (r->inbound) text_set(to, "direction", slice_text("inbound"));
    time_set(to, "sentAt", r->sent_ms, false);
    time_set(to, "deliveredAt", r->delivered_ms, false);
    time_set(to, "readAt", r->read_ms, false);
    time_set(to, "failedAt", r->failed_ms, false);
    d->fulfilled = false;
    if (now != DELIVERY_NONE && !delivery_follows(now, r->status)) return;
    json_object_set_new(to, "status", json_string(delivery_word(r->status)));
    text_set(to, "errorMessage", r->error);
    state_time_set(x, to, r);
    d->fulfilled = r->status > DELIVERY_PENDING;
}

static struct slice text_of(struct exchange *x, const json_t *value) {
    struct out o = {0};
    out_json(&o, value);
    struct slice text = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return text;
}

/* Takes `to`. True when something changed that is worth writing. */
static bool merge(struct exchange *x, struct delivering *d, json_t *to) {
    json_t *before = json_deep_copy(to);
    report_set(x, d, to);
    bool changed = d->version == 0 || !json_equal(before, to);
    if (changed) {
        time_set(to, "createdAt", x->wall_ms, false);
        time_set(to, "updatedAt", x->wall_ms, true);
    }
    d->body = text_of(x, to);
    json_decref(before);
    json_decref(to);
    return changed;
}

/* ---- the loop ---- */

static void finish(struct exchange *x) {
    struct delivering *d = x->state;
    json_t *message = json_of(d->body);
    x->state = d->before;
    d->then(x, message);
    json_decref(message);
}

static void fulfilled(struct exchange *x, const struct message *answer) {
    (void)answer;
    finish(x);
}

static void stored(struct exchange *x, const struct message *answer) {
    struct delivering *d = x->state;
    enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT || code == CODE_NOT_FOUND) {
        if (d->tries > 1 && code == CODE_CONFLICT && d->version == 0) d->without_key = true;
        look(x);
        return;
    }
    if (code != CODE_OK) {
        exchange_refuse(x, code, NULL);
        return;
    }
    if (!d->fulfilled) {
        finish(x);
        return;
    }
    struct message done = {.verb = VERB_COMMANDS};
    done.commands = (struct commands_ask){.key = d->report->message, .brand = x->who.brand};
    whatsapp_keep(x, &done, fulfilled);
}

/* What listeners are told. */
static struct slice event_of(struct exchange *x, const json_t *message) {
    static const char *const members[] = {"messageId", "sessionId", "status", "to",
                                          "errorMessage", "updatedAt"};
    json_t *told = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *value = json_object_get(message, members[i]);
        if (value != NULL) json_object_set(told, members[i], value);
    }
    struct slice text = text_of(x, told);
    json_decref(told);
    return text;
}

static void store(struct exchange *x) {
    struct delivering *d = x->state;
    struct buffer keys = {0};
    json_t *message = json_of(d->body);
    struct message m = {.verb = VERB_PUT};
    m.object = (struct object_ref){
        .kind = slice_text("message"),
        .name = slice_text(d->name),
        .body = d->body,
        .mode = d->version == 0 ? PUT_CREATE : PUT_REPLACE,
        .brand = x->who.brand,
        .options = {.version = d->version,
                    .event = slice_text("message_status_updated"),
                    .data = event_of(x, message)},
    };
    if (d->version == 0) {
        m.object.options.owner = d->report->session;
        if (!d->without_key) {
            text_put(&keys, d->key);
            m.object.options.keys = exchange_copy(x, buffer_slice(&keys));
            m.object.options.key_count = 1;
        }
    }
    json_decref(message);
    buffer_free(&keys);
    whatsapp_keep(x, &m, stored);
}

static void looked(struct exchange *x, const struct message *answer) {
    struct delivering *d = x->state;
    enum code code = exchange_code(answer);
    struct object_row row = {0};
    json_t *message = NULL;
    if (code != CODE_OK && code != CODE_NOT_FOUND) {
        exchange_refuse(x, code, NULL);
        return;
    }
    d->version = 0;
    if (code == CODE_OK && object_row_read(answer->answer.body, &row)) {
        d->version = row.version;
        message = json_of(row.body);
        d->name = (const char *)exchange_copy(x, row.name).data; /* found by its key */
    }
    if (merge(x, d, message != NULL ? message : json_object())) store(x);
    else finish(x);
}

static void look(struct exchange *x) {
    struct delivering *d = x->state;
    if (++d->tries > TRIES_MAX) {
        exchange_refuse(x, CODE_BUSY, NULL);
        return;
    }
    bool by_key = d->report->session.len == 0 && d->tries == 1;
    struct message m = {.verb = VERB_FETCH};
    m.object = (struct object_ref){.kind = slice_text("message"),
                                   .name = by_key ? d->key : slice_text(d->name),
                                   .brand = x->who.brand};
    whatsapp_keep(x, &m, looked);
}

void delivery_note(struct exchange *x, const struct delivery_report *report,
                   struct slice facts, delivery_then *then) {
    struct delivering *d = exchange_alloc(x, sizeof *d);
    char name[DELIVERY_NAME_SIZE];
    delivery_name(report->session, report->message, name);
    *d = (struct delivering){.report = report,
                             .facts = facts,
                             .then = then,
                             .before = x->state,
                             .name = (const char *)exchange_copy(x, slice_text(name)).data,
                             .key = delivery_key(x, report->message)};
    x->state = d;
    look(x);
}
