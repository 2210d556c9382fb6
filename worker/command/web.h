/* web.h - HTTP connections of the bench's own: many on one thread, one request in flight on each.
 *
 * A request is written at once; answers are read by web_pump, whole, and must say their length.
 * What an answer holds is borrowed until the connection's next request. Whatever goes wrong on a
 * connection that is not closed here has been said on stderr, and ends the measurement. */
#ifndef RELAIS_WORKER_COMMAND_WEB_H
#define RELAIS_WORKER_COMMAND_WEB_H
#include "proto/base/bytes.h"
#include <jansson.h>
#include <netinet/in.h>

struct web_line { /* one connection */
    int fd;       /* -1 = closed */
    uint32_t number;
    bool asked;   /* a request is in flight */
    int status;   /* of the newest answer */
    const char *body; /* of the newest answer, 0-ended */
    int64_t sent_ns, heard_ns;
    struct buffer answer;
};

struct web {
    struct web_line *lines;
    uint32_t count;
    void *context;
    /* An answer came, but for the one that web_ask waits for; false ends the pumping. */
    bool (*heard)(void *context, struct web_line *line);
    /* its own */
    struct sockaddr_in at;
    const char *host; /* borrowed */
    const struct web_line *awaited;
    struct buffer request;
    int epoll;
    bool broken;
};

struct web_request {
    const char *method, *path, *token; /* token NULL = none */
    const char *kind;                  /* Content-Type; NULL = JSON */
    struct slice body;
};

int64_t web_now_ns(void);
/* Room for so many connections to ADDR:PORT, none of them open. host is borrowed. */
bool web_open(struct web *w, const char *host, uint32_t count);
void web_close(struct web *w);
bool web_line_open(struct web *w, uint32_t line);
void web_line_close(struct web *w, uint32_t line);
/* The connection stays, but nothing that comes over it is read any more. */
bool web_line_deafen(struct web *w, uint32_t line);
bool web_send(struct web *w, uint32_t line, const struct web_request *r);
/* Waits so long for answers and hands on those that came; false when it cannot go on. */
bool web_pump(struct web *w, int wait_ms);
/* Sends and pumps until the answer is there. Its status; 0 when it cannot go on. */
int web_ask(struct web *w, uint32_t line, const struct web_request *r);
/* The same for an answer that must have this status: what stands in the envelope's `data`, owned;
 * NULL when it is another, which has been said. */
json_t *web_data(struct web *w, uint32_t line, const struct web_request *r, int status);
/* `data` of the newest answer, owned; NULL without. */
json_t *web_line_data(const struct web_line *line);
#endif
