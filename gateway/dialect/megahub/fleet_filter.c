#include "gateway/dialect/megahub/fleet_filter.h"
#include "proto/decode.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

enum { NUMBER_TEXT_MAX = 64 };
#define SEARCHED "worker_name,queue_name"

static const struct page_field fields[] = {
    PAGE_FIELD("worker_name", "worker_name", TEXT),
    PAGE_FIELD("queue_name", "queue_name", TEXT),
    PAGE_FIELD("is_online", "is_online", BOOL),
    PAGE_FIELD("is_healthy", "is_healthy", BOOL),
    PAGE_FIELD("cpu_percent", "cpu_percent", NUMBER),
    PAGE_FIELD("memory_percent", "memory_percent", NUMBER),
    PAGE_FIELD("active_tasks", "active_tasks", NUMBER),
    PAGE_FIELD("processed_tasks", "processed_tasks", NUMBER),
    PAGE_FIELD("failed_tasks", "failed_tasks", NUMBER),
    PAGE_FIELD("load_average", "load_average", NUMBER),
    PAGE_FIELD("uptime_hours", "uptime_hours", NUMBER),
    PAGE_FIELD("success_rate", "success_rate", NUMBER),
    PAGE_FIELD("last_heartbeat", "last_heartbeat", TIME),
};

const struct page_list fleet_page = {
    .fields = fields, .field_count = sizeof fields / sizeof *fields, .search = SEARCHED};

static bool is(struct slice text, const char *word) { return slice_equal(text, slice_text(word)); }

/* ---- texts ---- */

static bool text_has(struct slice text, struct slice part) {
    if (part.len == 0) return true;
    for (uint32_t at = 0; at + part.len <= text.len; at++)
        if (strncasecmp((const char *)text.data + at, (const char *)part.data, part.len) == 0)
            return true;
    return false;
}

static int text_order(struct slice a, struct slice b) {
    const uint32_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool order_holds(int order, struct slice op) {
    if (is(op, "gt")) return order > 0;
    if (is(op, "gte")) return order >= 0;
    if (is(op, "lt")) return order < 0;
    if (is(op, "lte")) return order <= 0;
    return order == 0;
}

static bool text_holds(struct slice text, struct slice op, struct slice value) {
    if (is(op, "contains")) return text_has(text, value);
    if (!is(op, "prefix")) return order_holds(text_order(text, value), op);
    if (value.len == 0) return true;
    return text.len >= value.len && memcmp(text.data, value.data, value.len) == 0;
}

/* True when it holds for one of the names with comma between. */
static bool names_hold(struct slice names, struct slice op, struct slice value) {
    for (uint32_t at = 0, end; at < names.len; at = end + 1) {
        for (end = at; end < names.len && names.data[end] != ',';) end++;
        if (text_holds(slice_of(names.data + at, end - at), op, value)) return true;
    }
    return false;
}

/* Each word is somewhere in what a worker is called or serves. */
static bool words_hold(const struct fleet_worker *w, struct slice words) {
    for (uint32_t at = 0, end; at < words.len; at = end + 1) {
        for (end = at; end < words.len && words.data[end] != ' ';) end++;
        const struct slice word = slice_of(words.data + at, end - at);
        if (!text_has(w->name, word) && !text_has(w->title, word) && !text_has(w->queues, word))
            return false;
    }
    return true;
}

/* ---- numbers ---- */

static double number_of(const struct fleet_worker *w, struct slice field) {
    if (is(field, "is_online")) return w->online;
    if (is(field, "is_healthy")) return w->healthy;
    for (uint32_t i = 0; i < FIGURE_COUNT; i++)
        if (is(field, fleet_figures[i])) return w->figures[i];
    return NAN;
}

static bool number_holds(double number, struct slice op, struct slice value) {
    char text[NUMBER_TEXT_MAX] = "";
    assert(value.len < sizeof text);
    memcpy(text, value.data, value.len);
    const double bound = strtod(text, NULL);
    return !isnan(number) && order_holds((number > bound) - (number < bound), op);
}

/* ---- predicates ---- */

static bool value_holds(const struct fleet_worker *w, struct slice field, struct slice op,
                        struct slice value) {
    const bool name = is(field, "worker_name"), queue = is(field, "queue_name");
    if (is(field, SEARCHED)) return words_hold(w, value);
    if (is(op, "null")) {
        const bool there = name || (queue ? w->queues.len > 0 : !isnan(number_of(w, field)));
        return there != is(value, "1");
    }
    if (name) return text_holds(w->name, op, value);
    return queue ? names_hold(w->queues, op, value) : number_holds(number_of(w, field), op, value);
}

/* [field, op, value…]: one of the values holds. */
static bool predicate_holds(const struct fleet_worker *w, struct decode *d) {
    struct slice field, op, value;
    uint32_t count;
    bool holds = false;
    const bool read = decode_array(d, &count) && decode_slice(d, &field) && decode_slice(d, &op);
    assert(read && count > 2);
    for (uint32_t i = 2; i < count; i++) {
        const bool more = decode_slice(d, &value);
        assert(more);
        holds = holds || value_holds(w, field, op, value);
    }
    return holds;
}

static bool worker_passes(const struct fleet_worker *w, struct slice filter) {
    struct decode d = decode_of(filter.data, filter.len);
    uint32_t count = 0;
    bool passes = true;
    if (filter.len > 0 && !decode_array(&d, &count)) assert(!"a filter of page_read");
    for (uint32_t i = 0; i < count; i++) passes = predicate_holds(w, &d) && passes;
    return passes;
}

void fleet_filter(struct fleet_state *f, struct slice filter) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < f->count; i++)
        if (worker_passes(&f->list[i], filter)) f->list[kept++] = f->list[i];
    f->count = kept;
}

/* ---- order ---- */

static int by_name(const void *left, const void *right) {
    const struct fleet_worker *a = left, *b = right;
    return text_order(a->name, b->name);
}

/* True when `a` must not stand before `b`. */
static bool behind(const struct fleet_worker *a, const struct fleet_worker *b, struct slice field,
                   bool descending) {
    int order;
    if (is(field, "worker_name") || is(field, "queue_name")) {
        order = is(field, "worker_name") ? text_order(a->name, b->name)
                                         : text_order(a->queues, b->queues);
    } else {
        const double left = number_of(a, field), right = number_of(b, field);
        if (isnan(left) || isnan(right)) return isnan(left) && !isnan(right);
        order = (left > right) - (left < right);
    }
    return descending ? order < 0 : order > 0;
}

/* Insertion: of equals the order stays. */
static void key_sort(struct fleet_state *f, struct slice field, bool descending) {
    for (uint32_t i = 1; i < f->count; i++) {
        const struct fleet_worker w = f->list[i];
        uint32_t at = i;
        for (; at > 0 && behind(&f->list[at - 1], &w, field, descending); at--)
            f->list[at] = f->list[at - 1];
        f->list[at] = w;
    }
}

void fleet_sort(struct fleet_state *f, struct slice sort) {
    if (f->count > 0) qsort(f->list, f->count, sizeof *f->list, by_name);
    for (uint32_t end = sort.len; end > 0;) { /* the last key first: what it does not part stays */
        uint32_t from = end;
        while (from > 0 && sort.data[from - 1] != ',') from--;
        const bool descending = from < end && sort.data[from] == '-';
        key_sort(f, slice_of(sort.data + from + descending, end - from - descending), descending);
        end = from > 0 ? from - 1 : 0;
    }
}
