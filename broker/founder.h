/* founder.h - the first start: makes the account `admin` and says its one-time password.
 *
 * Once, on a thread of its own that ends, over the broker's own endpoint. The password is printed
 * on stderr and stands nowhere else; it must be changed at the first login. When that has been
 * said DATA/secret/founded is written, and no later start makes an account again, not even after
 * `admin` was deleted. A start that ended in between makes a new password. */
#ifndef RELAIS_BROKER_FOUNDER_H
#define RELAIS_BROKER_FOUNDER_H
#include <stdbool.h>

struct founder;

/* NULL when there is nothing to do, or no thread. context and endpoint: borrowed until
 * founder_end. */
struct founder *founder_start(void *zmq, const char *endpoint, const char *data);
/* Waits for its end; the broker must be running, or its sockets be closed, by then. */
void founder_end(struct founder **self);
#endif
