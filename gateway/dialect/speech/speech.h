/* speech.h - dialect 004, speech to text (base /api/batchTranscription): what its files share.
 *
 * speech.c  the table, the envelope and the words
 * job.c     create and cancel a job
 * audio.c   which recordings are taken
 * result.c  a job as its client sees it: result, wait, events
 * list.c    jobs and queue
 * work.c    the worker side
 *
 * A job is a task of queue `batch_queue`, type `transcription`, with the label language=xx and
 * the recording as its source file. Its payload says the same in JSON, for workers that read it;
 * it holds the recording's hash, so that a repeated createJob is known by its content. */
#ifndef RELAIS_GATEWAY_DIALECT_SPEECH_SPEECH_H
#define RELAIS_GATEWAY_DIALECT_SPEECH_SPEECH_H
#include "gateway/exchange.h"
#include "gateway/route.h"

enum {
    SPEECH_NUMBER = 4, /* options.dialect */
    SPEECH_RETRIES = 3,
    LANGUAGE_SIZE = 3  /* two letters and a terminator */
};
#define BATCH_QUEUE "batch_queue"
#define BATCH_TYPE "transcription"

/* ---- speech.c ---- */

/* {"data": … ,"status":"success"}: the members of data, or any one value, go in between. */
void envelope_open(struct exchange *x);  /* up to the data's opening brace */
void envelope_close(struct exchange *x); /* from its closing brace on; ends the exchange */
void speech_fail(struct exchange *x, enum code code, const char *text);
/* Members job_uuid and job_id. */
void job_id_write(struct exchange *x, uint64_t id);
/* The id under job_uuid, job_id or uuid: in the path, the query or a JSON body. Else refuses. */
bool job_id_read(struct exchange *x, uint64_t *ret_id);
/* True when the view is a job of this mode in the caller's brand; else refuses as not found. */
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

/* ---- routes ---- */

bool job_create_part(struct exchange *x, const struct form_part *part);
bool job_create_read(struct exchange *x, struct message *m);
void job_create_write(struct exchange *x, const struct message *answer);
bool job_cancel_read(struct exchange *x, struct message *m);
bool job_result_read(struct exchange *x, struct message *m);
bool job_bytes_read(struct exchange *x, struct message *m);
bool job_events_read(struct exchange *x, struct message *m);
bool job_list_read(struct exchange *x, struct message *m);
void job_list_write(struct exchange *x, const struct message *answer);
bool job_queue_read(struct exchange *x, struct message *m);
void job_queue_write(struct exchange *x, const struct message *answer);
bool job_claim_read(struct exchange *x, struct message *m);
void job_claim_write(struct exchange *x, const struct message *answer);
bool job_progress_read(struct exchange *x, struct message *m);
void job_progress_write(struct exchange *x, const struct message *answer);
bool job_checkpoint_read(struct exchange *x, struct message *m);
void job_checkpoint_write(struct exchange *x, const struct message *answer);
bool job_complete_read(struct exchange *x, struct message *m);
bool job_put_result_read(struct exchange *x, struct message *m);
bool job_fail_read(struct exchange *x, struct message *m);
void job_settled_write(struct exchange *x, const struct message *answer);
bool job_audio_read(struct exchange *x, struct message *m);
void job_audio_write(struct exchange *x, const struct message *answer);

extern const struct dialect speech;
#endif
