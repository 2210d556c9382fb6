#include "gateway/route.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* All dialects share one tree of segments, so that a literal goes before {} across dialects too.
 * A node's routes may belong to several dialects (000 and 003 share /api/v1). */
struct place { /* what one method does at a node */
    const struct dialect *dialect;
    const struct route *route;
};
struct branch {
    const char *text; /* owned; NULL = {} */
    size_t len;
    uint32_t fold;
    struct branch *next, *child; /* siblings: literals first, {} last */
    struct place places[METHOD_COUNT];
    uint32_t allow;
};
struct route_table {
    struct branch root;
    const struct dialect *const *dialects;
};

static const char *const method_names[METHOD_COUNT] = {
    "NONE", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

const char *method_name(enum method method) {
    assert(method < METHOD_COUNT);
    return method_names[method];
}

enum method method_of(const char *text) {
    for (enum method m = METHOD_GET; m < METHOD_COUNT; m++) {
        if (strcmp(text, method_names[m]) == 0) return m;
    }
    return METHOD_NONE;
}

static char fold_byte(char c, uint32_t fold) {
    if ((fold & FOLD_CASE) && c >= 'A' && c <= 'Z') return (char)(c - 'A' + 'a');
    if ((fold & FOLD_DASH) && c == '-') return '_';
    return c;
}

static bool text_same(const char *a, size_t a_len, const char *b, size_t b_len, uint32_t fold) {
    if (a_len != b_len) return false;
    if (memcmp(a, b, a_len) == 0) return true;
    for (size_t i = 0; fold && i < a_len; i++) {
        if (fold_byte(a[i], fold) != fold_byte(b[i], fold)) return false;
    }
    return fold != 0;
}

/* ---- building ---- */

static bool refuse(char *why, size_t why_size, const struct dialect *d, const struct route *r,
                   const char *cause) {
    snprintf(why, why_size, "%s: %s %s: %s", d->name, method_name(r->method), r->path, cause);
    return false;
}

static struct branch *branch_new(const char *text, size_t len, uint32_t fold) {
    struct branch *b = calloc(1, sizeof *b);
    if (b == NULL) return NULL;
    b->fold = fold;
    b->len = len;
    if (text != NULL && (b->text = strndup(text, len)) == NULL) {
        free(b);
        return NULL;
    }
    return b;
}

/* The child for a segment of a pattern; made when it is not there. */
static struct branch *branch_child(struct branch *at, const char *text, size_t len, uint32_t fold) {
    struct branch **link = &at->child;
    for (; *link != NULL && (*link)->text != NULL; link = &(*link)->next) {
        struct branch *b = *link;
        if (text != NULL && text_same(b->text, b->len, text, len, b->fold | fold)) return b;
    }
    if (text == NULL && *link != NULL) return *link;
    struct branch *made = branch_new(text, len, fold);
    if (made == NULL) return NULL;
    made->next = *link;
    *link = made;
    return made;
}

/* Checks one {name}; false when it is malformed or named before in the same pattern. */
static bool name_fits(const char *path, const char *at, size_t len) {
    if (len < 3 || at[len - 1] != '}' || memchr(at, '{', len) != at) return false;
    for (const char *p = strstr(path, "/{"); p != NULL && p + 1 < at; p = strstr(p + 1, "/{")) {
        if (strncmp(p + 1, at, len) == 0) return false;
    }
    return true;
}

static bool insert(struct route_table *t, const struct dialect *d, const struct route *r,
                   char *why, size_t why_size) {
    struct branch *at = &t->root;
    uint32_t depth = 0, names = 0;
    const char *p = r->path;
    if (p[0] != '/') return refuse(why, why_size, d, r, "the pattern does not begin with /");
    while (*p == '/' && p[1] != '\0') {
        const char *text = p + 1;
        size_t len = strcspn(text, "/");
        if (len == 0) return refuse(why, why_size, d, r, "empty segment");
        if (++depth > SEGMENTS_MAX) return refuse(why, why_size, d, r, "too many segments");
        bool named = text[0] == '{';
        if (named && (!name_fits(r->path, text, len) || ++names > PARAMS_MAX)) {
            return refuse(why, why_size, d, r, "bad {name}");
        }
        at = branch_child(at, named ? NULL : text, len, d->fold);
        if (at == NULL) return refuse(why, why_size, d, r, "out of memory");
        p = text + len;
    }
    if (at->places[r->method].route != NULL) {
        return refuse(why, why_size, d, r, "ambiguous: another route takes that path");
    }
    at->places[r->method] = (struct place){d, r};
    at->allow |= 1u << r->method;
    return true;
}

/* Segment-wise: "/tasks" is a prefix of "/tasks/x" but not of "/tasksx". */
static size_t prefix_length(const struct dialect *d, const char *prefix, const char *path) {
    size_t len = strlen(prefix);
    if (len > 0 && prefix[len - 1] == '/') len--;
    if (strlen(path) < len || !text_same(prefix, len, path, len, d->fold)) return 0;
    return path[len] == '\0' || path[len] == '/' ? len + 1 : 0;
}

static size_t dialect_covers(const struct dialect *d, const char *path) {
    size_t best = 0;
    for (const char *const *p = d->prefixes; *p != NULL; p++) {
        size_t len = prefix_length(d, *p, path);
        if (len > best) best = len;
    }
    return best;
}

static bool route_fits(const struct dialect *d, const struct route *r, char *why,
                       size_t why_size) {
    const uint32_t roles =
        GUARD_OPEN | GUARD_ADMIN | GUARD_USER | GUARD_WORKER | GUARD_SERVICE | GUARD_BRAND_ADMIN |
        GUARD_FLEET;
    if (r->method == METHOD_NONE || r->method >= METHOD_COUNT || r->method == METHOD_HEAD ||
        r->method == METHOD_OPTIONS) {
        return refuse(why, why_size, d, r, "no such method in a table");
    }
    if ((r->guard & roles) == 0) return refuse(why, why_size, d, r, "no guard");
    if (r->read == NULL) return refuse(why, why_size, d, r, "no read function");
    if (r->verb != VERB_NONE && r->write == NULL) {
        return refuse(why, why_size, d, r, "a verb, but no write function");
    }
    if (dialect_covers(d, r->path) == 0) {
        return refuse(why, why_size, d, r, "outside of the dialect's prefixes");
    }
    return true;
}

/* The i-th route of a dialect: its own, then those of its parts; NULL behind the last. */
static const struct route *route_at(const struct dialect *d, uint32_t i) {
    if (i < d->route_count) return &d->routes[i];
    i -= d->route_count;
    for (const struct routes *const *p = d->parts; p != NULL && *p != NULL; p++) {
        if (i < (*p)->count) return &(*p)->list[i];
        i -= (*p)->count;
    }
    return NULL;
}

struct route_table *route_table_new(const struct dialect *const *dialects, char *why,
                                    size_t why_size) {
    struct route_table *t = calloc(1, sizeof *t);
    if (t == NULL) {
        snprintf(why, why_size, "out of memory");
        return NULL;
    }
    t->dialects = dialects;
    uint32_t count = 0;
    for (const struct dialect *const *d = dialects; *d != NULL; d++) {
        const struct route *r;
        for (uint32_t i = 0; (r = route_at(*d, i)) != NULL; i++) {
            bool fits = route_fits(*d, r, why, why_size);
            if (fits && ++count > ROUTES_MAX) fits = refuse(why, why_size, *d, r, "too many");
            if (!fits || !insert(t, *d, r, why, why_size)) {
                route_table_destroy(&t);
                return NULL;
            }
        }
    }
    return t;
}

static void branch_free(struct branch *b) {
    while (b != NULL) { /* depth is bounded by SEGMENTS_MAX */
        struct branch *next = b->next;
        branch_free(b->child);
        free((void *)(uintptr_t)b->text);
        free(b);
        b = next;
    }
}

void route_table_destroy(struct route_table **self) {
    if (*self == NULL) return;
    branch_free((*self)->root.child);
    free(*self);
    *self = NULL;
}

/* ---- finding ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Decodes one segment into `to` (with a NUL behind it); -1 when it is refused. */
static int segment_decode(const char *from, size_t len, char *to) {
    int n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)from[i];
        if (c == '%') {
            int high = len - i > 2 ? hex_digit(from[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(from[i + 2]);
            if (low < 0) return -1;
            c = (unsigned char)(high * 16 + low);
            if (c == '/') return -1;
            i += 2;
        }
        if (c < 0x20 || c == 0x7f) return -1;
        to[n++] = (char)c;
    }
    to[n] = '\0';
    return n;
}

struct walk_state {
    struct slice segments[SEGMENTS_MAX];
    uint32_t count;
    uint32_t named[SEGMENTS_MAX]; /* indexes of segments that a {} took */
    uint32_t named_count;
};

/* Literals are tried before {}; a branch without routes leads back. Depth <= SEGMENTS_MAX. */
static const struct branch *descend(const struct branch *at, struct walk_state *w, uint32_t index) {
    if (index == w->count) return at->allow != 0 ? at : NULL;
    struct slice s = w->segments[index];
    if (s.len == 0) return NULL;
    uint32_t named_before = w->named_count;
    for (const struct branch *b = at->child; b != NULL; b = b->next) {
        if (b->text != NULL) {
            if (!text_same(b->text, b->len, (const char *)s.data, s.len, b->fold)) continue;
        } else {
            w->named[w->named_count++] = index;
        }
        const struct branch *found = descend(b, w, index + 1);
        if (found != NULL) return found;
        w->named_count = named_before;
    }
    return NULL;
}

/* Names come from the route's own pattern: nodes are shared by patterns that name otherwise. */
static void bind_names(const struct walk_state *w, struct found_route *ret) {
    const char *p = ret->route->path;
    for (uint32_t i = 0; i < w->named_count; i++) {
        p = strstr(p, "/{");
        assert(p != NULL && i < PARAMS_MAX);
        ret->params[i] = (struct param){p + 2, w->segments[w->named[i]]};
        p++;
    }
    ret->param_count = w->named_count;
}

/* -1: refused; else the number of segments; one more than SEGMENTS_MAX when there are too many. */
static int split(const char *path, char *scratch, struct walk_state *w) {
    const char *p = path;
    w->count = 0;
    w->named_count = 0;
    while (*p == '/' && p[1] != '\0') {
        size_t len = strcspn(p + 1, "/");
        int n = segment_decode(p + 1, len, scratch);
        if (n < 0) return -1;
        if (w->count == SEGMENTS_MAX) return SEGMENTS_MAX + 1;
        w->segments[w->count++] = slice_of(scratch, (size_t)n);
        scratch += n + 1;
        p += 1 + len;
    }
    return (int)w->count;
}

static const struct dialect *dialect_of_path(const struct route_table *t, const char *path) {
    const struct dialect *best = NULL;
    size_t best_len = 0;
    for (const struct dialect *const *d = t->dialects; *d != NULL; d++) {
        size_t len = dialect_covers(*d, path);
        if (len > best_len) {
            best_len = len;
            best = *d;
        }
    }
    return best;
}

enum found route_find(const struct route_table *t, enum method method, const char *path,
                      char *scratch, struct found_route *ret) {
    struct walk_state w;
    *ret = (struct found_route){0};
    int segments = path[0] == '/' ? split(path, scratch, &w) : -1;
    const struct branch *at = NULL;
    if (segments >= 0 && segments <= SEGMENTS_MAX) at = descend(&t->root, &w, 0);
    if (at == NULL) {
        ret->dialect = dialect_of_path(t, path);
        return segments < 0 ? FOUND_BAD_PATH : FOUND_NOTHING;
    }
    enum method wanted = method == METHOD_HEAD ? METHOD_GET : method;
    const struct place *place = &at->places[wanted];
    if (wanted != METHOD_NONE && place->route != NULL) {
        ret->dialect = place->dialect;
        ret->route = place->route;
        bind_names(&w, ret);
        return FOUND_ROUTE;
    }
    ret->allow = at->allow | 1u << METHOD_OPTIONS;
    if (at->allow & 1u << METHOD_GET) ret->allow |= 1u << METHOD_HEAD;
    for (enum method m = METHOD_GET; m < METHOD_COUNT && ret->dialect == NULL; m++) {
        ret->dialect = at->places[m].dialect;
    }
    return FOUND_OTHER_METHOD;
}

void route_print(const struct dialect *const *dialects) {
    for (const struct dialect *const *d = dialects; *d != NULL; d++) {
        printf("# %s\n", (*d)->name);
        const struct route *r;
        for (uint32_t i = 0; (r = route_at(*d, i)) != NULL; i++) {
            printf("%s %s\n", method_name(r->method), r->path);
        }
    }
}
