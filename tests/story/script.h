/* script.h - a story: who is there, what the script calls things, and what has been narrated.
 *
 * Tasks are called by their payload, epochs e1, e2, … in order of their first appearance. */
#ifndef RELAIS_TESTS_STORY_SCRIPT_H
#define RELAIS_TESTS_STORY_SCRIPT_H
#include "tests/story/world.h"

enum { PEERS_MAX = 32, NAMES_MAX = 4096, WORDS_MAX_LINE = 24, NAME_BYTES = 32, ASKED_MAX = 256 };

struct actor { /* one who speaks: a client, a native worker, a gateway, an HTTP worker behind one */
    char name[NAME_BYTES];
    struct who who;
    uint32_t peer, link;
    uint64_t boot;
    uint8_t kind;       /* enum link_kind; 0 for an HTTP worker */
    struct actor *via;  /* HTTP worker: its gateway */
    bool open, silent;
    uint64_t asked;     /* number of its newest request that may wait */
    int64_t beat_at;
    struct message hello; /* as last said; its packed lists lie in `lists` */
    struct buffer lists[4];
};

struct asked { uint64_t number; char task[NAME_BYTES]; }; /* a SUBMIT without its answer */

struct story {
    struct world world;
    struct actor actors[PEERS_MAX];
    uint32_t actor_count;
    struct { uint64_t id; char name[NAME_BYTES]; } tasks[NAMES_MAX];
    uint32_t task_count;
    uint64_t epochs[NAMES_MAX];
    uint32_t epoch_count;
    struct { uint64_t task, epoch; } newest[NAMES_MAX]; /* by task: the last epoch told */
    uint32_t newest_count;
    struct asked asked[ASKED_MAX];
    uint32_t asked_count;
    uint64_t number;
    uint32_t version;   /* of the task that was seen last */
    uint32_t peer_next;
    bool quiet;         /* narrates nothing */
    struct buffer bytes; /* of size= */
    struct buffer out;  /* the narration */
    char *line;         /* the command under way, as words */
    char *words[WORDS_MAX_LINE];
    uint32_t word_count;
};

struct story *story_new(void);
void story_free(struct story **self);
/* Carries out one line of a script. False when it is not understood. */
bool story_command(struct story *s, const char *line);

/* tell.c: messages as text */
char *tell_note(struct world *w, const struct say *say);
void tell_left(struct world *w, const struct left *left);
__attribute__((format(printf, 2, 3))) void story_say(struct story *s, const char *format, ...);

struct actor *actor_at(struct story *s, uint32_t peer);
const char *task_name(struct story *s, uint64_t id);
void task_call(struct story *s, uint64_t id, const char *name);
uint64_t task_called(struct story *s, const char *name);
uint32_t epoch_name(struct story *s, uint64_t epoch);
uint64_t newest_epoch(struct story *s, uint64_t task);
#endif
