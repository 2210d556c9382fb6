/* drawer.h - a folder of DATA/files, whose files are called by their numbers; for files.c and
 * stream.c.
 *
 * Pure but for the disk; what fails leaves errno. */
#ifndef RELAIS_STORE_DRAWER_H
#define RELAIS_STORE_DRAWER_H
#include "store/files.h"
#include <dirent.h>

enum { DRAWER_NAME = 32 };

/* Makes and opens DATA/files and a folder in it. A descriptor that could not be opened is -1; the
 * others are the caller's to close, also after a failure. */
bool drawer_open(const char *data, const char *folder, int *ret_placed, int *ret_folder);
/* Its entries, NULL when it cannot be read. */
DIR *drawer_list(int placed, const char *folder);
/* "path: what errno says". */
void drawer_why(char *why, size_t why_size, const char *path);

const char *drawer_name(uint64_t id, const char *suffix, char name[static DRAWER_NAME]);
/* The id that a name without suffix spells, 0 when it spells none. */
uint64_t drawer_id(const char *name);
/* What errno means to the caller of a file. */
enum file_result drawer_result(void);
/* False after a write that failed, of which a part may stand. */
bool drawer_write(int fd, struct slice bytes, uint64_t at);
#endif
