#include "worker/command/web.h"
#include "proto/host/config.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 4 << 20, READ_MIN = 4096, EVENTS_MAX = 256, HEAD_MAX = 8192, ASK_S_MAX = 20 };

static bool broken(struct web *w, const char *what) {
    if (!w->broken) fprintf(stderr, "relais bench: HTTP: %s\n", what);
    w->broken = true;
    return false;
}

int64_t web_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* As many descriptors as this process may have. */
static void descriptors_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

bool web_open(struct web *w, const char *host, uint32_t count) {
    char name[CONFIG_HOST_MAX];
    uint16_t port;
    *w = (struct web){.count = count, .host = host, .epoll = epoll_create1(EPOLL_CLOEXEC),
                      .at = {.sin_family = AF_INET}};
    w->lines = calloc(count, sizeof *w->lines);
    if (w->epoll < 0 || !w->lines) return broken(w, "out of memory");
    for (uint32_t i = 0; i < count; i++) w->lines[i] = (struct web_line){.fd = -1, .number = i};
    if (!config_address(host, name, &port) || inet_pton(AF_INET, name, &w->at.sin_addr) != 1)
        return broken(w, "the address is not ADDR:PORT of IPv4");
    w->at.sin_port = htons(port);
    descriptors_raise();
    return true;
}

void web_close(struct web *w) {
    for (uint32_t i = 0; w->lines && i < w->count; i++) {
        web_line_close(w, i);
        buffer_free(&w->lines[i].answer);
    }
    if (w->epoll >= 0) close(w->epoll);
    buffer_free(&w->request);
    free(w->lines);
    w->lines = NULL;
}

bool web_line_open(struct web *w, uint32_t line) {
    struct web_line *l = &w->lines[line];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
    int one = 1;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&w->at, sizeof w->at) < 0 ||
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, l->fd, &event) < 0)
        return broken(w, strerror(errno));
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return true;
}

void web_line_close(struct web *w, uint32_t line) {
    struct web_line *l = &w->lines[line];
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
    l->asked = false;
}

bool web_line_deafen(struct web *w, uint32_t line) {
    return epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->lines[line].fd, NULL) == 0 ||
           broken(w, strerror(errno));
}

bool web_send(struct web *w, uint32_t line, const struct web_request *r) {
    struct web_line *l = &w->lines[line];
    char head[HEAD_MAX];
    int len = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s%s", r->method,
                       r->path, w->host, r->token ? "Authorization: Bearer " : "",
                       r->token ? r->token : "", r->token ? "\r\n" : "");
    if (r->body.len > 0 && len > 0 && len < HEAD_MAX)
        len += snprintf(head + len, (size_t)(HEAD_MAX - len),
                        "Content-Type: %s\r\nContent-Length: %u\r\n",
                        r->kind ? r->kind : "application/json", r->body.len);
    if (len < 0 || len >= HEAD_MAX) return broken(w, "a request's head is too long");
    buffer_clear(&w->request);
    buffer_append(&w->request, head, (size_t)len);
    buffer_append(&w->request, "\r\n", 2);
    buffer_append(&w->request, r->body.data, r->body.len);
    if (w->request.failed) return broken(w, "out of memory");
    buffer_clear(&l->answer);
    l->asked = true;
    l->sent_ns = web_now_ns();
    for (size_t at = 0; at < w->request.len;) { /* the socket blocks */
        ssize_t n = send(l->fd, w->request.data + at, w->request.len - at, MSG_NOSIGNAL);
        if (n <= 0) return broken(w, strerror(errno));
        at += (size_t)n;
    }
    return true;
}

/* True when the answer is all here; it is then 0-ended. */
static bool answer_whole(struct web_line *l) {
    static const char blank[] = "\r\n\r\n", size[] = "\r\nContent-Length:";
    buffer_byte(&l->answer, 0);
    if (l->answer.failed) return false;
    l->answer.len--;
    const char *text = (const char *)l->answer.data, *end = strstr(text, blank);
    if (!end) return false;
    const char *field = strcasestr(text, size);
    size_t body = field && field < end ? strtoul(field + sizeof size - 1, NULL, 10) : 0;
    if (l->answer.len < (size_t)(end - text) + 4 + body) return false;
    l->body = end + 4;
    l->status = l->answer.len > 12 ? atoi(text + 9) : 0;
    return true;
}

static bool line_read(struct web *w, struct web_line *l) {
    if (l->fd < 0) return true; /* closed since this round began */
    if (!buffer_reserve(&l->answer, READ_MIN)) return broken(w, "out of memory");
    ssize_t n = recv(l->fd, l->answer.data + l->answer.len, l->answer.cap - l->answer.len,
                     MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) return broken(w, n == 0 ? "the server closed a connection" : strerror(errno));
    l->answer.len += (size_t)n;
    if (!answer_whole(l))
        return (!l->answer.failed && l->answer.len < ANSWER_MAX) ||
               broken(w, "an answer is too long");
    l->heard_ns = web_now_ns();
    l->asked = false;
    return l == w->awaited || !w->heard || w->heard(w->context, l);
}

bool web_pump(struct web *w, int wait_ms) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(w->epoll, events, EVENTS_MAX, wait_ms);
    for (int i = 0; i < count; i++)
        if (!line_read(w, events[i].data.ptr)) return false;
    return true;
}

int web_ask(struct web *w, uint32_t line, const struct web_request *r) {
    const struct web_line *l = &w->lines[line];
    int64_t until = web_now_ns() + (int64_t)ASK_S_MAX * 1000000000;
    w->awaited = l;
    bool ok = web_send(w, line, r);
    while (ok && l->asked && web_now_ns() < until) ok = web_pump(w, 100);
    w->awaited = NULL;
    if (ok && l->asked) broken(w, "a request was not answered");
    return ok && !l->asked ? l->status : 0;
}

json_t *web_line_data(const struct web_line *line) {
    json_t *root = json_loads(line->body, 0, NULL);
    json_t *data = json_incref(json_object_get(root, "data"));
    json_decref(root);
    return data;
}

json_t *web_data(struct web *w, uint32_t line, const struct web_request *r, int status) {
    int got = web_ask(w, line, r);
    if (got == 0) return NULL;
    json_t *data = got == status ? web_line_data(&w->lines[line]) : NULL;
    if (!data)
        fprintf(stderr, "relais bench: %s %s: %d %.300s\n", r->method, r->path, got,
                w->lines[line].body);
    return data;
}
