#include "broker/core/object.h"
#include "broker/core/effect.h"
#include "broker/core/park.h"
#include "broker/core/task.h"
#include "broker/core/who.h"

enum scope { SCOPE_ALL, SCOPE_BRAND };
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

/* The object in the open group, or as it was read. */
static enum found object_find(struct core *c, const struct event *e, const struct need *need,
                              const struct object_record **object) {
    for (uint32_t i = c->note_count; i-- > 0;) {
        const struct record *r = &c->notes[i];
        if (r->kind != RECORD_OBJECT && r->kind != RECORD_OBJECT_GONE) continue;
        if (r->object.kind != need->object || r->object.brand != need->brand) continue;
        if (!slice_equal(r->object.name, need->key)) continue;
        *object = &r->object;
        return r->kind == RECORD_OBJECT ? HELD : ABSENT;
    }
    const struct event *l = c->loaded;
    if (c->handling != e || !l || l->need.kind != NEED_OBJECT ||
        l->need.object != need->object || l->need.brand != need->brand ||
        !slice_equal(l->need.key, need->key))
        return park(c, e, need);
    for (uint32_t i = 0; i < l->record_count; i++)
        if (l->records[i].kind == RECORD_OBJECT) {
            *object = &l->records[i].object;
            return HELD;
        }
    return ABSENT;
}

static void object_put(struct core *c, const struct event *e, const struct need *need,
                       const struct object_record *before) {
    const struct object_ref *m = &e->message->object;
    if (m->mode == PUT_CREATE && before) {
        say_code(c, e, CODE_CONFLICT, (struct slice){0});
        return;
    }
    if (m->mode == PUT_REPLACE && !before) {
        say_code(c, e, CODE_NOT_FOUND, (struct slice){0});
        return;
    }
    uint64_t id = before ? before->id : number_next(c);
    int64_t created = before ? before->created_ms : c->wall;
    struct slice name = note_keep(c, need->key), body = note_keep(c, m->body);
    note(c, RECORD_OBJECT)->object = (struct object_record){
        .kind = need->object, .brand = need->brand, .id = id, .created_ms = created,
        .updated_ms = c->wall, .version = 1, .name = name, .body = body};
    say_code(c, e, CODE_OK, (struct slice){0});
}

static void object_drop(struct core *c, const struct event *e, const struct need *need,
                        const struct object_record *before) {
    if (!before) {
        say_code(c, e, CODE_NOT_FOUND, (struct slice){0});
        return;
    }
    struct slice name = note_keep(c, need->key);
    note(c, RECORD_OBJECT_GONE)->object =
        (struct object_record){.id = before->id, .kind = need->object, .brand = need->brand,
                               .name = name};
    say_code(c, e, CODE_OK, (struct slice){0});
}

static enum code object_check(const struct core *c, const struct event *e,
                              const struct kind *kind, uint32_t *brand) {
    const struct object_ref *m = &e->message->object;
    if (!kind || !name_good(c, m->name)) return CODE_VALIDATION_ERROR;
    if (!who_writes(&e->who)) return CODE_FORBIDDEN;
    *brand = kind->scope == SCOPE_ALL ? 0 : who_brand(&e->who, m->brand);
    if (kind->scope == SCOPE_ALL && e->who.role != ROLE_ADMIN) return CODE_FORBIDDEN;
    if (kind->scope == SCOPE_BRAND && !*brand) return CODE_FORBIDDEN;
    if (m->body.len > kind->body_max) return CODE_PAYLOAD_TOO_LARGE;
    if (e->message->verb == VERB_PUT && c->disk_full) return CODE_STORAGE_FULL;
    return CODE_OK;
}

void object_step(struct core *c, const struct event *e) {
    const struct object_ref *m = &e->message->object;
    const struct kind *kind = kind_find(m->kind);
    uint32_t brand = 0;
    enum code code = object_check(c, e, kind, &brand);
    if (code != CODE_OK) {
        say_code(c, e, code, (struct slice){0});
        return;
    }
    struct need need = {.kind = NEED_OBJECT, .object = kind->number, .brand = brand,
                        .key = m->name};
    const struct object_record *before = NULL;
    enum found found = object_find(c, e, &need, &before);
    if (found == ASKED) return;
    if (found == ABSENT) before = NULL;
    if (e->message->verb == VERB_PUT) object_put(c, e, &need, before);
    else if (e->message->verb == VERB_DROP) object_drop(c, e, &need, before);
    else if (before) say_answer(c, e, CODE_OK, note_keep(c, before->body));
    else say_code(c, e, CODE_NOT_FOUND, (struct slice){0});
}
