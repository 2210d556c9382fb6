/* speech.h - dialect 004, speech to text (base /api/{mode}Transcription): what its files share.
 *
 * mode.c       the modes: batch, streaming, diarization
 * speech.c     the table, the envelope and the words
 * job.c        create a job from a recording, cancel one
 * recording.c  create a job whose recording is still to come, and what comes of it
 * audio.c      which recordings are taken
 * result.c     a job as its client sees it: result, wait
 * follow.c     a job as it goes on: states, segments, partial text
 * events.c     where that is told: server-sent events
 * talk.c       the socket that takes a recording and tells its segments
 * board.c      the socket that tells the states of jobs
 * list.c       jobs and queue
 * claim.c      the worker side: claim
 * work.c       the worker side: reports, the recording
 *
 * A job is a task of the mode's queue and type, with the labels SPEECH_LABEL, by which its workers
 * take what is of this dialect and nothing else, and language=xx, and the recording as its
 * source file. Its payload says in JSON what a worker needs; with a recording's hash in it a
 * repeated createJob is known by its content. In streaming mode the source is a file that grows,
 * and segments are parts of the task (PROTOCOL.md). */
#ifndef RELAIS_GATEWAY_DIALECT_SPEECH_SPEECH_H
#define RELAIS_GATEWAY_DIALECT_SPEECH_SPEECH_H
#include "gateway/dialect/number.h"
#include "gateway/exchange.h"
#include "gateway/route.h"

#define SPEECH_LABEL "dialect=004"

enum {
    SPEECH_RETRIES = 3,
    LANGUAGE_SIZE = 3  /* two letters and a terminator */
};

/* ---- mode.c ---- */

struct mode {
    const char *name;     /* as paths spell it */
    const char *type;     /* of its tasks */
    const char *queued;   /* what createJob says */
    const char *time_key; /* member of a completed result */
    bool live;            /* the recording grows while it is worked on */
    bool speakers;        /* takes min_speakers and max_speakers, and no unknown field */
};

/* The mode that the route's path names, or NULL. */
const struct mode *mode_of(const struct exchange *x);
/* The mode that the task is a job of; NULL when it is none of this dialect. */
const struct mode *mode_of_view(const struct view *v);
/* As the option of its name says. */
struct slice mode_queue(const struct exchange *x, const struct mode *mode);

/* ---- speech.c ---- */

/* {"data": … ,"status":"success"}: the members of data, or any one value, go in between. */
void envelope_open(struct exchange *x);  /* up to the data's opening brace */
void envelope_close(struct exchange *x); /* from its closing brace on; ends the exchange */
void speech_fail(struct exchange *x, enum code code, const char *text);
/* Members job_uuid and job_id. */
void job_id_write(struct exchange *x, uint64_t id);
/* The id under job_uuid, job_id or uuid: in the path, the query or a JSON body. Else refuses. */
bool job_id_read(struct exchange *x, uint64_t *ret_id);
/* True when the view is a job of the route's mode (of any, without one) in the caller's brand. */
bool job_visible(const struct exchange *x, const struct view *v);
/* The same; else refuses as not found. */
bool job_check(struct exchange *x, const struct view *v);
/* PENDING, PROCESSING, COMPLETED or FAILED. */
const char *job_state(uint8_t status);
/* The language in a lane's labels; NULL when it names none. */
const char *job_language(struct exchange *x, struct slice labels);

/* ---- audio.c ---- */

/* NULL when a part of this name and type is taken by option audio_types, else why not. */
const char *audio_refusal(const struct exchange *x, const char *file_name, const char *mime);
/* Two letters, lower case, into `language`; text without data gives option speech_language. */
bool language_read(const struct exchange *x, struct slice text, char language[LANGUAGE_SIZE]);

/* ---- job.c ---- */

bool job_create_part(struct exchange *x, const struct form_part *part);
bool job_create_read(struct exchange *x, struct message *m);
void job_create_write(struct exchange *x, const struct message *answer);
/* Options that every mode's SUBMIT has; false after a refusal. */
bool job_options_read(struct exchange *x, const char *language, struct options *options);
/* The answer to createJob, up to the end of data. `v` may be NULL: its place is not known. */
void job_created_open(struct exchange *x, uint64_t id, const struct view *v);
void job_created_close(struct exchange *x);
bool job_cancel_read(struct exchange *x, struct message *m);

/* ---- recording.c ---- */

enum { RECORDING_CHUNK_MAX = 1 << 20 };

bool recording_create_read(struct exchange *x, struct message *m);
bool recording_append_read(struct exchange *x, struct message *m);
bool recording_end_read(struct exchange *x, struct message *m);
/* What FILE_APPEND, FILE_END and FILE_STAT answer; false when it is not that. */
struct recording { uint64_t received, next_seq; bool ended; };
bool recording_read(const struct message *answer, struct recording *ret);
/* Members received, next_seq and ended. */
void recording_write(struct out *o, const struct recording *r);

/* ---- result.c ---- */

bool job_result_read(struct exchange *x, struct message *m);
bool job_bytes_read(struct exchange *x, struct message *m);
/* Members of the result as the contract has them; `loaded` is the content of its file. */
void job_result_write(struct exchange *x, const struct view *v, struct slice loaded);
/* True when the content of the view's result file must be read first, and can be. */
bool job_must_load(const struct view *v, struct slice loaded);

/* ---- follow.c ---- */

enum news { NEWS_STATE, NEWS_FINAL, NEWS_PARTIAL };

struct follow { /* of one job */
    uint64_t id;
    uint32_t version;        /* the newest that was told, or asked from */
    uint32_t after;          /* the last segment that was told */
    bool parts;              /* segments are told */
    bool live;               /* each progress is a partial text, not a state */
    bool told;               /* some state has been told */
    uint8_t status, progress; /* as told last; live only */
    uint64_t partial;        /* hash of the text told last */
    struct slice loaded;     /* the result's file */
    /* json: one object without line breaks; number: of a final segment */
    void (*tell)(struct exchange *x, struct follow *f, enum news news, uint32_t number,
                 struct slice json);
};

enum { FOLLOW_BEHIND_MAX = 16 << 10 /* bytes */ };
enum followed { FOLLOW_ON, FOLLOW_LOAD, FOLLOW_PAUSE, FOLLOW_OVER };

/* Tells what the view has that was not told yet. LOAD: the result's file is to be put into
 * f->loaded, and the job asked for again. PAUSE: the client is behind; the
 * job is asked for again, at once, when it has taken all but FOLLOW_BEHIND_MAX. */
enum followed follow_take(struct exchange *x, struct follow *f, const struct view *v);
/* Asks for what comes next; at once = without waiting for a change. */
struct message follow_ask(const struct follow *f, bool at_once);

/* ---- events.c, talk.c, board.c ---- */

bool events_read(struct exchange *x, struct message *m);
bool talk_read(struct exchange *x, struct message *m);
bool board_read(struct exchange *x, struct message *m);

/* Sockets open before the caller is known to be let in, so that a browser sees why not. */
enum close_code {
    CLOSE_GOOD = 1000, CLOSE_WRONG = 1008, CLOSE_LARGE = 1009, CLOSE_LATER = 1013,
    CLOSE_WHO = 4401,    /* no credentials, or wrong ones */
    CLOSE_ROLE = 4403,
    CLOSE_NO_JOB = 4404,
    CLOSE_ENDED = 4410   /* the recording has ended */
};
/* True when the caller may use a client's socket; else it is being closed. */
bool socket_welcome(struct exchange *x);

/* ---- list.c ---- */

bool job_list_read(struct exchange *x, struct message *m);
void job_list_write(struct exchange *x, const struct message *answer);
bool job_queue_read(struct exchange *x, struct message *m);
void job_queue_write(struct exchange *x, const struct message *answer);

/* ---- claim.c, work.c ---- */

bool job_claim_read(struct exchange *x, struct message *m);
void job_claim_write(struct exchange *x, const struct message *answer);
bool job_progress_read(struct exchange *x, struct message *m);
bool job_checkpoint_read(struct exchange *x, struct message *m);
bool job_complete_read(struct exchange *x, struct message *m);
bool job_put_result_read(struct exchange *x, struct message *m);
bool job_fail_read(struct exchange *x, struct message *m);
bool job_audio_read(struct exchange *x, struct message *m);

extern const struct dialect speech;
#endif
