/* outward.h - HTTP calls and mails to the outside, many at once, to allowed addresses only.
 *
 *   outward_start  begins a call       outward_wait  sleeps until something happens, and works
 *   outward_next   the next one that has ended
 *
 * A host is resolved once; the address that it resolved to is checked against the allow-list at
 * the moment it is connected to, so that no second answer of a name server matters. Redirects are
 * not followed, proxies of the environment not used; http and https alone. What is answered beside
 * the status is thrown away.
 * A mail goes to the server that the operator named, which is not checked against the list.
 *
 * After outward_web every public address is allowed too, over https and on the ports 443 and 8443;
 * plain http and other ports only for what the list names.
 *
 * Refusals: a URL that is none, has a user or another scheme; OUTWARD_CALLS_MAX under way.
 * Threads: belongs to one. The one file that knows libcurl. */
#ifndef RELAIS_GATEWAY_OUTWARD_H
#define RELAIS_GATEWAY_OUTWARD_H
#include "gateway/allow.h"
#include "proto/base/bytes.h"

enum { OUTWARD_CALLS_MAX = 64, OUTWARD_WHY_MAX = 128 };

struct outward;

struct outward_call {
    const char *method, *url;
    const char *bearer; /* the token; NULL = none */
    const char *const *headers; /* further "Name: value", NULL-ended; NULL = none */
    struct slice json;  /* the body */
    void *owner;        /* comes back with the result */
};
struct outward_mail {
    const char *server; /* smtp://[USER:PASSWORD@]HOST[:PORT] or smtps://… */
    const char *from;
    const char *const *to; /* NULL-ended */
    struct slice text;  /* the message with its head, lines ended by CR LF */
    void *owner;
};
struct outward_result {
    void *owner;
    long status;               /* of the answer; 0 = there was none */
    bool refused;              /* the address is not allowed */
    char why[OUTWARD_WHY_MAX]; /* without an answer: a sentence */
};

struct outward *outward_new(const struct allow *allow /* borrowed */, uint32_t timeout_ms);
/* Calls under way are broken off. */
void outward_destroy(struct outward **self);
void outward_web(struct outward *o);
/* Why a URL could never be called after outward_web, as far as it can be told without asking for
 * its host's address; NULL = it may be good. */
const char *outward_wrong(const char *url, const struct allow *allow);
/* False when no call to this URL could be allowed, whatever its host resolves to. */
bool outward_hopes(const struct outward *o, const char *url);
/* Copies all it needs. False with the cause in why. */
bool outward_start(struct outward *o, const struct outward_call *call, char *why,
                   size_t why_size);
/* The same for a mail; a status of 2xx means that the server took it. */
bool outward_mail(struct outward *o, const struct outward_mail *mail, char *why, size_t why_size);
bool outward_next(struct outward *o, struct outward_result *ret);
/* Until a call moves, one of the descriptors can be read, or ms are over. */
void outward_wait(struct outward *o, const int *descriptors, uint32_t count, int ms);
#endif
