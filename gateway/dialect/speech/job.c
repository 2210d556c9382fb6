#include "gateway/dialect/setting.h"
#include "gateway/dialect/speech/speech.h"
#include "gateway/dialect/spell.h"
#include "proto/base/utf8.h"
#include <sodium.h>
#include <stdlib.h>

enum { KEY_MAX = 255, FILE_NAME_MAX = 128 /* bytes the broker keeps of a name */,
       SPEAKERS_MAX = 100 };
static const char no_audio[] = "Aucun fichier audio fourni";
/* ---- createJob ---- */

static bool is_audio_name(const char *name) {
    return strcmp(name, "audioFile") == 0 || strcmp(name, "audio_file") == 0;
}

static const char *unknown_text(struct exchange *x, const char *name) {
    return exchange_print(x, "Champ inconnu : %s", name);
}

/* What will not be taken is refused before it is stored. */
bool job_create_part(struct exchange *x, const struct form_part *part) {
    if (part->file_name == NULL) return true;
    if (!is_audio_name(part->name))
        return !mode_of(x)->speakers ||
               exchange_refuse(x, CODE_VALIDATION_ERROR, unknown_text(x, part->name));
    const char *refusal = audio_refusal(x, part->file_name, part->mime);
    return refusal == NULL || exchange_refuse(x, CODE_VALIDATION_ERROR, refusal);
}

static struct upload *audio_find(struct exchange *x) {
    struct upload *audio = exchange_upload(x, "audioFile");
    return audio != NULL ? audio : exchange_upload(x, "audio_file");
}

/* ---- how many speakers ---- */

struct speakers { int64_t least, most; }; /* 0 = not given */

static int64_t speakers_read(struct exchange *x, const char *name) {
    const struct slice text = exchange_field(x, name);
    int64_t number = 0;
    if (text.len == 0) return 0;
    for (uint32_t i = 0; i < text.len && number <= SPEAKERS_MAX; i++) {
        const uint8_t c = text.data[i];
        if (c < '0' || c > '9') {
            field_refuse(&x->errors, name, exchange_print(x, "%s doit être un entier", name));
            return 0;
        }
        number = 10 * number + c - '0';
    }
    if (number >= 1 && number <= SPEAKERS_MAX) return number;
    field_refuse(&x->errors, name,
                 exchange_print(x, "%s doit être compris entre 1 et %d", name, SPEAKERS_MAX));
    return 0;
}

static void field_known(struct exchange *x, const char *name) {
    static const char *const known[] = {"language", "min_speakers", "max_speakers"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i]) == 0) return;
    if (!is_audio_name(name)) field_refuse(&x->errors, name, unknown_text(x, name));
}

static struct speakers speakers_take(struct exchange *x) {
    for (uint32_t i = 0; i < x->field_count; i++) field_known(x, x->fields[i].name);
    const struct speakers s = {speakers_read(x, "min_speakers"), speakers_read(x, "max_speakers")};
    if (s.most > 0 && s.least > s.most)
        field_refuse(&x->errors, "min_speakers",
                     "min_speakers ne peut pas dépasser max_speakers");
    return s;
}

/* ---- createJob of a recording ---- */

static struct slice payload_make(struct exchange *x, const struct upload *audio,
                                 const char *language, const struct speakers *speakers) {
    char hash[2 * sizeof audio->hash + 1];
    sodium_bin2hex(hash, sizeof hash, audio->hash, sizeof audio->hash);
    struct out o = {0};
    out_object(&o);
    out_key(&o, "language");
    out_string(&o, language);
    out_key(&o, "file_name");
    out_string(&o, audio->file_name);
    out_key(&o, "sha256");
    out_string(&o, hash);
    if (mode_of(x)->speakers) {
        out_key(&o, "min_speakers");
        out_integer(&o, speakers->least > 0 ? speakers->least : 1);
    }
    if (speakers->most > 0) {
        out_key(&o, "max_speakers");
        out_integer(&o, speakers->most);
    }
    out_object_end(&o);
    struct slice payload = exchange_copy(x, buffer_slice(&o.body));
    buffer_free(&o.body);
    return payload;
}

bool job_create_read(struct exchange *x, struct message *m) {
    char language[LANGUAGE_SIZE] = "";
    struct speakers speakers = {0};
    const struct mode *mode = mode_of(x);
    const struct upload *audio = audio_find(x);
    if (audio == NULL) return exchange_refuse(x, CODE_VALIDATION_ERROR, no_audio);
    if (audio->size == 0) field_refuse(&x->errors, "audioFile", "Le fichier audio est vide");
    if (!language_read(x, exchange_field(x, "language"), language))
        field_refuse(&x->errors, "language", "La langue doit être un code de deux lettres");
    if (mode->speakers) speakers = speakers_take(x);
    struct options *options = &m->submit.options;
    if (!job_options_read(x, language, options)) return false;
    m->submit.queue = mode_queue(x, mode);
    m->submit.type = slice_text(mode->type);
    m->submit.payload = payload_make(x, audio, language, &speakers);
    options->source_file = audio->file;
    options->source_size = audio->size;
    options->source_name = slice_text(audio->file_name);
    options->source_name.len = utf8_cut(options->source_name, FILE_NAME_MAX);
    options->source_mime = slice_text(audio->mime);
    options->source_hash = slice_of(audio->hash, sizeof audio->hash);
    return true;
}

bool job_options_read(struct exchange *x, const char *language, struct options *options) {
    const char *key = exchange_header(x, "Idempotency-Key");
    if (key != NULL && (*key == '\0' || strlen(key) > KEY_MAX))
        field_refuse(&x->errors, "Idempotency-Key",
                     "La clé d'idempotence doit faire de 1 à 255 octets");
    if (x->who.brand == 0)
        field_refuse(&x->errors, "X-Brand-ID", "Une seule marque doit être choisie");
    if (x->errors.count > 0) return exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
    options->set = SET_RETRIES | SET_KEEP;
    options->dialect = SPEECH_NUMBER;
    options->retries = SPEECH_RETRIES;
    options->keep_ms = setting_keep_ms(x);
    options->labels = slice_text(exchange_print(x, SPEECH_LABEL ",language=%s", language));
    if (key != NULL) options->key = slice_text(key);
    return true;
}

void job_created_open(struct exchange *x, uint64_t id, const struct view *v) {
    struct out *o = &x->out;
    out_object(o);
    out_key(o, "data");
    out_object(o);
    job_id_write(x, id);
    out_key(o, "status");
    out_string(o, mode_of(x)->queued);
    out_key(o, "message");
    out_string(o, mode_of(x)->queued);
    out_key(o, "state");
    out_string(o, "PENDING");
    out_key(o, "position");
    if (v != NULL && v->place > 0) out_unsigned(o, v->place);
    else out_null(o);
}

void job_created_close(struct exchange *x) {
    const char *status = exchange_option(x, "speech_create_status");
    out_object_end(&x->out);
    out_key(&x->out, "status");
    out_string(&x->out, exchange_option(x, "envelope_status"));
    out_object_end(&x->out);
    exchange_answer(x, status != NULL && strcmp(status, "202") == 0 ? 202 : x->route->status);
}

static void created_write(struct exchange *x, const struct message *answer) {
    const uint64_t *id = x->state;
    const bool viewed = exchange_code(answer) == CODE_OK;
    job_created_open(x, *id, viewed ? &answer->view : NULL);
    job_created_close(x);
}

/* The job is durable now; its place in the queue is one more question. */
void job_create_write(struct exchange *x, const struct message *answer) {
    uint64_t *id = exchange_alloc(x, sizeof *id);
    *id = answer->submitted.id;
    x->state = id;
    struct message m = {.verb = VERB_GET, .ref = {.id = *id}};
    exchange_try(x, &m, created_write);
}

/* ---- cancel ---- */

static void cancelled_write(struct exchange *x, const struct message *answer) {
    envelope_open(x);
    job_id_write(x, answer->view.head.id);
    out_key(&x->out, "status");
    out_string(&x->out, "CANCELLED");
    out_key(&x->out, "state");
    out_string(&x->out, "CANCELLED");
    out_key(&x->out, "message");
    out_string(&x->out, "Votre demande a été annulée");
    envelope_close(x);
}

/* Only a job of this mode may be cancelled here; a second cancel gives the first one's answer. */
static void cancel_go_on(struct exchange *x, const struct message *answer) {
    const struct view *v = &answer->view;
    if (!job_check(x, v)) return;
    if (v->head.status == STATUS_CANCELLED) {
        cancelled_write(x, answer);
        return;
    }
    struct message m = {.verb = VERB_CANCEL, .ref = {.id = v->head.id}};
    exchange_send(x, &m, cancelled_write);
}

bool job_cancel_read(struct exchange *x, struct message *m) {
    struct message get = {.verb = VERB_GET};
    (void)m;
    if (job_id_read(x, &get.ref.id)) exchange_send(x, &get, cancel_go_on);
    return false;
}
