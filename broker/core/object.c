#include "broker/core/object.h"
#include "broker/core/alert.h"
#include "broker/core/bond.h"
#include "broker/core/cache.h"
#include "broker/core/effect.h"
#include "broker/core/feed.h"
#include "broker/core/task.h"
#include "broker/core/who.h"
#include "proto/object.h"

struct kind { const char *name; uint8_t number; enum scope scope; uint32_t body_max; };

static const struct kind kinds[] = {
#define OBJECT(name, number, text, scope, body_max, sentence) \
    {text, number, SCOPE_##scope, body_max},
#include "broker/core/object.def"
#undef OBJECT
};

static const struct kind *kind_find(struct slice name) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (slice_equal(slice_text(kinds[i].name), name)) return &kinds[i];
    return NULL;
}

/* What a PUT, FETCH or DROP is about, every key looked up. */
struct act {
    const struct event *e;
    const struct object_ref *m;
    uint8_t kind;
    enum scope scope;
    uint32_t brand;
    struct object *before; /* NULL = not there */
    struct task *task;     /* scope TASK: that of a PUT; NULL = not there */
    struct object *named[1 + OBJECT_KEYS_MAX]; /* behind its name and keys; may be gone */
    uint32_t named_count;
    bool file_taken;
};

static bool there(const struct core *c, const struct object *o) {
    const int64_t until = o->record.until_ms;
    return !o->gone && (until == 0 || until > c->wall);
}

/* ---- checks that need nothing but the message ---- */

/* Names and keys, each fit to be one and none given twice. */
static bool names_good(const struct core *c, const struct object_ref *m) {
    const struct object_options *o = &m->options;
    struct slice key, other;
    if (m->name.len ? !name_good(c, m->name) : !o->id) return false;
    for (uint32_t at = 0; text_next(o->keys, &at, &key);) {
        if (!name_good(c, key) || slice_equal(key, m->name)) return false;
        for (uint32_t next = at; text_next(o->keys, &next, &other);)
            if (slice_equal(key, other)) return false;
    }
    return o->key_count <= OBJECT_KEYS_MAX && name_fits(c, o->owner) && name_fits(c, o->event);
}

static enum code put_check(const struct core *c, const struct object_ref *m,
                           const struct kind *kind) {
    const struct object_options *o = &m->options;
    if (m->mode > PUT_EITHER || (m->mode == PUT_CREATE && !m->name.len))
        return CODE_VALIDATION_ERROR;
    if (o->until_ms < 0 || (o->file_hash.len && o->file_hash.len != OBJECT_HASH_BYTES))
        return CODE_VALIDATION_ERROR;
    if (m->body.len > kind->body_max || o->file_name.len > c->limits.message_max ||
        o->file_mime.len > c->limits.name_max)
        return CODE_PAYLOAD_TOO_LARGE;
    return c->disk_full ? CODE_STORAGE_FULL : CODE_OK;
}

static enum code object_check(const struct core *c, const struct event *e, struct act *a) {
    const struct object_ref *m = &e->message->object;
    const struct kind *kind = kind_find(m->kind);
    if (!kind || !names_good(c, m)) return CODE_VALIDATION_ERROR;
    if (!who_writes(&e->who)) return CODE_FORBIDDEN;
    if (kind->scope == SCOPE_ALL && e->who.role != ROLE_ADMIN) return CODE_FORBIDDEN;
    uint32_t brand = kind->scope == SCOPE_ALL ? 0 : who_brand(&e->who, m->brand);
    if (kind->scope != SCOPE_ALL && !brand) return CODE_FORBIDDEN;
    if (m->options.data.len > c->limits.payload_max) return CODE_PAYLOAD_TOO_LARGE;
    *a = (struct act){.e = e, .m = m, .kind = kind->number, .scope = kind->scope,
                      .brand = brand};
    return e->message->verb == VERB_PUT ? put_check(c, m, kind) : CODE_OK;
}

/* ---- looking up ---- */

static enum found look(struct core *c, struct act *a, struct slice name) {
    struct need need = {.kind = NEED_OBJECT, .object = a->kind, .brand = a->brand, .key = name};
    struct object *o;
    enum found found = cache_find(c, a->e, &need, &o);
    if (found == HELD) a->named[a->named_count++] = o;
    return found;
}

static enum found look_id(struct core *c, struct act *a) {
    struct need need = {.kind = NEED_OBJECT, .object = a->kind, .brand = a->brand,
                        .id = a->m->options.id};
    struct object *o;
    if (need.id >= c->next) return ABSENT;
    enum found found = cache_find(c, a->e, &need, &o);
    bool mine = found == HELD && there(c, o) && o->record.brand == a->brand;
    if (mine) a->before = o;
    return found == HELD && !mine ? ABSENT : found;
}

static enum found look_file(struct core *c, struct act *a) {
    struct need need = {.kind = NEED_FILE, .object = FILE_HELD, .id = a->m->options.file};
    struct object *o;
    if (a->before && a->before->record.file == need.id) return HELD; /* its own already */
    enum found found = cache_find(c, a->e, &need, &o);
    a->file_taken = found == HELD && !o->gone;
    return found;
}

static enum found look_task(struct core *c, struct act *a) {
    const struct slice name = a->before ? a->before->record.name : a->m->name;
    struct task *t;
    const enum found found = task_find(c, a->e, bond_number(name), &t);
    if (found == HELD) a->task = t;
    return found;
}

/* False when something had to be asked for: the event is parked, or refused as BUSY. */
static bool look_all(struct core *c, struct act *a) {
    const struct object_ref *m = a->m;
    bool put = a->e->message->verb == VERB_PUT, whole;
    struct slice key;
    if (m->name.len) {
        whole = look(c, a, m->name) == HELD;
        if (whole && there(c, a->named[0])) a->before = a->named[0];
    } else {
        whole = look_id(c, a) != ASKED;
    }
    for (uint32_t at = 0; put && text_next(m->options.keys, &at, &key);) {
        if (!whole && !c->resuming) return false; /* it could not be parked */
        if (look(c, a, key) != HELD) whole = false;
    }
    if (whole && put && m->options.file) whole = look_file(c, a) != ASKED;
    if (whole && put && a->scope == SCOPE_TASK) whole = look_task(c, a) != ASKED;
    return whole;
}

/* ---- acting ---- */

static void object_say(struct core *c, const struct act *a, const struct object_record *r) {
    struct object_row row = object_row_of(r);
    struct buffer b = {0};
    object_row_put(&b, &row);
    assert(!b.failed);
    say_answer(c, a->e, CODE_OK, note_keep(c, buffer_slice(&b)));
    c->fx->says[c->fx->say_count - 1].message.answer.file = r->file;
    buffer_free(&b);
}

static void file_give(struct core *c, const struct object_record *r) {
    struct file_record f = {.file = r->file, .task = r->id, .size = r->file_size,
                            .brand = r->brand, .created_ms = c->wall,
                            .name = note_keep(c, r->file_name), .mime = note_keep(c, r->file_mime)};
    if (r->file_hash.len == sizeof f.hash) memcpy(f.hash, r->file_hash.data, sizeof f.hash);
    note(c, RECORD_FILE)->file = f;
    object_file_taken(c, r->file);
}

static void file_leave(struct core *c, const struct object_record *r) {
    if (r->file) note(c, RECORD_FILE_GONE)->file.file = r->file;
}

void object_leave(struct core *c, struct object *o) {
    if (o->record.kind == OBJECT_ALERT_RULE) alert_dropped(c, &o->record);
    file_leave(c, &o->record);
    cache_drop(c, o);
    assert(c->objects > 0);
    c->objects--;
    c->meta_dirty = true;
}

static enum code version_check(const struct core *c, const struct act *a) {
    const uint32_t wanted = a->m->options.version;
    if (wanted == 0 || core_bug(c, BUG_NO_CAS)) return CODE_OK;
    return a->before && a->before->record.version == wanted ? CODE_OK : CODE_CONFLICT;
}

static enum code put_allowed(const struct core *c, const struct act *a) {
    const struct object_ref *m = a->m;
    const bool is_key = a->before && m->name.len &&
                        !slice_equal(a->before->record.name, m->name);
    if (!a->before && (m->mode == PUT_REPLACE || !m->name.len)) return CODE_NOT_FOUND;
    if (a->before && (m->mode == PUT_CREATE || is_key)) return CODE_CONFLICT;
    if (a->file_taken) return CODE_CONFLICT;
    if (!a->before && a->scope == SCOPE_TASK && !bond_number(m->name)) return CODE_VALIDATION_ERROR;
    if (a->scope == SCOPE_TASK && (!a->task || a->task->head.brand != a->brand))
        return CODE_UNKNOWN_TASK;
    if (a->task && task_accepted(a->task)) return CODE_INVALID_STATE;
    for (uint32_t i = m->name.len ? 1 : 0; i < a->named_count; i++)
        if (there(c, a->named[i]) && a->named[i] != a->before && !core_bug(c, BUG_SHARED_KEY))
            return CODE_CONFLICT;
    if (!a->before && c->limits.objects_max && c->objects >= c->limits.objects_max)
        return CODE_LIMIT_REACHED;
    if (!a->before && a->kind == OBJECT_ALERT_RULE && alert_full(c)) return CODE_LIMIT_REACHED;
    return version_check(c, a);
}

/* What it will be: what is not given stays. */
static struct object_record put_record(struct core *c, const struct act *a) {
    const struct object_options *o = &a->m->options;
    struct object_record r = {.kind = a->kind, .brand = a->brand, .created_ms = c->wall,
                              .name = a->m->name};
    if (a->before) r = a->before->record;
    r.version++;
    r.updated_ms = c->wall;
    r.body = a->m->body;
    if (o->clear & CLEAR_OWNER) r.owner = (struct slice){0};
    if (o->clear & CLEAR_KEYS) r.keys = (struct slice){0};
    if (o->clear & CLEAR_UNTIL) r.until_ms = 0;
    if (o->owner.len) r.owner = o->owner;
    if (o->keys.len) r.keys = o->keys;
    if (o->until_ms) r.until_ms = o->until_ms;
    if (o->clear & CLEAR_FILE || (o->file && o->file != r.file)) {
        r.file = r.file_size = 0;
        r.file_name = r.file_mime = r.file_hash = (struct slice){0};
    }
    if (!o->file) return r;
    r.file = o->file;
    r.file_size = o->file_size;
    if (o->file_name.len) r.file_name = o->file_name;
    if (o->file_mime.len) r.file_mime = o->file_mime;
    if (o->file_hash.len) r.file_hash = o->file_hash;
    return r;
}

static bool keys_clash(const struct object_record *r) {
    struct slice key;
    for (uint32_t at = 0; text_next(r->keys, &at, &key);)
        if (slice_equal(key, r->name)) return true;
    return false;
}

static void event_say(struct core *c, const struct act *a, const struct object_record *r) {
    const struct object_options *o = &a->m->options;
    if (o->event.len) feed_put(c, r->brand, o->event, r->name, o->data);
}

static void object_put(struct core *c, struct act *a) {
    enum code code = put_allowed(c, a);
    struct object_record r = put_record(c, a);
    if (code == CODE_OK && keys_clash(&r)) code = CODE_VALIDATION_ERROR;
    if (code != CODE_OK) {
        say_code(c, a->e, code, (struct slice){0});
        return;
    }
    for (uint32_t i = 0; i < a->named_count; i++) /* their time has come */
        if (!a->named[i]->gone && !there(c, a->named[i])) object_leave(c, a->named[i]);
    const uint64_t file = a->before ? a->before->record.file : 0;
    if (file && file != r.file) file_leave(c, &a->before->record);
    if (!a->before) {
        r.id = number_next(c);
        c->objects++;
        c->meta_dirty = true;
        a->before = cache_new(c, r.kind, r.id);
    }
    if (r.file && r.file != file) file_give(c, &r);
    if (r.until_ms && r.until_ms < c->sweep_low_ms) c->sweep_low_ms = r.until_ms;
    cache_set(c, a->before, &r);
    if (a->task) bond_tie(c, a->task);
    if (r.kind == OBJECT_ALERT_RULE) alert_changed(c, &a->before->record);
    event_say(c, a, &a->before->record);
    object_say(c, a, &a->before->record);
}

static void object_drop(struct core *c, struct act *a) {
    enum code code = a->before ? version_check(c, a) : CODE_NOT_FOUND;
    if (code != CODE_OK) {
        say_code(c, a->e, code, (struct slice){0});
        return;
    }
    object_say(c, a, &a->before->record);
    event_say(c, a, &a->before->record);
    object_leave(c, a->before);
}

void object_step(struct core *c, const struct event *e) {
    struct act a;
    enum code code = object_check(c, e, &a);
    if (code == CODE_OK && cache_full(c)) code = CODE_BUSY;
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    if (!look_all(c, &a)) return;
    if (e->message->verb == VERB_PUT) object_put(c, &a);
    else if (e->message->verb == VERB_DROP) object_drop(c, &a);
    else if (a.before) object_say(c, &a, &a.before->record);
    else say_code(c, e, CODE_NOT_FOUND, (struct slice){0});
}

/* ---- files and the sweep ---- */

void object_file_taken(struct core *c, uint64_t file) {
    struct object *o = cache_held(c, FILE_HELD, file);
    if (!o) o = cache_new(c, FILE_HELD, file);
    cache_set(c, o, &(struct object_record){.kind = FILE_HELD, .id = file});
}

bool object_file_known(const struct core *c, uint64_t file) {
    const struct object *o = cache_held(c, FILE_HELD, file);
    return o && !o->gone;
}

bool object_sweep(struct core *c, const struct object_record *r) {
    struct object *o = cache_adopt(c, r);
    if (o->gone || there(c, o)) return false;
    object_leave(c, o);
    return true;
}
