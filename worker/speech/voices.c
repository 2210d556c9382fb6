#include "worker/speech/voices.h"
#include "worker/speech/mixture.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_FRAMES = 1000 / HOP_MS, PIECE_FRAMES_MIN = 300 / HOP_MS, VOICED_MIN = 20,
    VOICE_FRAMES_MIN = 2500 / HOP_MS, /* heard for less nobody is told from others */
    GAP_FRAMES = 300 / HOP_MS, BURST_FRAMES = 150 / HOP_MS /* shorter silence, noise is none */
};
static const float range_db = 30;     /* below the loudest: nobody speaks */
/* A mean squared distance, in variances: what one voice differs from itself by, and how much more
 * when few frames (in hundreds, halved) are compared. */
static const double same_max = 0.24, same_max_few = 30;
/* Of the pitch's logarithm: a voice strays so far from itself; what counts beyond that. */
static const double pitch_stray = 0.3, pitch_worth = 0.3;
static const double switch_cost = 150, switch_cost_silent = 20;
static const double prior_frames = 8; /* a voice that never made a sound makes it as all do */

struct model { /* what a piece, or a voice, sounds like: sums, so that two are joined by adding */
    double n[KINDS], sum[KINDS][CEPSTRA], voiced, pitch;
    bool gone; /* joined to another */
};

struct parting {
    const struct moment *moments;
    size_t count;
    bool *speech;           /* of each frame */
    struct mixture mixture;
    size_t *loud;           /* frames of speech that are loud enough to be compared */
    size_t loud_count;
    float (*shares)[KINDS]; /* of each of those */
    struct model *models;
    size_t model_count, alive;
    float *cost;            /* [i * model_count + j], i < j: what joining them costs */
    size_t *nearest;        /* of i among those behind it */
    uint8_t *voice;         /* of each frame */
};

/* ---- speech or silence ---- */

static int by_level(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Runs of `value` shorter than `least` that lie within the other become the other. */
static void runs_drop(bool *speech, size_t count, bool value, size_t least) {
    for (size_t at = 0; at < count;) {
        size_t end = at;
        while (end < count && speech[end] == speech[at]) end++;
        if (speech[at] == value && end - at < least && (!value ? at > 0 && end < count : true))
            memset(speech + at, !value, end - at);
        at = end;
    }
}

static bool speech_find(struct parting *p) {
    float *levels = malloc(p->count * sizeof *levels);
    if (!levels) return false;
    for (size_t i = 0; i < p->count; i++) levels[i] = p->moments[i].level_db;
    qsort(levels, p->count, sizeof *levels, by_level);
    float quiet = levels[p->count / 20], loud = levels[p->count - 1 - p->count / 20];
    float least = loud - range_db > quiet + 8 ? loud - range_db : quiet + 8;
    if (loud - quiet < 12) least = loud - 12; /* no pauses: nothing to learn what silence is */
    if (least < -65) least = -65;
    for (size_t i = 0; i < p->count; i++) {
        p->speech[i] = p->moments[i].level_db >= least;
        if (p->speech[i]) p->loud[p->loud_count++] = i;
    }
    runs_drop(p->speech, p->count, false, GAP_FRAMES);
    runs_drop(p->speech, p->count, true, BURST_FRAMES);
    free(levels);
    return true;
}

/* ---- models ---- */

static void model_add(struct model *m, const struct moment *moment, const float *shares) {
    for (int k = 0; k < KINDS; k++) {
        m->n[k] += shares[k];
        for (int d = 0; d < CEPSTRA; d++) m->sum[k][d] += (double)shares[k] * moment->cepstra[d];
    }
    if (moment->pitch <= 0) return;
    m->voiced++;
    m->pitch += log(moment->pitch);
}

static void model_join(struct model *a, const struct model *b) {
    for (int k = 0; k < KINDS; k++) {
        a->n[k] += b->n[k];
        for (int d = 0; d < CEPSTRA; d++) a->sum[k][d] += b->sum[k][d];
    }
    a->voiced += b->voiced;
    a->pitch += b->pitch;
}

/* How many frames the comparison rests on, as if both had so many, halved. */
static double both(double a, double b) { return a > 0 && b > 0 ? a * b / (a + b) : 0; }

static double pitch_distance(const struct model *a, const struct model *b) {
    if (a->voiced < VOICED_MIN || b->voiced < VOICED_MIN) return 0;
    double apart = fabs(a->pitch / a->voiced - b->pitch / b->voiced) / pitch_stray - 1;
    if (apart <= 0) return 0;
    return both(a->voiced, b->voiced) * apart * apart * pitch_worth;
}

/* The distance of the means in variances, weighted by the frames it rests on: what is lost when
 * both are one voice. *ret_rests: those frames. */
static double distance(const struct parting *p, const struct model *a, const struct model *b,
                       double *ret_rests) {
    double sum = pitch_distance(a, b), rests = 0;
    for (int k = 0; k < KINDS; k++) {
        double weight = both(a->n[k], b->n[k]), squares = 0;
        for (int d = 0; weight > 0 && d < CEPSTRA; d++) {
            double apart = a->sum[k][d] / a->n[k] - b->sum[k][d] / b->n[k];
            squares += apart * apart / p->mixture.spread[k][d];
        }
        sum += weight * squares / CEPSTRA;
        rests += weight;
    }
    *ret_rests = rests;
    return sum;
}

static float join_cost(const struct parting *p, const struct model *a, const struct model *b) {
    double rests;
    return (float)distance(p, a, b, &rests);
}

static double frames_of(const struct model *m) {
    double sum = 0;
    for (int k = 0; k < KINDS; k++) sum += m->n[k];
    return sum;
}

/* How much more two voices differ than one does from itself: up to 1 they are the same. Somebody
 * heard too little to be told from others is whoever is most alike. */
static double difference(const struct parting *p, const struct model *a, const struct model *b) {
    double rests, lost = distance(p, a, b, &rests);
    double few = frames_of(a) < frames_of(b) ? frames_of(a) : frames_of(b);
    double ratio = lost / (same_max * rests + same_max_few);
    return few < VOICE_FRAMES_MIN ? ratio / (1 + ratio) : ratio;
}

/* ---- pieces, and joining them ---- */

/* The loud frames from..to of p->loud. */
static void piece_make(struct parting *p, size_t from, size_t to) {
    struct model *m = &p->models[p->model_count];
    if (to - from < PIECE_FRAMES_MIN) return;
    *m = (struct model){.voiced = 0};
    for (size_t i = from; i < to; i++) model_add(m, &p->moments[p->loud[i]], p->shares[i]);
    p->model_count++;
}

/* A piece ends with its stretch of speech, or after a second's worth. */
static bool pieces_make(struct parting *p) {
    p->models = calloc(p->loud_count / PIECE_FRAMES_MIN + 1, sizeof *p->models);
    if (!p->models) return false;
    for (size_t at = 0, end; at < p->loud_count; at = end) {
        for (end = at + 1; end < p->loud_count && end - at < PIECE_FRAMES &&
                           p->loud[end] - p->loud[end - 1] < GAP_FRAMES;) end++;
        piece_make(p, at, end);
    }
    p->alive = p->model_count;
    return true;
}

static float *cost_at(struct parting *p, size_t i, size_t j) {
    return i < j ? &p->cost[i * p->model_count + j] : &p->cost[j * p->model_count + i];
}

static void nearest_find(struct parting *p, size_t i) {
    p->nearest[i] = i;
    float best = FLT_MAX;
    for (size_t j = i + 1; j < p->model_count; j++) {
        if (p->models[j].gone || *cost_at(p, i, j) >= best) continue;
        best = *cost_at(p, i, j);
        p->nearest[i] = j;
    }
}

static bool costs_make(struct parting *p) {
    size_t n = p->model_count;
    p->cost = malloc((n * n + 1) * sizeof *p->cost);
    p->nearest = malloc((n + 1) * sizeof *p->nearest);
    if (!p->cost || !p->nearest) return false;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            *cost_at(p, i, j) = join_cost(p, &p->models[i], &p->models[j]);
    for (size_t i = 0; i < n; i++) nearest_find(p, i);
    return true;
}

static void join(struct parting *p, size_t i, size_t j) {
    model_join(&p->models[i], &p->models[j]);
    p->models[j].gone = true;
    p->alive--;
    for (size_t k = 0; k < p->model_count; k++)
        if (k != i && !p->models[k].gone)
            *cost_at(p, i, k) = join_cost(p, &p->models[i], &p->models[k]);
    for (size_t k = 0; k < p->model_count; k++) {
        bool touched = k == i || p->nearest[k] == i || p->nearest[k] == j;
        if (p->models[k].gone) continue;
        if (touched) nearest_find(p, k);
        else if (k < i && *cost_at(p, k, i) < *cost_at(p, k, p->nearest[k])) p->nearest[k] = i;
    }
}

/* The two that cost least, as long as they are one voice or far too many are left. */
static void pieces_join(struct parting *p, size_t min) {
    while (p->alive > min) {
        size_t best = p->model_count;
        float least = FLT_MAX;
        for (size_t i = 0; i < p->model_count; i++) {
            if (p->models[i].gone || p->nearest[i] == i) continue;
            float cost = *cost_at(p, i, p->nearest[i]);
            if (cost >= least) continue;
            least = cost;
            best = i;
        }
        if (best == p->model_count) return;
        size_t other = p->nearest[best];
        bool same = difference(p, &p->models[best], &p->models[other]) <= 1;
        if (!same && p->alive <= VOICES_MAX) return;
        join(p, best, other);
    }
}

/* Then the two that differ least: the cheapest pair may be an odd one while others are the same. */
static void voices_join(struct parting *p, size_t min, size_t max) {
    while (p->alive > min) {
        size_t one = 0, other = 0;
        double least = DBL_MAX;
        for (size_t i = 0; i < p->model_count; i++) {
            for (size_t j = i + 1; j < p->model_count && !p->models[i].gone; j++) {
                if (p->models[j].gone) continue;
                double apart = difference(p, &p->models[i], &p->models[j]);
                if (apart >= least) continue;
                least = apart;
                one = i;
                other = j;
            }
        }
        if (one == other || (least > 1 && p->alive <= max)) return;
        join(p, one, other);
    }
}

/* ---- each frame to a voice ---- */

struct voice { double mean[KINDS][CEPSTRA]; };

static void voice_make(const struct parting *p, const struct model *m, struct voice *v) {
    for (int k = 0; k < KINDS; k++)
        for (int d = 0; d < CEPSTRA; d++)
            v->mean[k][d] = (m->sum[k][d] + prior_frames * p->mixture.mean[k][d]) /
                            (m->n[k] + prior_frames);
}

/* The logarithm of how likely the frame is under the voice, but for what is the same for all. */
static double likely(const struct parting *p, const struct voice *v, const struct moment *moment,
                     const float *shares) {
    double sum = 0;
    for (int k = 0; k < KINDS; k++) {
        if (shares[k] < 0.01f) continue;
        for (int d = 0; d < CEPSTRA; d++) {
            double y = moment->cepstra[d] - v->mean[k][d];
            sum -= shares[k] * y * y / p->mixture.spread[k][d] / 2;
        }
    }
    return sum;
}

/* One step: where each voice's best path came from. `loud`: the frame's place in p->loud, or
 * p->loud_count. */
static void step(const struct parting *p, size_t frame, size_t loud, const struct voice *voices,
                 size_t n, double *score, uint8_t *from) {
    size_t best = 0;
    for (size_t k = 1; k < n; k++)
        if (score[k] > score[best]) best = k;
    double top = score[best] - (p->speech[frame] ? switch_cost : switch_cost_silent);
    for (size_t k = 0; k < n; k++) {
        from[k] = (uint8_t)(score[k] >= top ? k : best);
        if (score[k] < top) score[k] = top;
        if (loud < p->loud_count)
            score[k] += likely(p, &voices[k], &p->moments[frame], p->shares[loud]);
    }
}

static bool frames_part(struct parting *p) {
    struct voice voices[VOICES_MAX];
    double score[VOICES_MAX] = {0};
    size_t n = 0, last = 0, loud = 0;
    for (size_t i = 0; i < p->model_count && n < VOICES_MAX; i++)
        if (!p->models[i].gone) voice_make(p, &p->models[i], &voices[n++]);
    if (n < 2) return true; /* all one voice */
    uint8_t *from = malloc(p->count * n);
    if (!from) return false;
    for (size_t i = 0; i < p->count; i++) {
        bool is_loud = loud < p->loud_count && p->loud[loud] == i;
        step(p, i, is_loud ? loud : p->loud_count, voices, n, score, from + i * n);
        loud += is_loud;
    }
    for (size_t k = 1; k < n; k++)
        if (score[k] > score[last]) last = k;
    for (size_t i = p->count; i-- > 0; last = from[i * n + last]) p->voice[i] = (uint8_t)last;
    free(from);
    return true;
}

/* ---- turns ---- */

/* Voices are numbered as they come. */
static int number_of(int numbers[VOICES_MAX], struct turns *t, uint8_t voice) {
    if (numbers[voice] < 0) numbers[voice] = t->voices++;
    return numbers[voice];
}

static bool turns_make(const struct parting *p, struct turns *t) {
    int numbers[VOICES_MAX];
    size_t cap = 0;
    for (int i = 0; i < VOICES_MAX; i++) numbers[i] = -1;
    for (size_t at = 0, end; at < p->count; at = end) {
        for (end = at + 1; end < p->count && p->speech[end] == p->speech[at] &&
                           p->voice[end] == p->voice[at];) end++;
        if (!p->speech[at]) continue;
        if (t->count == cap) {
            cap = cap ? 2 * cap : 64;
            struct turn *grown = realloc(t->list, cap * sizeof *grown);
            if (!grown) return false;
            t->list = grown;
        }
        int voice = number_of(numbers, t, p->voice[at]);
        int64_t lead = (FRAME - HOP) / 32; /* a frame stands for its middle, ms */
        t->list[t->count++] = (struct turn){.start_ms = (int64_t)at * HOP_MS + lead,
                                            .end_ms = (int64_t)end * HOP_MS + lead,
                                            .voice = voice};
    }
    return true;
}

void voices_free(struct turns *turns) {
    free(turns->list);
    *turns = (struct turns){0};
}

static bool part(struct parting *p, size_t min, size_t max, struct turns *t) {
    if (!speech_find(p)) return false;
    p->shares = malloc((p->loud_count + 1) * sizeof *p->shares);
    if (!p->shares) return false;
    if (p->loud_count)
        mixture_learn(&p->mixture, p->moments, p->loud, p->loud_count, p->shares);
    if (!pieces_make(p) || !costs_make(p)) return false;
    pieces_join(p, min);
    voices_join(p, min, max);
    return frames_part(p) && turns_make(p, t);
}

bool voices_part(const struct moment *moments, size_t count, int min, int max,
                 struct turns *ret_turns) {
    struct parting p = {.moments = moments, .count = count};
    struct turns turns = {0};
    size_t least = min > 1 ? (size_t)min : 1, most = max > 0 ? (size_t)max : VOICES_MAX;
    if (most > VOICES_MAX) most = VOICES_MAX;
    if (least > most) least = most;
    p.speech = calloc(count + 1, sizeof *p.speech);
    p.voice = calloc(count + 1, sizeof *p.voice);
    p.loud = calloc(count + 1, sizeof *p.loud);
    bool good = p.speech && p.voice && p.loud && (count == 0 || part(&p, least, most, &turns));
    free(p.speech);
    free(p.voice);
    free(p.loud);
    free(p.shares);
    free(p.models);
    free(p.cost);
    free(p.nearest);
    if (good) *ret_turns = turns;
    else voices_free(&turns);
    return good;
}
