/* fleet_filter.h - which of the workers in memory a list shows, and in which order.
 *
 * The fleet is small and in no table: what page.h makes of a query for the broker, a filter and
 * a sort, is held against each worker here. Keys, lookups and refusals are those of page.h; of
 * several queues any name does. What is not known is null: no lookup but isnull finds it, and it
 * comes last in either order. Without an order workers come by name. */
#ifndef RELAIS_GATEWAY_DIALECT_MEGAHUB_FLEET_FILTER_H
#define RELAIS_GATEWAY_DIALECT_MEGAHUB_FLEET_FILTER_H
#include "gateway/dialect/megahub/fleet.h"
#include "gateway/dialect/megahub/page.h"

extern const struct page_list fleet_page; /* for page_read */
/* Both slices as page_read gave them; filter drops workers, sort moves them. */
void fleet_filter(struct fleet_state *f, struct slice filter);
void fleet_sort(struct fleet_state *f, struct slice sort);
#endif
