/* allow.h - which addresses outside may be called: an allow-list, and what is never public.
 *
 * A list is entries with commas between: `*` any public address; HOST or HOST:PORT a name, or an
 * address as the URL spells it; ADDRESS/BITS all addresses of a network. An IPv6 address with a
 * port stands in brackets.
 *
 * An address that is private, loopback, link-local, multicast, reserved, or an IPv6 form of such an
 * IPv4 address, is called only when an entry names it or its network: a host name that resolves to
 * it does not do. A public one is called when its host is listed, or `*` is. The empty list allows
 * nothing.
 *
 * Limits: ALLOW_MAX entries. Pure but for memory; read-only after allow_new. */
#ifndef RELAIS_GATEWAY_ALLOW_H
#define RELAIS_GATEWAY_ALLOW_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ALLOW_MAX = 64 };

struct allow;

/* NULL with the cause in why when the list is malformed. */
struct allow *allow_new(const char *list, char *why, size_t why_size);
void allow_destroy(struct allow **self);
bool allow_empty(const struct allow *a);
/* What can be said of a URL before its host is resolved: false = no address will do. */
bool allow_hopes(const struct allow *a, const char *host, uint16_t port);
/* host and port as the URL has them, address what the host resolved to. */
bool allow_fits(const struct allow *a, const char *host, uint16_t port,
                const struct sockaddr *address);
/* True for what is on the open internet. */
bool allow_public(const struct sockaddr *address);
#endif
