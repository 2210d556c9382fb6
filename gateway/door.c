#include "gateway/door.h"
#include "proto/host/config.h"
#include "proto/host/log.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, ACCEPTS_MAX = 32 /* at one go: then those who are there are served */ };

struct door {
    int fd;
    uint16_t port;
    uint32_t count, connections_max;
    struct place {
        int in, out;   /* of its pipe */
        uint32_t open; /* connections it has, atomic */
        bool watching, left;
    } places[];
};

/* ---- listening ---- */

static int refuse(char *why, size_t why_size, const char *address, const char *cause) {
    snprintf(why, why_size, "http: %s: %s", address, cause);
    return -1;
}

static int listen_at(const char *address, uint16_t *ret_port, char *why, size_t why_size) {
    char host[CONFIG_HOST_MAX], service[8];
    uint16_t port;
    if (!config_address(address, host, &port)) {
        return refuse(why, why_size, address, "is no HOST:PORT");
    }
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
    int failed = getaddrinfo(host, service, &hints, &list);
    if (failed != 0) return refuse(why, why_size, address, gai_strerror(failed));
    int on = 1, fd = socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool bound = fd >= 0 && bind(fd, list->ai_addr, list->ai_addrlen) == 0 &&
                 listen(fd, BACKLOG) == 0;
    freeaddrinfo(list);
    if (!bound) {
        refuse(why, why_size, address, strerror(errno));
        if (fd >= 0) close(fd);
        return -1;
    }
    struct sockaddr_storage name = {0};
    socklen_t len = sizeof name;
    getsockname(fd, (struct sockaddr *)&name, &len);
    getnameinfo((struct sockaddr *)&name, len, NULL, 0, service, sizeof service, NI_NUMERICSERV);
    *ret_port = (uint16_t)atoi(service);
    return fd;
}

struct door *door_open(const char *address, uint32_t threads, uint32_t connections_max, char *why,
                       size_t why_size) {
    struct door *d = calloc(1, sizeof *d + threads * sizeof *d->places);
    if (d == NULL) abort();
    d->connections_max = connections_max;
    d->fd = listen_at(address, &d->port, why, why_size);
    for (; d->fd >= 0 && d->count < threads; d->count++) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
            refuse(why, why_size, address, strerror(errno));
            break;
        }
        d->places[d->count].out = ends[0];
        d->places[d->count].in = ends[1];
    }
    if (d->count < threads) door_close(&d);
    return d;
}

void door_close(struct door **self) {
    struct door *d = *self;
    if (d == NULL) return;
    for (uint32_t i = 0; i < d->count; i++) {
        for (int fd = door_take(d, i); fd >= 0; fd = door_take(d, i)) close(fd);
        close(d->places[i].out);
        close(d->places[i].in);
    }
    if (d->fd >= 0) close(d->fd);
    free(d);
    *self = NULL;
}

uint16_t door_port(const struct door *d) { return d->port; }

int door_pipe(const struct door *d, uint32_t thread) { return d->places[thread].out; }

/* ---- accepting ---- */

static uint32_t open_count(const struct door *d, uint32_t *ret_least) {
    uint32_t sum = 0, least = UINT32_MAX;
    for (uint32_t i = 0; i < d->count; i++) {
        uint32_t n = __atomic_load_n(&d->places[i].open, __ATOMIC_RELAXED);
        sum += n;
        if (n >= least) continue;
        least = n;
        *ret_least = i;
    }
    return sum;
}

void door_watch(struct door *d, uint32_t thread, int epoll, void *about) {
    struct place *p = &d->places[thread];
    uint32_t least = 0;
    if (p->watching || p->left || open_count(d, &least) >= d->connections_max) return;
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = about};
    p->watching = epoll_ctl(epoll, EPOLL_CTL_ADD, d->fd, &event) == 0;
    if (!p->watching) log_error("epoll_ctl failed", field_text("why", strerror(errno)));
}

static void rest(struct door *d, uint32_t thread, int epoll) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, d->fd, NULL);
    d->places[thread].watching = false;
}

void door_leave(struct door *d, uint32_t thread, int epoll) {
    d->places[thread].left = true;
    if (d->places[thread].watching) rest(d, thread, epoll);
}

/* A full pipe means a thread that is far behind: this one keeps the connection. */
static void give(struct door *d, uint32_t thread, uint32_t to, int fd) {
    __atomic_add_fetch(&d->places[to].open, 1, __ATOMIC_RELAXED);
    if (write(d->places[to].in, &fd, sizeof fd) == sizeof fd) return;
    __atomic_sub_fetch(&d->places[to].open, 1, __ATOMIC_RELAXED);
    if (to == thread) close(fd);
    else give(d, thread, thread, fd);
}

void door_accept(struct door *d, uint32_t thread, int epoll) {
    for (uint32_t i = 0; i < ACCEPTS_MAX; i++) {
        uint32_t least = thread;
        if (open_count(d, &least) >= d->connections_max) {
            rest(d, thread, epoll);
            return;
        }
        int fd = accept4(d->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            give(d, thread, least, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            log_warn("no connection can be accepted", field_text("why", strerror(errno)));
            rest(d, thread, epoll);
            return;
        }
    }
}

int door_take(struct door *d, uint32_t thread) {
    int fd;
    return read(d->places[thread].out, &fd, sizeof fd) == sizeof fd ? fd : -1;
}

void door_left(struct door *d, uint32_t thread) {
    __atomic_sub_fetch(&d->places[thread].open, 1, __ATOMIC_RELAXED);
}
