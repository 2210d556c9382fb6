/* bench_http - durable creates over HTTP: POST /tasks/ on connections that are kept alive.
 *
 * One thread, epoll, one request in flight per connection, with a real token, brand and JSON body
 * that the gateway checks and routes. Only a 201 counts; every other answer is counted apart as
 * refused, and the first one is shown. */
#include "proto/base/bytes.h"
#include "worker/command/bench.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 16384, EVENTS_MAX = 256, LINGER_S = 5 };

struct caller { /* one connection */
    int fd;
    uint32_t len; /* bytes of the answer that are here */
    int64_t sent_ns;
    char answer[ANSWER_MAX + 1];
};

struct load {
    struct caller *callers;
    uint32_t count, waiting; /* connections; with a request in flight */
    struct buffer request;
    int epoll;
    uint64_t created, refused;
    struct spread spread;
    bool ending, broken;
};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool broken(struct load *l, const char *what) {
    if (!l->broken) fprintf(stderr, "relais bench: http: %s\n", what);
    l->broken = true;
    return false;
}

static void request_make(struct load *l, const struct bench *b) {
    struct buffer body = {0};
    static const char head[] = "{\"task_type\":\"bench\",\"context_data\":{\"data\":\"";
    buffer_append(&body, head, sizeof head - 1);
    for (uint64_t i = 0; i < b->size; i++) buffer_byte(&body, 'x');
    buffer_append(&body, "\"}}", 3);
    char text[SERVER_TOKEN_MAX + 512];
    int len = snprintf(text, sizeof text,
                       "POST /tasks/ HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
                       "X-Brand-ID: 1\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       b->server.http, b->token, body.len);
    buffer_append(&l->request, text, (size_t)len);
    buffer_append(&l->request, body.data, body.len);
    buffer_free(&body);
}

static bool caller_open(struct load *l, struct caller *c, const char *http) {
    char host[CONFIG_HOST_MAX];
    uint16_t port;
    struct sockaddr_in at = {.sin_family = AF_INET};
    if (!config_address(http, host, &port) || inet_pton(AF_INET, host, &at.sin_addr) != 1)
        return broken(l, "the address is not ADDR:PORT of IPv4");
    at.sin_port = htons(port);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&at, sizeof at) < 0)
        return broken(l, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0) return broken(l, strerror(errno));
    return true;
}

static bool caller_send(struct load *l, struct caller *c) {
    c->len = 0;
    c->sent_ns = now_ns();
    size_t at = 0;
    while (at < l->request.len) { /* the socket blocks */
        ssize_t n = send(c->fd, l->request.data + at, l->request.len - at, MSG_NOSIGNAL);
        if (n <= 0) return broken(l, strerror(errno));
        at += (size_t)n;
    }
    l->waiting++;
    return true;
}

/* Length of the whole answer that starts in text; 0 when it is not all here. */
static size_t answer_length(const char *text, size_t len) {
    const char *end = strstr(text, "\r\n\r\n");
    if (!end) return 0;
    const char *field = strcasestr(text, "\r\nContent-Length:");
    size_t body = field && field < end ? strtoul(field + 17, NULL, 10) : 0;
    size_t whole = (size_t)(end - text) + 4 + body;
    return len >= whole ? whole : 0;
}

static bool caller_read(struct load *l, struct caller *c) {
    ssize_t n = recv(c->fd, c->answer + c->len, ANSWER_MAX - c->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) return broken(l, n == 0 ? "the server closed a connection" : strerror(errno));
    c->len += (uint32_t)n;
    c->answer[c->len] = 0;
    if (answer_length(c->answer, c->len) == 0)
        return c->len < ANSWER_MAX || broken(l, "an answer is too long");
    l->waiting--;
    if (strncmp(c->answer, "HTTP/1.1 201", 12) == 0) {
        l->created++;
        spread_add(&l->spread, now_ns() - c->sent_ns);
    } else if (l->refused++ == 0) {
        fprintf(stderr, "relais bench: http: first refusal: %.600s\n", c->answer);
    }
    return l->ending || caller_send(l, c);
}

static bool pump(struct load *l) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(l->epoll, events, EVENTS_MAX, 100);
    for (int i = 0; i < count; i++)
        if (!caller_read(l, events[i].data.ptr)) return false;
    return true;
}

static bool run(struct load *l, const struct bench *b) {
    struct meter meter = meter_start(b);
    int64_t from = now_ns(), end = from + b->time_ms * 1000000;
    for (uint32_t i = 0; i < l->count; i++)
        if (!caller_send(l, &l->callers[i])) return false;
    while (now_ns() < end)
        if (!pump(l)) return false;
    l->ending = true;
    end = now_ns() + (int64_t)LINGER_S * 1000000000;
    while (l->waiting > 0 && now_ns() < end)
        if (!pump(l)) return false;
    if (l->waiting > 0) return broken(l, "requests were not answered");
    char more[96];
    snprintf(more, sizeof more, ",\"connections\":%u,\"refused\":%llu", l->count,
             (unsigned long long)l->refused);
    struct result r = {.scenario = "http", .jobs = l->created, .spread = &l->spread, .more = more,
                       .seconds = (double)(now_ns() - from) / 1e9};
    result_print(b, &meter, &r);
    return l->created > 0 && l->refused == 0;
}

bool bench_http(struct bench *b) {
    if (b->accepted) {
        fprintf(stderr, "relais bench: what HTTP creates is always durable\n");
        return false;
    }
    struct load *l = calloc(1, sizeof *l);
    if (!l) return false;
    l->count = (uint32_t)b->connections;
    l->callers = calloc(l->count, sizeof *l->callers);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    request_make(l, b);
    bool ok = l->callers && l->epoll >= 0 && !l->request.failed;
    for (uint32_t i = 0; ok && i < l->count; i++) l->callers[i].fd = -1;
    for (uint32_t i = 0; ok && i < l->count; i++)
        ok = caller_open(l, &l->callers[i], b->server.http);
    ok = ok && run(l, b);
    for (uint32_t i = 0; l->callers && i < l->count; i++)
        if (l->callers[i].fd >= 0) close(l->callers[i].fd);
    if (l->epoll >= 0) close(l->epoll);
    buffer_free(&l->request);
    free(l->callers);
    free(l);
    return ok;
}
