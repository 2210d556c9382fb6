#include "gateway/dialect/megahub/page.h"
#include "gateway/dialect/setting.h"
#include "gateway/dialect/spell.h"
#include "gateway/route.h"
#include "proto/base/date.h"
#include "proto/encode.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { CURSOR_HEX_MAX = 1024, PREDICATES_MAX = 32, VALUES_MAX = 200, DIGITS_MAX = 40 };

struct page { /* x->state until page_write */
    uint32_t number, size;
    bool by_cursor;
    void *kept; /* the caller's */
};

const struct page_choice page_priorities[] = {
    {"low", "0"}, {"normal", "1"}, {"high", "2"}, {"critical", "3"}, {NULL, NULL}};

/* ---- values ---- */

static const char *const lookups[][2] = { /* Django's name, the broker's */
    {"exact", "eq"}, {"in", "in"}, {"gt", "gt"}, {"gte", "gte"}, {"lt", "lt"}, {"lte", "lte"},
    {"startswith", "prefix"}, {"icontains", "contains"}, {"isnull", "null"}, {"range", "range"},
    {NULL, NULL}};

static bool truth_read(const char *text, bool *truth) {
    const bool yes = strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
    *truth = yes;
    return yes || strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

static bool number_read(const char *text, double scale, char digits[DIGITS_MAX]) {
    char *end = NULL;
    const double number = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(number)) return false;
    if (strspn(text, "0123456789+-.eE") != strlen(text)) return false;
    snprintf(digits, DIGITS_MAX, "%.17g", scale == 0 ? number : number * scale);
    return true;
}

static bool time_read(struct exchange *x, const char *text, char digits[DIGITS_MAX]) {
    int64_t ms;
    if (strlen(text) == 10) text = exchange_print(x, "%sT00:00:00Z", text);
    if (!date_parse(slice_text(text), &ms)) return false;
    snprintf(digits, DIGITS_MAX, "%lld", (long long)ms);
    return true;
}

/* The broker's text of one value; NULL when it cannot be. */
static const char *value_read(struct exchange *x, const struct page_field *f, const char *text) {
    char digits[DIGITS_MAX];
    bool truth;
    switch (f->kind) {
    case PAGE_NUMBER:
        return number_read(text, f->scale, digits) ? exchange_print(x, "%s", digits) : NULL;
    case PAGE_TIME: return time_read(x, text, digits) ? exchange_print(x, "%s", digits) : NULL;
    case PAGE_TEXT: return text;
    case PAGE_BOOL: return !truth_read(text, &truth) ? NULL : truth ? "1" : "0";
    case PAGE_THERE: return !truth_read(text, &truth) ? NULL : truth ? "0" : "1";
    case PAGE_CHOICE:
        for (const struct page_choice *c = f->choices; c->word != NULL; c++)
            if (strcasecmp(c->word, text) == 0) return c->values;
        break;
    }
    return NULL;
}

static enum field_wrong wrong_of(enum page_kind kind) {
    switch (kind) {
    case PAGE_NUMBER: return FIELD_NOT_NUMBER;
    case PAGE_TIME: return FIELD_NOT_DATE;
    case PAGE_BOOL:
    case PAGE_THERE: return FIELD_NOT_BOOL;
    case PAGE_TEXT:
    case PAGE_CHOICE: break;
    }
    return FIELD_NOT_A_CHOICE;
}

/* ---- predicates ---- */

struct predicates { /* under way: count is the array's, patched in at the end */
    struct exchange *x;
    struct question *q;
    struct buffer body;
    uint32_t count;
};

static void predicate_put(struct predicates *p, const char *field, const char *op,
                          const char *const *values, uint32_t count) {
    if (p->count == PREDICATES_MAX) {
        field_wrong(&p->x->errors, field, FIELD_TOO_LARGE, PREDICATES_MAX);
        return;
    }
    encode_array(&p->body, 2 + count);
    encode_text(&p->body, slice_text(field));
    encode_text(&p->body, slice_text(op));
    for (uint32_t i = 0; i < count; i++) encode_text(&p->body, slice_text(values[i]));
    p->count++;
}

static void bound_move(const char *op, int64_t ms, int64_t *from_ms, int64_t *to_ms) {
    const bool lower = strcmp(op, "gte") == 0 || strcmp(op, "gt") == 0 || strcmp(op, "eq") == 0;
    const bool upper = strcmp(op, "lte") == 0 || strcmp(op, "lt") == 0 || strcmp(op, "eq") == 0;
    if (lower && ms > *from_ms) *from_ms = ms;
    if (upper && (*to_ms == 0 || ms < *to_ms)) *to_ms = ms;
}

/* What the broker has an index for is also said in the question's own terms. */
static void hint(struct predicates *p, const struct page_field *f, const char *op,
                 const char *const *values, uint32_t count) {
    struct question *q = p->q;
    if (strcmp(f->field, "created_ms") == 0 && count == 1)
        bound_move(op, strtoll(values[0], NULL, 10), &q->from_ms, &q->to_ms);
    if (strcmp(f->field, "status") == 0 && strcmp(op, "in") == 0) {
        uint32_t mask = 0;
        for (uint32_t i = 0; i < count; i++) mask |= UINT32_C(1) << (atoi(values[i]) & 15);
        q->status_mask = q->status_mask == 0 ? mask : q->status_mask & mask;
    }
    if (strcmp(op, "eq") != 0 && !(strcmp(op, "in") == 0 && count == 1)) return;
    if (strcmp(f->field, "type") == 0 && q->type.len == 0) q->type = slice_text(values[0]);
    if (strcmp(f->field, "queue") == 0 && q->queue.len == 0) q->queue = slice_text(values[0]);
}

/* Splits at commas, each part read as a value; a choice may stand for several. */
static uint32_t values_read(struct exchange *x, const struct page_field *f, const char *text,
                            const char *values[VALUES_MAX], const char *key) {
    uint32_t count = 0;
    for (const char *at = text;; at += strcspn(at, ",") + 1) {
        const char *part = exchange_print(x, "%.*s", (int)strcspn(at, ","), at);
        const char *value = value_read(x, f, part);
        if (value == NULL) {
            field_wrong(&x->errors, key, wrong_of(f->kind), 0);
            return 0;
        }
        for (const char *one = value; count < VALUES_MAX; one += strcspn(one, ",") + 1) {
            const bool last = f->kind != PAGE_CHOICE || strchr(one, ',') == NULL;
            values[count++] =
                last ? one : exchange_print(x, "%.*s", (int)strcspn(one, ","), one);
            if (last) break;
        }
        if (count == VALUES_MAX) field_wrong(&x->errors, key, FIELD_TOO_LARGE, VALUES_MAX);
        if (strchr(at, ',') == NULL || count == VALUES_MAX) return count;
    }
}

static bool lookup_suits(enum page_kind kind, const char *op) {
    if (strcmp(op, "eq") == 0 || strcmp(op, "in") == 0) return true;
    if (strcmp(op, "null") == 0) return kind != PAGE_CHOICE && kind != PAGE_THERE;
    const bool of_text = strcmp(op, "prefix") == 0 || strcmp(op, "contains") == 0;
    if (kind == PAGE_TEXT) return strcmp(op, "range") != 0;
    return !of_text && (kind == PAGE_NUMBER || kind == PAGE_TIME);
}

static void null_read(struct predicates *p, const struct page_field *f, const char *text,
                      const char *key) {
    bool truth;
    if (!truth_read(text, &truth)) {
        field_wrong(&p->x->errors, key, FIELD_NOT_BOOL, 0);
        return;
    }
    const char *value = truth ? "1" : "0";
    predicate_put(p, f->field, "null", &value, 1);
}

static void range_put(struct predicates *p, const struct page_field *f, const char **values,
                      uint32_t count, const char *key) {
    if (count != 2) {
        field_wrong(&p->x->errors, key, FIELD_NOT_A_CHOICE, 0);
        return;
    }
    predicate_put(p, f->field, "gte", &values[0], 1);
    predicate_put(p, f->field, "lte", &values[1], 1);
    hint(p, f, "gte", &values[0], 1);
    hint(p, f, "lte", &values[1], 1);
}

static void field_read(struct predicates *p, const struct page_field *f, const char *op,
                       const char *text, const char *key) {
    const char *values[VALUES_MAX];
    if (strcmp(op, "null") == 0) {
        null_read(p, f, text, key);
        return;
    }
    if (f->kind == PAGE_THERE) {
        const char *value = value_read(p->x, f, text);
        if (value == NULL) field_wrong(&p->x->errors, key, FIELD_NOT_BOOL, 0);
        else predicate_put(p, f->field, "null", &value, 1);
        return;
    }
    const bool range = strcmp(op, "range") == 0;
    const bool list = range || strcmp(op, "in") == 0 || f->kind == PAGE_CHOICE;
    uint32_t count = 1;
    if (list) {
        count = values_read(p->x, f, text, values, key);
    } else if ((values[0] = value_read(p->x, f, text)) == NULL) {
        field_wrong(&p->x->errors, key, wrong_of(f->kind), 0);
        count = 0;
    }
    if (count == 0) return;
    if (range) {
        range_put(p, f, values, count, key);
        return;
    }
    op = list ? "in" : op;
    predicate_put(p, f->field, op, values, count);
    hint(p, f, op, values, count);
}

/* One key of the query: NAME or NAME__LOOKUP. */
static void key_read(struct predicates *p, const struct page_field *fields, uint32_t field_count,
                     const char *key, const char *text) {
    const char *split = strstr(key, "__");
    const size_t whole = strlen(key);
    for (uint32_t i = 0; i < field_count; i++) {
        const struct page_field *f = &fields[i];
        const size_t len = strlen(f->name);
        if (strcmp(f->name, key) == 0) {
            field_read(p, f, f->op != NULL ? f->op : "eq", text, f->name);
            return;
        }
        if (split == NULL || f->op != NULL || whole < len + 2 || strncmp(key, f->name, len) != 0 ||
            strncmp(key + len, "__", 2) != 0)
            continue;
        for (uint32_t k = 0; lookups[k][0] != NULL; k++) {
            if (strcmp(key + len + 2, lookups[k][0]) != 0) continue;
            if (lookup_suits(f->kind, lookups[k][1])) field_read(p, f, lookups[k][1], text, key);
            return;
        }
    }
}

/* ---- order and place ---- */

static void ordering_read(struct exchange *x, const struct page_field *fields,
                          uint32_t field_count, struct question *q) {
    const char *text = exchange_query(x, "ordering");
    const char *sort = "";
    q->descending = true; /* newest first when nothing is said */
    uint32_t known = 0;
    for (const char *at = text != NULL ? text : ""; *at != '\0' && known < 4;) {
        const size_t len = strcspn(at, ",");
        const bool minus = *at == '-';
        const char *name = exchange_print(x, "%.*s", (int)(len - minus), at + minus);
        for (uint32_t i = 0; i < field_count; i++) {
            const struct page_field *f = &fields[i];
            if (f->op != NULL || f->kind == PAGE_THERE || strcmp(f->name, name) != 0) continue;
            sort = exchange_print(x, "%s%s%s%s", sort, known++ > 0 ? "," : "", minus ? "-" : "",
                                  f->field);
            break;
        }
        at += len + (at[len] == ',');
    }
    const char *bare = sort + (*sort == '-');
    if (strcmp(bare, "created_ms") == 0 || strcmp(bare, "id") == 0 ||
        strcmp(bare, "number") == 0) {
        q->descending = *sort == '-'; /* numbers rise with time: the index has that order */
        return;
    }
    q->sort = slice_text(sort);
}

static bool invalid_page(struct exchange *x) {
    x->cause = CAUSE_NO_SUCH_PAGE;
    return exchange_refuse(x, CODE_NOT_FOUND, "Invalid page.");
}

static bool cursor_read(struct exchange *x, const char *hex, struct question *q) {
    const size_t len = strlen(hex);
    if (len == 0 || len % 2 != 0 || len > CURSOR_HEX_MAX) return false;
    uint8_t *bytes = exchange_alloc(x, len / 2);
    for (size_t i = 0; i < len; i++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, hex[i]);
        if (at == NULL) return false;
        bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (at - digits));
    }
    q->cursor = slice_of(bytes, len / 2);
    return true;
}

static bool place_read(struct exchange *x, struct page *page, struct question *q) {
    const char *number = exchange_query(x, "page"), *size = exchange_query(x, "page_size");
    const char *cursor = exchange_query(x, "cursor");
    const uint32_t most = setting_page_max(x);
    page->number = 1;
    page->size = most < PAGE_SIZE_DEFAULT ? most : PAGE_SIZE_DEFAULT;
    if (size != NULL && *size != '\0' && strspn(size, "0123456789") == strlen(size)) {
        const unsigned long long asked = strtoull(size, NULL, 10); /* a wrong one is ignored */
        if (asked > 0) page->size = asked < most ? (uint32_t)asked : most;
    }
    if (cursor != NULL) {
        page->by_cursor = true;
        if (!cursor_read(x, cursor, q)) return invalid_page(x);
    } else if (number != NULL) {
        if (*number == '\0' || strlen(number) > 9 || strspn(number, "0123456789") != strlen(number))
            return invalid_page(x);
        page->number = (uint32_t)strtoul(number, NULL, 10);
        if (page->number == 0 || (uint64_t)(page->number - 1) * page->size > PAGE_REACH)
            return invalid_page(x);
    }
    q->limit = page->size;
    q->offset = page->by_cursor ? 0 : (page->number - 1) * page->size;
    return true;
}

/* Takes the words that stand for predicates out of a search. */
static const char *tags_read(struct predicates *p, const struct page_tag *tags, const char *text) {
    const char *rest = "";
    while (tags != NULL && *(text += strspn(text, " \t")) != '\0') {
        const size_t len = strcspn(text, " \t");
        const struct page_tag *tag = tags;
        while (tag->word != NULL && (strlen(tag->word) != len ||
                                     strncasecmp(tag->word, text, len) != 0))
            tag++;
        if (tag->word != NULL) predicate_put(p, tag->field, tag->op, &tag->value, 1);
        else rest = exchange_print(p->x, "%s%s%.*s", rest, *rest ? " " : "", (int)len, text);
        text += len;
    }
    return tags != NULL ? rest : text;
}

static void search_read(struct predicates *p, const struct page_list *list) {
    const char *text = exchange_query(p->x, "search");
    uint64_t number;
    if (text == NULL || *text == '\0') return;
    if (list->task_ids && spell_task_read(p->x, slice_text(text), &number)) {
        const char *id = exchange_print(p->x, "%llu", (unsigned long long)number);
        predicate_put(p, "id", "eq", &id, 1);
        return;
    }
    text = tags_read(p, list->tags, text);
    if (*text != '\0' && list->search != NULL) predicate_put(p, list->search, "terms", &text, 1);
}

bool page_read(struct exchange *x, const struct page_list *list, struct question *q) {
    struct page *page = exchange_alloc(x, sizeof *page);
    struct predicates p = {.x = x, .q = q};
    const char *key, *text;
    uint32_t at = 0;
    x->state = page;
    if (list->fixed_field != NULL)
        predicate_put(&p, list->fixed_field, "eq", &list->fixed_value, 1);
    while (exchange_query_next(x, &at, &key, &text))
        if (*text != '\0') key_read(&p, list->fields, list->field_count, key, text);
    search_read(&p, list);
    const char *no = "0";
    if (list->present != NULL) predicate_put(&p, list->present, "null", &no, 1);
    if (list->hidden != NULL) predicate_put(&p, list->hidden, "eq", &no, 1);
    if (p.count > 0) {
        struct buffer wire = {0};
        encode_array(&wire, p.count);
        buffer_append(&wire, p.body.data, p.body.len);
        q->filter = exchange_copy(x, buffer_slice(&wire));
        buffer_free(&wire);
    }
    buffer_free(&p.body);
    if (x->errors.count > 0) return exchange_refuse(x, CODE_VALIDATION_ERROR, NULL);
    ordering_read(x, list->fields, list->field_count, q);
    q->count = true;
    return place_read(x, page, q);
}

void page_filter(struct buffer *wire, const char *field, struct slice value) {
    encode_array(wire, 1);
    encode_array(wire, 3);
    encode_text(wire, slice_text(field));
    encode_text(wire, slice_text("eq"));
    encode_text(wire, value);
}

void page_keep(struct exchange *x, void *kept) { ((struct page *)x->state)->kept = kept; }

void *page_kept(struct exchange *x) { return ((struct page *)x->state)->kept; }

/* ---- the answer ---- */

static bool plain_byte(uint8_t c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != '\0' && strchr("-_.~:,", c) != NULL);
}

static void escape(struct buffer *b, const char *text) {
    for (; *text != '\0'; text++) {
        char escaped[4];
        if (plain_byte((uint8_t)*text)) {
            buffer_append(b, text, 1);
        } else {
            snprintf(escaped, sizeof escaped, "%%%02X", (uint8_t)*text);
            buffer_append(b, escaped, 3);
        }
    }
}

/* The list's own address with another place in it; every other parameter stays. */
static void link_write(struct exchange *x, const char *name, const char *place) {
    struct buffer url = {0};
    const char *key, *text, *origin = exchange_origin(x);
    uint32_t at = 0;
    const size_t path = strlen(x->path);
    buffer_append(&url, origin, strlen(origin));
    buffer_append(&url, x->path, path);
    if (path == 0 || x->path[path - 1] != '/') buffer_append(&url, "/", 1);
    const char *joint = "?";
    while (exchange_query_next(x, &at, &key, &text)) {
        if (strcmp(key, "page") == 0 || strcmp(key, "cursor") == 0) continue;
        buffer_append(&url, joint, 1);
        escape(&url, key);
        buffer_append(&url, "=", 1);
        escape(&url, text);
        joint = "&";
    }
    if (name != NULL) {
        const char *last = exchange_print(x, "%s%s=%s", joint, name, place);
        buffer_append(&url, last, strlen(last));
    }
    out_text(&x->out, buffer_slice(&url));
    buffer_free(&url);
}

static const char *hex_of(struct exchange *x, struct slice bytes) {
    char *text = exchange_alloc(x, 2 * (size_t)bytes.len + 1);
    for (uint32_t i = 0; i < bytes.len; i++) snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    return text;
}

static void next_write(struct exchange *x, const struct page *page, const struct rows *rows) {
    const uint64_t end = (uint64_t)page->number * page->size;
    const bool counted = rows->total >= 0 && rows->total_exact;
    const bool more = page->by_cursor || !counted ? rows->next.len > 0
                                                  : end < (uint64_t)rows->total;
    const bool reach = !page->by_cursor && !rows->incomplete && end <= PAGE_REACH;
    out_key(&x->out, "next");
    if (more && reach) link_write(x, "page", exchange_print(x, "%u", page->number + 1));
    else if (more && rows->next.len > 0) link_write(x, "cursor", hex_of(x, rows->next));
    else out_null(&x->out);
}

static void previous_write(struct exchange *x, const struct page *page) {
    out_key(&x->out, "previous");
    if (page->number <= 1) out_null(&x->out);
    else if (page->number == 2) link_write(x, NULL, NULL);
    else link_write(x, "page", exchange_print(x, "%u", page->number - 1));
}

void page_write(struct exchange *x, const struct message *answer, page_row *row) {
    const struct page *page = x->state;
    const struct rows *rows = &answer->rows;
    struct out *o = &x->out;
    if (page->number > 1 && rows->row_count == 0 && !rows->incomplete) {
        invalid_page(x);
        return;
    }
    out_object(o);
    out_key(o, "count");
    out_integer(o, rows->total >= 0 ? rows->total : rows->row_count);
    next_write(x, page, rows);
    previous_write(x, page);
    if (rows->incomplete) {
        out_key(o, "incomplete");
        out_bool(o, true);
    }
    if (!rows->total_exact) {
        out_key(o, "count_exact");
        out_bool(o, false);
    }
    out_key(o, "results");
    out_list(o);
    uint32_t at = 0;
    for (uint32_t i = 0; i < rows->row_count; i++) row(x, rows->rows, &at);
    out_list_end(o);
    out_object_end(o);
    exchange_answer(x, x->route->status);
}
