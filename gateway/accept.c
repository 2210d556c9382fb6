#include "gateway/accept.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { COVERS_NOT, COVERS_ALL, COVERS_MAIN, COVERS_WHOLE };

struct range { const char *text; size_t len; double q; };

/* The part up to the next comma outside of quotes. */
static size_t part_len(const char *at) {
    bool quoted = false;
    size_t len = 0;
    for (; at[len] != '\0' && (quoted || at[len] != ','); len++) {
        if (quoted && at[len] == '\\' && at[len + 1] != '\0') len++;
        else if (at[len] == '"') quoted = !quoted;
    }
    return len;
}

/* The value of q, 1 where there is none. */
static double q_of(const char *part, size_t len) {
    for (size_t at = 0; at < len; at++) {
        if (part[at] != ';') continue;
        const size_t from = at + 1 + strspn(part + at + 1, " \t");
        if (from + 2 <= len && strncasecmp(part + from, "q=", 2) == 0)
            return strtod(part + from + 2, NULL);
    }
    return 1;
}

/* Reads the next part; false when it is no range. */
static bool range_next(const char **at, struct range *ret) {
    *at += strspn(*at, " \t,");
    const size_t len = part_len(*at);
    const char *text = *at;
    *at += len;
    *ret = (struct range){.text = text, .len = strcspn(text, " \t;,"), .q = q_of(text, len)};
    if (ret->len > len) ret->len = len;
    return memchr(text, '/', ret->len) != NULL;
}

static int covers(const struct range *r, const char *type) {
    const size_t main_len = strcspn(type, "/") + 1;
    if (r->len == 3 && memcmp(r->text, "*/*", 3) == 0) return COVERS_ALL;
    if (r->len < main_len || strncasecmp(r->text, type, main_len) != 0) return COVERS_NOT;
    if (r->len == main_len + 1 && r->text[main_len] == '*') return COVERS_MAIN;
    return r->len == strlen(type) && strncasecmp(r->text, type, r->len) == 0 ? COVERS_WHOLE
                                                                              : COVERS_NOT;
}

bool accept_allows(const char *header, const char *type) {
    int best = COVERS_NOT;
    bool any = false, allowed = false;
    for (const char *at = header; *at != '\0';) {
        struct range r;
        if (!range_next(&at, &r)) continue;
        const int how = covers(&r, type);
        any = true;
        if (how < best || how == COVERS_NOT) continue;
        allowed = r.q > 0 || (how == best && allowed); /* of two alike the kinder one */
        best = how;
    }
    return !any || allowed;
}
