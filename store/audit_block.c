/* audit_block.c - has every task its brief, and is it found by what it is searched by? See
 * store/brief.h and store/text.h.
 *
 * The table alone is looked at, which has both with the task, or neither. */
#include "store/audit.h"
#include "store/seek.h"
#include "store/texts.h"
#include <inttypes.h>
#include <stdio.h>

struct look {
    struct audit_blocks *a;
    struct buffer texts, sign, head, body, wanted;
    uint64_t block;
};

static bool value_get(struct look *l, const struct key *key, struct buffer *value) {
    struct store_view *v = l->a->view;
    buffer_clear(value);
    return table_get(v->table, v->snapshot, key_slice(key), value, v->why, sizeof v->why) > 0;
}

/* As a lexicon tells it: each word once. */
static void words_of(struct slice text, struct buffer *out) {
    struct lexicon one = {0};
    const struct text_entry e = {.text = text};
    struct buffer value = {0};
    bool any;
    lexicon_add(&one, &e);
    lexicon_put(&one, &value);
    buffer_clear(out);
    lexicon_text(buffer_slice(&value), 0, 0, out, &any);
    lexicon_free(&one);
    buffer_free(&value);
}

/* Whether two lists of words, each once and with a blank behind, have the same. */
static bool same_words(struct slice a, struct slice b) {
    if (a.len != b.len) return false;
    for (uint32_t from = 0, to; from < a.len; from = to) {
        for (to = from; a.data[to] != ' '; to++) continue;
        const uint8_t *at = b.data;
        const uint32_t len = ++to - from;
        while ((at = memmem(at, (size_t)(b.data + b.len - at), a.data + from, len)) != NULL &&
               at != b.data && at[-1] != ' ')
            at++;
        if (at == NULL) return false;
    }
    return true;
}

/* The newest entry of the task says what its body says, and the block's sign has its groups. */
static const char *text_trouble(struct look *l, uint64_t id, struct slice type) {
    struct buffer said = {0};
    struct sign sign = {{0}}, own = {{0}};
    struct record r;
    struct key key;
    bool any = false, there = lexicon_text(buffer_slice(&l->texts), l->block, id, &said, &any);
    const char *why = NULL;
    key_id(&key, KEY_BODY, id);
    buffer_clear(&l->wanted);
    if (any || !value_get(l, &key, &l->body) ||
        !record_decode_value(RECORD_BODY, buffer_slice(&l->body), &r)) {
        buffer_free(&said);
        return NULL; /* a body that cannot be read is said elsewhere */
    }
    const struct text_entry e = {.id = id, .any = !text_of_task(type, &r.body, &l->wanted),
                                 .text = buffer_slice(&l->wanted)};
    sign_add_text(&own, &e);
    words_of(e.text, &l->head);
    if (!there) why = "it is not found by its text";
    else if (e.any || !same_words(buffer_slice(&said), buffer_slice(&l->head)))
        why = "its text is another than what is searched";
    else if (!sign_sound(buffer_slice(&l->sign))) why = "the sign of its block is damaged";
    else sign_read(&sign, buffer_slice(&l->sign));
    for (uint32_t i = 0; why == NULL && i < SIGN_BYTES; i++)
        if (own.bits[i] & ~sign.bits[i]) why = "the sign of its block lacks some of its text";
    buffer_free(&said);
    return why;
}

static void block_look(struct look *l, uint32_t brand, struct slice briefs, bool searched) {
    struct audit_blocks *a = l->a;
    struct key key;
    struct record r;
    key_block(&key, KEY_TEXT, brand, l->block);
    if (searched) value_get(l, &key, &l->texts);
    key_block(&key, KEY_SIGN, brand, l->block);
    if (searched) value_get(l, &key, &l->sign);
    for (uint32_t i = 0; i < briefs.len / BRIEF_BYTES; i++) {
        const struct brief b = brief_at(briefs, l->block, i);
        if (b.status == STATUS_NONE) continue;
        key_id(&key, KEY_HEAD, b.id);
        if (!value_get(l, &key, &l->head) ||
            !record_decode_value(RECORD_TASK, buffer_slice(&l->head), &r)) {
            a->say(a->context, b.id, "it has a brief and no head");
            continue;
        }
        const struct task_head *t = &r.task;
        if (t->brand != brand || t->status != b.status || t->priority != b.priority ||
            t->lane != b.lane || t->created_ms != b.created_ms)
            a->say(a->context, b.id, "its brief is not of its head");
        const struct slice type = a->type_of(a->context, t->lane);
        const char *why = searched ? text_trouble(l, b.id, type) : NULL;
        if (why) a->say(a->context, b.id, why);
    }
}

/* Calls for each row of a kind, or only counts. */
static uint64_t each(struct look *l, enum key_kind kind, bool searched) {
    struct store_view *v = l->a->view;
    struct range range;
    struct key prefix;
    uint64_t count = 0;
    key_begin(&prefix, kind);
    range_prefix(&range, &prefix);
    struct table_scan *scan = table_scan_open(v->table, v->snapshot, &range, false);
    for (; scan && table_scan_valid(scan); table_scan_next(scan)) {
        const struct slice key = table_scan_key(scan), value = table_scan_value(scan);
        if (kind == KEY_HEAD) {
            count++;
            continue;
        }
        const uint32_t brand = (uint32_t)key.data[1] << 24 | (uint32_t)key.data[2] << 16 |
                               (uint32_t)key.data[3] << 8 | key.data[4];
        l->block = key_tail_id(key);
        if (!brief_sound(value)) l->a->say(l->a->context, 0, "the briefs of a block are damaged");
        else block_look(l, brand, value, searched);
        for (uint32_t i = 0; brief_sound(value) && i < value.len / BRIEF_BYTES; i++)
            count += brief_at(value, l->block, i).status != STATUS_NONE;
    }
    if (!scan || !table_scan_ok(scan, v->why, sizeof v->why))
        l->a->say(l->a->context, 0, "the tasks of the table cannot be read");
    table_scan_close(&scan);
    return count;
}

void audit_blocks(struct audit_blocks *a) {
    struct look l = {.a = a};
    struct table_state state;
    if (!a->view->table || !seek_state(a->view, &state)) return;
    const uint64_t briefs = each(&l, KEY_BRIEF, state.text_key != 0);
    const uint64_t heads = each(&l, KEY_HEAD, false);
    char finding[80];
    snprintf(finding, sizeof finding, "%" PRIu64 " briefs for %" PRIu64 " tasks", briefs, heads);
    if (briefs != heads) a->say(a->context, 0, finding);
    buffer_free(&l.texts);
    buffer_free(&l.sign);
    buffer_free(&l.head);
    buffer_free(&l.body);
    buffer_free(&l.wanted);
}
