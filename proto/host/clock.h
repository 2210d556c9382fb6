/* clock.h - the time, read where I/O is allowed; pure code is handed the time instead.
 *
 * mono never jumps and does not count a suspended machine: leases, beats, waits. wall is Unix
 * time: stamps, due times. */
#ifndef RELAIS_PROTO_HOST_CLOCK_H
#define RELAIS_PROTO_HOST_CLOCK_H
#include <stdint.h>

int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
int64_t clock_wall_ms(void);
#endif
