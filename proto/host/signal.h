/* signal.h - the end of a process as something that can be polled, and what its supervisor hears.
 *
 * signal_open blocks SIGTERM and SIGINT and ignores SIGPIPE for the calling thread and all that
 * it starts: call it before the first thread. The descriptor is readable once one has arrived.
 * A program that runs others gives them their signals back with signal_reset in the child.
 * supervisor_say speaks the sd_notify datagram to NOTIFY_SOCKET ("READY=1", "STOPPING=1"); without
 * that variable it does nothing. */
#ifndef RELAIS_PROTO_HOST_SIGNAL_H
#define RELAIS_PROTO_HOST_SIGNAL_H

/* A descriptor to poll, or -1 with errno. */
int signal_open(void);
/* The signal that arrived, or 0 when none has. Does not block. */
int signal_read(int fd);
/* In a child between fork and exec: default actions, nothing blocked. Async-signal-safe. */
void signal_reset(void);
void supervisor_say(const char *state);
#endif
