/* What libmicrohttpd reads and waits for: only what is sound, and each event once. */
#include "gateway/strain.h"
#include "tests/unit/tap.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static const char request[] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
enum { WHOLE = sizeof request - 1 };

static struct strainer *s;
static struct strain t;
static int mine, theirs, epoll;
static char name; /* what the set's owner calls the connection */
static char bytes[4096];

static void change(int what) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &name};
    if (epoll_ctl(epoll, what, mine, &event) != 0) ok(false, "the set is changed");
}

/* The events that are told; 0 = none. */
static uint32_t told(void) {
    struct epoll_event events[4];
    int n = epoll_wait(epoll, events, 4, 0);
    return n == 1 && events[0].data.ptr == &name ? events[0].events : n == 0 ? 0 : UINT32_MAX;
}

static void say(const char *text, size_t len, uint32_t events) {
    if (send(theirs, text, len, 0) == (ssize_t)len) strain_ready(s, &t, events);
}

static void waits(void) {
    change(EPOLL_CTL_ADD);
    is_int(told(), EPOLLIN, "one that was never read may be readable");
    ok(recv(mine, bytes, sizeof bytes, 0) < 0 && errno == EAGAIN, "it was empty");
    is_int(told(), 0, "what was told is not told again");
    send(theirs, request, WHOLE, 0);
    ok(recv(mine, bytes, sizeof bytes, 0) < 0 && errno == EAGAIN,
       "a socket that is known to be empty is not read");
    strain_ready(s, &t, EPOLLIN | EPOLLOUT);
    ok(strainer_due(s), "an event is due");
    is_int(told(), EPOLLIN | EPOLLOUT, "and told");
    is_int(recv(mine, bytes, sizeof bytes, 0), WHOLE, "then it is read");
}

static void suspended(void) {
    change(EPOLL_CTL_DEL);
    say(request, WHOLE, EPOLLIN | EPOLLOUT);
    ok(!strainer_due(s), "one that is not waited for is told nothing");
    change(EPOLL_CTL_ADD);
    is_int(told(), EPOLLIN | EPOLLOUT, "it is when it comes back");
    is_int(recv(mine, bytes, sizeof bytes, 0), WHOLE, "and has missed nothing");
    change(EPOLL_CTL_DEL);
    change(EPOLL_CTL_ADD);
    is_int(told(), 0, "what was read is gone");
}

static void hung(void) {
    send(theirs, request, WHOLE, 0);
    shutdown(theirs, SHUT_WR);
    strain_ready(s, &t, EPOLLIN | EPOLLRDHUP);
    is_int(told(), EPOLLIN, "the last request is told");
    is_int(recv(mine, bytes, sizeof bytes, 0), WHOLE, "and read");
    is_int(told(), EPOLLIN, "the end behind it is told, though no event comes for it");
    is_int(recv(mine, bytes, sizeof bytes, 0), 0, "and read");
}

static void others(void) {
    int fds[2];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fds};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) return;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event);
    is_int(send(fds[1], "x", 1, 0), 1, "another descriptor of the set");
    ok(epoll_wait(epoll, &event, 1, 1000) == 1 && event.data.ptr == fds, "is the system's");
    is_int(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[0], NULL), 0, "also when it leaves");
    strain_ready(s, &t, EPOLLIN);
    strain_close(s, &t);
    ok(!strainer_due(s), "a connection that is over is told nothing");
    is_int(epoll_ctl(epoll, EPOLL_CTL_DEL, mine, NULL), 0, "it may leave the set behind that");
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) return 1;
    mine = fds[0];
    theirs = fds[1];
    epoll = epoll_create1(0);
    s = strainer_new(8192);
    strain_open(s, &t, mine);
    strainer_follow(s, epoll);
    strainer_begin(s);
    waits();
    suspended();
    hung();
    others();
    strainer_end();
    strainer_destroy(&s);
    close(mine);
    close(theirs);
    close(epoll);
    return done();
}
