#include "broker/core/who.h"

#define TIME_MS_MAX INT64_C(253402300799999) /* the year 9999 ends: dates have four digits */

uint32_t who_brand(const struct who *who, uint32_t asked) {
    if (who->brand == 0) return asked;
    return asked == 0 || asked == who->brand ? who->brand : 0;
}

uint32_t who_serves(const struct who *who, uint32_t asked, bool *ok) {
    bool all = who->brand == 0 || (who->role == ROLE_LOCAL && who->brand_admin);
    *ok = all || asked == 0 || asked == who->brand;
    return all ? asked : who->brand;
}

bool who_reads(const struct who *who, const struct task_head *task) {
    if (who->role == ROLE_NONE) return false;
    return who->brand == 0 || who->brand == task->brand ||
           (who->role == ROLE_LOCAL && who->brand_admin);
}

bool who_writes(const struct who *who) {
    return who->role == ROLE_ADMIN || who->role == ROLE_USER || who->role == ROLE_SERVICE ||
           who->role == ROLE_CLIENT || who->role == ROLE_LOCAL;
}

bool who_works(const struct who *who) {
    return who->role == ROLE_WORKER || who->role == ROLE_LOCAL;
}

bool core_queue_granted(const char *queues, struct slice queue) {
    if (queues == NULL || queues[0] == 0) return true;
    for (struct slice left = slice_text(queues); left.len > 0;) {
        const uint8_t *comma = memchr(left.data, ',', left.len);
        const size_t len = comma ? (size_t)(comma - left.data) : left.len;
        if (slice_equal(slice_of(left.data, len), queue)) return true;
        const size_t step = comma ? len + 1 : len;
        left = slice_of(left.data + step, left.len - step);
    }
    return false;
}

bool name_fits(const struct core *c, struct slice name) {
    if (name.len > c->limits.name_max) return false;
    for (uint32_t i = 0; i < name.len; i++)
        if (name.data[i] < 0x20 || name.data[i] == 0x7f) return false;
    return true;
}

bool name_good(const struct core *c, struct slice name) {
    return name.len > 0 && name_fits(c, name);
}

static bool texts_good(const struct core *c, struct slice texts) {
    struct slice text;
    for (uint32_t at = 0; text_next(texts, &at, &text);)
        if (!name_fits(c, text)) return false;
    return true;
}

bool serves_good(const struct core *c, const struct serves *serves) {
    return texts_good(c, serves->queues) && texts_good(c, serves->types) &&
           texts_good(c, serves->labels);
}

bool due_good(const struct options *o) {
    return !(o->set & SET_DUE) || (o->due_ms >= 0 && o->due_ms <= TIME_MS_MAX);
}

bool keep_good(int64_t keep_ms) { return keep_ms >= KEEP_FAILED && keep_ms <= TIME_MS_MAX; }

bool labels_good(const struct core *c, struct slice labels) {
    if (!name_fits(c, labels)) return false;
    struct slice before = {0};
    while (labels.len) {
        const uint8_t *comma = memchr(labels.data, ',', labels.len);
        size_t len = comma ? (size_t)(comma - labels.data) : labels.len;
        const uint8_t *eq = memchr(labels.data, '=', len);
        if (!eq || eq == labels.data || (comma && len + 1 == labels.len)) return false;
        struct slice key = slice_of(labels.data, (size_t)(eq - labels.data));
        uint32_t least = before.len < key.len ? before.len : key.len;
        int order = before.len ? memcmp(before.data, key.data, least) : -1;
        if (order > 0 || (order == 0 && before.len >= key.len)) return false;
        before = key;
        size_t skip = comma ? len + 1 : len;
        labels = slice_of(labels.data + skip, labels.len - skip);
    }
    return true;
}
