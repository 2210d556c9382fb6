/* peer.c - see peer.h. */
#include "broker/peer.h"
#include "broker/core/core.h"
#include "proto/host/token.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { NO_PEER = UINT32_MAX };

bool peers_open(struct peer_table *t, uint32_t peers_max) {
    assert(peers_max > 0 && peers_max < NO_PEER);
    *t = (struct peer_table){.cap = peers_max, .first_free = NO_PEER};
    t->peers = calloc(peers_max, sizeof *t->peers); /* untouched pages cost nothing */
    return t->peers != NULL && map_init(&t->by_id, 64);
}

void peers_free(struct peer_table *t, struct parcel_pool *pool) {
    for (uint32_t i = 0; i < t->top; i++)
        if (t->peers[i].used) peer_remove(t, &t->peers[i], pool);
    free(t->peers);
    map_free(&t->by_id);
    *t = (struct peer_table){0};
}

static uint64_t id_hash(uint8_t socket, const void *id, size_t len) {
    uint32_t number;
    if (len != 5) return hash_bytes(socket, id, len);
    memcpy(&number, (const uint8_t *)id + 1, sizeof number); /* libzmq's own ids: 0 and a number */
    return hash_number((uint64_t)socket << 32 | number);
}

struct peer *peer_find(const struct peer_table *t, uint8_t socket, const void *id, size_t len) {
    for (struct map_node *n = map_first(&t->by_id, id_hash(socket, id, len)); n; n = map_next(n)) {
        struct peer *p = (struct peer *)(void *)n; /* by_id is the first member */
        if (p->socket == socket && p->id_len == len && memcmp(p->id, id, len) == 0) return p;
    }
    return NULL;
}

static enum role role_of(const char *name) {
    if (strcmp(name, "client") == 0) return ROLE_CLIENT;
    if (strcmp(name, "gateway") == 0) return ROLE_GATEWAY;
    return token_role(name);
}

static void text_property(zmq_msg_t *body, const char *property, char *out, size_t size) {
    const char *value = zmq_msg_gets(body, property);
    snprintf(out, size, "%s", value == NULL ? "" : value);
}

/* Reads what the ZAP handler said about the key. */
static bool grant_read(struct peer *p, zmq_msg_t *body) {
    char role[16], brand[16];
    p->grant = calloc(1, sizeof *p->grant);
    if (p->grant == NULL) return false;
    text_property(body, "User-Id", p->grant->key, sizeof p->grant->key);
    text_property(body, PROPERTY_QUEUES, p->grant->queues, sizeof p->grant->queues);
    text_property(body, PROPERTY_NAME, p->who.name, sizeof p->who.name);
    text_property(body, PROPERTY_ROLE, role, sizeof role);
    text_property(body, PROPERTY_BRAND, brand, sizeof brand);
    p->who.role = (uint8_t)role_of(role);
    p->who.brand = (uint32_t)strtoul(brand, NULL, 10);
    return p->who.role != ROLE_NONE;
}

struct peer *peer_add(struct peer_table *t, uint8_t socket, enum endpoint_kind endpoint,
                      const void *id, size_t len, zmq_msg_t *body) {
    assert(len <= PEER_ID_MAX && peer_find(t, socket, id, len) == NULL);
    const uint32_t number = t->first_free != NO_PEER ? t->first_free : t->top;
    if (number == t->cap) return NULL;
    struct peer *p = &t->peers[number];
    const uint32_t next_free = p->next_free;
    *p = (struct peer){.number = number, .socket = socket, .endpoint = (uint8_t)endpoint,
                       .id_len = (uint8_t)len, .next_free = next_free, .serial = ++t->serial};
    p->who.role = endpoint == ENDPOINT_GATEWAY ? ROLE_GATEWAY : ROLE_LOCAL;
    p->who.brand = p->who.role == ROLE_LOCAL ? 1 : 0;
    p->id = malloc(len > 0 ? len : 1);
    if (p->id == NULL || (endpoint == ENDPOINT_CURVE && !grant_read(p, body))) {
        free(p->id);
        free(p->grant);
        return NULL;
    }
    memcpy(p->id, id, len);
    if (number == t->top)
        t->top++;
    else
        t->first_free = next_free;
    t->count++;
    p->used = true;
    map_put(&t->by_id, &p->by_id, id_hash(socket, id, len));
    return p;
}

void peer_remove(struct peer_table *t, struct peer *p, struct parcel_pool *pool) {
    assert(p->used && t->count > 0);
    map_remove(&t->by_id, &p->by_id);
    outbox_free(&p->outbox, pool);
    free(p->id);
    free(p->grant);
    p->id = NULL;
    p->grant = NULL;
    p->used = false;
    p->next_free = t->first_free;
    t->first_free = p->number;
    t->count--;
}

bool peer_same(const struct peer *p, zmq_msg_t *body) {
    if (p->endpoint != ENDPOINT_CURVE) return true; /* the endpoint is all there is to know */
    const char *key = zmq_msg_gets(body, "User-Id");
    return key != NULL && strcmp(key, p->grant->key) == 0;
}

/* The direction column of verb.def: 'C' 'W' 'A' 'B' 'F', 0 for no verb. */
static char verb_direction(enum verb verb) {
    enum { A = 'A', B = 'B', C = 'C', F = 'F', W = 'W' };
    static const char directions[] = {
#define VERB(name, number, direction, answer, sentence) [number] = (char)direction,
#include "proto/verb.def"
#undef VERB
    };
    return (size_t)verb < sizeof directions ? directions[verb] : 0;
}

enum code peer_who(const struct peer *p, const struct frame *f, struct who *who) {
    const char direction = verb_direction(f->verb);
    if (direction == 'B' || direction == 'F' || direction == 0) return CODE_UNKNOWN_VERB;
    const bool gateway = p->who.role == ROLE_GATEWAY;
    if (f->has_who && !gateway) return CODE_FORBIDDEN;
    *who = f->has_who ? f->who : p->who;
    if (p->who.role == ROLE_WORKER && direction == 'C') return CODE_FORBIDDEN;
    if (p->who.role == ROLE_CLIENT && direction == 'W') return CODE_FORBIDDEN;
    return CODE_OK;
}

static bool queues_granted(const struct grant *g, const struct serves *serves) {
    uint32_t at = 0;
    struct slice queue;
    while (text_next(serves->queues, &at, &queue))
        if (!core_queue_granted(g->queues, queue)) return false;
    return true;
}

/* Said by a worker, as against a client. */
static bool item_works(const struct message *m) {
    if (m->verb == VERB_HELLO) return m->hello.kind == LINK_WORKER;
    return verb_direction(m->verb) == 'W';
}

enum code peer_allow(const struct peer *p, const struct message *m, bool all_brands,
                     struct who *who) {
    if (p->who.role == ROLE_LOCAL && all_brands && item_works(m)) who->brand = 0;
    if (m->verb == VERB_HELLO) {
        const uint8_t kind = m->hello.kind;
        if (kind == LINK_GATEWAY && p->who.role != ROLE_GATEWAY) return CODE_FORBIDDEN;
        if (kind == LINK_WORKER && p->who.role == ROLE_CLIENT) return CODE_FORBIDDEN;
        if (kind == LINK_CLIENT && p->who.role == ROLE_WORKER) return CODE_FORBIDDEN;
    }
    if (p->grant == NULL || p->grant->queues[0] == 0) return CODE_OK;
    const struct grant *g = p->grant;
    bool granted = true;
    if (m->verb == VERB_HELLO) granted = queues_granted(g, &m->hello.serves);
    if (m->verb == VERB_CLAIM) granted = queues_granted(g, &m->claim.serves);
    if (m->verb == VERB_SUBMIT) granted = core_queue_granted(g->queues, m->submit.queue);
    if (m->verb == VERB_QUEUE) granted = core_queue_granted(g->queues, m->queue.queue);
    if (m->verb == VERB_ASK) granted = core_queue_granted(g->queues, m->question.queue);
    return granted ? CODE_OK : CODE_FORBIDDEN;
}
