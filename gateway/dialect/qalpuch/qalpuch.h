/* qalpuch.h - dialect 000, work on files (base /api/v1, also /v1): what its files share.
 *
 * qalpuch.c  the table, the envelope and the words
 * view.c     the Task JSON
 * create.c   a task is made
 * task.c     read, list, cancel, retry and delete tasks
 * result.c   a task's result as a file
 * work.c     the worker side of a task: pending, status, result
 * agent.c    workers as an administrator sees them
 * retire.c   the end of a worker
 * enrol.c    how a worker gets its tokens, and its heartbeat
 * file.c     uploads and stored files
 * preset.c   predefined tasks
 * account.c  accounts
 *
 * A task of this dialect lies in the queue named by config.type, or `default`, and its type is the
 * same word. It carries the label QALPUCH_LABEL, by which a worker of this dialect takes from
 * every queue what is of this dialect and nothing else. The payload is the config: the object as
 * it was sent, or the text that a string config holds, so that a native worker reads the same in
 * both cases. What only this dialect knows travels in `extra`, a JSON object: "file" (the source
 * file's cuid) and "sha256" of it, "text" (config was a string), "preset" (the predefined task's
 * cuid).
 *
 * Ids: a task's cuid is its number spelled with the installation's key, its result's likewise in a
 * domain of its own; workers, files and predefined tasks have random cuids, which are the names of
 * their objects. */
#ifndef RELAIS_GATEWAY_DIALECT_QALPUCH_QALPUCH_H
#define RELAIS_GATEWAY_DIALECT_QALPUCH_QALPUCH_H
#include "gateway/dialect/number.h"
#include "gateway/exchange.h"
#include "gateway/route.h"
#include "proto/id.h"

enum {
    QALPUCH_NAME_MAX = 128,    /* bytes of a name */
    QALPUCH_MESSAGE_MAX = 4096,
    QALPUCH_CAPABILITIES_MAX = 16,
    QALPUCH_HELD_MAX = 16,     /* tasks that a worker holds at once */
    QALPUCH_KEY_MAX = 255,     /* bytes of an Idempotency-Key */
    QALPUCH_HASH_SIZE = 65     /* of a hash's text, terminator included */
};
#define QALPUCH_LABEL "dialect=000"
#define QALPUCH_QUEUE "default"

/* ---- qalpuch.c ---- */

/* {"success":true,"message":TEXT,"data": and after one value the rest; this ends the exchange with
 * the route's status. */
void qalpuch_open(struct exchange *x, const char *message);
void qalpuch_close(struct exchange *x);
/* The whole answer, whose data holds what `members` writes twice: as it is and under "data" again,
 * for clients that unwrap one envelope too many (option nested_answers). */
void qalpuch_twice(struct exchange *x, const char *message, void (*members)(struct exchange *x));
/* False, with the exchange ended, when a field was found wrong. */
bool qalpuch_fields_good(struct exchange *x);
/* The same, and an admin of all brands must have chosen one. */
bool qalpuch_one_brand(struct exchange *x);
void qalpuch_fail(struct exchange *x, enum code code, const char *text);
/* 64 hex digits: a keyed hash of texts, for what may be known but not guessed. */
void qalpuch_hash(const struct exchange *x, const char *use, struct slice a, struct slice b,
                  char ret[QALPUCH_HASH_SIZE]);
/* The request's Idempotency-Key as a key of an object: of this caller and this route alone. NULL =
 * none was sent; a bad one is noted. */
const char *qalpuch_once(struct exchange *x);
/* A random cuid. */
const char *cuid_new(struct exchange *x);
/* True when the text has a cuid's form. */
bool cuid_form(struct slice text);
/* createdAt and updatedAt, in both spellings. */
void out_times(struct out *o, int64_t created_ms, int64_t updated_ms);
/* The text of the path's {cuid}; refuses as not found when it cannot be one. */
bool qalpuch_cuid(struct exchange *x, struct slice *ret_text);
/* The number of the task under {cuid}; else refuses as not found. */
bool qalpuch_task_id(struct exchange *x, uint64_t *ret_id);

struct qalpuch_page { uint32_t number, size; };
/* ?page and ?limit into offset and limit of the question, newest first, with a count; false when
 * they are refused. */
bool qalpuch_page_read(struct exchange *x, struct question *q, struct qalpuch_page *ret_page);
/* X-Total-Count and Link. */
void qalpuch_page_headers(struct exchange *x, const struct qalpuch_page *page,
                          const struct rows *rows);

/* ---- view.c ---- */

struct qalpuch_extra {
    struct slice file, preset, hash; /* hash: of the source, 32 bytes or none */
    bool text;
};
void qalpuch_extra_read(struct exchange *x, struct slice extra, struct qalpuch_extra *ret);
/* Writes the Task object of a VIEW with body, result and log. */
void qalpuch_task_write(struct exchange *x, struct out *o, const struct view *v);
/* Asks for the Task JSON of each row of an ASK; one that went meanwhile is left out. */
typedef void tasks_then(struct exchange *x, const struct slice *list, uint32_t count);
void qalpuch_tasks_load(struct exchange *x, const struct rows *rows, tasks_then *then);
/* Answers with the Task of this id, whose VIEW is asked for here. A task that is no longer kept
 * is answered with its id and `gone` as its status. */
void qalpuch_task_answer(struct exchange *x, uint64_t id, const char *message, const char *gone);

/* ---- who may see a task; all end the exchange with a refusal otherwise ---- */

/* The VIEW is a task of this dialect, and the caller is its owner or an admin; a foreign one of
 * the same brand is `foreign`: FORBIDDEN or NOT_FOUND. */
bool qalpuch_owned(struct exchange *x, const struct view *v, enum code foreign);
/* The caller, a worker, holds the task now. */
bool qalpuch_holds(const struct exchange *x, const struct view *v);

/* ---- result.c ---- */

/* True when the task has a result that can be read. */
bool result_ready(const struct view *v);
/* The members of the File that is a task's result. */
void result_file_write(struct exchange *x, const struct view *v);

/* ---- routes ---- */

bool qalpuch_create_read(struct exchange *x, struct message *m);
bool qalpuch_list_read(struct exchange *x, struct message *m);
void qalpuch_list_write(struct exchange *x, const struct message *answer);
bool qalpuch_detail_read(struct exchange *x, struct message *m);
bool qalpuch_cancel_read(struct exchange *x, struct message *m);
bool qalpuch_retry_read(struct exchange *x, struct message *m);
bool qalpuch_delete_read(struct exchange *x, struct message *m);
bool qalpuch_result_read(struct exchange *x, struct message *m);
bool work_pending_read(struct exchange *x, struct message *m);
bool work_patch_read(struct exchange *x, struct message *m);
void work_result_begin(struct exchange *x);
bool work_result_read(struct exchange *x, struct message *m);
bool agent_create_read(struct exchange *x, struct message *m);
bool agent_list_read(struct exchange *x, struct message *m);
bool agent_detail_read(struct exchange *x, struct message *m);
bool agent_delete_read(struct exchange *x, struct message *m);
bool agent_token_read(struct exchange *x, struct message *m);
bool enrol_register_read(struct exchange *x, struct message *m);
bool enrol_refresh_read(struct exchange *x, struct message *m);
bool enrol_heartbeat_read(struct exchange *x, struct message *m);
bool file_upload_part(struct exchange *x, const struct form_part *part);
bool file_upload_read(struct exchange *x, struct message *m);
bool file_list_read(struct exchange *x, struct message *m);
void file_list_write(struct exchange *x, const struct message *answer);
bool file_detail_read(struct exchange *x, struct message *m);
bool file_download_read(struct exchange *x, struct message *m);
bool file_rename_read(struct exchange *x, struct message *m);
bool file_delete_read(struct exchange *x, struct message *m);
bool preset_create_read(struct exchange *x, struct message *m);
bool preset_list_read(struct exchange *x, struct message *m);
void preset_list_write(struct exchange *x, const struct message *answer);
bool preset_detail_read(struct exchange *x, struct message *m);
bool preset_update_read(struct exchange *x, struct message *m);
bool preset_delete_read(struct exchange *x, struct message *m);

extern const struct dialect qalpuch;
#endif
