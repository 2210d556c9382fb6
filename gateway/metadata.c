#include "gateway/metadata.h"
#include "gateway/openapi_said.h"
#include <ctype.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 };

/* "persistent-jobs/{id}" is "Persistent Jobs Instance", a list ends in "List". */
static const char *name_of(struct exchange *x, const char *path) {
    const size_t len = strlen(path);
    const bool instance = len > 0 && path[len - 1] == '}';
    const char *end = path + len;
    while (instance && end > path && *end != '/') end--;
    const char *begin = end;
    while (begin > path && begin[-1] != '/') begin--;
    char name[NAME_MAX_BYTES] = "";
    size_t at = 0;
    bool first = true;
    for (const char *c = begin; c < end && at + 1 < sizeof name; c++) {
        const bool gap = *c == '-' || *c == '_';
        name[at++] = gap ? ' ' : (char)(first ? toupper((unsigned char)*c) : *c);
        first = gap;
    }
    name[at] = '\0';
    return exchange_print(x, "%s %s", name, instance ? "Instance" : "List");
}

static const char *type_of(const char *said) {
    static const struct { const char *said, *type; } types[] = {
        {"text", "string"}, {"integer", "integer"}, {"number", "float"}, {"bool", "boolean"},
        {"time", "datetime"}, {"object", "nested object"}, {"file", "file upload"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].said, said) == 0) return types[i].type;
    if (strncmp(said, "enum(", 5) == 0) return "choice";
    return strncmp(said, "list(", 5) == 0 ? "list" : "field";
}

static void choices_write(struct out *o, const char *said) {
    out_key(o, "choices");
    out_list(o);
    for (const char *at = said + 5; *at != '\0' && *at != ')';) {
        const size_t len = strcspn(at, ",)");
        out_object(o);
        out_key(o, "value");
        out_text(o, slice_of(at, len));
        out_key(o, "display_name");
        out_text(o, slice_of(at, len));
        out_object_end(o);
        at += len + (at[len] == ',');
    }
    out_list_end(o);
}

static void member_write(void *context, const struct said_word *w) {
    struct out *o = context;
    if (w->kind != SAID_MEMBER) return;
    out_key_slice(o, slice_text(w->name));
    out_object(o);
    out_key(o, "type");
    out_string(o, type_of(w->type));
    out_key(o, "required");
    out_bool(o, !w->optional);
    out_key(o, "read_only");
    out_bool(o, false);
    out_key(o, "label");
    out_text(o, slice_text(w->name));
    if (strncmp(w->type, "enum(", 5) == 0) choices_write(o, w->type);
    out_object_end(o);
}

static const struct route *route_at(struct exchange *x, const struct route_table *table,
                                    enum method m) {
    struct found_route found;
    char *scratch = exchange_alloc(x, strlen(x->path) + 2);
    return route_find(table, m, x->path, scratch, &found) == FOUND_ROUTE ? found.route : NULL;
}

void metadata_write(struct exchange *x, const struct route_table *table) {
    struct out *o = &x->out;
    const struct route *any = NULL;
    for (enum method m = METHOD_GET; m < METHOD_OPTIONS && any == NULL; m++)
        if (m != METHOD_HEAD && x->allow & 1u << m) any = route_at(x, table, m);
    if (any == NULL) return;
    out_key(o, "name");
    out_string(o, name_of(x, any->path));
    out_key(o, "description");
    out_string(o, any->sentence);
    out_key(o, "renders");
    out_list(o);
    out_string(o, "application/json");
    out_list_end(o);
    out_key(o, "parses");
    out_list(o);
    out_string(o, "application/json");
    out_list_end(o);
    out_key(o, "actions");
    out_object(o);
    for (enum method m = METHOD_POST; m <= METHOD_PUT; m++) {
        const struct route *r = x->allow & 1u << m ? route_at(x, table, m) : NULL;
        if (r == NULL || (r->body != BODY_JSON && r->body != BODY_FIELDS)) continue;
        out_key(o, method_name(m));
        out_object(o);
        said_each(said_of(x->dialect->name, r), member_write, o);
        out_object_end(o);
    }
    out_object_end(o);
}
