#include "gateway/dialect/speech/speech.h"
#include "gateway/dialect/outcode.h"
#include "gateway/dialect/spell.h"
#include "gateway/guard.h"
#include <string.h>

enum {
    CLIENT_GUARD = GUARD_USER | GUARD_SERVICE | GUARD_ADMIN,
    EVENTS_GUARD = CLIENT_GUARD | GUARD_QUERY,
    SOCKET_GUARD = GUARD_OPEN | GUARD_QUERY, /* who may not is told by a close code */
    REPORT_BYTES_MAX = 4 << 20, CREATE_BYTES_MAX = 64 << 10
};

/* What every mode has, under one of its two spellings. */
#define JOB_ROUTES(base) \
    ROUTE(GET, NONE, base "/result", CLIENT_GUARD, 200, job_result_read, \
          "a job's state, and its transcription"), \
    ROUTE(GET, NONE, base "/events", EVENTS_GUARD, 200, events_read, \
          "the same as it changes, as server-sent events"), \
    ROUTE(DELETE, NONE, base "/cancel", CLIENT_GUARD, 200, job_cancel_read, "cancels a job"), \
    ROUTE(POST, JSON, base "/cancel", CLIENT_GUARD, 200, job_cancel_read, "the same"), \
    ROUTE(DELETE, NONE, base "/delete/{id}", CLIENT_GUARD, 200, job_cancel_read, "the same"), \
    ROUTE(GET, NONE, base "/delete/{id}", CLIENT_GUARD, 200, job_cancel_read, "the same"), \
    ROUTE(GET, NONE, base "/jobs", CLIENT_GUARD, 200, job_list_read, \
          "the brand's jobs, newest first", .verb = VERB_ASK, .write = job_list_write), \
    ROUTE(GET, NONE, base "/queue", CLIENT_GUARD, 200, job_queue_read, \
          "how many jobs wait and run", .verb = VERB_ASK, .write = job_queue_write), \
    ROUTE(POST, JSON, base "/claim", GUARD_WORKER, 200, job_claim_read, \
          "hands a job to the calling worker", .verb = VERB_CLAIM, .write = job_claim_write), \
    ROUTE(POST, JSON, base "/{id}/progress", GUARD_WORKER, 200, job_progress_read, \
          "says how far it is; renews the lease"), \
    ROUTE(POST, JSON, base "/{id}/checkpoint", GUARD_WORKER, 200, job_checkpoint_read, \
          "stores a resume point", .body_max = REPORT_BYTES_MAX), \
    ROUTE(POST, JSON, base "/{id}/complete", GUARD_WORKER, 200, job_complete_read, \
          "ends the job with its transcription", .body_max = REPORT_BYTES_MAX), \
    ROUTE(PUT, FILE, base "/{id}/result", GUARD_WORKER, 200, job_put_result_read, \
          "the same, the body being the result of any size"), \
    ROUTE(GET, NONE, base "/{id}/result", CLIENT_GUARD, 200, job_bytes_read, \
          "the result as the worker gave it"), \
    ROUTE(POST, JSON, base "/{id}/fail", GUARD_WORKER, 200, job_fail_read, \
          "ends the attempt in failure"), \
    ROUTE(GET, NONE, base "/{id}/audio", GUARD_WORKER, 200, job_audio_read, \
          "the recording; takes Range once it is whole")

/* Modes that take a whole recording. */
#define UPLOAD_ROUTES(base) \
    ROUTE(POST, FORM, base "/createJob", CLIENT_GUARD, 200, job_create_read, "takes a recording", \
          .verb = VERB_SUBMIT, .write = job_create_write, .part = job_create_part), \
    ROUTE(POST, FORM, base "/uploadAudio", CLIENT_GUARD, 200, job_create_read, "the same", \
          .verb = VERB_SUBMIT, .write = job_create_write, .part = job_create_part)

/* The mode that takes it as it is made. */
#define STREAM_ROUTES(base) \
    ROUTE(POST, BYTES, base "/createJob", CLIENT_GUARD, 200, recording_create_read, \
          "opens a job whose recording comes later", .body_max = CREATE_BYTES_MAX), \
    ROUTE(POST, BYTES, base "/{id}/audio", CLIENT_GUARD, 200, recording_append_read, \
          "adds a chunk to the recording", .body_max = RECORDING_CHUNK_MAX), \
    ROUTE(POST, NONE, base "/{id}/end", CLIENT_GUARD, 200, recording_end_read, \
          "ends the recording"), \
    ROUTE(GET, NONE, base "/stream", SOCKET_GUARD, 200, talk_read, \
          "WebSocket: sends the recording, hears the segments")

static const struct route routes[] = {
    UPLOAD_ROUTES("/api/batchTranscription"),
    JOB_ROUTES("/api/batchTranscription"),
    UPLOAD_ROUTES("/api/batch"),
    JOB_ROUTES("/api/batch"),
    STREAM_ROUTES("/api/streamingTranscription"),
    JOB_ROUTES("/api/streamingTranscription"),
    STREAM_ROUTES("/api/streaming"),
    JOB_ROUTES("/api/streaming"),
    UPLOAD_ROUTES("/api/diarizationTranscription"),
    JOB_ROUTES("/api/diarizationTranscription"),
    UPLOAD_ROUTES("/api/diarization"),
    JOB_ROUTES("/api/diarization"),
    ROUTE(GET, NONE, "/api/jobs/ws", SOCKET_GUARD, 200, board_read,
          "WebSocket: the states of jobs that are subscribed to"),
};

static const char *const prefixes[] = {
    "/api/batchTranscription", "/api/batch", "/api/streamingTranscription", "/api/streaming",
    "/api/diarizationTranscription", "/api/diarization", "/api/jobs", NULL};

/* ---- the envelope ---- */

void envelope_open(struct exchange *x) {
    out_object(&x->out);
    out_key(&x->out, "data");
    out_object(&x->out);
}

void envelope_close(struct exchange *x) {
    const char *word = exchange_option(x, "envelope_status");
    out_object_end(&x->out);
    out_key(&x->out, "status");
    out_string(&x->out, word != NULL ? word : "success");
    out_object_end(&x->out);
    exchange_answer(x, x->route->status);
}

static const char *sentence_of(const struct exchange *x, int status, const char *text) {
    switch (status) {
    case 401: return "Clé d'API ou jeton manquant ou invalide";
    case 403: return "Accès refusé";
    case 404:
        return x->cause == CAUSE_NO_SUCH_PATH ? "Cette adresse n'existe pas" : "Job introuvable";
    case 405: return "Méthode non autorisée";
    case 410: return "Le flux audio est terminé";
    case 413: return "Fichier ou requête trop volumineux";
    case 415: return "Type de contenu non pris en charge";
    case 426: return "Cette adresse ne répond qu'à des WebSockets";
    case 429: return "Trop de requêtes, réessayez plus tard";
    case 500: return "Erreur interne du serveur";
    case 503: return "Service indisponible, réessayez plus tard";
    case 507: return "Espace de stockage saturé, réessayez plus tard";
    default: return text;
    }
}

static const char *conflict_text(enum code code) {
    switch ((int)code) {
    case CODE_ATTEMPT_SUPERSEDED: return "Cette tentative ne détient plus le bail";
    case CODE_IDEMPOTENCY_CONFLICT:
        return "Cette clé d'idempotence a déjà servi pour une autre requête";
    case CODE_CONFLICT: return "Ce numéro ne suit pas le précédent";
    default: return "Le job est déjà terminé";
    }
}

/* What the getters noted becomes one sentence each; the message is all of them. */
static const char *fields_join(struct exchange *x, const char **list) {
    const char *all = "";
    for (uint32_t i = 0; i < x->errors.count; i++) {
        char text[160];
        const struct field_error *e = &x->errors.list[i];
        if (e->text == NULL) field_sentence(e, text, sizeof text);
        list[i] = e->text != NULL ? e->text : exchange_print(x, "%s: %s", e->name, text);
        all = i == 0 ? list[i] : exchange_print(x, "%s ; %s", all, list[i]);
    }
    return all;
}

/* A recording described in JSON is a mistake that the document itself invites (R-004-6). */
static bool json_for_form(const struct exchange *x, enum code code) {
    const char *type = exchange_header(x, "Content-Type");
    return code == CODE_UNSUPPORTED_MEDIA_TYPE && x->route != NULL &&
           x->route->body == BODY_FORM && type != NULL && strstr(type, "json") != NULL;
}

/* The broker tells a worker that never held the job from one that lost it; here both are the 409
 * of a lease. */
static bool never_held(const struct exchange *x, enum code code) {
    return code == CODE_FORBIDDEN && x->cause == CAUSE_NONE && x->route != NULL &&
           x->route->guard == GUARD_WORKER && x->param_count > 0;
}

void speech_fail(struct exchange *x, enum code code, const char *text) {
    const char *list[FIELD_ERRORS_MAX];
    if (never_held(x, code)) code = CODE_ATTEMPT_SUPERSEDED;
    if (json_for_form(x, code)) {
        code = CODE_VALIDATION_ERROR;
        text = "Aucun fichier audio fourni : envoyez audioFile en multipart/form-data "
               "(ni base64 ni URL)";
    }
    struct outcode plain = outcode_of(code);
    bool fields = plain.status == 400 && x->errors.count > 0;
    const char *message = fields ? fields_join(x, list)
                          : plain.status == 409 ? conflict_text(code)
                                                : sentence_of(x, plain.status, text);
    struct out *o = &x->out;
    if (plain.status == 401) exchange_set(x, "WWW-Authenticate", "Bearer");
    out_object(o);
    out_key(o, "status");
    out_string(o, "error");
    out_key(o, "message");
    out_string(o, message);
    out_key(o, "code");
    out_string(o, plain.name);
    if (fields) {
        out_key(o, "errors");
        out_list(o);
        for (uint32_t i = 0; i < x->errors.count; i++) out_string(o, list[i]);
        out_list_end(o);
    }
    out_object_end(o);
    exchange_answer(x, plain.status);
}

/* ---- words and ids ---- */

const char *job_state(uint8_t status) {
    switch ((enum status)status) {
    case STATUS_DELIVERED:
    case STATUS_RUNNING:
    case STATUS_PAUSED: return "PROCESSING";
    case STATUS_COMPLETED: return "COMPLETED";
    case STATUS_FAILED:
    case STATUS_CANCELLED: return "FAILED";
    case STATUS_NONE:
    case STATUS_SCHEDULED:
    case STATUS_QUEUED:
    case STATUS_COUNT: break;
    }
    return "PENDING";
}

void job_id_write(struct exchange *x, uint64_t id) {
    char text[JOB_UUID_SIZE];
    spell_job(x, id, text);
    out_key(&x->out, "job_uuid");
    out_string(&x->out, text);
    out_key(&x->out, "job_id");
    out_string(&x->out, text);
}

bool job_id_read(struct exchange *x, uint64_t *ret_id) {
    static const char *const names[] = {"job_uuid", "job_id", "uuid"};
    struct slice text = exchange_param(x, "id");
    for (int i = 0; i < 3 && text.data == NULL; i++) {
        const char *value = exchange_query(x, names[i]);
        if (value == NULL) value = json_string_value(json_object_get(x->json, names[i]));
        if (value != NULL && *value != '\0') text = slice_text(value);
    }
    if (text.data == NULL)
        return exchange_refuse(x, CODE_VALIDATION_ERROR, "Le paramètre job_uuid est requis");
    return spell_job_read(x, text, ret_id) || exchange_refuse(x, CODE_UNKNOWN_TASK, NULL);
}

bool job_visible(const struct exchange *x, const struct view *v) {
    const struct mode *named = mode_of(x), *mode = mode_of_view(v);
    return mode != NULL && (named == NULL || named == mode) &&
           (x->who.brand == 0 || v->head.brand == x->who.brand);
}

bool job_check(struct exchange *x, const struct view *v) {
    return job_visible(x, v) || exchange_refuse(x, CODE_UNKNOWN_TASK, NULL);
}

const char *job_language(struct exchange *x, struct slice labels) {
    static const char key[] = "language=";
    const char *text = (const char *)exchange_copy(x, labels).data;
    for (const char *at = text; at != NULL; at = strchr(at, ',')) {
        if (*at == ',') at++;
        if (strncmp(at, key, sizeof key - 1) != 0) continue;
        at += sizeof key - 1;
        return exchange_print(x, "%.*s", (int)strcspn(at, ","), at);
    }
    return NULL;
}

static step *const steps[] = {guard_cors, guard_key, guard_brand, guard_role, guard_rate, NULL};

const struct dialect speech = {
    .name = "speech",
    .prefixes = prefixes,
    .fold = FOLD_CASE,
    .steps = steps,
    .fail = speech_fail,
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
};
