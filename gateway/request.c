#include "gateway/request.h"
#include "gateway/early.h"
#include "gateway/fields.h"
#include "gateway/guard.h"
#include "gateway/metadata.h"
#include "proto/host/clock.h"
#include "proto/host/log.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { OUT_KEPT = 16384 }; /* bytes of an answer's buffer that stay with a kept request */

/* ---- making and freeing ---- */

struct request *request_new(struct server *s, struct client *c, const char *target) {
    struct request *r = s->free;
    if (r != NULL) {
        s->free = r->next_free;
        s->free_count--;
    } else {
        r = calloc(1, sizeof *r);
        if (r == NULL) return NULL;
    }
    arena_open(&r->arena, &s->blocks);
    r->server = s;
    r->client = c;
    r->stage = STAGE_HEAD;
    r->start_us = clock_mono_us();
    list_init(&r->calls);
    r->target = (const char *)exchange_copy(&r->x, slice_text(target)).data;
    r->x.wall_ms = s->wall_ms;
    r->x.dialect = s->house;
    r->x.query = "";
    r->x.path = r->target;
    c->request = r;
    return r;
}

void request_free(struct request *r) {
    struct server *s = r->server;
    exchange_cut(r);
    outlet_free(r);
    json_decref(r->x.json);
    if (r->client->request == r) r->client->request = NULL;
    struct buffer out = r->x.out.body, body = r->body;
    if (out.cap > OUT_KEPT) buffer_free(&out);
    if (body.cap > OUT_KEPT) buffer_free(&body);
    arena_close(&r->arena);
    if (s->free_count == REQUESTS_KEPT) {
        buffer_free(&out);
        buffer_free(&body);
        free(r);
        return;
    }
    struct arena *arena = &r->arena; /* its first block is the largest part: not cleared */
    memset(r, 0, offsetof(struct request, arena));
    memset((uint8_t *)arena + sizeof *arena, 0,
           sizeof *r - offsetof(struct request, arena) - sizeof *arena);
    buffer_clear(&out);
    buffer_clear(&body);
    r->x.out.body = out;
    r->body = body;
    r->next_free = s->free;
    s->free = r;
    s->free_count++;
}

void request_log(struct request *r, bool complete) {
    struct server *s = r->server;
    uint32_t class = r->status >= 100 && r->status < 600 ? (uint32_t)r->status / 100 : 0;
    count_add(&s->count.requests, 1);
    count_add(&s->count.classes[class], 1);
    count_add(&s->count.bytes_in, r->body_len);
    if (r->abandoned) count_add(&s->count.left, 1);
    if (!log_wants(LEVEL_INFO)) return;
    uint64_t us = (uint64_t)(clock_mono_us() - r->start_us);
    log_info("request", field_text("id", r->x.request_id), field_text("method",
             method_name(r->x.method)), field_text("path", r->x.path),
             field_number("status", complete ? (uint64_t)r->status : 0),
             field_number("us", us), field_number("in", r->body_len),
             field_text("who", r->x.who.name), field_number("brand", r->x.who.brand),
             field_text("end", complete ? "answered" : r->abandoned ? "left" : "broken"));
}

/* ---- the head ---- */

/* The caller's own X-Request-Id is taken when it is short and plain, so that logs can be joined. */
static void name_request(struct request *r) {
    const char *given = exchange_header(&r->x, "X-Request-Id");
    size_t len = given == NULL ? 0 : strlen(given);
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (len > 0 && len < sizeof r->x.request_id && strspn(given, plain) == len) {
        memcpy(r->x.request_id, given, len + 1);
        return;
    }
    uint64_t number = r->server->request_base + r->server->request_count++;
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) r->x.request_id[i] = digits[number >> (60 - 4 * i) & 15];
    r->x.request_id[16] = '\0';
}

static void split_target(struct request *r) {
    const char *mark = strchr(r->target, '?');
    if (mark == NULL) return;
    struct slice path = slice_of(r->target, (size_t)(mark - r->target));
    r->x.path = (const char *)exchange_copy(&r->x, path).data;
    r->x.query = mark + 1;
}

static const char *allow_text(struct exchange *x, uint32_t allow) {
    char text[64] = "";
    for (enum method m = METHOD_GET; m < METHOD_COUNT; m++) {
        if (!(allow & 1u << m)) continue;
        if (text[0] != '\0') strcat(text, ", ");
        strcat(text, method_name(m));
    }
    return exchange_print(x, "%s", text);
}

/* First of all steps, so that a browser can read the framework's refusals too. */
static void cors_first(struct exchange *x) {
    for (step *const *s = x->dialect->steps; *s != NULL; s++) {
        if (*s == guard_cors) guard_cors(x);
    }
}

/* OPTIONS is answered here: by CORS, where the dialect has it, and Allow. */
static void options_answer(struct request *r) {
    struct exchange *x = &r->x;
    exchange_set(x, "Allow", allow_text(x, x->allow));
    out_object(&x->out);
    if (x->dialect->metadata) metadata_write(x, r->server->routes);
    out_object_end(&x->out);
    exchange_answer(x, 200);
}

/* False when the exchange has ended. */
static bool route_request(struct request *r, const char *method) {
    struct exchange *x = &r->x;
    struct found_route found;
    enum method m = method_of(method);
    char *scratch = exchange_alloc(x, strlen(x->path) + 2);
    enum found how = route_find(r->server->routes, m, x->path, scratch, &found);
    if (found.dialect != NULL) x->dialect = found.dialect;
    x->route = found.route;
    x->allow = found.allow;
    x->method = m == METHOD_HEAD ? METHOD_GET : m;
    r->head_only = m == METHOD_HEAD;
    cors_first(x);
    memcpy(x->params, found.params, sizeof x->params);
    x->param_count = found.param_count;
    switch (how) {
    case FOUND_ROUTE: return true;
    case FOUND_BAD_PATH:
        x->cause = CAUSE_PARSE;
        return exchange_refuse(x, CODE_VALIDATION_ERROR, "the path is malformed");
    case FOUND_NOTHING:
        x->cause = CAUSE_NO_SUCH_PATH;
        return exchange_refuse(x, CODE_NOT_FOUND, "there is no such path");
    case FOUND_OTHER_METHOD: break;
    }
    if (m == METHOD_OPTIONS) {
        options_answer(r);
        return false;
    }
    exchange_set(x, "Allow", allow_text(x, found.allow));
    return exchange_refuse(x, CODE_METHOD_NOT_ALLOWED, NULL);
}

/* The type without parameters equals `want`, or ends in +json when json is wanted. */
static bool type_is(const char *type, const char *want) {
    size_t len = strcspn(type, "; \t");
    if (len == strlen(want) && strncasecmp(type, want, len) == 0) return true;
    return strcmp(want, "application/json") == 0 && len > 5 &&
           strncasecmp(type + len - 5, "+json", 5) == 0;
}

static uint64_t body_limit(const struct request *r) {
    const struct route *route = r->x.route;
    const struct config *c = r->server->config;
    if (route->body_max > 0) return route->body_max;
    bool files = route->body == BODY_FORM || route->body == BODY_FILE;
    return files ? c->upload_bytes_max : c->json_bytes_max;
}

static bool body_fits(struct request *r) {
    struct exchange *x = &r->x;
    const char *type = exchange_header(x, "Content-Type");
    r->body_max = body_limit(r);
    if (r->facts.content_length > r->body_max) {
        return exchange_refuse(x, CODE_PAYLOAD_TOO_LARGE, NULL);
    }
    if (!r->facts.has_body) return true;
    if (x->route->body == BODY_FIELDS && fields_sent(type)) return true;
    const bool json = x->route->body == BODY_JSON || x->route->body == BODY_FIELDS;
    if (json && type != NULL && !type_is(type, "application/json")) {
        return exchange_refuse(x, CODE_UNSUPPORTED_MEDIA_TYPE,
                               "a body with Content-Type: application/json is expected");
    }
    if (x->route->body == BODY_FORM && (type == NULL || !type_is(type, "multipart/form-data"))) {
        return exchange_refuse(x, CODE_UNSUPPORTED_MEDIA_TYPE,
                               "a form with Content-Type: multipart/form-data is expected");
    }
    return true;
}

static void begin_exchange(struct request *r) {
    name_request(r);
    split_target(r);
    exchange_set(&r->x, "X-Request-Id", r->x.request_id);
}

void request_refuse(struct request *r, struct slice method, enum code code, const char *why) {
    struct exchange *x = &r->x;
    struct found_route found;
    begin_exchange(r);
    count_add(&r->server->count.refused_heads, 1);
    r->close_after = true;
    x->method = method_of((const char *)exchange_copy(x, method).data);
    r->head_only = x->method == METHOD_HEAD;
    char *scratch = exchange_alloc(x, strlen(x->path) + 2);
    route_find(r->server->routes, x->method, x->path, scratch, &found);
    if (found.dialect != NULL) x->dialect = found.dialect;
    cors_first(x);
    x->cause = CAUSE_PARSE;
    exchange_refuse(x, code, why);
}

void request_start(struct request *r, const char *method) {
    struct exchange *x = &r->x;
    begin_exchange(r);
    if (!route_request(r, method)) return;
    if (x->dialect != r->server->house) {
        if (r->server->draining || !link_up(r->server->link)) {
            exchange_refuse(x, CODE_UNAVAILABLE, "the broker cannot be reached");
            return;
        }
    }
    for (step *const *s = x->dialect->steps; *s != NULL; s++) {
        if (*s != guard_cors && !(*s)(x)) return;
    }
    if (!body_fits(r)) return;
    r->stage_ms = r->server->now_ms;
    if (x->route->begin == NULL) {
        r->stage = STAGE_BODY;
        return;
    }
    r->stage = STAGE_BEGIN;
    r->waiting = true;
    x->route->begin(x);
    request_check(r);
}

/* ---- the body ---- */

static bool form_part(void *context, const struct form_part *part) {
    struct request *r = context;
    struct exchange *x = &r->x;
    if (x->route->part != NULL && !x->route->part(x, part)) return false;
    if (part->file_name != NULL) {
        return intake_open(r, part->name, part->file_name, part->mime);
    }
    const struct config *c = r->server->config;
    if (x->fields == NULL) {
        x->fields = exchange_alloc(x, sizeof *x->fields * c->form_fields_max);
    }
    assert(x->field_count < c->form_fields_max);
    const char *name = (const char *)exchange_copy(x, slice_text(part->name)).data;
    x->fields[x->field_count++] = (struct form_field){.name = name};
    buffer_clear(&r->body);
    return true;
}

static bool form_data(void *context, struct slice bytes) {
    struct request *r = context;
    if (intake_open_now(r)) return intake_write(r, bytes);
    if (r->body.len + bytes.len > r->server->config->form_field_bytes_max) {
        return exchange_refuse(&r->x, CODE_PAYLOAD_TOO_LARGE, "a form field is too long");
    }
    buffer_append(&r->body, bytes.data, bytes.len);
    return true;
}

static bool form_close(void *context) {
    struct request *r = context;
    if (intake_open_now(r)) return intake_close(r);
    struct slice value = exchange_copy(&r->x, buffer_slice(&r->body));
    r->x.fields[r->x.field_count - 1].value = value;
    return true;
}

static bool form_begin(struct request *r) {
    const char *type = exchange_header(&r->x, "Content-Type");
    struct form_sink sink = {r, form_part, form_data, form_close};
    r->form = exchange_alloc(&r->x, sizeof *r->form);
    if (form_open(r->form, type, r->server->config->form_fields_max, sink)) return true;
    r->x.cause = CAUSE_PARSE;
    return exchange_refuse(&r->x, CODE_VALIDATION_ERROR, "the form's boundary is malformed");
}

static bool refuse_parse(struct request *r, const char *why) {
    r->x.cause = CAUSE_PARSE;
    return exchange_refuse(&r->x, CODE_VALIDATION_ERROR, why);
}

static void take_form(struct request *r, struct slice bytes) {
    if (r->form == NULL && !form_begin(r)) return;
    if (form_feed(r->form, bytes) == FORM_BAD) refuse_parse(r, form_why(r->form));
}

static void take_file(struct request *r, struct slice bytes) {
    const char *type = exchange_header(&r->x, "Content-Type");
    if (!intake_open_now(r) && !intake_open(r, "", "", type != NULL ? type : "")) return;
    intake_write(r, bytes);
}

size_t request_body(struct request *r, const uint8_t *data, size_t len) {
    if (r->stage == STAGE_ENDED) return len;
    assert(r->stage == STAGE_BODY);
    if (intake_full(r)) {
        r->waiting = true;
        return 0;
    }
    r->body_len += len;
    if (r->body_len > r->body_max) {
        exchange_refuse(&r->x, CODE_PAYLOAD_TOO_LARGE, NULL);
        return len;
    }
    struct slice bytes = slice_of(data, len);
    switch (r->x.route->body) {
    case BODY_NONE: break;
    case BODY_JSON:
    case BODY_FIELDS:
    case BODY_BYTES:
        if (r->body.cap == 0 && r->facts.content_length > 0) {
            buffer_reserve(&r->body, (size_t)r->facts.content_length);
        }
        buffer_append(&r->body, data, len);
        if (r->body.failed) abort();
        break;
    case BODY_FORM: take_form(r, bytes); break;
    case BODY_FILE: take_file(r, bytes); break;
    }
    return len;
}

void request_check(struct request *r) {
    bool waits = r->stage == STAGE_BEGIN || r->stage == STAGE_WORK;
    if (!waits || !list_empty(&r->calls) || r->hash != NULL) return;
    log_error("a route ended without an answer", field_text("path", r->x.path));
    exchange_refuse(&r->x, CODE_INTERNAL_ERROR, NULL);
}

void request_read(struct request *r) {
    struct exchange *x = &r->x;
    struct message m = {.verb = x->route->verb};
    r->stage = STAGE_WORK;
    r->waiting = true;
    if (x->route->read(x, &m)) exchange_send(x, &m, x->route->write);
    request_check(r);
}

static bool fields_read(struct request *r, const char *type) {
    const char *why = NULL;
    r->x.json = fields_parse(&r->x, type, r->server->config->form_fields_max, &why);
    return r->x.json != NULL || refuse_parse(r, why);
}

static bool json_read(struct request *r) {
    char why[192];
    const char *type = exchange_header(&r->x, "Content-Type");
    if (r->body.len == 0) return true;
    r->x.body = buffer_slice(&r->body);
    if (r->x.route->body == BODY_FIELDS && fields_sent(type)) return fields_read(r, type);
    r->x.json = json_parse(r->x.body, why, sizeof why);
    if (r->x.json == NULL) return refuse_parse(r, exchange_print(&r->x, "%s", why));
    return json_is_object(r->x.json) || refuse_parse(r, "an object is expected");
}

void request_body_end(struct request *r) {
    if (r->stage != STAGE_BODY) return;
    switch (r->x.route->body) {
    case BODY_NONE: break;
    case BODY_JSON:
    case BODY_FIELDS:
        if (!json_read(r)) return;
        break;
    case BODY_BYTES: r->x.body = buffer_slice(&r->body); break;
    case BODY_FORM:
        if (r->form == NULL && r->facts.has_body && !form_begin(r)) return;
        if (r->form != NULL && r->form->state != FORM_END) {
            refuse_parse(r, "the form ends before its closing boundary");
            return;
        }
        break;
    case BODY_FILE:
        if (intake_open_now(r) && !intake_close(r)) return;
        break;
    }
    r->stage = STAGE_FILES;
    r->waiting = true;
    if (intake_done(r)) request_read(r);
}

bool request_waits(const struct request *r) {
    for (struct node *n = r->calls.next; n != &r->calls; n = n->next)
        if (call_parks(owner_of(n, struct call, of_owner)->verb)) return true;
    return false;
}

bool request_revoked(struct request *r) {
    struct server *s = r->server;
    if (r->credential_ring == s->ring_version || s->checks_left == 0 || r->said || r->abandoned)
        return false;
    if (r->socket == NULL && r->outlet == NULL && r->stage != STAGE_BODY && !request_waits(r))
        return false;
    s->checks_left--;
    if (guard_stands(&r->x)) return false;
    if (r->outlet != NULL) {
        outlet_break(r);
        return true;
    }
    const bool upload = r->stage == STAGE_BODY; /* the rest of it is not waited for */
    if (r->socket == NULL) exchange_cut(r);
    r->close_after = r->close_after || upload;
    exchange_refuse(&r->x, CODE_UNAUTHORIZED, "the credentials were revoked");
    if (upload) answer_early(r);
    return true;
}

void request_left(struct request *r) {
    if (r->abandoned) return;
    exchange_cut(r);
    exchange_unclaim(r);
    r->abandoned = true;
    r->stage = STAGE_ENDED;
    http_wake(r);
}
