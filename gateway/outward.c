#include "gateway/outward.h"
#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONNECT_MS = 10000, DESCRIPTORS_MAX = 8, ANSWER_BYTES_MAX = 1 << 20 };

struct transfer {
    struct outward *outward;
    CURL *easy;
    struct curl_slist *headers;
    void *owner;
    struct curl_slist *to; /* of a mail */
    struct buffer text;
    size_t sent;
    char *host;            /* NULL: a mail's server, which is not checked */
    uint16_t port;
    bool plain;            /* http */
    bool refused;
    size_t taken;
    char error[CURL_ERROR_SIZE];
};
struct outward {
    const struct allow *allow;
    uint32_t timeout_ms;
    bool web;
    CURLM *multi;
    struct transfer *calls[OUTWARD_CALLS_MAX]; /* NULL = free */
};

struct outward *outward_new(const struct allow *allow, uint32_t timeout_ms) {
    struct outward *o = calloc(1, sizeof *o);
    if (o == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) abort();
    o->allow = allow;
    o->timeout_ms = timeout_ms;
    o->multi = curl_multi_init();
    if (o->multi == NULL) abort();
    return o;
}

static void transfer_free(struct outward *o, uint32_t at) {
    struct transfer *t = o->calls[at];
    curl_multi_remove_handle(o->multi, t->easy);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->to);
    buffer_free(&t->text);
    curl_free(t->host);
    free(t);
    o->calls[at] = NULL;
}

void outward_destroy(struct outward **self) {
    struct outward *o = *self;
    if (o == NULL) return;
    for (uint32_t i = 0; i < OUTWARD_CALLS_MAX; i++) {
        if (o->calls[i] != NULL) transfer_free(o, i);
    }
    curl_multi_cleanup(o->multi);
    curl_global_cleanup();
    free(o);
    *self = NULL;
}

void outward_web(struct outward *o) { o->web = true; }

/* ---- one call ---- */

static bool port_of_web(uint16_t port) { return port == 443 || port == 8443; }

static curl_socket_t socket_open(void *context, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
    struct transfer *t = context;
    (void)purpose;
    const bool web = t->outward->web && !t->plain && port_of_web(t->port);
    if (t->host != NULL && !allow_fits(t->outward->allow, t->host, t->port, &address->addr) &&
        !(web && allow_public(&address->addr))) {
        t->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t answer_take(char *data, size_t size, size_t count, void *context) {
    struct transfer *t = context;
    (void)data;
    t->taken += size * count;
    return t->taken > ANSWER_BYTES_MAX ? 0 : size * count;
}

/* The host (to be freed) and the port that will be asked, as the library itself reads them. */
static bool url_read(const char *url, char **host, uint16_t *port, bool *plain) {
    CURLU *u = curl_url();
    char *digits = NULL, *user = NULL, *scheme = NULL;
    *host = NULL;
    bool good = u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_HOST, host, 0) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_PORT, &digits, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(u, CURLUPART_USER, &user, 0) != CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    if (good) *port = (uint16_t)strtoul(digits, NULL, 10);
    if (good) *plain = strcmp(scheme, "http") == 0;
    size_t len = good ? strlen(*host) : 0;
    if (len > 1 && (*host)[0] == '[') { /* the list spells IPv6 addresses without brackets */
        memmove(*host, *host + 1, len - 2);
        (*host)[len - 2] = '\0';
    }
    curl_free(digits);
    curl_free(user);
    curl_free(scheme);
    curl_url_cleanup(u);
    return good;
}

bool outward_hopes(const struct outward *o, const char *url) {
    char *host;
    uint16_t port = 0;
    bool plain;
    bool may = url_read(url, &host, &port, &plain) && allow_hopes(o->allow, host, port);
    curl_free(host);
    return may;
}

/* Not public, when the host is an address at all. */
static bool host_closed(const char *host) {
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        return !allow_public((const struct sockaddr *)&v4);
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
        return !allow_public((const struct sockaddr *)&v6);
    return false;
}

const char *outward_wrong(const char *url, const struct allow *allow) {
    char *host;
    uint16_t port = 0;
    bool plain = false;
    const char *why = NULL;
    if (!url_read(url, &host, &port, &plain))
        why = "Enter a valid http or https URL without credentials.";
    else if (!allow_hopes(allow, host, port))
        why = plain ? "Only https is called here."
              : !port_of_web(port) ? "This port is not called."
              : host_closed(host) ? "This address is not called." : NULL;
    curl_free(host);
    return why;
}

static void headers_set(struct transfer *t, const struct outward_call *call) {
    const char *bearer = call->bearer;
    char line[4096];
    for (const char *const *h = call->headers; h != NULL && *h != NULL; h++)
        t->headers = curl_slist_append(t->headers, *h);
    t->headers = curl_slist_append(t->headers, "Content-Type: application/json");
    t->headers = curl_slist_append(t->headers, "Expect:");
    if (bearer == NULL) return;
    snprintf(line, sizeof line, "Authorization: Bearer %s", bearer);
    t->headers = curl_slist_append(t->headers, line);
}

static void call_set(struct transfer *t, const struct outward_call *call) {
    CURL *e = t->easy;
    curl_easy_setopt(e, CURLOPT_URL, call->url);
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)call->json.len);
    curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, (const char *)call->json.data);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
}

static void transfer_set(struct transfer *t) {
    CURL *e = t->easy;
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)t->outward->timeout_ms);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "relais/" RELAIS_VERSION);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, socket_open);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, answer_take);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    /* a connection kept open was checked for another call's host: each call opens its own */
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
}

/* NULL with the cause in why when all are under way. */
static struct transfer *transfer_new(struct outward *o, void *owner, uint32_t *at, char *why,
                                     size_t why_size) {
    *at = 0;
    while (*at < OUTWARD_CALLS_MAX && o->calls[*at] != NULL) ++*at;
    if (*at == OUTWARD_CALLS_MAX) {
        snprintf(why, why_size, "too many calls are under way");
        return NULL;
    }
    struct transfer *t = calloc(1, sizeof *t);
    if (t == NULL || (t->easy = curl_easy_init()) == NULL) abort();
    t->outward = o;
    t->owner = owner;
    o->calls[*at] = t;
    return t;
}

bool outward_start(struct outward *o, const struct outward_call *call, char *why,
                   size_t why_size) {
    uint32_t at;
    struct transfer *t = transfer_new(o, call->owner, &at, why, why_size);
    if (t == NULL) return false;
    if (!url_read(call->url, &t->host, &t->port, &t->plain)) {
        snprintf(why, why_size, "the endpoint is no http or https URL");
        transfer_free(o, at);
        return false;
    }
    headers_set(t, call);
    call_set(t, call);
    transfer_set(t);
    if (curl_multi_add_handle(o->multi, t->easy) != CURLM_OK) abort();
    return true;
}

static size_t mail_give(char *to, size_t size, size_t count, void *context) {
    struct transfer *t = context;
    size_t left = t->text.len - t->sent, room = size * count;
    if (left > room) left = room;
    if (left > 0) memcpy(to, t->text.data + t->sent, left);
    t->sent += left;
    return left;
}

bool outward_mail(struct outward *o, const struct outward_mail *mail, char *why, size_t why_size) {
    uint32_t at;
    struct transfer *t = transfer_new(o, mail->owner, &at, why, why_size);
    if (t == NULL) return false;
    for (const char *const *to = mail->to; *to != NULL; to++) t->to = curl_slist_append(t->to, *to);
    buffer_append(&t->text, mail->text.data, mail->text.len);
    CURL *e = t->easy;
    curl_easy_setopt(e, CURLOPT_URL, mail->server);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(e, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
    curl_easy_setopt(e, CURLOPT_MAIL_FROM, mail->from);
    curl_easy_setopt(e, CURLOPT_MAIL_RCPT, t->to);
    curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, mail_give);
    curl_easy_setopt(e, CURLOPT_READDATA, t);
    transfer_set(t);
    if (curl_multi_add_handle(o->multi, e) != CURLM_OK) abort();
    return true;
}

/* ---- results ---- */

static void result_take(struct transfer *t, CURLcode code, struct outward_result *ret) {
    *ret = (struct outward_result){.owner = t->owner, .refused = t->refused};
    if (code == CURLE_OK) {
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &ret->status);
        return;
    }
    const char *why = t->refused          ? "the address is not allowed"
                      : t->error[0] != 0 ? t->error
                                         : curl_easy_strerror(code);
    snprintf(ret->why, sizeof ret->why, "%.*s", OUTWARD_WHY_MAX - 1, why);
}

bool outward_next(struct outward *o, struct outward_result *ret) {
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(o->multi, &left)) != NULL;) {
        if (m->msg != CURLMSG_DONE) continue;
        uint32_t at = 0;
        while (at < OUTWARD_CALLS_MAX &&
               (o->calls[at] == NULL || o->calls[at]->easy != m->easy_handle)) at++;
        assert(at < OUTWARD_CALLS_MAX);
        result_take(o->calls[at], m->data.result, ret);
        transfer_free(o, at);
        return true;
    }
    return false;
}

void outward_wait(struct outward *o, const int *descriptors, uint32_t count, int ms) {
    struct curl_waitfd extra[DESCRIPTORS_MAX] = {{0}};
    int running;
    assert(count <= DESCRIPTORS_MAX);
    for (uint32_t i = 0; i < count; i++)
        extra[i] = (struct curl_waitfd){.fd = descriptors[i], .events = CURL_WAIT_POLLIN};
    curl_multi_perform(o->multi, &running);
    curl_multi_poll(o->multi, extra, count, ms, NULL);
    curl_multi_perform(o->multi, &running);
}
