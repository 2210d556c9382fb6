/* contact.h - one side's view of its link to the broker: greeting, beats, doubt.
 *
 * Pure: time is an argument, what to do is an answer. The owner sends what contact_due asks for
 * and hands in what comes back.
 *
 *   absent --opened--> greeting --WELCOME--> linked --RESYNC--> greeting (at once)
 *     ^                   |                    |
 *     +---- no WELCOME in GREET_MS ------------+  connection down, or no beat answered for lost_ms
 *
 * absent asks for a new connection, greeting for a HELLO. Beats go out every beat_ms +- 10 %.
 * What counts as a sign of life is the *sending* time of the newest beat that was answered: an
 * answer proves that the broker heard of us then, and no later. doubt_ms after it we must
 * expect that the broker gives our work away once lost_ms are over, so we are in doubt before.
 *
 * A refused HELLO is tried again after its retry_ms, REFUSED_MS when it names none;
 * contact->refused keeps the code meanwhile. */
#ifndef RELAIS_WORKER_CONTACT_H
#define RELAIS_WORKER_CONTACT_H
#include "proto/base/random.h"
#include "proto/message.h"

enum {
    GREET_MS = 3000,    /* a HELLO without an answer so long, or lost_ms: opened anew */
    REOPEN_MS = 200,    /* between two openings, at least */
    REFUSED_MS = 2000,
    BEATS_OPEN = 16     /* beats whose answers are still known by number */
};

enum contact_state { CONTACT_ABSENT = 0, CONTACT_GREETING = 1, CONTACT_LINKED = 2 };

enum contact_due { DUE_NOTHING = 0, DUE_OPEN = 1, DUE_HELLO = 2, DUE_BEAT = 3 };

struct contact {
    enum contact_state state;
    uint32_t link; /* of the newest WELCOME; 0 = none */
    uint32_t beat_ms, suspect_ms, doubt_ms, lost_ms;
    uint32_t payload_max, batch_max, frame_max;
    uint64_t incarnation;
    enum code refused; /* of the newest HELLO; 0 = it was not refused */
    int64_t next_ms;      /* when the next opening, greeting or beat is due */
    int64_t answered_ms;  /* sending time of the newest answered HELLO or beat */
    int64_t hello_ms;     /* sending time of the HELLO under way */
    uint64_t beat;        /* number of the newest beat */
    int64_t sent_ms[BEATS_OPEN];
    bool greeted;         /* the HELLO of this greeting was sent */
    bool known;           /* there was a WELCOME: answered_ms counts */
    struct random random;
};

void contact_init(struct contact *c, uint64_t seed, int64_t now_ms);
/* What to do now; asked for until it is nothing. DUE_HELLO and DUE_BEAT count as sent. *number is
 * the request number for it. */
enum contact_due contact_due(struct contact *c, int64_t now_ms, uint64_t *number);
/* The owner has opened a fresh connection. */
void contact_opened(struct contact *c, int64_t now_ms);
/* The connection is established: a HELLO that waited in it leaves only now. */
void contact_up(struct contact *c, int64_t now_ms);
/* The connection broke. */
void contact_down(struct contact *c, int64_t now_ms);
/* WELCOME, RESYNC, BEAT, or REFUSED of a HELLO. True when the link has just come up. */
bool contact_message(struct contact *c, const struct message *m, int64_t now_ms);
/* When contact_due must be asked again. */
int64_t contact_wake_ms(const struct contact *c);
bool contact_in_doubt(const struct contact *c, int64_t now_ms);
/* The code of a refusal that trying again will hardly heal; 0 = none. HELLO is said again all the
 * same. */
enum code contact_hopeless(const struct contact *c);
/* When doubt begins if no beat is answered until then; INT64_MAX = never. */
int64_t contact_doubt_ms(const struct contact *c);
#endif
