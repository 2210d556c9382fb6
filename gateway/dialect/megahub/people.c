#include "gateway/dialect/megahub/people.h"
#include "gateway/known.h"

struct people { /* x->state while something is loaded */
    const struct person *list;
    uint32_t count, at;
    void *state;
    void (*then)(struct exchange *x);
};

static struct slice brand_name(struct exchange *x, uint32_t brand) {
    return slice_text(exchange_digits(x, brand));
}

static bool is_known(struct exchange *x, enum known_kind kind, struct slice name) {
    struct known known;
    return name.len == 0 || name.len > KNOWN_NAME_MAX || known_get(x, kind, 0, name, &known);
}

static bool person_known(struct exchange *x, const struct person *p) {
    return is_known(x, KNOWN_USER, p->owner) && is_known(x, KNOWN_BRAND, brand_name(x, p->brand));
}

static void load_on(struct exchange *x) {
    struct people *people = x->state;
    while (people->at < people->count) {
        const struct person *p = &people->list[people->at];
        if (!is_known(x, KNOWN_USER, p->owner)) {
            known_load(x, KNOWN_USER, 0, p->owner, load_on);
            return;
        }
        if (!is_known(x, KNOWN_BRAND, brand_name(x, p->brand))) {
            known_load(x, KNOWN_BRAND, 0, brand_name(x, p->brand), load_on);
            return;
        }
        people->at++;
    }
    x->state = people->state;
    people->then(x);
}

void people_load(struct exchange *x, const struct person *list, uint32_t count,
                 void (*then)(struct exchange *x)) {
    uint32_t known = 0;
    while (known < count && person_known(x, &list[known])) known++;
    if (known == count) {
        then(x);
        return;
    }
    struct people *people = exchange_alloc(x, sizeof *people);
    *people = (struct people){.list = list, .count = count, .at = known, .state = x->state,
                              .then = then};
    x->state = people;
    load_on(x);
}

/* ---- answers ---- */

struct kept { /* an answer that has to wait */
    struct message answer;
    struct frame frame;
    void *state;
    exchange_then *write;
};

static void kept_write(struct exchange *x) {
    struct kept *k = x->state;
    x->state = k->state;
    k->write(x, &k->answer);
    frame_free(&k->frame);
}

static uint32_t people_of(struct exchange *x, const struct message *answer, struct person **ret) {
    if (answer->verb == VERB_VIEW) {
        *ret = exchange_alloc(x, sizeof **ret);
        (*ret)[0] = (struct person){answer->view.body.owner, answer->view.head.brand};
        return 1;
    }
    struct frame frame = {0};
    struct message row;
    uint32_t at = 0, count = 0;
    const uint32_t most = answer->rows.row_count;
    *ret = exchange_alloc(x, (most + 1) * sizeof **ret);
    while (count < most && row_next(&frame, answer->rows.rows, &at, &row))
        (*ret)[count++] = (struct person){row.view.body.owner, row.view.head.brand};
    frame_free(&frame);
    return count;
}

/* The answer as it may lie longer than its callback. */
static void answer_keep(struct exchange *x, struct kept *k, const struct message *answer) {
    k->answer = *answer;
    if (answer->verb == VERB_VIEW) {
        struct buffer row = {0};
        uint32_t at = 0;
        row_put(&row, answer);
        const struct slice bytes = exchange_copy(x, buffer_slice(&row));
        buffer_free(&row);
        row_next(&k->frame, bytes, &at, &k->answer);
        k->answer.verb = VERB_VIEW;
        k->answer.view.number = answer->view.number;
        k->answer.view.code = answer->view.code;
        return;
    }
    k->answer.rows.rows = exchange_copy(x, answer->rows.rows);
    k->answer.rows.next = exchange_copy(x, answer->rows.next);
    k->answer.rows.text = exchange_copy(x, answer->rows.text);
}

void people_answer(struct exchange *x, const struct message *answer, exchange_then *write) {
    struct person *list;
    const bool task = answer->verb == VERB_VIEW || answer->verb == VERB_ROWS;
    if (!task || exchange_code(answer) != CODE_OK) {
        write(x, answer);
        return;
    }
    const uint32_t count = people_of(x, answer, &list);
    uint32_t known = 0;
    while (known < count && person_known(x, &list[known])) known++;
    if (known == count) {
        write(x, answer);
        return;
    }
    for (uint32_t i = known; i < count; i++) list[i].owner = exchange_copy(x, list[i].owner);
    struct kept *k = exchange_alloc(x, sizeof *k);
    k->state = x->state;
    k->write = write;
    answer_keep(x, k, answer);
    x->state = k;
    people_load(x, list + known, count - known, kept_write);
}

/* ---- looking ---- */

static uint64_t letters_number(struct slice name) {
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < name.len; i++) hash = (hash ^ name.data[i]) * 16777619u;
    return (hash >> 1) + 1;
}

uint64_t people_number(struct exchange *x, struct slice owner) {
    struct known known;
    const bool there = owner.len > 0 && owner.len <= KNOWN_NAME_MAX &&
                       known_get(x, KNOWN_USER, 0, owner, &known) && known.id != 0;
    return there ? known.id : letters_number(owner);
}

struct slice people_brand(struct exchange *x, uint32_t brand) {
    struct known known;
    if (known_get(x, KNOWN_BRAND, 0, brand_name(x, brand), &known) && known.text.len > 0)
        return exchange_copy(x, known.text);
    return slice_text(exchange_print(x, "brand-%u", brand));
}
