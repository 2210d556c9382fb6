/* bare.c - the floor under a waiting worker: a ROUTER that gives back what comes, DEALERs in another process.
 * bare N: memory of the ROUTER's process for each of N DEALERs, idle and after four round trips of 100 B. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>
enum { TRIPS = 4, SIZE = 128 };
static double rss_kb(void) {
    char l[256]; long v = 0; FILE *p = fopen("/proc/self/status", "r");
    while (p && fgets(l, sizeof l, p)) if (sscanf(l, "VmRSS: %ld", &v) == 1) break;
    if (p) fclose(p);
    return v;
}
static void dealers(const char *at, int n, int go, int say) {
    char b[SIZE] = ""; int none = 0; void *x = zmq_ctx_new(), **s = calloc(n, sizeof *s); zmq_ctx_set(x, ZMQ_MAX_SOCKETS, 65000);
    for (int i = 0; i < n; i++) {
        s[i] = zmq_socket(x, ZMQ_DEALER); if (!s[i] || zmq_connect(s[i], at)) { perror("bare"); _exit(1); }
        zmq_setsockopt(s[i], ZMQ_LINGER, &none, sizeof none); zmq_send(s[i], b, 1, 0); zmq_recv(s[i], b, SIZE, 0);
    }
    if (write(say, "i", 1) != 1 || read(go, b, 1) != 1) _exit(1);
    for (int k = 0; k < TRIPS; k++) {
        for (int i = 0; i < n; i++) zmq_send(s[i], b, 100, 0);
        for (int i = 0; i < n; i++) zmq_recv(s[i], b, SIZE, 0);
    }
    if (write(say, "t", 1) != 1 || read(go, b, 1) != 1) _exit(1);
    _exit(0);
}
/* Until the other side says that it has come so far. */
static int serve(void *r, int until) {
    char b[SIZE], id[5]; zmq_pollitem_t p[2] = { { r, 0, ZMQ_POLLIN, 0 }, { NULL, until, ZMQ_POLLIN, 0 } };
    while (zmq_poll(p, 2, -1) > 0 && !p[1].revents) {
        int k = zmq_recv(r, id, 5, 0), len = zmq_recv(r, b, SIZE, 0); if (k != 5 || len < 0) return 0;
        zmq_send(r, id, 5, ZMQ_SNDMORE); zmq_send(r, b, len, 0);
    }
    return read(until, b, 1) == 1;
}
int main(int c, char **v) {
    int n = c == 2 ? atoi(v[1]) : 0, go[2], say[2]; char at[64]; size_t size = sizeof at;
    if (n < 1 || pipe(go) || pipe(say)) return 2;
    void *x = zmq_ctx_new(); zmq_ctx_set(x, ZMQ_MAX_SOCKETS, 65000); void *r = zmq_socket(x, ZMQ_ROUTER);
    if (zmq_bind(r, "tcp://127.0.0.1:*") || zmq_getsockopt(r, ZMQ_LAST_ENDPOINT, at, &size)) return 1;
    pid_t kid = fork();
    if (!kid) { prctl(PR_SET_PDEATHSIG, SIGKILL); close(say[0]); dealers(at, n, go[0], say[1]); }
    close(say[1]); double before = rss_kb();
    if (!serve(r, say[0])) return 1;
    double idle = rss_kb() - before;
    if (write(go[1], "t", 1) != 1 || !serve(r, say[0])) return 1;
    printf("idle_kb=%.1f after_traffic_kb=%.1f\n", idle / n, (rss_kb() - before) / n);
    if (write(go[1], "e", 1) != 1) return 1;
    waitpid(kid, NULL, 0); return 0;
}
