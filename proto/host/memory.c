#include "proto/host/memory.h"
#include <malloc.h>

enum { LARGE_BYTES = 128 << 10, ARENAS_MAX = 4 };

void memory_start(void) {
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
    mallopt(M_ARENA_MAX, ARENAS_MAX);
}

void memory_give_back(void) { malloc_trim(0); }
