#include "gateway/lint.h"
#include <string.h>
#include <strings.h>

static bool name_byte(unsigned char c) {
    return c > 0x20 && c < 0x7f && strchr("()<>@,;:\\\"/[]?={}", c) == NULL;
}

static bool name_fits(const char *name) {
    if (*name == '\0') return false;
    for (; *name != '\0'; name++) {
        if (!name_byte((unsigned char)*name)) return false;
    }
    return true;
}

static bool value_fits(const char *value) {
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

/* The line break that the parser overwrote with zeros, CR and LF both. */
static const char *line_end(const char *text) {
    const char *end = text + strlen(text);
    return end[0] == '\0' && end[1] == '\0' ? end + 2 : NULL;
}

/* What stood between the texts: one blank in the first line, ":" and blanks in the others, CR LF
 * behind each. Every byte of the head is accounted for. */
static const char *gaps_lint(const struct head *h) {
    static const char uneven[] = "the request's head is malformed";
    const char *end = h->method + h->size;
    if (h->method + strlen(h->method) + 1 != h->target) return uneven;
    if (h->target + strlen(h->target_text) + 1 != h->version) return uneven;
    const char *at = line_end(h->version);
    for (uint32_t i = 0; i < h->header_count; i++) {
        const struct header *header = &h->headers[i];
        if (at == NULL || header->name != at) return uneven;
        const char *gap = header->name + strlen(header->name) + 1;
        if (header->value < gap || header->value > end) return uneven;
        for (; gap < header->value; gap++) {
            if (*gap != ' ' && *gap != '\t') return uneven;
        }
        at = line_end(header->value);
        if (at == NULL || at > end) return uneven;
    }
    return at == NULL || at + 2 != end ? uneven : NULL;
}

static const char *target_lint(const char *target) {
    if (target[0] != '/') return "the request's target is not a path";
    for (; *target != '\0'; target++) {
        unsigned char c = (unsigned char)*target;
        if (c <= 0x20 || c >= 0x7f || c == '#') return "the request's target has a stray byte";
    }
    return NULL;
}

static bool host_fits(const char *host) {
    for (; *host != '\0'; host++) {
        unsigned char c = (unsigned char)*host;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && strchr(".-_:[]%~!$&'()*+,;=", c) == NULL) return false;
    }
    return true;
}

/* Digits only, below 2^62. */
static bool length_read(const char *text, uint64_t *value) {
    size_t len = strlen(text);
    if (len == 0 || len > 18 || strspn(text, "0123456789") != len) return false;
    *value = 0;
    for (; *text != '\0'; text++) *value = *value * 10 + (uint64_t)(*text - '0');
    return true;
}

struct counts { uint32_t hosts, lengths, codings; const char *coding; };

static const char *header_lint(const struct header *header, struct counts *n,
                               struct head_facts *facts) {
    if (!name_fits(header->name)) return "a header's name is malformed";
    if (!value_fits(header->value)) return "a header's value has a control byte";
    switch (header->name[0] | 0x20) {
    case 'h':
        if (strcasecmp(header->name, "Host") != 0) break;
        if (++n->hosts > 1) return "Host stands twice";
        if (!host_fits(header->value)) return "Host is malformed";
        break;
    case 'c':
        if (strcasecmp(header->name, "Content-Length") != 0) break;
        if (++n->lengths > 1) return "Content-Length stands twice";
        if (!length_read(header->value, &facts->content_length)) {
            return "Content-Length is malformed";
        }
        break;
    case 't':
        if (strcasecmp(header->name, "Transfer-Encoding") != 0) break;
        if (++n->codings > 1) return "Transfer-Encoding stands twice";
        n->coding = header->value;
        break;
    case 'e':
        if (strcasecmp(header->name, "Expect") != 0) break;
        if (strcasecmp(header->value, "100-continue") != 0) return "this Expect cannot be met";
        facts->expects_continue = true;
        break;
    default: break;
    }
    return NULL;
}

const char *head_lint(const struct head *h, struct head_facts *ret) {
    static const char *const methods[] = {"GET",   "HEAD",   "POST",    "PUT",
                                          "PATCH", "DELETE", "OPTIONS", NULL};
    struct counts n = {0};
    const char *why = NULL;
    *ret = (struct head_facts){0};
    ret->http_1_0 = strcmp(h->version, "HTTP/1.0") == 0;
    if (!ret->http_1_0 && strcmp(h->version, "HTTP/1.1") != 0) return "HTTP/1.0 and 1.1 are spoken";
    uint32_t m = 0;
    while (methods[m] != NULL && strcmp(methods[m], h->method) != 0) m++;
    if (methods[m] == NULL) return "this method is not taken";
    if (h->too_many) return "too many headers";
    if (h->size > 0 && (why = gaps_lint(h)) != NULL) return why;
    if ((why = target_lint(h->target_text)) != NULL) return why;
    for (uint32_t i = 0; i < h->header_count; i++) {
        if ((why = header_lint(&h->headers[i], &n, ret)) != NULL) return why;
    }
    if (n.hosts == 0 && !ret->http_1_0) return "Host is missing";
    if (n.codings > 0 && n.lengths > 0) return "Content-Length stands beside Transfer-Encoding";
    if (n.codings > 0 && (ret->http_1_0 || strcasecmp(n.coding, "chunked") != 0)) {
        return "this Transfer-Encoding is not taken";
    }
    ret->chunked = n.codings > 0;
    ret->has_body = ret->chunked || ret->content_length > 0;
    return NULL;
}
