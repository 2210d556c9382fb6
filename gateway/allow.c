#include "gateway/allow.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ENTRY_BYTES_MAX = 255, V4_BITS = 96 };

/* All addresses are 16 bytes: IPv4 in its mapped form. */
struct net { uint8_t bytes[16]; uint32_t bits; };
struct entry {
    char host[ENTRY_BYTES_MAX + 1]; /* "" = a network only */
    uint16_t port;                  /* 0 = any */
    struct net net;                 /* bits 0 = none */
};
struct allow {
    bool any;
    uint32_t count;
    struct entry entries[ALLOW_MAX];
};

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

/* ---- addresses ---- */

static bool address_bytes(const struct sockaddr *address, uint8_t bytes[16]) {
    if (address->sa_family == AF_INET) {
        memcpy(bytes, mapped, sizeof mapped);
        memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return true;
    }
    if (address->sa_family != AF_INET6) return false;
    memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    return true;
}

static bool net_holds(const struct net *n, const uint8_t bytes[16]) {
    uint32_t whole = n->bits / 8, rest = n->bits % 8;
    if (memcmp(n->bytes, bytes, whole) != 0) return false;
    return rest == 0 || ((n->bytes[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

#define V4(a, b, c, bits) {{[10] = 0xff, 0xff, a, b, c, 0}, V4_BITS + (bits)}
/* What the registries of special addresses keep off the open internet. */
static const struct net closed[] = {
    V4(0, 0, 0, 8),       V4(10, 0, 0, 8),      V4(100, 64, 0, 10),  V4(127, 0, 0, 8),
    V4(169, 254, 0, 16),  V4(172, 16, 0, 12),   V4(192, 0, 0, 24),   V4(192, 0, 2, 24),
    V4(192, 88, 99, 24),  V4(192, 168, 0, 16),  V4(198, 18, 0, 15),  V4(198, 51, 100, 24),
    V4(203, 0, 113, 24),  V4(224, 0, 0, 4),     V4(240, 0, 0, 4),
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x01}, 23},             /* protocol assignments, Teredo among them */
    {{0x20, 0x02}, 16},             /* 6to4: any IPv4 address inside */
};
/* Everything else outside of 2000::/3 that is no IPv4 address is not public either. */
static const struct net global = {{0x20}, 3};
static const struct net ipv4 = {{[10] = 0xff, 0xff}, V4_BITS};

bool allow_public(const struct sockaddr *address) {
    uint8_t bytes[16];
    if (!address_bytes(address, bytes)) return false;
    if (!net_holds(&global, bytes) && !net_holds(&ipv4, bytes)) return false;
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        if (net_holds(&closed[i], bytes)) return false;
    }
    return true;
}

/* ---- the list ---- */

static bool net_read(const char *text, struct net *ret) {
    struct net n = {.bits = 128};
    if (inet_pton(AF_INET, text, n.bytes + 12) == 1) memcpy(n.bytes, mapped, sizeof mapped);
    else if (inet_pton(AF_INET6, text, n.bytes) != 1) return false;
    *ret = n;
    return true;
}

static bool bits_read(const char *text, struct net *n) {
    char *end;
    bool v4 = net_holds(&ipv4, n->bytes);
    unsigned long bits = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || bits == 0 || bits > (v4 ? 32 : 128))
        return false;
    n->bits = (uint32_t)bits + (v4 ? V4_BITS : 0);
    return true;
}

static bool port_read(const char *text, uint16_t *ret) {
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || port == 0 || port > UINT16_MAX) return false;
    *ret = (uint16_t)port;
    return true;
}

static bool entry_read(char *text, struct entry *e) {
    char *slash = strchr(text, '/'), *colon = strrchr(text, ':');
    if (slash != NULL) {
        *slash = '\0';
        return net_read(text, &e->net) && bits_read(slash + 1, &e->net);
    }
    bool several = colon != NULL && strchr(text, ':') != colon; /* a bare IPv6 address */
    if (text[0] == '[') {
        char *end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':')) return false;
        if (end[1] == ':' && !port_read(end + 2, &e->port)) return false;
        *end = '\0';
        text++;
    } else if (colon != NULL && !several) {
        if (!port_read(colon + 1, &e->port)) return false;
        *colon = '\0';
    }
    if (text[0] == '\0' || strpbrk(text, " @#?") != NULL) return false;
    net_read(text, &e->net);
    snprintf(e->host, sizeof e->host, "%s", text);
    return true;
}

static bool list_read(struct allow *a, const char *list, char *why, size_t why_size) {
    while (*list != '\0') {
        char text[ENTRY_BYTES_MAX + 1];
        list += strspn(list, ", ");
        size_t len = strcspn(list, ", ");
        if (len == 0) continue;
        bool fits = len < sizeof text && a->count < ALLOW_MAX;
        snprintf(text, sizeof text, "%.*s", (int)(len < sizeof text ? len : 0), list);
        if (fits && strcmp(text, "*") == 0) a->any = true;
        else if (fits) fits = entry_read(text, &a->entries[a->count++]);
        if (!fits) {
            snprintf(why, why_size, "\"%.*s\" is no entry of an allow-list", (int)len, list);
            return false;
        }
        list += len;
    }
    return true;
}

struct allow *allow_new(const char *list, char *why, size_t why_size) {
    struct allow *a = calloc(1, sizeof *a);
    if (a == NULL) abort();
    if (!list_read(a, list, why, why_size)) allow_destroy(&a);
    return a;
}

void allow_destroy(struct allow **self) {
    free(*self);
    *self = NULL;
}

bool allow_empty(const struct allow *a) { return !a->any && a->count == 0; }

bool allow_hopes(const struct allow *a, const char *host, uint16_t port) {
    struct net literal;
    bool named = !net_read(host, &literal);
    if (a->any) return true;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct entry *e = &a->entries[i];
        if (e->port != 0 && e->port != port) continue;
        if (e->host[0] != '\0' && strcasecmp(e->host, host) == 0) return true;
        if (e->net.bits != 0 && (named || net_holds(&e->net, literal.bytes))) return true;
    }
    return false;
}

bool allow_fits(const struct allow *a, const char *host, uint16_t port,
                const struct sockaddr *address) {
    uint8_t bytes[16];
    bool public = allow_public(address);
    if (!address_bytes(address, bytes)) return false;
    if (a->any && public) return true;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct entry *e = &a->entries[i];
        if (e->port != 0 && e->port != port) continue;
        if (e->net.bits != 0 && net_holds(&e->net, bytes)) return true;
        if (public && e->host[0] != '\0' && strcasecmp(e->host, host) == 0) return true;
    }
    return false;
}
