#include "gateway/dialect/megahub/account.h"
#include "gateway/dialect/megahub/job_ask.h"
#include "gateway/dialect/megahub/kind.h"
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/megahub/fleet.h"
#include "gateway/dialect/megahub/monitor.h"
#include "gateway/dialect/outcode.h"
#include "gateway/fields.h"
#include "gateway/guard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MEMBER_GUARD = GUARD_USER | GUARD_ADMIN };

static const char past_french[] = "La date planifiée est déjà passée.";
static const char past_english[] = "The scheduled time is in the past.";

static const struct route routes[] = {
    ROUTE(POST, JSON, "/tasks", MEMBER_GUARD, 201, task_create_read, "creates a task",
          .verb = VERB_SUBMIT, .write = task_create_write),
    ROUTE(GET, NONE, "/tasks", MEMBER_GUARD, 200, task_list_read, "lists tasks", .verb = VERB_ASK,
          .write = task_list_write),
    ROUTE(GET, NONE, "/tasks/{id}", MEMBER_GUARD, 200, task_detail_read, "reads a task",
          .verb = VERB_GET, .write = task_detail_write),
    ROUTE(PUT, JSON, "/tasks/{id}", MEMBER_GUARD, 200, task_change_read, "changes a task",
          .verb = VERB_GET, .write = task_change_write),
    ROUTE(PATCH, JSON, "/tasks/{id}", MEMBER_GUARD, 200, task_change_read, "changes a task",
          .verb = VERB_GET, .write = task_change_write),
    ROUTE(DELETE, NONE, "/tasks/{id}", MEMBER_GUARD, 204, task_delete_read, "deletes a task",
          .verb = VERB_GET, .write = task_delete_write),
    ROUTE(POST, JSON, "/tasks/{id}/cancel", MEMBER_GUARD, 200, task_cancel_read, "cancels a task",
          .verb = VERB_GET, .write = task_cancel_write),
    ROUTE(POST, JSON, "/tasks/{id}/retry", MEMBER_GUARD, 200, task_retry_read,
          "queues a failed or cancelled task again", .verb = VERB_GET, .write = task_retry_write),
    ROUTE(POST, JSON, "/tasks/claim", GUARD_WORKER, 200, task_claim_read,
          "hands out tasks to the calling worker", .verb = VERB_CLAIM, .write = task_claim_write),
    ROUTE(POST, JSON, "/tasks/{id}/heartbeat", GUARD_WORKER, 200, task_heartbeat_read,
          "renews the lease", .verb = VERB_PROGRESS, .write = task_progress_write),
    ROUTE(POST, JSON, "/tasks/{id}/progress", GUARD_WORKER, 200, task_progress_read,
          "says how far the task is", .verb = VERB_PROGRESS, .write = task_progress_write),
    ROUTE(POST, JSON, "/tasks/{id}/complete", GUARD_WORKER, 200, task_complete_read,
          "ends the task with its result", .verb = VERB_DONE, .write = task_settled_write),
    ROUTE(POST, JSON, "/tasks/{id}/fail", GUARD_WORKER, 200, task_fail_read,
          "ends the attempt in failure", .verb = VERB_FAIL, .write = task_settled_write),
    MEGAHUB_ACCOUNT_ROUTES,
};

static const struct routes *const parts[] = {
    &megahub_monitor, &megahub_metric, &megahub_dashboard, &megahub_trend, &megahub_anomaly,
    &megahub_advice, &megahub_task_stats, &megahub_alert, &megahub_alert_event, &megahub_fleet,
    &megahub_fleet_card, &megahub_cron, &megahub_periodic, &megahub_survey, &megahub_cronjob,
    &megahub_calendar, &megahub_jobs, &megahub_job_acts, &megahub_job_ready, &megahub_job_care,
    &megahub_states, &megahub_checkpoints, &megahub_history, &megahub_kinds, &megahub_queues,
    &megahub_webhooks, &megahub_artifact, NULL};

static const char *const prefixes[] = {"/tasks", "/auth", "/brands", NULL};

/* The language tag with the highest q; the first of equals, as clients order them. */
bool megahub_french(const struct exchange *x) {
    const char *at = exchange_header(x, "Accept-Language");
    double best = 0;
    bool french = true;
    while (at != NULL && *at != '\0') {
        at += strspn(at, " \t,");
        size_t len = strcspn(at, ",");
        const char *q_at = memchr(at, ';', len);
        double q = 1;
        if (q_at != NULL && (q_at = strstr(q_at, "q=")) != NULL && q_at < at + len)
            q = strtod(q_at + 2, NULL);
        if (len > 0 && q > best) {
            best = q;
            french = *at == '*' || strncasecmp(at, "fr", 2) == 0;
        }
        at += len;
    }
    return french;
}

const char *megahub_past_text(const struct exchange *x) {
    return megahub_french(x) ? past_french : past_english;
}

bool megahub_fields_good(struct exchange *x) {
    return x->errors.count == 0 || exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
}

bool megahub_brand_read(struct exchange *x, const char *key) {
    if (exchange_query(x, key) == NULL) return true;
    const int64_t brand = exchange_query_number(x, key, 0, 1, UINT32_MAX);
    bool own = x->brand_count == 0 || brand == x->who.brand;
    for (uint32_t i = 0; i < x->brand_count; i++) own = own || x->brands[i] == brand;
    if (x->errors.count > 0) return megahub_fields_good(x);
    if (!own) {
        x->cause = CAUSE_BRAND_FORBIDDEN;
        return exchange_refuse(x, CODE_FORBIDDEN, NULL);
    }
    x->who.brand = (uint32_t)brand;
    return true;
}

struct wording { const char *french, *english; }; /* %lld is the limit */

/* The texts of Django REST framework, but for the first, which is the document's. */
static struct wording field_wording(enum field_wrong wrong) {
    switch (wrong) {
    case FIELD_MISSING:
    case FIELD_NULL:
    case FIELD_BLANK: return (struct wording){"Ce champ est requis", "This field is required."};
    case FIELD_NOT_TEXT:
        return (struct wording){"Chaîne de caractères invalide.", "Not a valid string."};
    case FIELD_NOT_INTEGER:
        return (struct wording){"Un nombre entier valide est requis.",
                                "A valid integer is required."};
    case FIELD_NOT_NUMBER:
        return (struct wording){"Un nombre valide est requis.", "A valid number is required."};
    case FIELD_NOT_BOOL:
        return (struct wording){"Doit être un booléen valide.", "Must be a valid boolean."};
    case FIELD_NOT_OBJECT:
        return (struct wording){"Un objet JSON est requis.", "A JSON object is required."};
    case FIELD_NOT_LIST:
        return (struct wording){"Une liste est requise.", "A list is required."};
    case FIELD_NOT_DATE:
        return (struct wording){
            "La date + heure n'a pas le bon format. Utilisez YYYY-MM-DDThh:mm:ss[.uuuuuu]Z.",
            "Datetime has wrong format. Use YYYY-MM-DDThh:mm:ss[.uuuuuu]Z."};
    case FIELD_TOO_LONG:
        return (struct wording){"Assurez-vous que ce champ comporte au plus %lld caractères.",
                                "Ensure this field has no more than %lld characters."};
    case FIELD_TOO_SMALL:
        return (struct wording){
            "Assurez-vous que cette valeur est supérieure ou égale à %lld.",
            "Ensure this value is greater than or equal to %lld."};
    case FIELD_TOO_LARGE:
        return (struct wording){
            "Assurez-vous que cette valeur est inférieure ou égale à %lld.",
            "Ensure this value is less than or equal to %lld."};
    case FIELD_NOT_A_CHOICE:
        return (struct wording){"Ce n'est pas un choix valide.", "This is not a valid choice."};
    case FIELD_REFUSED: break;
    }
    return (struct wording){"Valeur refusée.", "This value is refused."};
}

static void field_errors_write(struct exchange *x, bool french) {
    for (uint32_t i = 0; i < x->errors.count; i++) {
        const struct field_error *e = &x->errors.list[i];
        bool before = false, after = false;
        for (uint32_t j = 0; j < i; j++) before |= strcmp(x->errors.list[j].name, e->name) == 0;
        if (before) continue;
        out_key(&x->out, e->name);
        out_list(&x->out);
        for (uint32_t j = i; j < x->errors.count; j++) {
            const struct field_error *same = &x->errors.list[j];
            after = strcmp(same->name, e->name) == 0;
            if (!after) continue;
            struct wording w = field_wording(same->wrong);
            const char *text = same->text;
            if (text == NULL) text = french ? w.french : w.english;
            const char *limit_at = strstr(text, "%lld");
            if (limit_at == NULL) {
                out_string(&x->out, text);
            } else {
                out_string(&x->out, exchange_print(x, "%.*s%lld%s", (int)(limit_at - text), text,
                                                   (long long)same->limit, limit_at + 4));
            }
        }
        out_list_end(&x->out);
    }
}

struct refusal { const char *name, *detail; int status; };

/* What the dialect calls a refusal that is not about fields; `text` is the framework's sentence. */
static struct refusal refusal_of(struct exchange *x, enum code code, const char *text) {
    struct outcode plain = outcode_of(code);
    struct refusal r = {plain.name, text, plain.status};
    const char *type = exchange_header(x, "Content-Type");
    switch (plain.status) {
    case 401:
        if (x->cause == CAUSE_NO_CREDENTIALS) {
            r.name = "NOT_AUTHENTICATED";
            r.detail = "Authentication credentials were not provided.";
        } else {
            r.name = "TOKEN_INVALID";
            r.detail = "Given token not valid for any token type";
        }
        break;
    case 403:
        r.name = "PERMISSION_DENIED";
        r.detail = "You do not have permission to perform this action.";
        if (x->cause == CAUSE_BRAND_FORBIDDEN) {
            r.name = "BRAND_FORBIDDEN";
            r.detail = "This brand is not accessible with the given token.";
        }
        break;
    case 404:
        r.detail = x->cause == CAUSE_NO_SUCH_PAGE ? "Invalid page." : "Not found.";
        if (x->cause != CAUSE_NO_SUCH_PATH && x->cause != CAUSE_NO_SUCH_PAGE) {
            r.name = "TASK_NOT_FOUND";
            r.detail = "Task not found or access denied";
        }
        break;
    case 405:
        r.detail = exchange_print(x, "Method \"%s\" not allowed.", method_name(x->method));
        break;
    case 406:
        r.detail = "Could not satisfy the request Accept header.";
        break;
    case 415:
        r.detail = exchange_print(x, "Unsupported media type \"%.100s\" in request.",
                                  type != NULL ? type : "");
        break;
    case 429:
        r.name = "THROTTLED";
        r.detail = exchange_print(x, "Request was throttled. Expected available in %u seconds.",
                                  x->retry_after_s);
        break;
    default: break;
    }
    return r;
}

static struct refusal validation_refusal(struct exchange *x, const char *text) {
    struct refusal r = {"VALIDATION_ERROR", x->errors.count == 0 ? text : "Invalid input.", 400};
    if (x->cause == CAUSE_BRAND_MALFORMED) r.name = "BRAND_REQUIRED";
    if (x->cause == CAUSE_PARSE && x->route != NULL &&
        (x->route->body == BODY_JSON || x->route->body == BODY_FIELDS) &&
        !fields_sent(exchange_header(x, "Content-Type")))
        r.detail = exchange_print(x, "JSON parse error - %s", r.detail);
    for (uint32_t i = 0; i < x->errors.count; i++) {
        const char *own = x->errors.list[i].text;
        if (own != past_french && own != past_english) continue;
        r.name = "SCHEDULE_IN_PAST";
        r.detail = past_english;
    }
    return r;
}

/* The broker tells a worker that never held the task from one that lost it; here both are the
 * 409 of a lease. */
static enum code report_code(const struct exchange *x, enum code code) {
    bool report = x->route != NULL && x->route->guard == GUARD_WORKER && x->param_count > 0;
    return report && code == CODE_FORBIDDEN && x->cause == CAUSE_NONE ? CODE_ATTEMPT_SUPERSEDED
                                                                      : code;
}

static void refusal_write(struct exchange *x, struct refusal r) {
    bool fields = r.status == 400 && x->errors.count > 0;
    bool french = fields && megahub_french(x);
    const char *mirror = fields ? exchange_option(x, "drf_errors") : NULL;
    if (r.status == 401) exchange_set(x, "WWW-Authenticate", "Bearer realm=\"api\"");
    out_object(&x->out);
    out_key(&x->out, "detail");
    out_string(&x->out, r.detail);
    out_key(&x->out, "error_code");
    out_string(&x->out, r.name);
    if (strcmp(r.name, "TOKEN_INVALID") == 0) {
        out_key(&x->out, "code");
        out_string(&x->out, "token_not_valid");
    }
    if (r.status == 429 && x->route != NULL && (x->route->guard & GUARD_SLOW)) {
        out_key(&x->out, "error");
        out_string(&x->out, r.detail);
        out_key(&x->out, "retry_after"); /* of logins: in minutes */
        out_unsigned(&x->out, (x->retry_after_s + 59) / 60);
    }
    out_key(&x->out, "field_errors");
    out_object(&x->out);
    if (fields) field_errors_write(x, french);
    out_object_end(&x->out);
    if (mirror != NULL && strcmp(mirror, "true") == 0) field_errors_write(x, french);
    out_object_end(&x->out);
    exchange_answer(x, r.status);
}

void megahub_fail(struct exchange *x, enum code code, const char *text) {
    code = report_code(x, code);
    struct outcode plain = outcode_of(code);
    refusal_write(x, plain.status == 400 ? validation_refusal(x, text)
                                         : refusal_of(x, code, text));
}

bool megahub_refuse(struct exchange *x, const char *name, const char *detail) {
    refusal_write(x, (struct refusal){name, detail, 400});
    return false;
}

void megahub_stand_write(struct out *o, const char *name, const char *detail, uint8_t status,
                         const char *allowed) {
    out_key(o, "detail");
    out_string(o, detail);
    out_key(o, "error_code");
    out_string(o, name);
    out_key(o, "field_errors");
    out_object(o);
    out_object_end(o);
    out_key(o, "current_status");
    out_string(o, megahub_status(status));
    out_key(o, "allowed_statuses");
    out_list(o);
    for (const char *at = allowed; *at != '\0';) {
        const size_t len = strcspn(at, ",");
        out_text(o, slice_of(at, len));
        at += len + (at[len] == ',');
    }
    out_list_end(o);
}

static step *const steps[] = {guard_cors, guard_accept, guard_who, guard_brand,
                               guard_role, guard_rate,   NULL};

const struct dialect megahub = {
    .name = "megahub",
    .prefixes = prefixes,
    .fold = FOLD_DASH,
    .steps = steps,
    .fail = megahub_fail,
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .parts = parts,
    .metadata = true,
};
