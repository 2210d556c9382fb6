/* crc.h - CRC-32C (Castagnoli), with the processor's instruction where there is one. Pure. */
#ifndef RELAIS_STORE_CRC_H
#define RELAIS_STORE_CRC_H
#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to begin) over the bytes. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
/* The same, never with the instruction; for the test that compares them. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);
#endif
