/* job_edit.c - a job's members and its object; see job.h. */
#include "gateway/account.h"
#include "gateway/dialect/megahub/job.h"
#include <stdlib.h>

enum { EDIT_TRIES = 8, REMOVE_PAGE = 100 };

/* ---- members ---- */

static void text_set(json_t *fields, const char *name, struct slice text) {
    json_object_set_new(fields, name, json_stringn((const char *)text.data, text.len));
}

static void fields_take_out(json_t *fields) {
    static const char *const names[] = {"job", "job_step", "job_from", "job_total", "job_done",
                                        "job_percent", "job_resume", "job_made_ms",
                                        "job_changed_ms"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) json_object_del(fields, names[i]);
}

static void percent_set(json_t *fields) {
    const int64_t total = json_integer_value(json_object_get(fields, "job_total"));
    const int64_t done = json_integer_value(json_object_get(fields, "job_done"));
    json_object_set_new(fields, "job_percent",
                        json_integer(total <= 0 ? 0 : done >= total ? 100 : 100 * done / total));
}

static void fields_change(json_t *fields, const struct job_edit *e, int64_t now_ms) {
    if (e->set & JOB_NEW) {
        json_object_set_new(fields, "job", json_integer(1));
        json_object_set_new(fields, "job_made_ms", json_integer(now_ms));
    }
    if (e->set & JOB_STEP) text_set(fields, "job_step", e->step);
    if (e->set & JOB_FROM) text_set(fields, "job_from", e->from);
    if (e->set & JOB_TOTAL) json_object_set_new(fields, "job_total", json_integer(e->total));
    if (e->set & JOB_DONE) json_object_set_new(fields, "job_done", json_integer(e->done));
    if (e->set & JOB_RESUME)
        json_object_set_new(fields, "job_resume", json_integer(e->can_resume));
    json_object_set_new(fields, "job_changed_ms", json_integer(now_ms));
    percent_set(fields);
    if (e->set & JOB_GONE) fields_take_out(fields);
}

static void edit_end(struct exchange *x, enum code code) {
    struct job_edit *e = x->state;
    x->state = e->state;
    e->then(x, e, code);
}

static void edit_look(struct exchange *x);

static void edited(struct exchange *x, const struct message *answer) {
    struct job_edit *e = x->state;
    const enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT && ++e->tries < EDIT_TRIES) edit_look(x);
    else edit_end(x, code);
}

static void looked(struct exchange *x, const struct message *answer) {
    struct job_edit *e = x->state;
    const struct view *v = &answer->view;
    if (exchange_code(answer) != CODE_OK) {
        edit_end(x, exchange_code(answer));
        return;
    }
    json_t *fields = megahub_extra(v->body.extra);
    const bool job = json_object_get(fields, "job") != NULL;
    if (job == ((e->set & JOB_NEW) != 0)) {
        json_decref(fields);
        edit_end(x, job ? CODE_CONFLICT : CODE_UNKNOWN_TASK);
        return;
    }
    if (fields == NULL) { /* a native client's bytes: there is no room beside them */
        edit_end(x, CODE_INVALID_STATE);
        return;
    }
    fields_change(fields, e, x->wall_ms);
    char *text = json_dumps(fields, JSON_COMPACT);
    json_decref(fields);
    struct message m = {.verb = VERB_UPDATE, .ref = {.id = e->task}};
    m.ref.options.set = SET_EXTRA | SET_VERSION;
    m.ref.options.version = v->head.version;
    m.ref.options.extra = exchange_copy(x, slice_text(text != NULL ? text : "{}"));
    free(text);
    const struct who who = job_house(x);
    exchange_try_as(x, &who, &m, edited);
}

static void edit_look(struct exchange *x) {
    const struct job_edit *e = x->state;
    const struct who who = job_house(x);
    const struct message m = {.verb = VERB_GET, .ref = {.id = e->task, .want = WANT_BODY}};
    exchange_try_as(x, &who, &m, looked);
}

void job_edit(struct exchange *x, struct job_edit *e) {
    e->state = x->state;
    e->tries = 0;
    x->state = e;
    edit_look(x);
}

/* ---- the object ---- */

static struct message object_message(struct exchange *x, enum verb verb, uint64_t task,
                                     uint32_t brand) {
    struct message m = {.verb = verb};
    m.object.kind = slice_text("job");
    m.object.name = slice_text(exchange_print(x, "%llu", (unsigned long long)task));
    m.object.brand = brand;
    return m;
}

void job_put(struct exchange *x, uint64_t task, uint32_t brand, struct slice data,
             struct slice state, exchange_then *then) {
    const struct who who = job_house(x);
    struct message m = object_message(x, VERB_PUT, task, brand);
    struct out body = {0};
    out_object(&body);
    out_key(&body, "job_data");
    out_raw(&body, data.len > 0 ? data : slice_text("{}"));
    out_key(&body, "state");
    out_raw(&body, state.len > 0 ? state : slice_text("{}"));
    out_object_end(&body);
    m.object.mode = PUT_EITHER;
    m.object.body = exchange_copy(x, buffer_slice(&body.body));
    buffer_free(&body.body);
    exchange_try_as(x, &who, &m, then);
}

/* ---- removal: checkpoints page by page, the object, the members ---- */

static void remove_page(struct exchange *x);

static void remove_end(struct exchange *x, enum code code) {
    struct job_removal *r = x->state;
    x->state = r->state;
    r->then(x, r, code);
}

static void members_gone(struct exchange *x, struct job_edit *e, enum code code) {
    (void)e;
    remove_end(x, code);
}

static void object_gone(struct exchange *x, const struct message *answer) {
    struct job_removal *r = x->state;
    const enum code code = exchange_code(answer);
    if (code != CODE_OK && code != CODE_NOT_FOUND) {
        remove_end(x, code);
        return;
    }
    struct object_row row;
    if (code == CODE_OK && object_row_read(answer->answer.body, &row)) r->bytes += row.body.len;
    r->edit = (struct job_edit){.task = r->task, .set = JOB_GONE, .then = members_gone};
    job_edit(x, &r->edit);
}

static void point_gone(struct exchange *x, const struct message *answer) {
    struct job_removal *r = x->state;
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) r->checkpoints++;
    else if (code != CODE_NOT_FOUND) r->code = code;
    if (--r->left > 0) return;
    if (r->code == CODE_OK) remove_page(x);
    else remove_end(x, r->code);
}

static void page_arrived(struct exchange *x, const struct message *answer) {
    struct job_removal *r = x->state;
    const struct who who = job_house(x);
    struct checkpoint_record c;
    uint32_t at = 0, seqs[REMOVE_PAGE], count = 0;
    if (exchange_code(answer) != CODE_OK) {
        remove_end(x, exchange_code(answer));
        return;
    }
    while (count < REMOVE_PAGE && checkpoint_row_next(answer->rows.rows, &at, &c)) {
        r->bytes += c.size;
        seqs[count++] = c.seq;
    }
    if (count == 0) {
        if (r->keep_job) {
            remove_end(x, CODE_OK);
            return;
        }
        const struct message m = object_message(x, VERB_DROP, r->task, r->brand);
        exchange_try_as(x, &who, &m, object_gone);
        return;
    }
    r->left = count;
    for (uint32_t i = 0; i < count; i++) {
        const struct message m = {.verb = VERB_CHECKPOINT_DROP,
                                  .checkpoint = {.task = r->task, .seq = seqs[i]}};
        exchange_try_as(x, &who, &m, point_gone);
    }
}

static void remove_page(struct exchange *x) {
    const struct job_removal *r = x->state;
    const struct who who = job_house(x);
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){.kind = slice_text("checkpoints"), .id = r->task,
                                   .brand = r->brand, .priority = -1, .dialect = -1,
                                   .limit = REMOVE_PAGE};
    exchange_try_as(x, &who, &m, page_arrived);
}

void job_remove(struct exchange *x, struct job_removal *r) {
    r->state = x->state;
    r->code = CODE_OK;
    x->state = r;
    remove_page(x);
}
