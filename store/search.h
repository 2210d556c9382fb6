/* search.h - tasks of a brand that have every term of a search, in the order of their ids.
 *
 * Signs of blocks are looked at first, then the texts of the blocks that may have all terms, then
 * the heads of the tasks found there (text.h). What is pending is compared as it is. A row is
 * `sure` when its terms were found in the only text that the task has; others must be verified.
 *
 * Looks: one a block, one a task found, and one for each LOOK_ENTRIES texts. */
#ifndef RELAIS_STORE_SEARCH_H
#define RELAIS_STORE_SEARCH_H
#include "store/texts.h"
#include "store/view.h"

enum { LOOK_ENTRIES = 64 };

struct search;

struct span_of_ids { uint64_t from, to; /* inclusive */ };

/* Among these ids, and of the table only among `table`; terms of walk->terms. NULL when memory is
 * out. */
struct search *search_open(struct store_view *v, const struct walk *walk,
                           const struct span_of_ids *among, const struct span_of_ids *table);
void search_close(struct search **self);
/* False at the end, when looks_max is reached (0 = no bound), and when a read failed. The value is
 * the head's, borrowed until the next call. */
bool search_next(struct search *s, uint64_t looks_max, struct slice *head);
bool search_sure(const struct search *s); /* of the newest row */
bool search_failed(const struct search *s);
uint64_t search_looked(const struct search *s);
/* The id behind which all has been given; 0 = nothing has. */
uint64_t search_place(const struct search *s);
#endif
