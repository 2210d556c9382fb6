#include "gateway/fields.h"
#include "gateway/form.h"
#include <string.h>
#include <strings.h>

static const char encoded[] = "application/x-www-form-urlencoded", parts[] = "multipart/form-data";

static bool type_is(const char *type, const char *want) {
    const size_t len = strlen(want);
    return strncasecmp(type, want, len) == 0 && strchr("; \t", type[len]) != NULL;
}

bool fields_sent(const char *content_type) {
    return content_type != NULL && (type_is(content_type, encoded) || type_is(content_type, parts));
}

static bool field_put(json_t *object, const char *name, const char *value, size_t len,
                      uint32_t fields_max, const char **why) {
    *why = "too many form fields";
    if (json_object_size(object) >= fields_max && json_object_get(object, name) == NULL)
        return false;
    *why = "a form field is not UTF-8";
    return json_object_set_new(object, name, json_stringn(value, len)) == 0;
}

/* ---- application/x-www-form-urlencoded ---- */

static bool pairs_read(struct exchange *x, json_t *object, uint32_t fields_max, const char **why) {
    const char *p = (const char *)x->body.data, *end = p + x->body.len;
    while (p < end) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        if (stop == NULL) stop = end;
        const char *equals = memchr(p, '=', (size_t)(stop - p)), *text = "";
        if (equals != NULL) text = exchange_decode(x, equals + 1, (size_t)(stop - equals - 1));
        const char *name = exchange_decode(x, p, (size_t)((equals != NULL ? equals : stop) - p));
        if (stop > p && !field_put(object, name, text, strlen(text), fields_max, why)) return false;
        p = stop + 1;
    }
    return true;
}

/* ---- multipart/form-data ---- */

struct reading {
    json_t *object;
    uint32_t fields_max;
    const char **why;
    char name[FORM_NAME_MAX + 1];
    struct buffer value;
};

static bool part_open(void *context, const struct form_part *part) {
    struct reading *r = context;
    *r->why = "a file is not taken here";
    if (part->file_name != NULL) return false;
    strncpy(r->name, part->name, sizeof r->name - 1);
    buffer_clear(&r->value);
    return true;
}

static bool part_data(void *context, struct slice bytes) {
    struct reading *r = context;
    buffer_append(&r->value, bytes.data, bytes.len);
    *r->why = "out of memory";
    return !r->value.failed;
}

static bool part_close(void *context) {
    struct reading *r = context;
    return field_put(r->object, r->name, (const char *)r->value.data, r->value.len, r->fields_max,
                     r->why);
}

static bool parts_read(struct exchange *x, const char *type, json_t *object, uint32_t fields_max,
                       const char **why) {
    struct form form;
    struct reading r = {.object = object, .fields_max = fields_max, .why = why};
    const struct form_sink sink = {&r, part_open, part_data, part_close};
    *why = "the form's boundary is malformed";
    if (!form_open(&form, type, fields_max, sink)) return false;
    buffer_reserve(&r.value, 1); /* a value that is empty has a place, too */
    const enum form_state state = form_feed(&form, x->body);
    buffer_free(&r.value);
    if (state == FORM_BAD) *why = form_why(&form);
    if (state == FORM_GO) *why = "the form breaks off";
    return state == FORM_END;
}

json_t *fields_parse(struct exchange *x, const char *content_type, uint32_t fields_max,
                     const char **why) {
    json_t *object = json_object();
    const bool good = type_is(content_type, parts)
                          ? parts_read(x, content_type, object, fields_max, why)
                          : pairs_read(x, object, fields_max, why);
    if (good) return object;
    json_decref(object);
    return NULL;
}
