#include "gateway/early.h"
#include "gateway/http.h"
#include <stdio.h>
#include <sys/socket.h>

void answer_early(struct request *r) {
    char head[2048];
    const struct buffer *body = &r->x.out.body;
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nConnection: close\r\n", r->status,
                     http_reason(r->status));
    for (uint32_t i = 0; i < r->answer_header_count && n < (int)sizeof head - 512; i++) {
        n += snprintf(head + n, sizeof head - (size_t)n, "%s: %.400s\r\n",
                      r->answer_headers[i].name, r->answer_headers[i].value);
    }
    n += snprintf(head + n, sizeof head - (size_t)n,
                  "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body->len);
    struct iovec parts[2] = {{head, (size_t)n}, {body->data, body->len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = r->head_only ? 1 : 2};
    sendmsg(r->client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(r->client->fd, SHUT_WR);
    r->said = true;
    r->client->deadline_ms = r->server->now_ms + LINGER_MS;
}

/* A head that cannot be taken: a request of its own, which ends here. */
static void refuse_head(struct client *c, enum code code, const char *why) {
    struct slice method, target, rest = strain_rest(&c->strain);
    head_guess(rest, &method, &target);
    struct request *r = request_new(c->server, c, "/");
    if (r == NULL) abort();
    if (target.len > 0) r->target = (const char *)exchange_copy(&r->x, target).data;
    r->x.path = r->target;
    request_refuse(r, method, code, why);
    answer_early(r);
    request_log(r, true);
    request_free(r);
    strain_throw(&c->strain);
}

/* The rest of its body never comes: what is known by now is the answer, unless nobody waits for it
 * any more. */
static void refuse_body(struct request *r, enum code code, const char *why) {
    if (r->said || r->queued || r->abandoned) return;
    r->close_after = true;
    r->x.cause = CAUSE_PARSE;
    if (r->stage != STAGE_ENDED) exchange_refuse(&r->x, code, why);
    answer_early(r);
}

void early_settle(struct server *s) {
    struct node *list = strainer_broken(s->strainer), *next;
    for (struct node *n = list->next; n != list; n = next) {
        struct client *c =
            owner_of(owner_of(n, struct strain, in_broken), struct client, strain);
        const struct wire *w = &c->strain.wire;
        next = n->next;
        if (w->in_body && c->begun == w->heads) {
            if (c->request != NULL) refuse_body(c->request, w->code, w->why);
            strain_throw(&c->strain);
        } else if (!w->in_body && c->completed == w->heads) {
            refuse_head(c, w->code, w->why);
        }
    }
}

void early_late(struct client *c) {
    struct request *r = c->request;
    c->deadline_ms = INT64_MAX;
    count_add(&c->server->count.late_kills, 1);
    bool begun = c->strain.wire.state == WIRE_HEAD && strain_rest(&c->strain).len > 1;
    if (r != NULL && r->suspended) request_left(r);
    else if (r != NULL && !r->said && !r->queued) refuse_body(r, CODE_REQUEST_TIMEOUT, NULL);
    else if (r == NULL && begun) refuse_head(c, CODE_REQUEST_TIMEOUT, NULL);
    else shutdown(c->fd, SHUT_RDWR);
}
