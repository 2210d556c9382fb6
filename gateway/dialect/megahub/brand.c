#include "gateway/dialect/megahub/account.h"
#include "gateway/dialect/megahub/megahub.h"
#include "gateway/dialect/megahub/page.h"
#include <stdlib.h>
#include <string.h>

enum { SCAN_PAGE = 1000, CREATE_TRIES = 8, BRAND_DIGITS_MAX = 10 };

struct edit { /* x->state of one that is made or renamed */
    struct slice name;
    uint64_t number;
    uint32_t tries;
};

static const char *name_of(struct exchange *x, uint32_t brand, struct slice name) {
    if (name.len == 0) return exchange_print(x, "brand-%u", brand);
    return (const char *)exchange_copy(x, name).data;
}

void brand_write_out(struct exchange *x, uint32_t brand, const char *name) {
    out_object(&x->out);
    out_key(&x->out, "id");
    out_unsigned(&x->out, brand);
    out_key(&x->out, "name");
    out_string(&x->out, name);
    out_object_end(&x->out);
}

/* ---- names of several ---- */

static void names_arrived(struct exchange *x, const struct message *answer) {
    struct brand_names *n = x->state;
    const enum code code = exchange_code(answer);
    struct object_row row;
    if (code != CODE_OK && code != CODE_NOT_FOUND) {
        n->waiting = 0;
        exchange_refuse(x, code, NULL);
        return;
    }
    if (code == CODE_OK && object_row_read(answer->answer.body, &row)) {
        const char *number = (const char *)exchange_copy(x, row.name).data;
        for (uint32_t i = 0; i < n->count; i++)
            if (n->brands[i] == strtoul(number, NULL, 10))
                n->names[i] = name_of(x, n->brands[i], brand_read(row.body));
    }
    if (--n->waiting == 0) n->then(x);
}

static struct message brand_message(struct exchange *x, enum verb verb, uint64_t number) {
    struct message m = {.verb = verb};
    m.object.kind = slice_text("brand");
    m.object.name = slice_text(exchange_print(x, "%llu", (unsigned long long)number));
    return m;
}

void brand_names_load(struct exchange *x, const uint32_t *brands, uint32_t count,
                      void (*then)(struct exchange *x)) {
    struct brand_names *n = x->state;
    const uint32_t all = count < BRANDS_MAX ? count : BRANDS_MAX;
    n->count = n->waiting = all;
    n->then = then;
    for (uint32_t i = 0; i < all; i++) {
        n->brands[i] = brands[i];
        n->names[i] = name_of(x, brands[i], (struct slice){0});
    }
    if (all == 0) then(x);
    for (uint32_t i = 0; i < all && n->waiting > 0; i++) {
        const struct message m = brand_message(x, VERB_FETCH, n->brands[i]);
        exchange_try_as(x, &account_house, &m, names_arrived);
    }
}

void brand_names_write(struct exchange *x, const struct brand_names *names) {
    out_list(&x->out);
    for (uint32_t i = 0; i < names->count; i++)
        brand_write_out(x, names->brands[i], names->names[i]);
    out_list_end(&x->out);
}

/* ---- lists ---- */

struct own { /* the list of a token's own brands */
    struct brand_names names; /* first: x->state */
    void *page;
    uint32_t limit, offset;
};

static void own_row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    const struct brand_names *n = (const void *)rows.data;
    brand_write_out(x, n->brands[*at], n->names[*at]);
    (*at)++;
}

/* Keeps those that `search` finds, then one page of them. */
static void own_write(struct exchange *x) {
    struct own *own = x->state;
    struct brand_names *n = &own->names;
    const char *search = exchange_query(x, "search");
    uint32_t found = 0, shown = 0;
    for (uint32_t i = 0; i < n->count; i++) {
        if (search != NULL && strcasestr(n->names[i], search) == NULL) continue;
        if (found++ < own->offset || shown == own->limit) continue;
        n->brands[shown] = n->brands[i];
        n->names[shown++] = n->names[i];
    }
    struct message answer = {.verb = VERB_ROWS};
    answer.rows = (struct rows){.rows = slice_of(n, sizeof *n), .row_count = shown,
                                .total = found, .total_exact = true};
    x->state = own->page;
    page_write(x, &answer, own_row_write);
}

static void row_write(struct exchange *x, struct slice rows, uint32_t *at) {
    struct object_row row;
    if (!object_row_next(rows, at, &row)) return;
    const char *number = (const char *)exchange_copy(x, row.name).data;
    const uint32_t brand = (uint32_t)strtoul(number, NULL, 10);
    brand_write_out(x, brand, name_of(x, brand, brand_read(row.body)));
}

static void all_write(struct exchange *x, const struct message *answer) {
    page_write(x, answer, row_write);
}

/* A token's own brands are few; an admin of all gets them in pages. */
bool brand_list_read(struct exchange *x, struct message *m) {
    static const struct page_list list = {.search = "name"};
    m->verb = VERB_ASK;
    m->question = (struct question){.kind = slice_text("objects"), .object = slice_text("brand"),
                                    .priority = -1, .dialect = -1};
    if (!page_read(x, &list, &m->question)) return false;
    if (x->brand_count == 0) {
        exchange_send_as(x, &account_house, m, all_write);
        return false;
    }
    struct own *own = exchange_alloc(x, sizeof *own);
    *own = (struct own){.page = x->state, .limit = m->question.limit,
                        .offset = m->question.offset};
    x->state = own;
    brand_names_load(x, x->brands, x->brand_count, own_write);
    return false;
}

/* ---- one ---- */

static bool not_found(struct exchange *x) {
    x->cause = CAUSE_NO_SUCH_PATH; /* else it would be a task that is not there */
    return exchange_refuse(x, CODE_NOT_FOUND, NULL);
}

/* {id}, when it is one of the caller's. */
static bool number_read(struct exchange *x, uint32_t *ret_number) {
    const struct slice text = exchange_param(x, "id");
    uint64_t number = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i == BRAND_DIGITS_MAX)
            return not_found(x);
        number = 10 * number + (text.data[i] - '0');
    }
    bool own = x->brand_count == 0;
    for (uint32_t i = 0; i < x->brand_count; i++) own = own || x->brands[i] == number;
    if (number == 0 || number > UINT32_MAX || !own) return not_found(x);
    *ret_number = (uint32_t)number;
    return true;
}

static void brand_answer(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    struct object_row row;
    uint32_t at = 0;
    if (code == CODE_NOT_FOUND) {
        not_found(x);
    } else if (code != CODE_OK || !object_row_read(answer->answer.body, &row)) {
        exchange_refuse(x, code != CODE_OK ? code : CODE_INTERNAL_ERROR, NULL);
    } else {
        row_write(x, answer->answer.body, &at);
        exchange_answer(x, x->route->status);
    }
}

bool brand_detail_read(struct exchange *x, struct message *m) {
    uint32_t number;
    (void)m;
    if (!number_read(x, &number)) return false;
    const struct message fetch = brand_message(x, VERB_FETCH, number);
    exchange_try_as(x, &account_house, &fetch, brand_answer);
    return false;
}

/* ---- brands are made, renamed and deleted ---- */

/* Who has some brands only may not make more, nor touch the names that others see. */
static bool governs(struct exchange *x) {
    if (x->brand_count == 0) return true;
    x->cause = CAUSE_ROLE;
    return exchange_refuse(x, CODE_FORBIDDEN, NULL);
}

static bool name_read(struct exchange *x, struct slice *ret_name) {
    *ret_name = member_text(x->json, "name", REQUIRED, BRAND_NAME_MAX, &x->errors);
    for (uint32_t i = 0; i < ret_name->len; i++) {
        if (ret_name->data[i] >= ' ' && ret_name->data[i] != 0x7f) continue;
        field_refuse(&x->errors, "name", "Not a valid string.");
        break;
    }
    return megahub_fields_good(x);
}

static void name_taken(struct exchange *x) {
    field_refuse(&x->errors, "name", "brand with this name already exists.");
    exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
}

static void brand_put(struct exchange *x, uint64_t number, enum put_mode mode,
                      exchange_then *then) {
    const struct edit *edit = x->state;
    const struct who actor = account_actor(x);
    struct buffer body = {0}, keys = {0};
    char key[ACCOUNT_KEY_SIZE];
    struct message m = brand_message(x, VERB_PUT, number);
    account_key(key, "name", edit->name);
    text_put(&keys, slice_text(key));
    brand_write(&body, edit->name);
    m.object.mode = (uint8_t)mode;
    m.object.body = exchange_copy(x, buffer_slice(&body));
    m.object.options.keys = exchange_copy(x, buffer_slice(&keys));
    m.object.options.key_count = 1;
    buffer_free(&body);
    buffer_free(&keys);
    exchange_try_as(x, &actor, &m, then);
}

static void brand_scan(struct exchange *x, struct slice cursor);

/* Another one took the number between the scan and this: scanned again. */
static void created(struct exchange *x, const struct message *answer) {
    struct edit *edit = x->state;
    if (exchange_code(answer) == CODE_CONFLICT && ++edit->tries < CREATE_TRIES) {
        edit->number = 0;
        brand_scan(x, (struct slice){0});
        return;
    }
    if (exchange_code(answer) == CODE_OK)
        exchange_set(x, "Location", exchange_print(x, "%s/brands/%llu/", exchange_origin(x),
                                                   (unsigned long long)edit->number));
    brand_answer(x, answer);
}

static void scanned(struct exchange *x, const struct message *answer) {
    struct edit *edit = x->state;
    struct object_row row;
    uint32_t at = 0;
    while (object_row_next(answer->rows.rows, &at, &row)) {
        const char *text = (const char *)exchange_copy(x, row.name).data;
        const uint64_t number = strtoull(text, NULL, 10);
        if (number > edit->number) edit->number = number;
    }
    if (answer->rows.next.len > 0) {
        brand_scan(x, exchange_copy(x, answer->rows.next));
        return;
    }
    edit->number++;
    if (edit->number > UINT32_MAX) exchange_refuse(x, CODE_LIMIT_REACHED, NULL);
    else brand_put(x, edit->number, PUT_CREATE, created);
}

static void brand_scan(struct exchange *x, struct slice cursor) {
    struct message m = {.verb = VERB_ASK};
    m.question = (struct question){.kind = slice_text("objects"), .object = slice_text("brand"),
                                   .priority = -1, .dialect = -1, .limit = SCAN_PAGE,
                                   .cursor = cursor};
    exchange_send_as(x, &account_house, &m, scanned);
}

static void name_looked_up(struct exchange *x, const struct message *answer) {
    const enum code code = exchange_code(answer);
    if (code == CODE_OK) name_taken(x);
    else if (code == CODE_NOT_FOUND) brand_scan(x, (struct slice){0});
    else exchange_refuse(x, code, NULL);
}

bool brand_create_read(struct exchange *x, struct message *m) {
    (void)m;
    struct edit *edit = exchange_alloc(x, sizeof *edit);
    char key[ACCOUNT_KEY_SIZE];
    if (!governs(x) || !name_read(x, &edit->name)) return false;
    x->state = edit;
    account_key(key, "name", edit->name);
    struct message fetch = brand_message(x, VERB_FETCH, 0);
    fetch.object.name = exchange_copy(x, slice_text(key));
    exchange_try_as(x, &account_house, &fetch, name_looked_up);
    return false;
}

static void changed(struct exchange *x, const struct message *answer) {
    if (exchange_code(answer) == CODE_CONFLICT) name_taken(x);
    else brand_answer(x, answer);
}

bool brand_change_read(struct exchange *x, struct message *m) {
    (void)m;
    struct edit *edit = exchange_alloc(x, sizeof *edit);
    uint32_t number;
    if (!governs(x) || !number_read(x, &number) || !name_read(x, &edit->name)) return false;
    x->state = edit;
    brand_put(x, number, PUT_REPLACE, changed);
    return false;
}

bool brand_delete_read(struct exchange *x, struct message *m) {
    (void)m;
    uint32_t number;
    const struct who actor = account_actor(x);
    if (!governs(x) || !number_read(x, &number)) return false;
    const struct message drop = brand_message(x, VERB_DROP, number);
    exchange_try_as(x, &actor, &drop, brand_answer);
    return false;
}
