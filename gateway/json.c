#include "gateway/json.h"
#include "proto/base/date.h"
#include "proto/base/utf8.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FEW = 6 };

/* ---- in ---- */

/* jansson's own depth limit is 2048: nesting is counted before, on the bytes. */
static bool depth_fits(struct slice text) {
    int depth = 0;
    bool quoted = false;
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (quoted) {
            if (c == '\\') i++;
            else if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX) return false;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return true;
}

json_t *json_parse(struct slice text, char *why, size_t why_size) {
    if (text.len == 0) {
        snprintf(why, why_size, "no value");
        return NULL;
    }
    if (!depth_fits(text)) {
        snprintf(why, why_size, "nested deeper than %d", JSON_DEPTH_MAX);
        return NULL;
    }
    json_error_t error;
    json_t *value = json_loadb((const char *)text.data, text.len,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL) {
        /* jansson quotes the input after " near ": that part is left out */
        char *near = strstr(error.text, " near ");
        if (near != NULL) *near = '\0';
        snprintf(why, why_size, "%s: line %d column %d", error.text, error.line, error.column);
    }
    return value;
}

json_t *json_of(struct slice text) {
    return text.len > 0 ? json_parse(text, NULL, 0) : NULL;
}

void field_wrong(struct field_errors *e, const char *name, enum field_wrong wrong, int64_t limit) {
    if (e->count == FIELD_ERRORS_MAX) return;
    e->list[e->count++] = (struct field_error){.name = name, .wrong = wrong, .limit = limit};
}

void field_refuse(struct field_errors *e, const char *name, const char *text) {
    if (e->count == FIELD_ERRORS_MAX) return;
    e->list[e->count++] = (struct field_error){.name = name, .wrong = FIELD_REFUSED, .text = text};
}

void field_sentence(const struct field_error *e, char *text, size_t size) {
    static const char *const plain[] = {
        [FIELD_MISSING] = "This field is required.",
        [FIELD_NULL] = "This field may not be null.",
        [FIELD_BLANK] = "This field may not be blank.",
        [FIELD_NOT_TEXT] = "Not a valid string.",
        [FIELD_NOT_INTEGER] = "A valid integer is required.",
        [FIELD_NOT_NUMBER] = "A valid number is required.",
        [FIELD_NOT_BOOL] = "Must be a valid boolean.",
        [FIELD_NOT_OBJECT] = "Expected an object.",
        [FIELD_NOT_LIST] = "Expected a list.",
        [FIELD_NOT_DATE] = "Expected an RFC 3339 time.",
        [FIELD_NOT_A_CHOICE] = "Not a valid choice.",
    };
    static const char *const limited[] = {
        [FIELD_TOO_LONG] = "Ensure this field has no more than",
        [FIELD_TOO_SMALL] = "Ensure this value is greater than or equal to",
        [FIELD_TOO_LARGE] = "Ensure this value is less than or equal to",
    };
    if (e->wrong == FIELD_REFUSED) {
        snprintf(text, size, "%s", e->text);
    } else if (e->wrong >= FIELD_TOO_LONG && e->wrong <= FIELD_TOO_LARGE) {
        const char *unit = e->wrong == FIELD_TOO_LONG ? " elements" : "";
        snprintf(text, size, "%s %lld%s.", limited[e->wrong], (long long)e->limit, unit);
    } else {
        snprintf(text, size, "%s", plain[e->wrong]);
    }
}

/* The other spelling of a key; false when it has none. */
static bool respell(const char *name, char *other, size_t size) {
    size_t n = 0;
    bool changed = false;
    for (const char *p = name; *p != '\0'; p++) {
        if (n + 3 > size) return false;
        if (*p == '_' && p[1] >= 'a' && p[1] <= 'z' && p != name) {
            other[n++] = (char)(*++p - 'a' + 'A');
            changed = true;
        } else if (*p >= 'A' && *p <= 'Z' && p != name) {
            other[n++] = '_';
            other[n++] = (char)(*p - 'A' + 'a');
            changed = true;
        } else {
            other[n++] = *p;
        }
    }
    other[n] = '\0';
    return changed;
}

/* Few members are looked through in less time than it takes to hash a name. No spelling changes
 * the first letter. */
static bool may_have(json_t *object, char first) {
    if (json_object_size(object) > FEW) return true;
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        if (*json_object_iter_key(at) == first) return true;
    }
    return false;
}

json_t *member_find(json_t *object, const char *name) {
    char other[64];
    if (!json_is_object(object) || !may_have(object, *name)) return NULL;
    json_t *value = json_object_get(object, name);
    if (value == NULL && respell(name, other, sizeof other)) value = json_object_get(object, other);
    return value;
}

/* NULL = the fallback is to be given; what is wrong has been noted. */
static json_t *member_given(json_t *object, const char *name, uint32_t flags,
                            struct field_errors *e) {
    json_t *value = member_find(object, name);
    if (value != NULL && !json_is_null(value)) return value;
    if (value != NULL && !(flags & NULLABLE)) {
        field_wrong(e, name, FIELD_NULL, 0);
    } else if (flags & REQUIRED) {
        field_wrong(e, name, value == NULL ? FIELD_MISSING : FIELD_NULL, 0);
    }
    return NULL;
}

struct slice member_text(json_t *object, const char *name, uint32_t flags, uint32_t max,
                         struct field_errors *e) {
    const struct slice none = {0};
    json_t *value = member_given(object, name, flags, e);
    if (value == NULL) return none;
    if (!json_is_string(value)) {
        field_wrong(e, name, FIELD_NOT_TEXT, 0);
        return none;
    }
    size_t len = json_string_length(value);
    if (len == 0 && !(flags & BLANK_OK)) {
        field_wrong(e, name, FIELD_BLANK, 0);
        return none;
    }
    if (len > max) {
        field_wrong(e, name, FIELD_TOO_LONG, max);
        return none;
    }
    return slice_of(json_string_value(value), len);
}

/* Integers may come as texts of digits, as DRF and forms take them. */
static bool integer_of(const json_t *value, int64_t *number) {
    if (json_is_integer(value)) {
        *number = json_integer_value(value);
        return true;
    }
    if (json_is_real(value)) {
        double real = json_real_value(value);
        if (real != floor(real) || fabs(real) > 9007199254740992.0) return false;
        *number = (int64_t)real;
        return true;
    }
    if (!json_is_string(value)) return false;
    const char *text = json_string_value(value);
    size_t len = json_string_length(value), sign = text[0] == '-';
    if (len - sign == 0 || len - sign > 18 || strspn(text + sign, "0123456789") != len - sign) {
        return false;
    }
    *number = strtoll(text, NULL, 10);
    return true;
}

int64_t member_integer(json_t *object, const char *name, uint32_t flags, int64_t fallback,
                       int64_t min, int64_t max, struct field_errors *e) {
    json_t *value = member_given(object, name, flags, e);
    int64_t number;
    if (value == NULL) return fallback;
    if (!integer_of(value, &number)) {
        field_wrong(e, name, FIELD_NOT_INTEGER, 0);
    } else if (number < min) {
        field_wrong(e, name, FIELD_TOO_SMALL, min);
    } else if (number > max) {
        field_wrong(e, name, FIELD_TOO_LARGE, max);
    } else {
        return number;
    }
    return fallback;
}

double member_number(json_t *object, const char *name, uint32_t flags, double fallback,
                     double min, double max, struct field_errors *e) {
    json_t *value = member_given(object, name, flags, e);
    if (value == NULL) return fallback;
    double number = json_number_value(value);
    if (!json_is_number(value)) {
        field_wrong(e, name, FIELD_NOT_NUMBER, 0);
    } else if (number < min) {
        field_wrong(e, name, FIELD_TOO_SMALL, (int64_t)min);
    } else if (number > max) {
        field_wrong(e, name, FIELD_TOO_LARGE, (int64_t)max);
    } else {
        return number;
    }
    return fallback;
}

bool member_bool(json_t *object, const char *name, uint32_t flags, bool fallback,
                 struct field_errors *e) {
    json_t *value = member_given(object, name, flags, e);
    if (value == NULL) return fallback;
    if (!json_is_boolean(value)) {
        field_wrong(e, name, FIELD_NOT_BOOL, 0);
        return fallback;
    }
    return json_is_true(value);
}

json_t *member_object(json_t *object, const char *name, uint32_t flags, struct field_errors *e) {
    json_t *value = member_given(object, name, flags, e);
    if (value == NULL || json_is_object(value)) return value;
    field_wrong(e, name, FIELD_NOT_OBJECT, 0);
    return NULL;
}

json_t *member_list(json_t *object, const char *name, uint32_t flags, uint32_t max,
                    struct field_errors *e) {
    json_t *value = member_given(object, name, flags, e);
    if (value == NULL) return NULL;
    if (!json_is_array(value)) {
        field_wrong(e, name, FIELD_NOT_LIST, 0);
        return NULL;
    }
    if (json_array_size(value) > max) {
        field_wrong(e, name, FIELD_TOO_LONG, max);
        return NULL;
    }
    return value;
}

int member_choice(json_t *object, const char *name, uint32_t flags, const char *const *choices,
                  struct field_errors *e) {
    json_t *value = member_given(object, name, flags, e);
    if (value == NULL) return -1;
    if (!json_is_string(value)) {
        field_wrong(e, name, FIELD_NOT_TEXT, 0);
        return -1;
    }
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcasecmp(json_string_value(value), choices[i]) == 0) return i;
    }
    bool blank = json_string_length(value) == 0;
    field_wrong(e, name, blank ? FIELD_BLANK : FIELD_NOT_A_CHOICE, 0);
    return -1;
}

int64_t member_time(json_t *object, const char *name, uint32_t flags, struct field_errors *e) {
    json_t *value = member_given(object, name, flags, e);
    int64_t ms = 0;
    if (value == NULL) return 0;
    struct slice text = slice_of(json_string_value(value), json_string_length(value));
    if (!json_is_string(value) || !date_parse(text, &ms)) {
        field_wrong(e, name, FIELD_NOT_DATE, 0);
        return 0;
    }
    return ms;
}
