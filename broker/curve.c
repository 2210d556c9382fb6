/* curve.c - see curve.h. The protocol is ZeroMQ's RFC 27. */
#include "broker/curve.h"
#include "broker/peer.h"
#include "proto/host/log.h"
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PARTS_MAX = 7, PROPERTIES_MAX = 2048, PUBLIC_KEY_BYTES = 32 };
enum { PART_VERSION, PART_REQUEST, PART_DOMAIN, PART_ADDRESS, PART_IDENTITY, PART_MECHANISM,
       PART_KEY };

struct curve {
    void *socket;
    pthread_t thread;
    int stop_fd; /* eventfd: readable when the thread is to end */
    char folder[KEYS_PATH_MAX];
};

static bool part_is(zmq_msg_t *part, const char *text) {
    return zmq_msg_size(part) == strlen(text)
        && memcmp(zmq_msg_data(part), text, strlen(text)) == 0;
}

/* ZMTP properties: [1: name length] name [4: value length] value. */
static void property_put(struct buffer *b, const char *name, const char *value) {
    const size_t len = strlen(value);
    buffer_byte(b, (uint8_t)strlen(name));
    buffer_append(b, name, strlen(name));
    for (int shift = 24; shift >= 0; shift -= 8) buffer_byte(b, (uint8_t)(len >> shift));
    buffer_append(b, value, len);
}

static void properties_of(struct buffer *b, const struct key_entry *entry) {
    char brand[16];
    snprintf(brand, sizeof brand, "%u", entry->brand);
    property_put(b, PROPERTY_NAME, entry->name);
    property_put(b, PROPERTY_ROLE, entry->role == ROLE_CLIENT ? "client"
                 : entry->role == ROLE_GATEWAY ? "gateway" : token_role_name(entry->role));
    property_put(b, PROPERTY_BRAND, brand);
    property_put(b, PROPERTY_QUEUES, entry->queues);
}

static void zap_reply(struct curve *c, zmq_msg_t *request, const char *status,
                      const char *user, const struct buffer *properties) {
    const char *text = status[0] == '2' ? "OK" : "not registered";
    zmq_send(c->socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(c->socket, zmq_msg_data(request), zmq_msg_size(request), ZMQ_SNDMORE);
    zmq_send(c->socket, status, strlen(status), ZMQ_SNDMORE);
    zmq_send(c->socket, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(c->socket, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(c->socket, properties->data, properties->len, 0);
}

static void zap_answer(struct curve *c, zmq_msg_t *parts, int count) {
    struct key_entry entry;
    struct buffer properties = {0};
    char user[KEY_TEXT_LEN + 1] = "";
    const bool asked_well = count == PARTS_MAX && part_is(&parts[PART_VERSION], "1.0")
        && part_is(&parts[PART_MECHANISM], "CURVE")
        && zmq_msg_size(&parts[PART_KEY]) == PUBLIC_KEY_BYTES;
    const uint8_t *key = asked_well ? zmq_msg_data(&parts[PART_KEY]) : NULL;
    const bool known = key != NULL && keys_find_curve(c->folder, key, &entry);
    if (key != NULL) sodium_bin2hex(user, sizeof user, key, PUBLIC_KEY_BYTES);
    if (known) properties_of(&properties, &entry);
    if (!known)
        log_warn("a CURVE key was refused", field_text("key", user),
                 field_slice("address", slice_of(zmq_msg_data(&parts[PART_ADDRESS]),
                                                 zmq_msg_size(&parts[PART_ADDRESS]))));
    zap_reply(c, &parts[PART_REQUEST], known ? "200" : "400", known ? user : "", &properties);
    buffer_free(&properties);
}

static void zap_receive(struct curve *c) {
    zmq_msg_t parts[PARTS_MAX];
    int count = 0;
    bool more = true, whole = true;
    for (int i = 0; i < PARTS_MAX; i++) zmq_msg_init(&parts[i]);
    while (more && whole) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        whole = zmq_msg_recv(&part, c->socket, 0) >= 0;
        more = whole && zmq_msg_more(&part) != 0;
        if (whole && count < PARTS_MAX)
            zmq_msg_move(&parts[count++], &part);
        zmq_msg_close(&part);
    }
    if (whole && count > PART_REQUEST) zap_answer(c, parts, count);
    for (int i = 0; i < PARTS_MAX; i++) zmq_msg_close(&parts[i]);
}

static void *curve_main(void *context) {
    pthread_setname_np(pthread_self(), "zap");
    struct curve *c = context;
    for (;;) {
        zmq_pollitem_t items[] = {{.socket = c->socket, .events = ZMQ_POLLIN},
                                  {.fd = c->stop_fd, .events = ZMQ_POLLIN}};
        if (zmq_poll(items, 2, -1) < 0 && errno != EINTR) return NULL;
        if (items[1].revents != 0) return NULL;
        if (items[0].revents != 0) zap_receive(c);
    }
}

struct curve *curve_start(void *context, const char *data) {
    struct curve *c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    snprintf(c->folder, sizeof c->folder, "%s/keys/curve", data);
    c->stop_fd = eventfd(0, EFD_CLOEXEC);
    c->socket = zmq_socket(context, ZMQ_REP);
    const int no_linger = 0;
    if (c->socket != NULL) zmq_setsockopt(c->socket, ZMQ_LINGER, &no_linger, sizeof no_linger);
    if (c->socket != NULL && c->stop_fd >= 0 && zmq_bind(c->socket, "inproc://zeromq.zap.01") == 0
        && pthread_create(&c->thread, NULL, curve_main, c) == 0)
        return c;
    if (c->socket != NULL) zmq_close(c->socket);
    if (c->stop_fd >= 0) close(c->stop_fd);
    free(c);
    return NULL;
}

void curve_stop(struct curve **self) {
    struct curve *c = *self;
    if (c == NULL) return;
    const uint64_t one = 1;
    if (write(c->stop_fd, &one, sizeof one) < 0) abort(); /* nobody else writes to it */
    pthread_join(c->thread, NULL);
    close(c->stop_fd);
    zmq_close(c->socket);
    free(c);
    *self = NULL;
}
