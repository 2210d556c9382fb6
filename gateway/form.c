#include "gateway/form.h"
#include <assert.h>
#include <string.h>
#include <strings.h>

/* ---- header values ---- */

static bool token_byte(char c) {
    return c > 0x20 && c < 0x7f && strchr("()<>@,;:\\\"/[]?={}", c) == NULL;
}

static const char *skip_blanks(const char *p) {
    while (*p == ' ' || *p == '\t') p++;
    return p;
}

/* Copies a token or a quoted text to `text` (NULL = pass over it); NULL when it is malformed. */
static const char *value_copy(const char *p, char *text, size_t size, size_t *len) {
    size_t n = 0;
    bool quoted = *p == '"';
    if (quoted) p++;
    while (quoted ? *p != '"' : token_byte(*p)) {
        /* only \" and \\ are escapes: some clients send paths with single backslashes */
        if (quoted && *p == '\\' && (p[1] == '"' || p[1] == '\\')) p++;
        if (*p == '\0' || (unsigned char)*p < 0x20) return NULL;
        if (text != NULL) {
            if (n + 1 >= size) return NULL;
            text[n] = *p;
        }
        n++;
        p++;
    }
    if (text != NULL) text[n] = '\0';
    *len = n;
    if (quoted) p++;
    return p;
}

int header_parameter(const char *value, const char *name, char *text, size_t size) {
    size_t name_len = strlen(name), len = 0;
    bool seen = false;
    const char *p = value + strcspn(value, ";");
    while (*p == ';') {
        p = skip_blanks(p + 1);
        if (*p == ';' || *p == '\0') continue;
        const char *key = p;
        while (token_byte(*p)) p++;
        size_t key_len = (size_t)(p - key);
        if (key_len == 0 || *p != '=') return -2;
        bool mine = key_len == name_len && strncasecmp(key, name, key_len) == 0;
        if (mine && seen) return -2;
        seen = seen || mine;
        size_t n;
        p = value_copy(p + 1, mine ? text : NULL, size, &n);
        if (p == NULL) return -2;
        if (mine) len = n;
        p = skip_blanks(p);
        if (*p != ';' && *p != '\0') return -2;
    }
    return seen ? (int)len : -1;
}

static bool boundary_fits(const char *text, size_t len) {
    static const char others[] = "'()+_,-./:=? ";
    if (len == 0 || len > FORM_BOUNDARY_MAX || text[len - 1] == ' ') return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && strchr(others, c) == NULL) return false;
    }
    return true;
}

bool form_open(struct form *f, const char *content_type, uint32_t parts_max,
               struct form_sink sink) {
    static const char type[] = "multipart/form-data";
    char boundary[FORM_BOUNDARY_MAX + 1];
    if (strncasecmp(content_type, type, sizeof type - 1) != 0) return false;
    const char *rest = skip_blanks(content_type + sizeof type - 1);
    if (*rest != ';') return false;
    int len = header_parameter(rest, "boundary", boundary, sizeof boundary);
    if (len < 0 || !boundary_fits(boundary, (size_t)len)) return false;
    f->sink = sink;
    f->step = STEP_FIRST;
    f->state = FORM_GO;
    f->why = NULL;
    f->parts = 0;
    f->parts_max = parts_max;
    memcpy(f->delimiter, "\r\n--", 4);
    memcpy(f->delimiter + 4, boundary, (size_t)len);
    f->delimiter_len = (uint32_t)len + 4;
    f->matched = 2; /* the first boundary stands at the very start: its line break is granted */
    return true;
}

const char *form_why(const struct form *f) { return f->why; }

static bool bad(struct form *f, const char *why) {
    f->state = FORM_BAD;
    f->why = why;
    return false;
}

/* ---- a part's headers ---- */

static char *last_component(char *name) {
    for (char *p = name; *p != '\0'; p++) {
        if (*p == '/' || *p == '\\') name = p + 1;
    }
    return name;
}

static void lower(char *text) {
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z') *text = (char)(*text - 'A' + 'a');
    }
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* filename*=UTF-8''percent%20encoded (RFC 5987), in place. False when it is none. */
static bool extended_decode(char *text) {
    if (strncasecmp(text, "UTF-8'", 6) != 0) return false;
    char *from = strchr(text + 6, '\''), *to = text;
    if (from == NULL) return false;
    for (from++; *from != '\0'; from++) {
        char c = *from;
        if (c == '%') {
            int high = hex_value(from[1]), low = high < 0 ? -1 : hex_value(from[2]);
            if (low < 0) return false;
            c = (char)(high * 16 + low);
            from += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f) return false;
        *to++ = c;
    }
    *to = '\0';
    return true;
}

struct part_texts {
    char name[FORM_NAME_MAX + 1], file_name[3 * FORM_FILE_NAME_MAX + 16], mime[FORM_NAME_MAX + 1];
    bool named, is_file;
};

static bool disposition_read(struct form *f, const char *value, struct part_texts *t) {
    if (strncasecmp(value, "form-data", 9) != 0 || token_byte(value[9])) {
        return bad(f, "a part is not form-data");
    }
    if (t->named) return bad(f, "a part has two Content-Dispositions");
    if (header_parameter(value, "name", t->name, sizeof t->name) < 1) {
        return bad(f, "a part has no proper name");
    }
    t->named = true;
    int extended = header_parameter(value, "filename*", t->file_name, sizeof t->file_name);
    if (extended >= 0 && extended_decode(t->file_name)) {
        t->is_file = true;
    } else {
        int plain = header_parameter(value, "filename", t->file_name, sizeof t->file_name);
        if (plain == -2) return bad(f, "a part's file name is malformed or too long");
        t->is_file = plain >= 0;
    }
    if (t->is_file && strlen(last_component(t->file_name)) > FORM_FILE_NAME_MAX) {
        return bad(f, "a part's file name is malformed or too long");
    }
    return true;
}

static bool part_header(struct form *f, char *line, struct part_texts *t) {
    char *colon = strchr(line, ':');
    if (colon == NULL || colon == line) return bad(f, "a part's header has no name");
    for (char *p = line; p < colon; p++) {
        if (!token_byte(*p)) return bad(f, "a part's header is malformed");
    }
    *colon = '\0';
    const char *value = skip_blanks(colon + 1);
    if (strcasecmp(line, "Content-Disposition") == 0) return disposition_read(f, value, t);
    if (strcasecmp(line, "Content-Type") == 0) {
        size_t len = strcspn(value, "; \t");
        if (len > FORM_NAME_MAX) return bad(f, "a part's Content-Type is too long");
        memcpy(t->mime, value, len);
        t->mime[len] = '\0';
        lower(t->mime);
    } else if (strcasecmp(line, "Content-Transfer-Encoding") == 0) {
        if (strcasecmp(value, "binary") != 0 && strcasecmp(value, "8bit") != 0 &&
            strcasecmp(value, "7bit") != 0) {
            return bad(f, "a part's Content-Transfer-Encoding is not taken");
        }
    }
    return true;
}

/* The header block is whole, with its last CRLF CRLF: reads it line by line. */
static bool head_read(struct form *f) {
    struct part_texts t = {.named = false};
    char *line = f->head, *end = f->head + f->head_len - 2;
    for (char *p = f->head; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        bool breaks = c == '\r' && p[1] == '\n';
        if (breaks) {
            *p = '\0';
            if (!part_header(f, line, &t)) return false;
            line = p + 2;
            p++;
        } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return bad(f, "a part's header has a control byte");
        }
    }
    if (!t.named) return bad(f, "a part has no Content-Disposition");
    if (++f->parts > f->parts_max) return bad(f, "too many parts");
    struct form_part part = {.name = t.name, .mime = t.mime,
                             .file_name = t.is_file ? last_component(t.file_name) : NULL};
    if (f->sink.part(f->sink.context, &part)) return true;
    f->state = FORM_STOPPED;
    return false;
}

/* ---- the body ---- */

static bool give(struct form *f, const void *data, size_t len) {
    if (len == 0) return true;
    if (f->step == STEP_FIRST) return bad(f, "the body does not begin with the boundary");
    if (f->sink.data(f->sink.context, slice_of(data, len))) return true;
    f->state = FORM_STOPPED;
    return false;
}

/* Looks for the delimiter. It holds no CR but its first byte, so what was matched before a
 * mismatch is plain data and only the byte at hand can begin a new match. */
static const uint8_t *body_feed(struct form *f, const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        if (f->matched == 0) {
            const uint8_t *cr = memchr(p, '\r', (size_t)(end - p));
            if (!give(f, p, (size_t)((cr == NULL ? end : cr) - p))) return NULL;
            if (cr == NULL) return end;
            p = cr + 1;
            f->matched = 1;
            continue;
        }
        if (*p != (uint8_t)f->delimiter[f->matched]) {
            uint32_t matched = f->matched;
            f->matched = 0;
            if (!give(f, f->delimiter, matched)) return NULL;
            continue;
        }
        p++;
        if (++f->matched < f->delimiter_len) continue;
        if (f->step == STEP_BODY && !f->sink.close(f->sink.context)) {
            f->state = FORM_STOPPED;
            return NULL;
        }
        f->step = STEP_TAIL;
        f->tail_len = 0;
        return p;
    }
    return p;
}

static const uint8_t *tail_feed(struct form *f, const uint8_t *p) {
    f->tail[f->tail_len++] = (char)*p;
    if (f->tail_len < 2) return p + 1;
    if (memcmp(f->tail, "--", 2) == 0) {
        f->step = STEP_REST;
        f->state = FORM_END;
    } else if (memcmp(f->tail, "\r\n", 2) == 0) {
        f->step = STEP_HEAD;
        f->head_len = 0;
    } else {
        bad(f, "a boundary does not end its line");
        return NULL;
    }
    return p + 1;
}

static const uint8_t *head_feed(struct form *f, const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        if (f->head_len == FORM_HEAD_MAX) {
            bad(f, "a part's headers are too long");
            return NULL;
        }
        f->head[f->head_len++] = (char)*p++;
        bool none = f->head_len == 2 && memcmp(f->head, "\r\n", 2) == 0;
        bool whole = f->head_len >= 4 && memcmp(f->head + f->head_len - 4, "\r\n\r\n", 4) == 0;
        if (none || whole) {
            if (!head_read(f)) return NULL;
            f->step = STEP_BODY;
            f->matched = 0;
            return p;
        }
    }
    return p;
}

enum form_state form_feed(struct form *f, struct slice bytes) {
    const uint8_t *p = bytes.data, *end = p + bytes.len;
    while (f->state == FORM_GO && p != NULL && p < end) {
        switch (f->step) {
        case STEP_FIRST:
        case STEP_BODY: p = body_feed(f, p, end); break;
        case STEP_TAIL: p = tail_feed(f, p); break;
        case STEP_HEAD: p = head_feed(f, p, end); break;
        case STEP_REST: return f->state;
        }
    }
    assert(f->state != FORM_BAD || f->why != NULL);
    return f->state;
}
