#include "worker/speech/recogniser.h"
#include <pocketsphinx.h>
#include <sphinxbase/cmn.h>
#include <sphinxbase/feat.h>
#include <stdio.h>
#include <stdlib.h>

#define MODEL "/usr/share/pocketsphinx/model/en-us"
enum { FRAME_MS = 10, PATH_BYTES = 512, MEANS_MAX = 64 };

struct recogniser {
    ps_decoder_t *decoder;
    bool open, speech;
    int64_t heard_ms; /* of this utterance */
    mfcc_t means[MEANS_MAX]; /* what it takes for the average sound before it heard any */
};

static cmn_t *means(struct recogniser *r) { return ps_get_feat(r->decoder)->cmn_struct; }

struct recogniser *recogniser_new(const char *model, uint32_t pause_ms) {
    char hmm[PATH_BYTES], lm[PATH_BYTES], words[PATH_BYTES], frames[16];
    const char *folder = model ? model : MODEL;
    struct recogniser *r = calloc(1, sizeof *r);
    snprintf(hmm, sizeof hmm, "%s/en-us", folder);
    snprintf(lm, sizeof lm, "%s/en-us.lm.bin", folder);
    snprintf(words, sizeof words, "%s/cmudict-en-us.dict", folder);
    snprintf(frames, sizeof frames, "%u", pause_ms / FRAME_MS);
    /* its noise removal costs accuracy on clean sound; its log would be a page a task */
    cmd_ln_t *config = cmd_ln_init(NULL, ps_args(), TRUE, "-hmm", hmm, "-lm", lm, "-dict", words,
                                   "-logfn", "/dev/null", "-remove_noise", "no",
                                   "-vad_postspeech", frames, NULL);
    if (r && config) r->decoder = ps_init(config);
    if (config) cmd_ln_free_r(config);
    if (r && !r->decoder) recogniser_destroy(&r);
    if (r && means(r)->veclen <= MEANS_MAX) cmn_live_get(means(r), r->means);
    return r;
}

void recogniser_destroy(struct recogniser **self) {
    struct recogniser *r = *self;
    if (!r) return;
    if (r->decoder) ps_free(r->decoder);
    free(r);
    *self = NULL;
}

static bool utterance_begin(struct recogniser *r) {
    r->open = ps_start_utt(r->decoder) == 0;
    r->speech = false;
    r->heard_ms = 0;
    return r->open;
}

bool recogniser_begin(struct recogniser *r) {
    if (r->open) ps_end_utt(r->decoder);
    /* what an earlier recording sounded like must not change what is heard in this one */
    if (means(r)->veclen <= MEANS_MAX) cmn_live_set(means(r), r->means);
    return ps_start_stream(r->decoder) == 0 && utterance_begin(r);
}

bool recogniser_take(struct recogniser *r, const int16_t *samples, size_t count, bool *ret_over) {
    if (!r->open && !utterance_begin(r)) return false;
    if (ps_process_raw(r->decoder, samples, count, FALSE, FALSE) < 0) return false;
    bool speech = ps_get_in_speech(r->decoder);
    *ret_over = r->speech && (!speech || r->heard_ms >= UTTERANCE_MS_MAX);
    r->speech = r->speech || speech;
    if (r->speech) r->heard_ms += (int64_t)count / 16;
    return true;
}

const char *recogniser_guess(struct recogniser *r) {
    const char *text = r->open && r->speech ? ps_get_hyp(r->decoder, NULL) : NULL;
    return text && *text ? text : NULL;
}

/* Silence, noises and the marks of beginning and end are no words. */
static bool is_word(const char *word) { return *word != '<' && *word != '[' && *word != '+'; }

bool recogniser_final(struct recogniser *r, struct segment *ret_segment) {
    struct segment found = {.start_ms = -1, .speaker = -1};
    if (!r->open) return false;
    r->open = false;
    if (ps_end_utt(r->decoder) < 0) return false;
    const char *text = ps_get_hyp(r->decoder, NULL);
    if (!text || !*text) return false;
    for (ps_seg_t *s = ps_seg_iter(r->decoder); s; s = ps_seg_next(s)) {
        int first, last;
        if (!is_word(ps_seg_word(s))) continue;
        ps_seg_frames(s, &first, &last);
        if (found.start_ms < 0) found.start_ms = (int64_t)first * FRAME_MS;
        found.end_ms = (int64_t)(last + 1) * FRAME_MS;
    }
    if (found.start_ms < 0) return false;
    found.text = (char *)text;
    *ret_segment = found;
    return true;
}
