#include "gateway/known.h"
#include "gateway/account.h"
#include "gateway/request.h"
#include "proto/base/map.h"
#include <string.h>

enum { PROBES = 4 };

struct known_own { /* in the exchange's arena; found by what it was asked for */
    struct known_own *next;
    enum known_kind kind;
    uint32_t brand;
    struct slice name;
    struct known known;
};

struct loading { /* x->state meanwhile */
    enum known_kind kind;
    uint32_t brand;
    struct slice name;
    void *state;
    void (*then)(struct exchange *x);
};

static bool slot_is(const struct known_slot *s, enum known_kind kind, uint32_t brand,
                    struct slice name) {
    return s->until_ms != 0 && s->kind == kind && s->brand == brand && s->name_len == name.len &&
           memcmp(s->name, name.data, name.len) == 0;
}

/* The thing's own slot, or the one that it may take: of PROBES neighbours the oldest. */
static struct known_slot *slot_of(struct exchange *x, enum known_kind kind, uint32_t brand,
                                  struct slice name) {
    struct server *s = request_of(x)->server;
    if (name.len == 0 || name.len > KNOWN_NAME_MAX) return NULL;
    const uint64_t hash = hash_bytes(brand ^ (uint64_t)kind << 32, name.data, name.len);
    struct known_slot *oldest = NULL;
    for (uint32_t i = 0; i < PROBES; i++) {
        struct known_slot *slot = &s->known[(hash + i) % KNOWN_SLOTS];
        if (slot_is(slot, kind, brand, name)) return slot;
        if (oldest == NULL || slot->until_ms < oldest->until_ms) oldest = slot;
    }
    return oldest;
}

/* For the rest of the exchange; the text is in its arena. */
static void own_put(struct exchange *x, enum known_kind kind, uint32_t brand, struct slice name,
                    const struct known *known) {
    struct known_own *own = exchange_alloc(x, sizeof *own);
    *own = (struct known_own){.next = x->known, .kind = kind, .brand = brand,
                              .name = exchange_copy(x, name), .known = *known};
    x->known = own;
}

bool known_get(struct exchange *x, enum known_kind kind, uint32_t brand, struct slice name,
               struct known *ret) {
    for (const struct known_own *own = x->known; own != NULL; own = own->next)
        if (own->kind == kind && own->brand == brand && slice_equal(own->name, name)) {
            *ret = own->known;
            return true;
        }
    const struct known_slot *s = slot_of(x, kind, brand, name);
    if (s == NULL || !slot_is(s, kind, brand, name) || s->until_ms <= x->wall_ms) return false;
    *ret = (struct known){.id = s->id,
                          .text = exchange_copy(x, slice_of(s->text, s->text_len))};
    own_put(x, kind, brand, name, ret);
    return true;
}

static void remember(struct exchange *x, const struct loading *l, const struct known *known) {
    struct known_slot *s = slot_of(x, l->kind, l->brand, l->name);
    const struct slice text = known->text;
    if (s == NULL) return;
    *s = (struct known_slot){.until_ms = x->wall_ms + KNOWN_MS, .id = known->id, .brand = l->brand,
                             .kind = (uint8_t)l->kind, .name_len = (uint8_t)l->name.len,
                             .text_len = (uint16_t)text.len};
    if (request_of(x)->server->wall_ms > x->wall_ms) /* it may have waited long before */
        s->until_ms = request_of(x)->server->wall_ms + KNOWN_MS;
    memcpy(s->name, l->name.data, l->name.len);
    if (text.len > 0) memcpy(s->text, text.data, text.len);
}

static void loaded(struct exchange *x, const struct message *answer) {
    struct loading *l = x->state;
    struct object_row row;
    const enum code code = exchange_code(answer);
    const bool there = code == CODE_OK && answer->verb == VERB_ANSWER &&
                       object_row_read(answer->answer.body, &row);
    struct known known = {.id = there ? row.id : 0};
    if (there && l->kind == KNOWN_BRAND) known.text = brand_read(row.body);
    if (there && l->kind == KNOWN_TYPE) known.text = row.body;
    if (known.text.len > KNOWN_TEXT_MAX) known = (struct known){0};
    known.text = exchange_copy(x, known.text);
    own_put(x, l->kind, l->brand, l->name, &known);
    if (there || code == CODE_NOT_FOUND) remember(x, l, &known);
    x->state = l->state;
    l->then(x);
}

void known_load(struct exchange *x, enum known_kind kind, uint32_t brand, struct slice name,
                void (*then)(struct exchange *x)) {
    static const char *const kinds[] = {"user", "brand", "task_type"};
    struct loading *l = exchange_alloc(x, sizeof *l);
    struct message m = {.verb = VERB_FETCH};
    if (name.len == 0 || name.len > KNOWN_NAME_MAX) {
        then(x);
        return;
    }
    *l = (struct loading){.kind = kind, .brand = brand, .name = exchange_copy(x, name),
                          .state = x->state, .then = then};
    m.object.kind = slice_text(kinds[kind]);
    m.object.name = l->name;
    m.object.brand = brand;
    x->state = l;
    exchange_try_as(x, &account_house, &m, loaded);
}
