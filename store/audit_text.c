/* audit_text.c - is every task found by what it is searched by? See store/text.h. */
#include "store/audit.h"
#include "store/seek.h"
#include "store/texts.h"
#include <inttypes.h>

struct look {
    struct audit_texts *a;
    struct buffer texts, sign, body, wanted;
    uint32_t brand;
    uint64_t block;
    bool read;
};

static void block_take(struct look *l, uint32_t brand, uint64_t block) {
    struct store_view *v = l->a->view;
    struct key key;
    if (l->read && l->brand == brand && l->block == block) return;
    buffer_clear(&l->texts);
    buffer_clear(&l->sign);
    key_block(&key, KEY_TEXT, brand, block);
    table_get(v->table, v->snapshot, key_slice(&key), &l->texts, v->why, sizeof v->why);
    key_block(&key, KEY_SIGN, brand, block);
    table_get(v->table, v->snapshot, key_slice(&key), &l->sign, v->why, sizeof v->why);
    l->brand = brand;
    l->block = block;
    l->read = true;
}

/* The newest entry of the task says what its body says, and the block's sign has its groups. */
static const char *trouble(struct look *l, uint64_t id, struct slice type) {
    struct slice in = buffer_slice(&l->texts);
    struct text_entry e, newest = {0};
    struct record r;
    while (text_entry_next(&in, l->block, &e))
        if (e.id == id) newest = e;
    if (in.len > 0) return "the texts of its block are damaged";
    if (newest.id != id) return "it is not found by its text";
    buffer_clear(&l->body);
    buffer_clear(&l->wanted);
    if (view_part(l->a->view, id, KEY_BODY, &l->body) <= 0 ||
        !record_decode_value(RECORD_BODY, buffer_slice(&l->body), &r))
        return NULL; /* said elsewhere */
    if (newest.any) return NULL;
    if (!text_of_task(type, &r.body, &l->wanted) ||
        !slice_equal(newest.text, buffer_slice(&l->wanted)))
        return "its text is another than what is searched";
    struct sign sign = {{0}}, own = {{0}};
    if (!sign_read(&sign, buffer_slice(&l->sign))) return "the sign of its block is damaged";
    sign_add_text(&own, &newest);
    for (uint32_t i = 0; i < SIGN_BYTES; i++)
        if (own.bits[i] & ~sign.bits[i]) return "the sign of its block lacks some of its text";
    return NULL;
}

void audit_texts(struct audit_texts *a) {
    struct store_view *v = a->view;
    struct table_state state;
    struct range range;
    struct key prefix;
    struct look l = {.a = a};
    if (!v->table || !seek_state(v, &state) || state.version != LAYOUT_VERSION) return;
    key_begin(&prefix, KEY_CREATED);
    range_prefix(&range, &prefix);
    struct table_scan *scan = table_scan_open(v->table, v->snapshot, &range, false);
    for (; scan && table_scan_valid(scan); table_scan_next(scan)) {
        const struct slice key = table_scan_key(scan);
        const uint64_t id = key_tail_id(key);
        struct record r;
        if (id < state.text_from || overlay_task(&v->overlay, id)) continue;
        buffer_clear(&l.body);
        if (view_part(v, id, KEY_HEAD, &l.body) <= 0 ||
            !record_decode_value(RECORD_TASK, buffer_slice(&l.body), &r))
            continue; /* said elsewhere */
        const struct slice type = a->type_of(a->context, r.task.lane);
        block_take(&l, r.task.brand, text_block(id));
        const char *why = trouble(&l, id, type);
        if (why) a->say(a->context, id, why);
    }
    table_scan_close(&scan);
    buffer_free(&l.texts);
    buffer_free(&l.sign);
    buffer_free(&l.body);
    buffer_free(&l.wanted);
}
