#include "gateway/dialect/setting.h"
#include "gateway/dialect/speech/speech.h"
#include "gateway/dialect/spell.h"

enum { LEASE_S_MAX = 604800 };

struct claimed {
    uint64_t task, epoch;
    uint32_t attempt, checkpoint, parts;
    struct slice name, data, payload;
    bool stream;
};

bool job_claim_read(struct exchange *x, struct message *m) {
    struct claim *claim = &m->claim;
    struct field_errors *e = &x->errors;
    struct slice wanted = member_text(x->json, "language", NULLABLE, 16, e);
    struct buffer queues = {0}, types = {0}, labels = {0};
    char language[LANGUAGE_SIZE];
    claim->limit = 1;
    claim->wait_ms =
        setting_wait_ms(x, member_integer(x->json, "wait", NULLABLE, 0, 0, INT32_MAX, e));
    claim->lease_ms =
        1000 * (uint32_t)member_integer(x->json, "lease_seconds", NULLABLE, 0, 1, LEASE_S_MAX, e);
    if (wanted.len > 0 && !language_read(x, wanted, language))
        field_refuse(e, "language", "La langue doit être un code de deux lettres");
    claim->again = member_bool(x->json, "again", 0, false, e);
    if (e->count > 0) return exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
    text_put(&queues, mode_queue(x, mode_of(x)));
    text_put(&types, slice_text(mode_of(x)->type));
    text_put(&labels, slice_text("+" SPEECH_LABEL));
    if (wanted.len > 0) text_put(&labels, slice_text(exchange_print(x, "language=%s", language)));
    claim->serves = (struct serves){
        .queues = exchange_copy(x, buffer_slice(&queues)), .queue_count = 1,
        .types = exchange_copy(x, buffer_slice(&types)), .type_count = 1,
        .labels = exchange_copy(x, buffer_slice(&labels)), .label_count = wanted.len > 0 ? 2 : 1,
    };
    buffer_free(&queues);
    buffer_free(&types);
    buffer_free(&labels);
    claim->worker = slice_text(x->who.name);
    claim->boot = x->who.boot;
    claim->brand = x->who.brand;
    return true;
}

static void checkpoint_write(struct out *o, const struct claimed *claimed) {
    out_key(o, "checkpoint");
    if (claimed->checkpoint == 0) {
        out_null(o);
        return;
    }
    out_object(o);
    out_key(o, "seq");
    out_unsigned(o, claimed->checkpoint);
    out_key(o, "name");
    out_text(o, claimed->name);
    out_key(o, "data");
    out_value(o, claimed->data);
    out_object_end(o);
}

/* The broker's view says when the lease ends and what the recording is. */
static void claimed_write(struct exchange *x, const struct message *answer) {
    const struct claimed *claimed = x->state;
    const struct view *v = &answer->view;
    struct out *o = &x->out;
    char text[JOB_UUID_SIZE];
    spell_job(x, claimed->task, text);
    envelope_open(x);
    out_key(o, "task");
    out_object(o);
    job_id_write(x, claimed->task);
    out_key(o, "language");
    out_string(o, job_language(x, v->labels));
    out_key(o, "attempt");
    out_unsigned(o, claimed->attempt);
    out_key(o, "lease_epoch");
    out_unsigned(o, claimed->epoch);
    out_key(o, "lease_expires_at");
    out_time(o, v->lease_until_ms);
    out_key(o, "audio_url");
    out_string(o, exchange_print(x, "%s/api/%sTranscription/%s/audio", exchange_origin(x),
                                 mode_of(x)->name, text));
    out_key(o, "file_name");
    out_text(o, v->source_name);
    out_key(o, "mime_type");
    out_text(o, v->source_mime);
    out_key(o, "size");
    out_unsigned(o, v->source_size);
    checkpoint_write(o, claimed);
    out_key(o, "parameters");
    out_value(o, claimed->payload);
    if (claimed->stream) {
        out_key(o, "stream");
        out_bool(o, true);
        out_key(o, "parts");
        out_unsigned(o, claimed->parts);
    }
    out_object_end(o);
    envelope_close(x);
}

void job_claim_write(struct exchange *x, const struct message *answer) {
    const struct delivery *d = &answer->task;
    if (d->task == 0) {
        envelope_open(x);
        out_key(&x->out, "task");
        out_null(&x->out);
        envelope_close(x);
        return;
    }
    struct claimed *claimed = exchange_alloc(x, sizeof *claimed);
    *claimed = (struct claimed){
        .task = d->task,
        .epoch = d->epoch,
        .attempt = d->attempt,
        .checkpoint = d->checkpoint,
        .parts = d->parts,
        .stream = d->stream,
        .payload = exchange_copy(x, d->payload),
        .name = exchange_copy(x, d->checkpoint_name),
        .data = exchange_copy(x, d->checkpoint_data),
    };
    x->state = claimed;
    struct message m = {.verb = VERB_GET, .ref = {.id = d->task, .want = WANT_BODY}};
    exchange_send(x, &m, claimed_write);
}
