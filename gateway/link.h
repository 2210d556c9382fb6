/* link.h - a gateway thread's connection to the broker, and the calls under way over it.
 *
 * One DEALER for tasks and one for file chunks; both descriptors stand in the thread's epoll set.
 * HELLO opens the link, BEAT keeps it; RESYNC (the broker restarted, or gave us up) says HELLO
 * again and fails what was under way, for its outcome is not known. Messages of one verb and one
 * principal that are sent before the next link_flush travel in one frame; nothing waits for more.
 *
 * A call is found again by its number alone, and a number is used once: a late answer hits
 * nothing. Each call ends exactly once: by its answer, or by a REFUSED made here (UNAVAILABLE,
 * TIMED_OUT), or by call_drop, which takes a parked WATCH or CLAIM back. A task that a dropped
 * CLAIM still gets is RELEASEd for the principal that claimed it.
 *
 * The broker counts as silent when nothing was heard for silence_ms: link_up is false, calls are
 * refused at once, and the sockets are opened anew, after 1 s, 2 s, 4 s …, until it speaks.
 *
 * Threads: belongs to one. DIAGNOSTICS: one line per change of link_up. */
#ifndef RELAIS_GATEWAY_LINK_H
#define RELAIS_GATEWAY_LINK_H
#include "proto/base/list.h"
#include "proto/base/map.h"
#include "proto/message.h"

struct link;

struct call {
    struct map_node by_number;
    struct node of_owner; /* in the owner's list; unlinked = dropped */
    struct node in_line;  /* in the link's list of all calls, or of free ones */
    struct link *link;
    void *owner;          /* the caller's; NULL = dropped */
    /* count > 1 only for CLAIM; `answer` is borrowed for the call */
    void (*done)(struct call *call, const struct message *answer, uint32_t count);
    void (*then)(void); /* the caller's own: cast back before use */
    uint64_t number, tag; /* tag: the caller's own */
    int64_t deadline_ms;
    enum verb verb;
    bool refusals;        /* the caller's own */
    struct who who;
};

struct link_options {
    void *zmq;                /* borrowed context */
    const char *broker, *files; /* endpoints; borrowed */
    const char *broker_key;   /* Z85; "" = no CURVE */
    const char *curve_file;   /* own certificate; "" = a fresh key */
    uint32_t beat_ms, silence_ms, answer_ms;
    uint32_t batch_max;
    const char *name;         /* of this gateway, for the broker's log */
    void *context;            /* of the function below */
    /* A KEYRING came: its body is borrowed for the call. */
    void (*keyring)(void *context, struct slice body);
};

/* NULL with the cause in why. */
struct link *link_new(const struct link_options *options, int64_t now_ms, char *why,
                      size_t why_size);
/* Says BYE. Calls under way are forgotten. */
void link_destroy(struct link **self);
/* The descriptors to poll for reading; they change when the sockets are opened anew: then
 * link_moved is true once. */
void link_descriptors(const struct link *l, int *tasks, int *files);
bool link_moved(struct link *l);
bool link_up(const struct link *l);

/* Puts a message into the frame that leaves with the next flush. FILE_ verbs go to the file
 * endpoint. NULL when the broker is silent. answer_ms 0 = the option's; WATCH and CLAIM add their
 * own wait. The caller sets owner, done and what is its own, and links of_owner. */
struct call *link_send(struct link *l, const struct who *who, const struct message *m,
                       uint32_t answer_ms, int64_t now_ms);
/* The same without an answer; false when it could not be sent. */
bool link_tell(struct link *l, const struct who *who, const struct message *m);
/* True for what may wait at the broker: it can be taken back. */
bool call_parks(enum verb verb);
/* The owner no longer wants the answer. */
void call_drop(struct call *call);
void link_flush(struct link *l);
/* Takes all frames that are there and calls `done`; true when there was one. */
bool link_receive(struct link *l, int64_t now_ms);
/* Beats, silence, deadlines: about every 100 ms. */
void link_tick(struct link *l, int64_t now_ms);
#endif
