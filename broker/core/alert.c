#include "broker/core/alert.h"
#include "broker/core/cache.h"
#include "broker/core/effect.h"
#include "broker/core/feed.h"
#include "broker/core/hook.h"
#include "broker/core/object.h"
#include "broker/core/task.h"
#include "proto/alert.h"
#include <stdlib.h>

static uint64_t rule_hash(uint32_t brand) { return hash_number((uint64_t)brand << 8 | 0xa1); }

static struct alert *alert_find(const struct core *c, uint32_t brand, uint64_t id) {
    for (struct map_node *n = map_first(&c->alerts, rule_hash(brand)); n; n = map_next(n)) {
        struct alert *a = owner_of(n, struct alert, by_brand);
        if (a->record.id == id && a->record.brand == brand) return a;
    }
    return NULL;
}

static void alert_leave(struct core *c, struct alert *a) {
    map_remove(&c->alerts, &a->by_brand);
    buffer_free(&a->types);
    free(a->block);
    free(a);
}

/* A copy of the record, its texts in one block. */
static void alert_hold(struct alert *a, const struct object_record *r) {
    struct object_record copy = *r;
    struct slice *texts[] = {&copy.name, &copy.keys, &copy.owner, &copy.body,
                             &copy.file_name, &copy.file_mime, &copy.file_hash};
    size_t size = 1;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) size += texts[i]->len;
    uint8_t *block = malloc(size), *at = block;
    assert(block != NULL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i]->len) memcpy(at, texts[i]->data, texts[i]->len);
        texts[i]->data = at;
        at += texts[i]->len;
    }
    free(a->block);
    a->block = block;
    a->record = copy;
    a->good = alert_read(copy.body, &a->types, &a->state, &a->spec, &a->rest);
}

void alert_changed(struct core *c, const struct object_record *r) {
    struct alert *a = alert_find(c, r->brand, r->id);
    if (!a) {
        a = calloc(1, sizeof *a);
        assert(a != NULL);
        map_put(&c->alerts, &a->by_brand, rule_hash(r->brand));
    }
    alert_hold(a, r);
    if (c->ready) hook_ready(c, r->brand);
}

void alert_dropped(struct core *c, const struct object_record *r) {
    struct alert *a = alert_find(c, r->brand, r->id);
    if (a) alert_leave(c, a);
}

bool alert_full(const struct core *c) { return c->alerts.count >= c->limits.alert_rules_max; }

/* ---- firing ---- */

static void text(struct buffer *b, const char *s) { buffer_append(b, s, strlen(s)); }

/* The rule's name stands in its body behind the head: {"name":"…" is written first there. */
static struct slice name_of(const struct alert *a) {
    static const char key[] = "\"name\":";
    const uint32_t skip = sizeof key - 1;
    if (a->rest.len <= skip + 1 || memcmp(a->rest.data, key, skip) != 0 ||
        a->rest.data[skip] != '"')
        return slice_text("\"\"");
    uint32_t end = skip + 1;
    for (; end < a->rest.len && a->rest.data[end] != '"'; end++)
        if (a->rest.data[end] == '\\') end++;
    if (end >= a->rest.len) return slice_text("\"\"");
    return slice_of(a->rest.data + skip, end + 1 - skip);
}

static struct slice event_body(struct core *c, const struct alert *a, const struct task *t,
                               double value) {
    struct buffer b = {0};
    const struct slice name = name_of(a);
    text(&b, "{\"alert_rule\":");
    alert_integer_put(&b, (int64_t)a->record.id);
    text(&b, ",\"rule_name\":");
    buffer_append(&b, name.data, name.len);
    text(&b, ",\"task\":");
    alert_integer_put(&b, (int64_t)t->head.id);
    text(&b, ",\"task_type\":");
    alert_text_put(&b, t->lane->type);
    text(&b, ",\"metric_field\":\"");
    text(&b, measure_name((enum measure)a->spec.measure));
    text(&b, "\",\"metric_value\":");
    alert_number_put(&b, value);
    text(&b, ",\"threshold\":");
    alert_number_put(&b, a->spec.threshold);
    text(&b, ",\"condition\":\"");
    text(&b, alert_conditions[a->spec.condition]);
    text(&b, "\",\"severity\":\"");
    text(&b, alert_severity(&a->spec, value));
    text(&b, "\",\"brand\":");
    alert_integer_put(&b, t->head.brand);
    text(&b, ",\"triggered_ms\":");
    alert_integer_put(&b, c->wall);
    text(&b, "}");
    assert(!b.failed);
    const struct slice body = note_keep(c, buffer_slice(&b));
    buffer_free(&b);
    return body;
}

static struct slice decimal(struct core *c, uint64_t number) {
    struct buffer b = {0};
    alert_integer_put(&b, (int64_t)number);
    const struct slice digits = note_keep(c, buffer_slice(&b));
    buffer_free(&b);
    return digits;
}

static void event_make(struct core *c, const struct alert *a, struct slice body) {
    struct object_record r = {.kind = OBJECT_ALERT_EVENT, .brand = a->record.brand,
                              .id = number_next(c), .created_ms = c->wall, .updated_ms = c->wall,
                              .version = 1, .body = body};
    r.until_ms = c->wall + (int64_t)c->limits.tally_days_max * TALLY_DAY_MS;
    r.name = decimal(c, r.id);
    r.owner = decimal(c, a->record.id);
    if (r.until_ms < c->sweep_low_ms) c->sweep_low_ms = r.until_ms;
    c->objects++;
    c->meta_dirty = true;
    cache_set(c, cache_new(c, r.kind, r.id), &r);
}

/* The rule says that it fired: the head of its body anew, the rest as it was. */
static void rule_mark(struct core *c, struct alert *a) {
    struct buffer b = {0};
    struct object *o = cache_adopt(c, &a->record);
    a->state = (struct alert_state){c->wall, a->state.count + 1, true};
    alert_head_put(&b, &a->state, &a->spec);
    buffer_append(&b, a->rest.data, a->rest.len);
    assert(!b.failed);
    struct object_record r = o->record;
    r.version++;
    r.updated_ms = c->wall;
    r.body = buffer_slice(&b);
    cache_set(c, o, &r);
    alert_hold(a, &o->record);
    buffer_free(&b);
}

static void alert_fire(struct core *c, struct alert *a, const struct task *t, double value) {
    const struct slice body = event_body(c, a, t, value);
    event_make(c, a, body);
    feed_put(c, a->record.brand, slice_text("alert.triggered"), decimal(c, a->record.id), body);
    rule_mark(c, a);
}

void alert_look(struct core *c, const struct task *t, const struct taken *taken) {
    if (c->alerts.count == 0) return;
    const uint64_t hash = rule_hash(t->head.brand);
    for (struct map_node *n = map_first(&c->alerts, hash); n; n = map_next(n)) {
        struct alert *a = owner_of(n, struct alert, by_brand);
        if (a->record.brand != t->head.brand || !a->good || !a->spec.active) continue;
        if (!(taken->mask >> a->spec.measure & 1)) continue;
        const double value = taken->numbers[a->spec.measure];
        const int64_t again_ms = a->state.last_ms + (int64_t)a->spec.cooldown_s * 1000;
        if (a->state.last_ms && again_ms > c->wall) continue;
        if (alert_holds(&a->spec, value) && alert_means(&a->spec, t->lane->type))
            alert_fire(c, a, t, value);
    }
}

void alert_free(struct core *c) {
    for (size_t i = 0; c->alerts.buckets && i <= c->alerts.mask; i++)
        while (c->alerts.buckets[i])
            alert_leave(c, owner_of(c->alerts.buckets[i], struct alert, by_brand));
}
