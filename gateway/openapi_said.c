#include "gateway/openapi_said.h"
#include <stdio.h>
#include <stdlib.h>

static const struct said { const char *dialect; enum method method; const char *tail, *what; }
    lines[] = {
#define SAID(dialect, method, tail, what) {dialect, METHOD_##method, tail, what},
#include "gateway/openapi_body.def"
};

static bool tail_fits(const char *path, const char *tail) {
    const size_t len = strlen(path), tail_len = strlen(tail);
    return len >= tail_len && strcmp(path + len - tail_len, tail) == 0;
}

const char *said_of(const char *dialect, const struct route *r) {
    const struct said *best = NULL;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const struct said *s = &lines[i];
        if (s->method != r->method || strcmp(s->dialect, dialect) != 0) continue;
        if (!tail_fits(r->path, s->tail)) continue;
        if (best == NULL || strlen(s->tail) > strlen(best->tail)) best = s;
    }
    return best != NULL ? best->what : "";
}

/* A word is a name, and a type behind a colon. */
static void word_read(const char *text, struct said_word *w) {
    const char *colon = strchr(text, ':');
    *w = (struct said_word){.kind = SAID_OTHER};
    if (text[0] == '+') {
        w->kind = SAID_STATUS;
        w->status = (int)strtol(text + 1, NULL, 10);
        return;
    }
    if (colon == NULL) {
        snprintf(w->name, sizeof w->name, "%s", text);
        return;
    }
    w->kind = text[0] == '?' ? SAID_QUERY : SAID_MEMBER;
    if (w->kind == SAID_QUERY) text++;
    w->optional = colon[-1] == '?';
    snprintf(w->name, sizeof w->name, "%.*s", (int)(colon - text) - w->optional, text);
    snprintf(w->type, sizeof w->type, "%s", colon + 1);
}

void said_each(const char *said, void (*each)(void *context, const struct said_word *w),
               void *context) {
    while (*said != '\0') {
        char text[SAID_TEXT_MAX];
        struct said_word w;
        const size_t len = strcspn(said, " ");
        snprintf(text, sizeof text, "%.*s", (int)len, said);
        word_read(text, &w);
        each(context, &w);
        said += len + strspn(said + len, " ");
    }
}

struct content { const char *type; bool socket; };

static void answer_read(void *context, const struct said_word *w) {
    static const struct { const char *word, *type; } types[] = {
        {"event-stream", "text/event-stream"}, {"bytes", "*/*"}, {"plain", "text/plain"}};
    struct content *a = context;
    if (w->kind != SAID_OTHER) return;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].word, w->name) == 0) a->type = types[i].type;
    if (strcmp(w->name, "socket") == 0) a->socket = true;
}

const char *said_answer(const char *said) {
    struct content a = {.type = "application/json"};
    said_each(said, answer_read, &a);
    return a.type;
}

bool said_socket(const char *said) {
    struct content a = {.type = NULL};
    said_each(said, answer_read, &a);
    return a.socket;
}

/* ---- types ---- */

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

static void kind_write(struct out *o, const char *kind, bool null) {
    out_key(o, "type");
    if (null) out_list(o);
    out_string(o, kind);
    if (!null) return;
    out_string(o, "null");
    out_list_end(o);
}

/* The words that clients should say; any case of their letters will do, which no enum can tell. */
static void choices_write(struct out *o, const char *choices, bool null) {
    out_key(o, "anyOf");
    out_list(o);
    out_object(o);
    out_key(o, "enum");
    out_list(o);
    while (*choices != '\0' && *choices != ')') {
        const size_t len = strcspn(choices, ",)");
        out_text(o, slice_of(choices, len));
        choices += len + (choices[len] == ',');
    }
    out_list_end(o);
    out_object_end(o);
    out_object(o);
    kind_write(o, "string", null);
    out_object_end(o);
    out_list_end(o);
}

/* The type between the brackets of "list(…)". */
static void items_write(struct out *o, const char *type) {
    char inner[SAID_TEXT_MAX];
    snprintf(inner, sizeof inner, "%s", type);
    const size_t len = strlen(inner);
    if (len > 0 && inner[len - 1] == ')') inner[len - 1] = '\0';
    out_key(o, "items");
    said_type_write(o, inner, false);
}

void said_type_write(struct out *o, const char *type, bool null) {
    static const struct { const char *word, *kind; } kinds[] = {
        {"text", "string"}, {"integer", "integer"}, {"number", "number"}, {"bool", "boolean"},
        {"object", "object"}, {"time", "string"}, {"file", "string"}};
    out_object(o);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].word, type) == 0) kind_write(o, kinds[i].kind, null);
    if (strcmp(type, "time") == 0) {
        out_key(o, "description");
        out_string(o, "RFC 3339");
    }
    if (strcmp(type, "file") == 0) {
        out_key(o, "contentMediaType");
        out_string(o, "application/octet-stream");
    }
    if (begins(type, "enum(")) choices_write(o, type + strlen("enum("), null);
    if (begins(type, "list(")) {
        kind_write(o, "array", null);
        items_write(o, type + strlen("list("));
    }
    out_object_end(o);
}
