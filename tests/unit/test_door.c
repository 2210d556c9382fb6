/* Connections are evened out between the threads, and bounded. */
#include "gateway/door.h"
#include "tests/unit/tap.h"
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX = 12 };

static int reach(uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) return -1;
    return fd;
}

/* Waits until the listening socket is readable, then lets this thread accept. */
static void accept_some(struct door *d, uint32_t thread, int epoll) {
    struct epoll_event event;
    if (epoll_wait(epoll, &event, 1, 1000) == 1) door_accept(d, thread, epoll);
}

static int take_all(struct door *d, uint32_t thread, int *fds) {
    int n = 0;
    for (int fd = door_take(d, thread); fd >= 0; fd = door_take(d, thread)) fds[n++] = fd;
    return n;
}

static void close_all(const int *fds, int n) {
    for (int i = 0; i < n; i++) close(fds[i]);
}

int main(void) {
    char why[256] = "", about;
    int epoll = epoll_create1(EPOLL_CLOEXEC), clients[2 * MAX], mine[MAX], theirs[MAX];
    ok(door_open("nonsense", 2, MAX, why, sizeof why) == NULL && why[0] != '\0',
       "an address that is none is refused with its cause");
    struct door *d = door_open("127.0.0.1:0", 2, MAX, why, sizeof why);
    ok(d != NULL && door_port(d) > 0, "a free port is found");
    door_watch(d, 0, epoll, &about);
    for (int i = 0; i < 8; i++) {
        clients[i] = reach(door_port(d));
        accept_some(d, 0, epoll);
    }
    is_int(take_all(d, 0, mine), 4, "the thread that accepts keeps half of them");
    is_int(take_all(d, 1, theirs), 4, "and gives the other half away");
    close_all(theirs, 4);
    for (int i = 0; i < 4; i++) door_left(d, 1);
    for (int i = 8; i < 12; i++) {
        clients[i] = reach(door_port(d));
        accept_some(d, 0, epoll);
    }
    is_int(take_all(d, 1, theirs), 4, "new ones go to the thread that has the fewest");
    for (int i = 12; i < 20; i++) clients[i] = reach(door_port(d));
    accept_some(d, 0, epoll);
    int more = take_all(d, 0, mine + 4) + take_all(d, 1, theirs + 4);
    is_int(more, MAX - 8, "no more than connections_max are accepted");
    struct epoll_event event;
    is_int(epoll_wait(epoll, &event, 1, 0), 0, "and a full house does not look at the door");
    door_left(d, 0);
    door_watch(d, 0, epoll, &about);
    accept_some(d, 0, epoll);
    int fd = door_take(d, 0);
    ok(fd >= 0, "when one leaves the next comes in");
    close(fd);
    door_leave(d, 0, epoll);
    door_watch(d, 0, epoll, &about);
    is_int(epoll_wait(epoll, &event, 1, 0), 0, "a thread that left accepts no more");
    close_all(clients, 20);
    door_close(&d);
    close(epoll);
    return done();
}
