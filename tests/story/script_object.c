/* script_object.c - objects and feeds in a story.
 *
 *   c put NAME [create|replace] [body= kind= version= owner= keys=a,b until=MS file=N clear=WHAT
 *              event= data= brand=]      until is from now; clear is owner, keys, until or file;
 *              the name @TASK is the task's number
 *   c fetch NAME [kind=]   c drop NAME [kind= version= event= data=]
 *   c feed now|on|N [wait= topics=a,b key= limit= brand=]   on: after what was seen last
 *   stored KIND            what the store holds of a kind, and what its audit finds */
#include "proto/object.h"
#include "store/store.h"
#include "tests/story/script.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t clear_of(const char *what) {
    static const char *const names[] = {"owner", "keys", "until", "file"};
    uint8_t mask = 0;
    for (int i = 0; what && i < 4; i++)
        if (strstr(what, names[i])) mask |= (uint8_t)(1u << i);
    return mask;
}

static void options(struct story *s, struct actor *a, struct object_options *o) {
    o->version = (uint32_t)story_number(s, "version", 0);
    o->owner = story_text(s, "owner");
    o->key_count = story_list(s, "keys", &a->lists[0], &o->keys);
    if (story_word(s, "until")) o->until_ms = s->world.wall_ms + story_number(s, "until", 0);
    o->file = (uint64_t)story_number(s, "file", 0);
    if (o->file) o->file_size = 10 * o->file, o->file_name = slice_text("a.wav");
    o->clear = clear_of(story_word(s, "clear"));
    o->event = story_text(s, "event");
    o->data = story_text(s, "data");
}

bool story_object(struct story *s, struct actor *a, const char *verb, const char *name) {
    enum verb v = strcmp(verb, "put") == 0 ? VERB_PUT : strcmp(verb, "fetch") == 0 ? VERB_FETCH
                  : strcmp(verb, "drop") == 0 ? VERB_DROP : VERB_NONE;
    if (v == VERB_NONE) return false;
    struct message m = {.verb = v, .number = ++s->number};
    m.object.kind = story_word(s, "kind") ? story_text(s, "kind") : slice_text("note");
    m.object.body = story_text(s, "body");
    m.object.brand = (uint32_t)story_number(s, "brand", 0);
    m.object.mode = story_flag(s, "create") ? PUT_CREATE
                    : story_flag(s, "replace") ? PUT_REPLACE : PUT_EITHER;
    options(s, a, &m.object.options);
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)task_called(s, name + 1));
    if (name[0] == '@') m.object.name = slice_text(number);
    else if (name[0] == '#') m.object.options.id = strtoull(name + 1, NULL, 10);
    else m.object.name = slice_text(name);
    story_speak(s, a, &m);
    return true;
}

bool story_feed(struct story *s, struct actor *a, const char *from) {
    struct message m = {.verb = VERB_FEED, .number = ++s->number};
    struct feed_ask *f = &m.feed;
    a->asked = m.number;
    f->after = strcmp(from, "on") == 0 ? s->seen : strtoull(from, NULL, 10);
    f->wait_ms = (uint32_t)story_number(s, "wait", 0);
    f->limit = (uint32_t)story_number(s, "limit", 0);
    f->brand = (uint32_t)story_number(s, "brand", 0);
    f->key = story_text(s, "key");
    f->topic_count = story_list(s, "topics", &a->lists[0], &f->topics);
    story_speak(s, a, &m);
    return true;
}

static void put(struct buffer *b, const char *before, struct slice text) {
    if (!text.len) return;
    buffer_append(b, before, strlen(before));
    buffer_append(b, text.data, text.len);
}

static void put_number(struct buffer *b, const char *before, long long n) {
    char text[32];
    snprintf(text, sizeof text, "%lld", n);
    put(b, before, slice_text(text));
}

static void object_put(struct story *s, struct buffer *b, const struct object_row *row) {
    char number[24] = "";
    if (row->name.len < sizeof number) memcpy(number, row->name.data, row->name.len);
    const uint64_t task = strtoull(number, NULL, 10);
    if (task) put(b, " @", slice_text(task_name(s, task)));
    else put(b, " ", row->name);
    put_number(b, " v", row->version);
    put(b, " ", row->body);
    put(b, " of ", row->owner);
    if (row->until_ms) put_number(b, " until ", row->until_ms - s->world.wall_ms);
    if (row->file) put_number(b, " file ", (long long)row->file);
}

bool tell_object(struct story *s, struct slice body, struct buffer *b) {
    struct object_row row;
    if (!object_row_read(body, &row)) return false;
    object_put(s, b, &row);
    return true;
}

void tell_events(struct story *s, const struct rows *rows, struct buffer *b) {
    struct feed_row row;
    uint32_t at = 0, count = 0;
    uint64_t before = 0;
    if (rows->incomplete) put(b, " ", slice_text("incomplete"));
    for (; feed_row_next(rows->rows, &at, &row); count++) {
        put(b, count ? ", " : " ", row.topic);
        put(b, " ", row.key);
        if (!tell_fleet_row(row.data, b)) put(b, " ", row.data);
        assert(row.seq > before);
        before = row.seq;
    }
    assert(count == rows->row_count && at == rows->rows.len);
    s->seen = feed_next_read(rows->next);
    assert(s->seen != 0 && s->seen >= before);
}

static void finding_say(void *context, const char *finding) {
    story_say(context, "the audit finds: %s", finding);
}

bool story_stored(struct story *s, uint8_t kind) {
    char why[256];
    struct store *store = s->world.store;
    struct store_view *v = store_view_open(store, store_next_group(store) - 1, why, sizeof why);
    struct walk walk = {.kind = WALK_OBJECTS, .object = kind, .all_brands = true};
    struct store_walk *w = v ? walk_open(v, &walk) : NULL;
    struct record r;
    struct buffer b = {0};
    while (w && walk_next(w, &r)) {
        struct object_row row = object_row_of(&r.object);
        object_put(s, &b, &row);
        put(&b, "", slice_text(";"));
    }
    story_say(s, "stored:%.*s", (int)b.len, b.len ? (const char *)b.data : "");
    buffer_free(&b);
    walk_close(&w);
    store_view_close(&v);
    store_audit(store, finding_say, s);
    return true;
}
