/* hello.c - the floor under an HTTP create: libmicrohttpd, a thread a core, reads a POST's body and
 * answers 201 with a few bytes of JSON. A GET waits for ever: what a suspended connection with a pool of 8 KiB takes.
 * hello PORT; until it is ended. */
#include <microhttpd.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static enum MHD_Result answer(void *x, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                              const char *data, size_t *len, void **state) {
    static int seen; (void)x; (void)url; (void)version; (void)data;
    if (!*state) { *state = &seen; return MHD_YES; }
    if (*method == 'G') { MHD_suspend_connection(c); return MHD_YES; }
    if (*len) { *len = 0; return MHD_YES; }
    struct MHD_Response *r = MHD_create_response_from_buffer(16, "{\"id\":123456789}", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result ok = MHD_queue_response(c, 201, r); MHD_destroy_response(r); return ok;
}
int main(int c, char **v) {
    if (c != 2) return 2;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(v[1])) }; a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR, &a,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)sysconf(_SC_NPROCESSORS_ONLN), MHD_OPTION_CONNECTION_LIMIT, 4000u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)8192, MHD_OPTION_END);
    if (!d) return 1;
    pause(); MHD_stop_daemon(d); return 0;
}
