#include "proto/host/zones.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/usr/share/zoneinfo/"
enum { ZONES_MAX = 1000, LINE_MAX_BYTES = 512 };

bool zones_read(struct slice name, struct buffer *bytes) {
    char path[sizeof FOLDER + 64];
    if (slice_equal(name, slice_text("UTC"))) return true;
    if (!zone_name_fits(name)) return false;
    snprintf(path, sizeof path, FOLDER "%.*s", (int)name.len, (const char *)name.data);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    struct stat st;
    bool whole = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= ZONE_BYTES_MAX;
    const size_t size = whole ? (size_t)st.st_size : 0;
    if (whole && (whole = buffer_reserve(bytes, size))) {
        size_t have = 0;
        ssize_t n;
        while (have < size && ((n = read(fd, bytes->data + bytes->len + have, size - have)) > 0 ||
                               (n < 0 && errno == EINTR)))
            have += n > 0 ? (size_t)n : 0;
        whole = have == size;
        if (whole) bytes->len += size;
    }
    close(fd);
    return whole;
}

bool zones_open(struct slice name, struct zone **ret) {
    struct buffer bytes = {0};
    struct zone *zone = NULL;
    bool good = zones_read(name, &bytes);
    if (good && bytes.len > 0) good = (zone = zone_new(buffer_slice(&bytes))) != NULL;
    buffer_free(&bytes);
    if (good) *ret = zone;
    return good;
}

static int name_order(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* zone.tab: country TAB place TAB name, perhaps TAB and a comment. */
void zones_list(struct buffer *names, uint32_t *count) {
    char *list[ZONES_MAX], line[LINE_MAX_BYTES];
    size_t n = 0;
    FILE *file = fopen(FOLDER "zone.tab", "re");
    list[n++] = strdup("UTC");
    while (file != NULL && n < ZONES_MAX && fgets(line, sizeof line, file) != NULL) {
        char *at = line, *name = NULL;
        if (line[0] == '#') continue;
        for (int i = 0; i < 3; i++) name = strsep(&at, "\t\n");
        if (name != NULL && zone_name_fits(slice_text(name))) list[n++] = strdup(name);
    }
    if (file != NULL) fclose(file);
    qsort(list, n, sizeof *list, name_order);
    for (size_t i = 0; i < n; i++) {
        if (list[i] == NULL) abort();
        buffer_append(names, list[i], strlen(list[i]) + 1);
        free(list[i]);
    }
    if (count != NULL) *count = (uint32_t)n;
}
