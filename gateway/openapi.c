#include "gateway/openapi.h"
#include "gateway/guard.h"
#include "gateway/openapi_said.h"
#include <ctype.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 400 };

static void string_member(struct out *o, const char *key, const char *text) {
    out_key(o, key);
    out_string(o, text);
}

static void reference(struct out *o, const char *to) {
    out_object(o);
    string_member(o, "$ref", to);
    out_object_end(o);
}

/* ---- all routes of a dialect, one after the other ---- */

struct walk { const struct dialect *dialect; const struct routes *const *part; uint32_t at; };

static const struct route *walk_next(struct walk *w) {
    const struct dialect *d = w->dialect;
    if (w->part == NULL) {
        if (w->at < d->route_count) return &d->routes[w->at++];
        if (d->parts == NULL) return NULL;
        w->part = d->parts;
        w->at = 0;
    }
    for (; *w->part != NULL; w->part++, w->at = 0)
        if (w->at < (*w->part)->count) return &(*w->part)->list[w->at++];
    return NULL;
}

static bool steps_have(const struct dialect *d, step *wanted) {
    for (step *const *s = d->steps; *s != NULL; s++)
        if (*s == wanted) return true;
    return false;
}

/* ---- one operation ---- */

static void parameter_write(struct out *o, const char *in, const char *name, bool required,
                            const char *type) {
    out_object(o);
    string_member(o, "name", name);
    string_member(o, "in", in);
    out_key(o, "required");
    out_bool(o, required);
    out_key(o, "schema");
    said_type_write(o, type, false);
    out_object_end(o);
}

static void query_write(void *context, const struct said_word *w) {
    if (w->kind == SAID_QUERY) parameter_write(context, "query", w->name, false, w->type);
}

static void parameters_write(struct out *o, const struct dialect *d, const struct route *r,
                             const char *said) {
    char name[NAME_MAX_BYTES];
    out_key(o, "parameters");
    out_list(o);
    for (const char *at = r->path; (at = strchr(at, '{')) != NULL; at++) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 1, "}"), at + 1);
        parameter_write(o, "path", name, true, "text");
    }
    said_each(said, query_write, o);
    if (steps_have(d, guard_brand) && !(r->guard & GUARD_OPEN))
        parameter_write(o, "header", "X-Brand-ID", false, "text");
    out_list_end(o);
}

/* ---- security ---- */

static const struct { const char *name, *json; } schemes[] = {
    {"token", "{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\","
              "\"description\":\"a login's access token, or one of `relais token`\"}"},
    {"key", "{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-KEY\","
            "\"description\":\"a service's key\"}"},
    {"fleet", "{\"type\":\"http\",\"scheme\":\"bearer\","
              "\"description\":\"a token of option worker_tokens\"}"},
    {"query", "{\"type\":\"apiKey\",\"in\":\"query\",\"name\":\"access_token\","
              "\"description\":\"a token, where no header can be set\"}"},
};
enum { SCHEMES = sizeof schemes / sizeof *schemes };

static void scheme_write(struct out *o, const char *name) {
    out_object(o);
    out_key(o, name);
    out_list(o);
    out_list_end(o);
    out_object_end(o);
}

static bool route_takes(const struct dialect *d, const struct route *r, const char *scheme) {
    const uint32_t people = GUARD_ADMIN | GUARD_USER | GUARD_WORKER | GUARD_SERVICE |
                            GUARD_BRAND_ADMIN;
    if (strcmp(scheme, "token") == 0) return r->guard & people;
    if (strcmp(scheme, "key") == 0) return r->guard & people && steps_have(d, guard_key);
    return r->guard & (strcmp(scheme, "fleet") == 0 ? GUARD_FLEET : GUARD_QUERY);
}

static void security_write(struct out *o, const struct dialect *d, const struct route *r) {
    out_key(o, "security");
    out_list(o);
    for (size_t i = 0; i < SCHEMES; i++)
        if (route_takes(d, r, schemes[i].name)) scheme_write(o, schemes[i].name);
    out_list_end(o);
}

/* ---- what is sent ---- */

/* Who may call it, in words: the schemes do not tell roles apart. */
static void roles_write(struct out *o, const struct route *r) {
    static const struct { uint32_t bit; const char *name; } roles[] = {
        {GUARD_OPEN, "anyone"}, {GUARD_ADMIN, "admin"}, {GUARD_USER, "user"},
        {GUARD_WORKER, "worker"}, {GUARD_SERVICE, "service"},
        {GUARD_BRAND_ADMIN, "administrator of the brand"}, {GUARD_FLEET, "worker of the fleet"}};
    char text[NAME_MAX_BYTES] = "For: ";
    const char *between = "";
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (!(r->guard & roles[i].bit)) continue;
        const size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s", between, roles[i].name);
        between = ", ";
    }
    string_member(o, "description", text);
}

struct object_schema { struct out *o; bool any; };

static void member_write(void *context, const struct said_word *w) {
    struct object_schema *s = context;
    if (w->kind != SAID_MEMBER) return;
    s->any = true;
    out_key_slice(s->o, slice_text(w->name));
    said_type_write(s->o, w->type, w->optional);
}

static void required_write(void *context, const struct said_word *w) {
    struct object_schema *s = context;
    if (w->kind != SAID_MEMBER || w->optional) return;
    if (!s->any) {
        out_key(s->o, "required");
        out_list(s->o);
    }
    s->any = true;
    out_string(s->o, w->name);
}

/* An object with the members that are said; true when one of them must be there. */
static bool body_schema_write(struct out *o, const char *said) {
    struct object_schema s = {.o = o};
    out_object(o);
    string_member(o, "type", "object");
    out_key(o, "properties");
    out_object(o);
    said_each(said, member_write, &s);
    out_object_end(o);
    s.any = false;
    said_each(said, required_write, &s);
    if (s.any) out_list_end(o);
    out_object_end(o);
    return s.any;
}

static void body_write(struct out *o, const struct route *r, const char *said) {
    const bool json = r->body == BODY_JSON || r->body == BODY_FIELDS, form = r->body == BODY_FORM;
    if (r->body == BODY_NONE) return;
    out_key(o, "requestBody");
    out_object(o);
    out_key(o, "content");
    out_object(o);
    out_key(o, json ? "application/json" : form ? "multipart/form-data" : "*/*");
    out_object(o);
    out_key(o, "schema");
    bool required = false;
    if ((json || form) && said[0] != '\0') {
        required = body_schema_write(o, said);
    } else {
        out_object(o);
        out_object_end(o);
    }
    out_object_end(o);
    out_object_end(o);
    out_key(o, "required");
    out_bool(o, required);
    out_object_end(o);
}

/* ---- answers ---- */

static void success_write(struct out *o, const struct route *r, int status, const char *said) {
    char number[16];
    const char *type = said_answer(said);
    snprintf(number, sizeof number, "%d", status);
    out_key_slice(o, slice_text(number));
    out_object(o);
    string_member(o, "description", r->sentence);
    if (status >= 200 && status != 204 && status != 205) {
        out_key(o, "content");
        out_object(o);
        out_key(o, type);
        out_object(o);
        out_key(o, "schema");
        out_object(o);
        out_object_end(o);
        out_object_end(o);
        out_object_end(o);
    }
    out_object_end(o);
}

struct statuses { struct out *o; const struct route *route; const char *said; };

static void status_write(void *context, const struct said_word *w) {
    const struct statuses *s = context;
    if (w->kind == SAID_STATUS && w->status != s->route->status)
        success_write(s->o, s->route, w->status, s->said);
}

static void responses_write(struct out *o, const struct dialect *d, const struct route *r,
                            const char *said) {
    static const char *const names[] = {"4XX", "5XX"};
    char to[NAME_MAX_BYTES];
    struct statuses s = {o, r, said};
    snprintf(to, sizeof to, "#/components/responses/%s", d->name);
    out_key(o, "responses");
    out_object(o);
    success_write(o, r, said_socket(said) ? 101 : r->status, said);
    said_each(said, status_write, &s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        out_key(o, names[i]);
        reference(o, to);
    }
    out_object_end(o);
}

/* "megahub_get_tasks_id": unique, for a method and path are. */
static void id_write(struct out *o, const struct dialect *d, const struct route *r) {
    char id[NAME_MAX_BYTES];
    snprintf(id, sizeof id, "%s_%s%s", d->name, method_name(r->method), r->path);
    for (char *c = id; *c != '\0'; c++)
        *c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '_';
    string_member(o, "operationId", id);
}

static void operation_write(struct out *o, const struct dialect *d, const struct route *r) {
    const char *said = said_of(d->name, r);
    char method[16];
    snprintf(method, sizeof method, "%s", method_name(r->method));
    for (char *c = method; *c != '\0'; c++) *c = (char)tolower((unsigned char)*c);
    out_key_slice(o, slice_text(method));
    out_object(o);
    out_key(o, "tags");
    out_list(o);
    out_string(o, d->name);
    out_list_end(o);
    string_member(o, "summary", r->sentence);
    roles_write(o, r);
    id_write(o, d, r);
    parameters_write(o, d, r, said);
    body_write(o, r, said);
    security_write(o, d, r);
    responses_write(o, d, r, said);
    out_object_end(o);
}

/* ---- paths ---- */

static bool path_seen(const struct dialect *d, const struct route *until) {
    struct walk w = {.dialect = d};
    for (const struct route *r; (r = walk_next(&w)) != until;)
        if (strcmp(r->path, until->path) == 0) return true;
    return false;
}

static void path_write(struct out *o, const struct dialect *d, const struct route *first) {
    char path[NAME_MAX_BYTES];
    struct walk w = {.dialect = d};
    snprintf(path, sizeof path, "%s%s", first->path, d->fold & FOLD_DASH ? "/" : "");
    out_key_slice(o, slice_text(path));
    out_object(o);
    for (const struct route *r; (r = walk_next(&w)) != NULL;)
        if (strcmp(r->path, first->path) == 0) operation_write(o, d, r);
    out_object_end(o);
}

static void paths_write(struct out *o, const struct dialect *d) {
    struct walk w = {.dialect = d};
    for (const struct route *r; (r = walk_next(&w)) != NULL;)
        if (!path_seen(d, r)) path_write(o, d, r);
}

/* ---- components ---- */

static const struct { const char *name, *form; } errors[] = {
    {"qalpuch", "success:bool message:text error:text code:text"},
    {"megahub", "detail:text error_code:text field_errors:object"},
    {"whatsapp", "success:bool error:text code:text"},
    {"speech", "status:text message:text code:text"},
    {"house", "error:text code:text"},
};

static void error_write(struct out *o, const struct dialect *d) {
    out_key(o, d->name);
    out_object(o);
    string_member(o, "description", "a refusal, in the form of the dialect");
    out_key(o, "content");
    out_object(o);
    out_key(o, "application/json");
    out_object(o);
    out_key(o, "schema");
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(errors[i].name, d->name) == 0) body_schema_write(o, errors[i].form);
    out_object_end(o);
    out_object_end(o);
    out_object_end(o);
}

static bool scheme_used(const struct dialect *const *dialects, const char *scheme) {
    for (; *dialects != NULL; dialects++) {
        struct walk w = {.dialect = *dialects};
        for (const struct route *r; (r = walk_next(&w)) != NULL;)
            if (route_takes(*dialects, r, scheme)) return true;
    }
    return false;
}

static void schemes_write(struct out *o, const struct dialect *const *dialects) {
    out_key(o, "securitySchemes");
    out_object(o);
    for (size_t i = 0; i < SCHEMES; i++) {
        if (!scheme_used(dialects, schemes[i].name)) continue;
        out_key(o, schemes[i].name);
        out_raw(o, slice_text(schemes[i].json));
    }
    out_object_end(o);
}

static void info_write(struct out *o, const struct dialect *const *dialects) {
    string_member(o, "openapi", "3.1.0");
    out_key(o, "info");
    out_raw(o, slice_text("{\"title\":\"relais\",\"version\":\"" RELAIS_VERSION "\","
                          "\"summary\":\"a task broker\","
                          "\"license\":{\"name\":\"MIT\",\"identifier\":\"MIT\"}}"));
    out_key(o, "servers");
    out_raw(o, slice_text("[{\"url\":\"/\"}]"));
    out_key(o, "tags");
    out_list(o);
    for (; *dialects != NULL; dialects++) {
        out_object(o);
        string_member(o, "name", (*dialects)->name);
        string_member(o, "description", "one dialect's paths");
        out_object_end(o);
    }
    out_list_end(o);
}

void openapi_write(struct out *o, const struct dialect *const *dialects) {
    out_object(o);
    info_write(o, dialects);
    out_key(o, "paths");
    out_object(o);
    for (const struct dialect *const *d = dialects; *d != NULL; d++) paths_write(o, *d);
    out_object_end(o);
    out_key(o, "components");
    out_object(o);
    schemes_write(o, dialects);
    out_key(o, "responses");
    out_object(o);
    for (const struct dialect *const *d = dialects; *d != NULL; d++) error_write(o, *d);
    out_object_end(o);
    out_object_end(o);
    out_object_end(o);
}
