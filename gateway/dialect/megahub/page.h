/* page.h - lists of dialect 002 as Django REST framework gives them: filters with lookups, search,
 * ordering and pages.
 *
 * A resource says which query keys it filters by; page_read turns the query into a question to the
 * broker. A key may carry a lookup (`retry_count__gte=2`):
 *   exact, in, range, gt, gte, lt, lte, startswith, icontains, isnull
 * of which texts take all but range, choices exact and in, numbers and times all but the two of
 * texts. A list with commas means "in" where a field has choices. Unknown keys are ignored, as are
 * unknown names in `ordering`; a value that cannot be is a field error under its key.
 *
 *   page, page_size  from 1; a page that is not there is 404 "Invalid page."
 *   cursor           of a `next` beyond the reach of pages
 *   ordering         names with comma between, "-" before one that descends
 *   search           terms with blanks between: each is contained in one of the fields, in any case
 *
 * Limits: option page_max rows a page; PAGE_REACH rows by number, further by cursor. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_PAGE_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_PAGE_H
#include "gateway/exchange.h"

enum { PAGE_SIZE_DEFAULT = 10, PAGE_REACH = 10000 };

enum page_kind {
    PAGE_NUMBER, /* times `scale` = the broker's value */
    PAGE_TIME,   /* RFC 3339, or a date alone: its first moment */
    PAGE_TEXT,
    PAGE_CHOICE,
    PAGE_BOOL,   /* true is 1 */
    PAGE_THERE   /* true: the row has the field */
};
/* One word of a choice and the broker's values for it, with comma between. */
struct page_choice { const char *word, *values; };

struct page_field {
    const char *name;  /* as in the query */
    const char *field; /* the broker's; see broker/field.def */
    enum page_kind kind;
    const char *op;    /* the one lookup that the name stands for; NULL = any may be written */
    const struct page_choice *choices; /* CHOICE: ended by a NULL word */
    double scale;      /* NUMBER: 0 = 1 */
};

/* PAGE_FIELD("id", "id", NUMBER), and what else there is: .op, .choices, .scale. */
#define PAGE_FIELD(name_, field_, kind_, ...)                                                   \
    {.name = name_, .field = field_, .kind = PAGE_##kind_, __VA_ARGS__}
/* A time as NAME_at, and its bounds NAME_after and NAME_before. */
#define PAGE_TIMES(name, field)                                                                 \
    PAGE_FIELD(name "_at", field, TIME),                                                        \
    PAGE_FIELD(name "_after", field, TIME, .op = "gte"),                                        \
    PAGE_FIELD(name "_before", field, TIME, .op = "lte")

/* A priority by its word. */
extern const struct page_choice page_priorities[];

/* A word of `search` that stands for a predicate. */
struct page_tag { const char *word, *field, *op, *value; };

struct page_list {
    const struct page_field *fields;
    uint32_t field_count;
    const char *search; /* the broker's fields that `search` looks into, comma between;
                         * NULL = none, and `search` is ignored */
    const struct page_tag *tags; /* ended by a NULL word; NULL = none */
    const char *present; /* the broker's field that every row has; NULL = any */
    const char *hidden;  /* the broker's field that is 1 in rows that are not shown; NULL = none */
    bool task_ids;      /* `search` may be a task's task_ text */
    const char *fixed_field, *fixed_value; /* holds for every row; NULL = nothing does */
};

/* Fills in filter, sort, search, limit, offset, cursor and count; kind and brand are the caller's.
 * False, with the exchange ended, when the query cannot be. Uses x->state. */
bool page_read(struct exchange *x, const struct page_list *list, struct question *q);
/* Appends a question's filter of one predicate: the field equals the value. */
void page_filter(struct buffer *wire, const char *field, struct slice value);
/* Something of the caller's that `row` finds again: x->state is the page's. */
void page_keep(struct exchange *x, void *kept);
void *page_kept(struct exchange *x);
/* Writes {"count","next","previous","results"} around what `row` writes for each row, and ends the
 * exchange. `at` is the row's place in the answer's rows. */
typedef void page_row(struct exchange *x, struct slice rows, uint32_t *at);
void page_write(struct exchange *x, const struct message *answer, page_row *row);
#endif
