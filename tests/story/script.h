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
    uint64_t commands[NAMES_MAX]; /* #1 is the first that was told */
    uint32_t command_count;
    struct { uint64_t id; char name[NAME_BYTES]; } plans[NAMES_MAX]; /* schedules */
    uint32_t plan_count;
    uint64_t reserved;  /* the newest number that was given out for one */
    uint64_t number;
    uint32_t version;   /* of the task that was seen last */
    uint64_t seen;      /* `next` of the feed's last answer */
    uint32_t peer_next;
    bool quiet;         /* narrates nothing */
    struct buffer bytes; /* of size= */
    struct buffer told; /* part of a line of the narration */
    struct buffer out;  /* the narration */
    char *line;         /* the command under way, as words */
    char *words[WORDS_MAX_LINE];
    uint32_t word_count;
};

struct story *story_new(void);
void story_free(struct story **self);
/* Carries out one line of a script. False when it is not understood. */
bool story_command(struct story *s, const char *line);

/* script.c: words of the line under way */
const char *story_word(struct story *s, const char *key);
bool story_flag(struct story *s, const char *name);
int64_t story_number(struct story *s, const char *key, int64_t absent);
struct slice story_text(struct story *s, const char *key);
uint16_t story_list(struct story *s, const char *key, struct buffer *b, struct slice *out);
void story_speak(struct story *s, struct actor *a, struct message *m);

/* script_object.c */
bool story_object(struct story *s, struct actor *a, const char *verb, const char *name);
bool story_feed(struct story *s, struct actor *a, const char *from);
bool story_stored(struct story *s, uint8_t kind);
/* The row of an object, as words; false when the body is none. */
bool tell_object(struct story *s, struct slice body, struct buffer *b);
void tell_events(struct story *s, const struct rows *rows, struct buffer *b);

/* script_schedule.c */
bool story_schedule(struct story *s, struct actor *a, const char *verb, const char *name);
/* What the row of a schedule says; false when the body is none. */
bool tell_schedule(struct story *s, struct slice body, struct buffer *b);

/* script_fleet.c */
bool story_fleet(struct story *s, struct actor *a, const char *verb, const char *name);
/* What a body, or a page of stations, says; false when it is none. */
bool tell_fleet(struct story *s, struct slice body, struct buffer *b);
bool tell_fleet_row(struct slice data, struct buffer *b);
bool tell_stations(const struct rows *rows, struct buffer *b);

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
