#include "gateway/hook_call.h"
#include "proto/fleet.h"
#include "proto/host/ids.h"
#include <sodium.h>
#include <stdio.h>

static const char secret_prefix[] = "whsec_";

/* ---- events ---- */

static const struct { const char *topic; unsigned bit; } topics[] = {
    {"task.completed", HOOK_COMPLETED}, {"task.failed", HOOK_FAILED},
    {"task.cancelled", HOOK_CANCELLED}, {"task.progress", HOOK_PROGRESS},
    {"alert.triggered", HOOK_ALERT},    {"session.*", HOOK_SESSION},
    {"session.status_changed", HOOK_SESSION},
};

unsigned hook_bit_of(const char *topic) {
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (strcmp(topics[i].topic, topic) == 0) return topics[i].bit;
    return 0;
}

struct slice hook_topic(struct slice topic, struct buffer *keep) {
    static const char before[] = "session_";
    const size_t at = sizeof before - 2;
    buffer_clear(keep);
    buffer_append(keep, topic.data, topic.len);
    if (topic.len > at && memcmp(topic.data, before, at + 1) == 0) keep->data[at] = '.';
    return buffer_slice(keep);
}

static bool topic_fits(const char *wanted, struct slice topic) {
    const size_t len = strlen(wanted);
    if (len > 0 && wanted[len - 1] == '*')
        return topic.len >= len - 1 && memcmp(topic.data, wanted, len - 1) == 0;
    return slice_equal(slice_text(wanted), topic);
}

bool hook_wants(const json_t *body, struct slice topic) {
    const json_t *events = json_object_get(body, "events");
    if (!json_is_true(json_object_get(body, "active"))) return false;
    for (size_t i = 0; i < json_array_size(events); i++) {
        const char *wanted = json_string_value(json_array_get(events, i));
        if (wanted != NULL && topic_fits(wanted, topic)) return true;
    }
    return false;
}

/* ---- signatures ---- */

static void secret_write(const uint8_t bytes[HOOK_SECRET_BYTES], char secret[HOOK_SECRET_SIZE]) {
    const size_t at = sizeof secret_prefix - 1;
    memcpy(secret, secret_prefix, at);
    sodium_bin2base64(secret + at, HOOK_SECRET_SIZE - at, bytes, HOOK_SECRET_BYTES,
                      sodium_base64_VARIANT_ORIGINAL);
}

void hook_secret_make(char secret[HOOK_SECRET_SIZE]) {
    uint8_t bytes[HOOK_SECRET_BYTES];
    randombytes_buf(bytes, sizeof bytes);
    secret_write(bytes, secret);
    sodium_memzero(bytes, sizeof bytes);
}

void hook_brand_secret(const uint8_t *id_key, uint32_t brand, char secret[HOOK_SECRET_SIZE]) {
    uint8_t bytes[HOOK_SECRET_BYTES];
    char text[48];
    const int len = snprintf(text, sizeof text, "webhooks of brand %u", brand);
    crypto_generichash(bytes, sizeof bytes, (const uint8_t *)text, (unsigned long long)len, id_key,
                       crypto_generichash_KEYBYTES_MIN);
    secret_write(bytes, secret);
    sodium_memzero(bytes, sizeof bytes);
}

static bool secret_read(const char *secret, uint8_t bytes[64], size_t *len) {
    const size_t at = sizeof secret_prefix - 1;
    if (secret == NULL || strncmp(secret, secret_prefix, at) != 0) return false;
    return sodium_base642bin(bytes, 64, secret + at, strlen(secret + at), NULL, len, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 && *len >= HOOK_SECRET_BYTES;
}

bool hook_secret_good(const char *secret) {
    uint8_t bytes[64];
    size_t len;
    return secret_read(secret, bytes, &len);
}

void hook_id(uint64_t task, char id[HOOK_ID_SIZE]) {
    snprintf(id, HOOK_ID_SIZE, "msg_%llu", (unsigned long long)task);
}

bool hook_sign(const char *secret, const char *id, int64_t unix_s, struct slice body,
               char signature[HOOK_SIGNATURE_SIZE]) {
    uint8_t key[64], hash[crypto_auth_hmacsha256_BYTES];
    size_t key_len;
    char head[HOOK_ID_SIZE + 32];
    crypto_auth_hmacsha256_state s;
    if (!secret_read(secret, key, &key_len)) return false;
    const int len = snprintf(head, sizeof head, "%s.%lld.", id, (long long)unix_s);
    crypto_auth_hmacsha256_init(&s, key, key_len);
    crypto_auth_hmacsha256_update(&s, (const uint8_t *)head, (unsigned long long)len);
    crypto_auth_hmacsha256_update(&s, body.data, body.len);
    crypto_auth_hmacsha256_final(&s, hash);
    memcpy(signature, "v1,", 3);
    sodium_bin2base64(signature + 3, HOOK_SIGNATURE_SIZE - 3, hash, sizeof hash,
                      sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(key, sizeof key);
    return true;
}

/* ---- bodies ---- */

static void text_member(struct out *o, const char *key, struct slice text) {
    out_key(o, key);
    out_text_or_null(o, text);
}

static void number_member(struct out *o, const char *key, uint64_t value) {
    out_key(o, key);
    out_unsigned(o, value);
}

static void time_member(struct out *o, const char *key, int64_t ms) {
    out_key(o, key);
    out_time(o, ms);
}

static void value_member(struct out *o, const char *key, struct slice bytes) {
    out_key(o, key);
    if (bytes.len > 0) out_value(o, bytes);
    else out_null(o);
}

/* A rule that is only tried has no task: null. */
static void task_id_member(struct out *o, const uint8_t *id_key, uint64_t task) {
    const struct id_key key = id_key_of(id_key);
    const bool there = task > 0 && task <= ID_NUMBER_MAX;
    char text[TASK_TEXT_SIZE];
    if (there) task_text_write(&key, task, text);
    out_key(o, "task_id");
    out_string(o, there ? text : NULL);
}

static void task_write(struct out *o, const uint8_t *id_key, const struct view *v) {
    static const char *const priorities[] = {"low", "normal", "high", "critical"};
    const struct task_head *h = &v->head;
    out_object(o);
    number_member(o, "id", h->id);
    task_id_member(o, id_key, h->id);
    number_member(o, "brand", h->brand);
    text_member(o, "task_type", v->type);
    text_member(o, "queue_name", v->queue);
    out_key(o, "status");
    out_string(o, status_name((enum status)h->status));
    out_key(o, "priority");
    out_string(o, h->priority < PRIORITY_COUNT ? priorities[h->priority] : NULL);
    number_member(o, "progress_percentage", h->progress);
    number_member(o, "run", h->run);
    number_member(o, "retry_count", h->retry_count);
    text_member(o, "created_by", v->body.owner);
    text_member(o, "worker_name", v->worker);
    time_member(o, "created_at", h->created_ms);
    time_member(o, "started_at", h->started_ms);
    time_member(o, "completed_at", h->finished_ms);
    value_member(o, "context_data", v->body.payload);
    value_member(o, "result_data", v->result.result);
    value_member(o, "metrics", v->result.metrics);
    const bool bad = h->status == STATUS_FAILED || h->status == STATUS_CANCELLED;
    text_member(o, "error_message", bad ? v->result.message : (struct slice){0});
    out_object_end(o);
}

static void session_write(struct out *o, struct slice rows) {
    static const char *const statuses[] = {"INIT", "INIT", "QR_REQUIRED", "CONNECTED",
                                           "DISCONNECTED", "RECONNECTING", "ERROR"};
    struct session_row s;
    uint32_t at = 0;
    if (!session_row_next(rows, &at, &s)) {
        out_null(o);
        return;
    }
    out_object(o);
    text_member(o, "sessionId", s.name);
    out_key(o, "status");
    out_string(o, s.status < SESSION_STATUS_COUNT ? statuses[s.status] : NULL);
    text_member(o, "userId", s.owner);
    text_member(o, "workerId", s.station);
    text_member(o, "phoneNumber", s.phone);
    text_member(o, "displayName", s.display);
    text_member(o, "reason", s.reason);
    time_member(o, "updatedAt", s.updated_ms);
    out_object_end(o);
}

/* What the broker says of an alert, and what of it only a gateway can spell. */
static void alert_write(struct out *o, const uint8_t *id_key, struct slice data) {
    json_t *said = json_of(data);
    const char *key;
    json_t *value;
    out_object(o);
    json_object_foreach(said, key, value) {
        out_key(o, key);
        out_json(o, value);
    }
    const json_t *task = json_object_get(said, "task"), *at = json_object_get(said, "triggered_ms");
    if (json_is_integer(task)) task_id_member(o, id_key, (uint64_t)json_integer_value(task));
    if (json_is_integer(at)) time_member(o, "triggered_at", json_integer_value(at));
    out_object_end(o);
    json_decref(said);
}

static bool topic_begins(const struct feed_row *event, const char *with) {
    const size_t len = strlen(with);
    return event->topic.len > len && memcmp(event->topic.data, with, len) == 0;
}

void hook_body_write(struct out *o, const uint8_t *id_key, const struct feed_row *event,
                     const struct view *v) {
    struct buffer keep = {0};
    out_object(o);
    out_key(o, "type");
    out_text(o, hook_topic(event->topic, &keep));
    time_member(o, "timestamp", event->time_ms);
    out_key(o, "data");
    if (v != NULL) task_write(o, id_key, v);
    else if (topic_begins(event, "session")) session_write(o, event->data);
    else if (topic_begins(event, "alert.")) alert_write(o, id_key, event->data);
    else out_value(o, event->data);
    out_object_end(o);
    buffer_free(&keep);
}

void hook_alert_write(struct out *o, const uint8_t *id_key, const struct feed_row *event,
                      const json_t *rule) {
    out_object(o);
    out_key(o, "alert_type");
    out_string(o, "task_monitoring");
    out_key(o, "rule");
    out_object(o);
    out_key(o, "id");
    out_raw(o, event->key);
    out_key(o, "name");
    out_json(o, json_object_get(rule, "name"));
    out_key(o, "description");
    out_json(o, json_object_get(rule, "description"));
    out_object_end(o);
    out_key(o, "alert_data");
    alert_write(o, id_key, event->data);
    out_object_end(o);
}

void hook_call_write(struct out *o, struct slice topic, uint64_t hook, const char *url,
                     struct slice body) {
    out_object(o);
    out_key(o, "event");
    out_text(o, topic);
    number_member(o, "hook", hook);
    out_key(o, "url");
    out_string(o, url);
    out_key(o, "body");
    out_text(o, body);
    out_object_end(o);
}

void hook_mail_write(struct out *o, const json_t *rule, struct slice alert, const json_t *to) {
    const json_t *name = json_object_get(rule, "name");
    struct buffer text = {0};
    static const char begin[] = "An alert rule holds.\n\n";
    buffer_append(&text, begin, sizeof begin - 1);
    buffer_append(&text, alert.data, alert.len);
    buffer_byte(&text, '\n');
    out_object(o);
    out_key(o, "to");
    out_json(o, to);
    out_key(o, "subject");
    out_string(o, json_is_string(name) ? json_string_value(name) : "alert");
    out_key(o, "text");
    out_text(o, buffer_slice(&text));
    out_object_end(o);
    buffer_free(&text);
}
