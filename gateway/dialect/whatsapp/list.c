/* list.c - pages of lists, and what several answers of the fleet list alike. */
#include "gateway/dialect/whatsapp/whatsapp.h"

enum { PAGE_NUMBER_MAX = 10000 };

struct paging paging_read(struct exchange *x, uint32_t usual, uint32_t most) {
    const uint32_t fallback = most < usual ? most : usual;
    return (struct paging){
        .number = (uint32_t)exchange_query_number(x, "page", 1, 1, PAGE_NUMBER_MAX),
        .size = (uint32_t)exchange_query_number(x, "limit", fallback, 1, most)};
}

uint32_t paging_offset(const struct paging *p) {
    return (p->number - 1) * p->size;
}

void paging_show(struct out *o, const struct paging *p, int64_t total) {
    if (total < 0) total = 0;
    out_key(o, "pagination");
    out_object(o);
    out_key(o, "total");
    out_integer(o, total);
    out_key(o, "page");
    out_unsigned(o, p->number);
    out_key(o, "limit");
    out_unsigned(o, p->size);
    out_key(o, "totalPages");
    out_integer(o, (total + p->size - 1) / p->size);
    out_key(o, "hasMore");
    out_bool(o, (int64_t)p->number * p->size < total);
    out_object_end(o);
}

void sessions_show(struct out *o, const char *member, struct slice rows) {
    struct session_row s;
    uint32_t at = 0;
    out_key(o, member);
    out_list(o);
    while (session_row_next(rows, &at, &s)) {
        out_object(o);
        session_show(o, &s);
        out_object_end(o);
    }
    out_list_end(o);
}

void records_show(struct out *o, const char *member, struct slice rows) {
    struct object_row row;
    uint32_t at = 0;
    out_key(o, member);
    out_list(o);
    while (object_row_next(rows, &at, &row)) out_raw(o, row.body);
    out_list_end(o);
}

void records_ask(struct exchange *x, const char *kind, uint32_t limit, uint32_t offset,
                 exchange_then *then) {
    struct message ask = {.verb = VERB_ASK};
    ask.question = (struct question){.kind = slice_text("objects"),
                                     .object = slice_text(kind),
                                     .owner = exchange_param(x, "id"),
                                     .brand = x->who.brand,
                                     .priority = -1,
                                     .dialect = -1,
                                     .descending = true,
                                     .count = true,
                                     .limit = limit,
                                     .offset = offset};
    exchange_send(x, &ask, then);
}

bool station_get(struct exchange *x, exchange_then *then) {
    struct message get = {.verb = VERB_STATION_GET};
    get.station = (struct station_ref){.name = whatsapp_station(x, (struct slice){0}),
                                       .brand = x->who.brand};
    if (whatsapp_good(x)) exchange_send(x, &get, then);
    return false;
}
