/* browse.h - a brand's tasks in the order of their ids, told apart by their briefs; with terms,
 * those alone that may have every term of a search.
 *
 * Blocks are read one by one (brief.h); of a search only those whose sign may hold all terms, and
 * of these the texts (text.h). What is pending is laid over, compared as it is. A row of a search
 * is `sure` when its terms were found in the only text that the task has; others must be verified.
 *
 * Looks: one a block, and one for each LOOK_ROWS briefs or texts in it that were looked at: a block
 * of which nothing is wanted is passed over by its zone (zone.h), and one that is wanted whole is
 * counted by it. */
#ifndef RELAIS_STORE_BROWSE_H
#define RELAIS_STORE_BROWSE_H
#include "store/texts.h"
#include "store/view.h"

enum { LOOK_ROWS = 64 };

struct browse;

struct span_of_ids { uint64_t from, to; /* inclusive */ };

struct browse_row {
    struct brief brief;
    const struct task_state *task; /* NULL: the table's */
    bool sure;
};

/* Among these ids, and of the table only among `table`; brand, descending, times, wanted, terms and
 * id_key of `walk`. NULL when memory is out. */
struct browse *browse_open(struct store_view *v, const struct walk *walk,
                           const struct span_of_ids *among, const struct span_of_ids *table);
void browse_close(struct browse **self);
/* False at the end, when looks_max is reached (0 = no bound), and when a read failed. */
bool browse_next(struct browse *b, uint64_t looks_max, struct browse_row *row);
/* Goes over all that is left, or as far as looks_max allows, and says how many rows there were. */
uint64_t browse_count(struct browse *b, uint64_t looks_max);
bool browse_failed(const struct browse *b); /* see view->why, or memory is out */
uint64_t browse_looked(const struct browse *b);
/* The id behind which all has been given; 0 = nothing has. */
uint64_t browse_place(const struct browse *b);
#endif
