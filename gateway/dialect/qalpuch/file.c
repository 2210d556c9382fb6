/* file.c - uploads and stored files. A file may be known to a caller in three ways: as an object
 * (its owner, an admin), as the source of a task (the worker that holds it: it reads the task's
 * own copy), and as the result of a task. */
#include "gateway/dialect/qalpuch/file.h"
#include "gateway/account.h"
#include "gateway/dialect/output.h"
#include "gateway/dialect/qalpuch/qalpuch.h"
#include "gateway/dialect/spell.h"
#include "proto/base/utf8.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { HASH = 32, HELD_ROWS_MAX = 100 };

/* ---- the object ---- */

struct finding { file_then *then; void *before; };

static void found(struct exchange *x, const struct message *answer) {
    struct finding *f = x->state;
    struct object_row row;
    enum code code = exchange_code(answer);
    x->state = f->before;
    if (code == CODE_OK && object_row_read(answer->answer.body, &row) && row.file != 0) {
        f->then(x, &row);
        return;
    }
    exchange_refuse(x, code == CODE_OK || code == CODE_NOT_FOUND ? CODE_NOT_FOUND : code,
                    "there is no such file");
}

void file_find(struct exchange *x, struct slice cuid, file_then *then) {
    struct finding *f = exchange_alloc(x, sizeof *f);
    if (!qalpuch_one_brand(x)) return;
    *f = (struct finding){then, x->state};
    x->state = f;
    struct message m = {.verb = VERB_FETCH,
                        .object = {.kind = slice_text("file"), .name = cuid,
                                   .brand = x->who.brand}};
    exchange_try_as(x, &account_house, &m, found);
}

/* The name that people gave it stands in the body. */
struct slice file_name(struct exchange *x, const struct object_row *row) {
    json_t *body = json_of(row->body);
    const json_t *name = json_object_get(body, "filename");
    struct slice text = row->file_name;
    if (json_is_string(name))
        text = exchange_copy(x, slice_of(json_string_value(name), json_string_length(name)));
    json_decref(body);
    return text;
}

static struct slice body_make(struct exchange *x, struct slice name) {
    struct out o = {0};
    out_object(&o);
    out_key(&o, "filename");
    out_text(&o, name);
    out_object_end(&o);
    struct slice body = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return body;
}

/* ---- the File JSON ---- */

struct shown {
    struct slice id, name, mime, hash; /* hash: 32 bytes or none */
    uint64_t size;
    int64_t created_ms, updated_ms;
};

static void shown_write(struct exchange *x, const struct shown *s) {
    struct out *o = &x->out;
    char hash[2 * HASH + 1];
    out_object(o);
    out_key(o, "id");
    out_text(o, s->id);
    out_key(o, "filename");
    out_text(o, s->name);
    out_key(o, "path");
    out_string(o, exchange_print(x, "/api/v1/files/%.*s/download", (int)s->id.len,
                                 (const char *)s->id.data));
    out_key(o, "size");
    out_unsigned(o, s->size);
    out_key(o, "mimeType");
    out_text(o, s->mime);
    out_key(o, "mime_type");
    out_text(o, s->mime);
    out_key(o, "hash");
    if (s->hash.len == HASH) out_string(o, sodium_bin2hex(hash, sizeof hash, s->hash.data, HASH));
    else out_null(o);
    out_times(o, s->created_ms, s->updated_ms);
    out_object_end(o);
}

static void row_write(struct exchange *x, const struct object_row *row) {
    struct shown s = {.id = row->name,
                      .name = file_name(x, row),
                      .mime = row->file_mime,
                      .hash = row->file_hash,
                      .size = row->file_size,
                      .created_ms = row->created_ms,
                      .updated_ms = row->updated_ms};
    shown_write(x, &s);
}

static void file_answer(struct exchange *x, const struct object_row *row, const char *message) {
    qalpuch_open(x, message);
    row_write(x, row);
    qalpuch_close(x);
}

/* ---- upload ---- */

struct uploading {
    const struct upload *file;
    struct slice name;
    const char *key; /* NULL = none */
    bool put;        /* the PUT was sent */
};

/* Only one file is taken, and only under its name. */
bool file_upload_part(struct exchange *x, const struct form_part *part) {
    if (part->file_name == NULL) return true;
    if (strcmp(part->name, "file") == 0 && x->upload_count == 0) return true;
    return exchange_refuse(x, CODE_VALIDATION_ERROR, "one file is expected, in the part `file`");
}

static void upload_put(struct exchange *x);

/* What was uploaded under this key before is the answer; two at once meet at the PUT. */
static void uploaded_before(struct exchange *x, const struct message *answer) {
    struct uploading *u = x->state;
    struct object_row row;
    enum code code = exchange_code(answer);
    if (code == CODE_NOT_FOUND && !u->put) {
        upload_put(x);
    } else if (code != CODE_OK || !object_row_read(answer->answer.body, &row)) {
        exchange_refuse(x, code != CODE_OK ? code : CODE_INTERNAL_ERROR, NULL);
    } else if (slice_equal(row.file_hash, slice_of(u->file->hash, HASH))) {
        file_answer(x, &row, "File uploaded successfully");
    } else {
        exchange_refuse(x, CODE_IDEMPOTENCY_CONFLICT, NULL);
    }
}

static void upload_look(struct exchange *x) {
    const struct uploading *u = x->state;
    struct message m = {.verb = VERB_FETCH,
                        .object = {.kind = slice_text("file"), .name = slice_text(u->key),
                                   .brand = x->who.brand}};
    exchange_try_as(x, &account_house, &m, uploaded_before);
}

static void uploaded(struct exchange *x, const struct message *answer) {
    const struct uploading *u = x->state;
    struct object_row row;
    enum code code = exchange_code(answer);
    if (code == CODE_CONFLICT && u->key != NULL)
        upload_look(x);
    else if (code != CODE_OK || !object_row_read(answer->answer.body, &row))
        exchange_refuse(x, code != CODE_OK ? code : CODE_INTERNAL_ERROR, NULL);
    else
        file_answer(x, &row, "File uploaded successfully");
}

static void upload_put(struct exchange *x) {
    struct uploading *u = x->state;
    struct buffer keys = {0};
    if (u->key != NULL) text_put(&keys, slice_text(u->key));
    struct message m = {
        .verb = VERB_PUT,
        .object = {.kind = slice_text("file"), .name = slice_text(cuid_new(x)),
                   .body = body_make(x, u->name), .mode = PUT_CREATE, .brand = x->who.brand,
                   .options = {.owner = slice_text(x->who.name), .file = u->file->file,
                               .file_size = u->file->size, .file_name = u->name,
                               .file_mime = slice_text(u->file->mime),
                               .file_hash = slice_of(u->file->hash, HASH),
                               .key_count = u->key != NULL,
                               .keys = exchange_copy(x, buffer_slice(&keys))}}};
    m.object.options.file_mime.len = utf8_cut(m.object.options.file_mime, QALPUCH_NAME_MAX);
    buffer_free(&keys);
    u->put = true;
    exchange_try_as(x, &account_house, &m, uploaded);
}

bool file_upload_read(struct exchange *x, struct message *m) {
    struct slice name = exchange_field(x, "name");
    struct uploading *u = exchange_alloc(x, sizeof *u);
    (void)m;
    u->file = exchange_upload(x, "file");
    u->key = qalpuch_once(x);
    if (u->file == NULL) return exchange_refuse(x, CODE_VALIDATION_ERROR, "No file uploaded");
    if (!utf8_valid(name)) field_refuse(&x->errors, "name", "UTF-8 is expected.");
    if (!qalpuch_one_brand(x)) return false;
    if (name.len == 0) name = slice_text(u->file->file_name);
    name.len = utf8_cut(name, QALPUCH_NAME_MAX);
    u->name = name;
    x->state = u;
    if (u->key != NULL) upload_look(x);
    else upload_put(x);
    return false;
}

/* ---- list ---- */

bool file_list_read(struct exchange *x, struct message *m) {
    struct qalpuch_page *page = exchange_alloc(x, sizeof *page);
    if (!qalpuch_page_read(x, &m->question, page)) return false;
    m->question.kind = slice_text("objects");
    m->question.object = slice_text("file");
    if (x->who.role != ROLE_ADMIN) m->question.owner = slice_text(x->who.name);
    x->state = page;
    return true;
}

void file_list_write(struct exchange *x, const struct message *answer) {
    struct object_row row;
    uint32_t at = 0;
    qalpuch_page_headers(x, x->state, &answer->rows);
    qalpuch_open(x, "Files retrieved successfully");
    out_list(&x->out);
    while (object_row_next(answer->rows.rows, &at, &row)) row_write(x, &row);
    out_list_end(&x->out);
    qalpuch_close(x);
}

/* ---- reading: detail and download ---- */

static bool is_download(const struct exchange *x) { return x->route->read == file_download_read; }

static bool file_owned(struct exchange *x, const struct object_row *row, enum code foreign) {
    if (x->who.role == ROLE_ADMIN || slice_equal(row->owner, slice_text(x->who.name))) return true;
    return exchange_refuse(x, foreign, foreign == CODE_FORBIDDEN ? "this file is not yours"
                                                                 : "there is no such file");
}

static void object_answer(struct exchange *x, const struct object_row *row) {
    if (!file_owned(x, row, CODE_FORBIDDEN)) return;
    if (!is_download(x)) {
        file_answer(x, row, "File retrieved successfully");
        return;
    }
    struct file_answer file = {.file = row->file, .size = row->file_size,
                               .name = file_name(x, row), .mime = row->file_mime,
                               .hash = row->file_hash, .attachment = true};
    exchange_file(x, &file);
}

static void result_answer(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    bool mine = slice_equal(v->result.worker, slice_text(x->who.name));
    if (x->who.role != ROLE_WORKER) {
        if (!qalpuch_owned(x, v, CODE_FORBIDDEN)) return;
    } else if (!mine) {
        exchange_refuse(x, CODE_FORBIDDEN, "this file is not yours");
        return;
    }
    if (!result_ready(v)) {
        exchange_refuse(x, CODE_NOT_FOUND, "there is no such file");
    } else if (is_download(x)) {
        output_answer(x, v);
    } else {
        qalpuch_open(x, "File retrieved successfully");
        result_file_write(x, v);
        qalpuch_close(x);
    }
}

/* ---- a worker reads the source of a task it holds ---- */

struct sourcing { uint64_t task; };

static void source_answer(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    struct qalpuch_extra extra;
    qalpuch_extra_read(x, v->body.extra, &extra);
    if (!qalpuch_holds(x, v) || v->body.source_file == 0) {
        exchange_refuse(x, CODE_FORBIDDEN, "this file is not yours");
        return;
    }
    struct shown s = {.id = extra.file, .name = v->source_name, .mime = v->source_mime,
                      .hash = extra.hash, .size = v->source_size,
                      .created_ms = v->head.created_ms, .updated_ms = v->head.created_ms};
    struct file_answer file = {.file = v->body.source_file, .size = v->source_size,
                               .name = v->source_name, .mime = v->source_mime,
                               .hash = extra.hash, .attachment = true};
    if (is_download(x)) {
        exchange_file(x, &file);
        return;
    }
    qalpuch_open(x, "File retrieved successfully");
    shown_write(x, &s);
    qalpuch_close(x);
}

static void source_get(struct exchange *x, const struct message *answer) {
    const struct sourcing *s = x->state;
    (void)answer;
    struct message m = {.verb = VERB_GET, .ref = {.id = s->task, .want = WANT_BODY}};
    exchange_send(x, &m, source_answer);
}

/* The tasks among the rows that were made of this file: the first one's number; 0 = none. */
static uint64_t task_of(struct exchange *x, const struct rows *rows, struct slice cuid) {
    struct frame frame = {0};
    struct message row;
    uint32_t at = 0;
    uint64_t id = 0;
    while (id == 0 && row_next(&frame, rows->rows, &at, &row)) {
        struct qalpuch_extra extra;
        qalpuch_extra_read(x, row.view.body.extra, &extra);
        if (row.view.head.dialect == QALPUCH_NUMBER && slice_equal(extra.file, cuid))
            id = row.view.head.id;
    }
    frame_free(&frame);
    return id;
}

/* The first byte that a worker reads of its source starts the work. */
static void source_go_on(struct exchange *x, const struct message *answer) {
    struct sourcing *s = exchange_alloc(x, sizeof *s);
    s->task = task_of(x, &answer->rows, exchange_param(x, "cuid"));
    if (s->task == 0) {
        exchange_refuse(x, CODE_FORBIDDEN, "this file is not of a task that you hold");
        return;
    }
    x->state = s;
    struct message m = {.verb = VERB_START, .report = {.task = s->task, .percent = -1}};
    if (is_download(x)) exchange_send(x, &m, source_get);
    else source_get(x, answer);
}

/* Tasks of this brand that were made of the file, by its name in what the dialect keeps of each. */
static void tasks_ask(struct exchange *x, struct slice cuid, uint32_t statuses,
                      struct slice worker, exchange_then *then) {
    struct message m = {.verb = VERB_ASK,
                        .question = {.kind = slice_text("tasks"), .search = cuid,
                                     .worker = worker, .status_mask = statuses,
                                     .brand = x->who.brand, .priority = -1,
                                     .dialect = QALPUCH_NUMBER, .limit = HELD_ROWS_MAX,
                                     .want = WANT_BODY}};
    exchange_send_as(x, &account_house, &m, then);
}

static bool file_read(struct exchange *x) {
    struct slice cuid;
    uint64_t task;
    if (!qalpuch_cuid(x, &cuid)) return false;
    if (spell_result_read(x, cuid, &task)) {
        struct message m = {.verb = VERB_GET,
                            .ref = {.id = task, .want = WANT_BODY | WANT_RESULT}};
        exchange_send(x, &m, result_answer);
    } else if (x->who.role == ROLE_WORKER) {
        tasks_ask(x, cuid, 1 << STATUS_DELIVERED | 1 << STATUS_RUNNING, slice_text(x->who.name),
                  source_go_on);
    } else {
        file_find(x, cuid, object_answer);
    }
    return false;
}

bool file_detail_read(struct exchange *x, struct message *m) {
    (void)m;
    return file_read(x);
}

bool file_download_read(struct exchange *x, struct message *m) {
    (void)m;
    return file_read(x);
}

/* ---- changing ---- */

static void renamed(struct exchange *x, const struct message *answer) {
    struct object_row row;
    if (object_row_read(answer->answer.body, &row))
        file_answer(x, &row, "File updated successfully");
    else exchange_refuse(x, CODE_INTERNAL_ERROR, NULL);
}

static void rename_go_on(struct exchange *x, const struct object_row *row) {
    const struct slice *name = x->state;
    if (!file_owned(x, row, CODE_NOT_FOUND)) return;
    struct message m = {.verb = VERB_PUT,
                        .object = {.kind = slice_text("file"), .name = row->name,
                                   .body = body_make(x, *name), .mode = PUT_REPLACE,
                                   .brand = x->who.brand}};
    exchange_send_as(x, &account_house, &m, renamed);
}

bool file_rename_read(struct exchange *x, struct message *m) {
    struct slice cuid, *name = exchange_alloc(x, sizeof *name);
    const char *member = member_find(x->json, "name") == NULL &&
                         member_find(x->json, "filename") != NULL ? "filename" : "name";
    (void)m;
    *name = member_text(x->json, member, REQUIRED, QALPUCH_NAME_MAX, &x->errors);
    if (!qalpuch_fields_good(x) || !qalpuch_cuid(x, &cuid)) return false;
    x->state = name;
    file_find(x, cuid, rename_go_on);
    return false;
}

/* ---- deleting ---- */

static void deleted(struct exchange *x, const struct message *answer) {
    (void)answer;
    qalpuch_open(x, "File deleted successfully");
    out_object(&x->out);
    out_key(&x->out, "id");
    out_text(&x->out, exchange_param(x, "cuid"));
    out_object_end(&x->out);
    qalpuch_close(x);
}

/* Where the broker stopped looking, a task may have been missed: the file stays. */
static void delete_check(struct exchange *x, const struct message *answer) {
    struct slice cuid = exchange_param(x, "cuid");
    if (task_of(x, &answer->rows, cuid) != 0 || answer->rows.incomplete) {
        exchange_refuse(x, CODE_CONFLICT, "an unfinished task uses this file");
        return;
    }
    struct message m = {.verb = VERB_DROP,
                        .object = {.kind = slice_text("file"), .name = cuid,
                                   .brand = x->who.brand}};
    exchange_send_as(x, &account_house, &m, deleted);
}

static void delete_go_on(struct exchange *x, const struct object_row *row) {
    if (!file_owned(x, row, CODE_NOT_FOUND)) return;
    tasks_ask(x, row->name, (1 << STATUS_COMPLETED) - 2, (struct slice){0}, delete_check);
}

bool file_delete_read(struct exchange *x, struct message *m) {
    struct slice cuid;
    (void)m;
    if (qalpuch_cuid(x, &cuid)) file_find(x, cuid, delete_go_on);
    return false;
}
