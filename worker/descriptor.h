/* descriptor.h - whole buffers to and from a file descriptor, and its end. An interrupted call goes
 * on; nothing here is for descriptors that do not block. */
#ifndef RELAIS_WORKER_DESCRIPTOR_H
#define RELAIS_WORKER_DESCRIPTOR_H
#include <stdbool.h>
#include <stddef.h>

/* All of it; false with errno. */
bool descriptor_write(int fd, const void *data, size_t len);
/* Exactly `len` bytes; false with errno, or at an earlier end. */
bool descriptor_read(int fd, void *data, size_t len);
/* Closes one that is not -1, and makes it -1. */
void descriptor_close(int *fd);
#endif
