#include "gateway/dialect/megahub/schedule.h"
#include "proto/encode.h"
#include "proto/id.h"
#include "proto/schedule.h"
#include <string.h>

enum { WALK_PAGE = 1000, DIGITS_MAX = 16, ONCE_KEY_MAX = 255 };

bool schedule_number(struct slice text, uint64_t *ret) {
    uint64_t number = 0;
    if (text.len == 0 || text.len > DIGITS_MAX) return false;
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        number = 10 * number + (uint64_t)(text.data[i] - '0');
    }
    if (number == 0 || number > ID_NUMBER_MAX) return false;
    *ret = number;
    return true;
}

bool schedule_brand_good(struct exchange *x) {
    if (x->who.brand != 0) return true;
    x->cause = CAUSE_BRAND_MALFORMED; /* an admin's "all" */
    return exchange_refuse(x, CODE_VALIDATION_ERROR,
                           "X-Brand-ID must name one brand to plan something.");
}

/* ---- one ---- */

static void refuse(struct exchange *x, enum code code, struct slice text) {
    static const char zone[] = "zone:";
    if (code == CODE_VALIDATION_ERROR && text.len >= sizeof zone - 1 &&
        memcmp(text.data, zone, sizeof zone - 1) == 0) { /* known here, and not to the broker */
        field_refuse(&x->errors, "timezone", "There is no such time zone.");
        megahub_refuse(x, "TIMEZONE_INVALID", "There is no such time zone.");
        return;
    }
    const char *why = text.len > 0 ? (const char *)exchange_copy(x, text).data : NULL;
    exchange_refuse(x, code, why);
}

static bool record_of(const struct message *answer, struct schedule_record *ret) {
    uint32_t at = 0;
    return schedule_row_next(answer->answer.body, &at, ret);
}

static void plan_say(struct exchange *x, uint8_t op, exchange_then *then) {
    const struct plan *p = x->state;
    const struct message m = {
        .verb = VERB_SCHEDULE,
        .schedule = {.op = op, .id = p->id, .record.brand = x->who.brand}};
    exchange_try(x, &m, then);
}

static void plan_read(struct exchange *x, const struct message *answer) {
    const struct plan *p = x->state;
    struct schedule_record r;
    enum code code = exchange_code(answer);
    if (code == CODE_OK && !record_of(answer, &r)) code = CODE_INTERNAL_ERROR;
    if (code == CODE_OK && r.kind != p->kind) code = CODE_NOT_FOUND;
    if (code != CODE_OK) refuse(x, code, code == CODE_NOT_FOUND ? (struct slice){0}
                                                               : answer->answer.body);
    else p->read(x, &r);
}

bool plan_open(struct exchange *x, uint8_t kind, plan_found *then) {
    struct plan *p = exchange_alloc(x, sizeof *p);
    if (!schedule_number(exchange_param(x, "id"), &p->id))
        return exchange_refuse(x, CODE_NOT_FOUND, NULL);
    p->kind = kind;
    p->read = then;
    x->state = p;
    plan_say(x, SCHEDULE_READ, plan_read);
    return false;
}

static void plan_reserved(struct exchange *x, const struct message *answer) {
    struct plan *p = x->state;
    struct schedule_record r;
    enum code code = exchange_code(answer);
    if (code == CODE_OK && !record_of(answer, &r)) code = CODE_INTERNAL_ERROR;
    if (code != CODE_OK) {
        refuse(x, code, answer->answer.body);
        return;
    }
    p->id = r.id;
    p->read(x, &r);
}

void plan_reserve(struct exchange *x, uint8_t kind, void *own, plan_found *then) {
    struct plan *p = exchange_alloc(x, sizeof *p);
    *p = (struct plan){.kind = kind, .read = then, .own = own};
    x->state = p;
    plan_say(x, SCHEDULE_RESERVE, plan_reserved);
}

void schedule_name_taken(struct exchange *x) {
    field_refuse(&x->errors, "name", megahub_french(x) ? "Ce nom est déjà utilisé."
                                                       : "This name is already taken.");
    exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
}

/* A change came too late, or its name is another's: the version tells which. */
static void plan_read_again(struct exchange *x, const struct message *answer) {
    struct plan *p = x->state;
    struct schedule_record r;
    if (exchange_code(answer) == CODE_OK && record_of(answer, &r) &&
        r.version == p->sent_version)
        schedule_name_taken(x);
    else if (++p->tries == TRIES_MAX) exchange_refuse(x, CODE_CONFLICT, NULL);
    else plan_read(x, answer);
}

static void plan_sent(struct exchange *x, const struct message *answer) {
    const struct plan *p = x->state;
    struct schedule_record r;
    enum code code = exchange_code(answer);
    if (code == CODE_OK && !record_of(answer, &r)) code = CODE_INTERNAL_ERROR;
    if (code == CODE_OK) p->done(x, &r);
    else if (code == CODE_CONFLICT && p->sent_version == 0)
        (p->taken != NULL ? p->taken : schedule_name_taken)(x);
    else if (code == CODE_CONFLICT) plan_say(x, SCHEDULE_READ, plan_read_again);
    else refuse(x, code, code == CODE_NOT_FOUND ? (struct slice){0} : answer->answer.body);
}

void plan_send(struct exchange *x, struct schedule_ref *ref, plan_found *done) {
    struct plan *p = x->state;
    p->done = done;
    p->sent_version = ref->op == SCHEDULE_CHANGE ? ref->record.version : 0;
    ref->id = p->id;
    ref->record.kind = p->kind;
    ref->record.brand = x->who.brand;
    const struct message m = {.verb = VERB_SCHEDULE, .schedule = *ref};
    exchange_try(x, &m, plan_sent);
}

static void removed(struct exchange *x, const struct schedule_record *r) {
    (void)r;
    exchange_answer(x, x->route->status);
}

static void removing(struct exchange *x, const struct schedule_record *r) {
    struct schedule_ref ref = {.op = SCHEDULE_REMOVE};
    (void)r;
    plan_send(x, &ref, removed);
}

bool plan_remove(struct exchange *x, uint8_t kind) {
    return plan_open(x, kind, removing);
}

void schedule_locate(struct exchange *x, const char *path, uint64_t id) {
    exchange_set(x, "Location", exchange_print(x, "/tasks/scheduled/%s/%llu/", path,
                                               (unsigned long long)id));
}

/* ---- a POST that is repeated ---- */

const char *once_key(struct exchange *x) {
    const char *key = exchange_header(x, "Idempotency-Key");
    return key == NULL ? NULL : hash_hex(x, key, strlen(key));
}

const char *once_body(struct exchange *x) { return hash_hex(x, x->body.data, x->body.len); }

bool once_good(struct exchange *x) {
    const char *key = exchange_header(x, "Idempotency-Key");
    return key == NULL || (*key != '\0' && strlen(key) <= ONCE_KEY_MAX) ||
           exchange_refuse(x, CODE_VALIDATION_ERROR, "Idempotency-Key takes 1 to 255 bytes.");
}

/* ---- all ---- */

bool plan_list(struct exchange *x, struct message *m, const struct page_list *list) {
    m->question = (struct question){.kind = slice_text("schedules"), .brand = x->who.brand,
                                    .priority = -1, .dialect = -1};
    return page_read(x, list, &m->question);
}

struct walking { struct schedule_walk walk; void *before; uint32_t pages; };

void schedule_predicate(struct buffer *b, const char *field, const char *op, const char *value) {
    encode_array(b, 3);
    encode_text(b, slice_text(field));
    encode_text(b, slice_text(op));
    encode_text(b, slice_text(value));
}

static void walk_on(struct exchange *x, struct slice cursor);

static void walk_page(struct exchange *x, const struct message *answer) {
    struct walking *w = x->state;
    struct schedule_record r;
    uint32_t at = 0;
    x->state = w->before;
    while (schedule_row_next(answer->rows.rows, &at, &r)) w->walk.row(x, w->walk.own, &r);
    if (answer->rows.next.len == 0 || ++w->pages == WALK_PAGES_MAX) {
        w->walk.end(x, w->walk.own);
        return;
    }
    x->state = w;
    walk_on(x, answer->rows.next);
}

static void walk_on(struct exchange *x, struct slice cursor) {
    const struct walking *w = x->state;
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){
        .kind = slice_text("schedules"), .brand = x->who.brand, .priority = -1, .dialect = -1,
        .limit = WALK_PAGE, .cursor = cursor, .filter = w->walk.filter};
    exchange_send(x, &m, walk_page);
}

void schedule_walk(struct exchange *x, const struct schedule_walk *walk) {
    struct walking *w = exchange_alloc(x, sizeof *w);
    struct buffer filter = {0};
    *w = (struct walking){.walk = *walk, .before = x->state};
    encode_array(&filter, walk->filter_count + 1);
    schedule_predicate(&filter, "kind", "eq", walk->kind == SCHEDULE_CRONJOB ? "2" : "1");
    buffer_append(&filter, walk->filter.data, walk->filter.len);
    w->walk.filter = exchange_copy(x, buffer_slice(&filter));
    buffer_free(&filter);
    x->state = w;
    walk_on(x, (struct slice){0});
}
