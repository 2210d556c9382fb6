/* Any file as a configuration: it is taken or refused with a cause, and leaks nothing. */
#include "proto/host/config.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    char why[CONFIG_WHY_MAX] = "";
    struct config c;
    FILE *file = fmemopen((void *)(uintptr_t)data, size, "r");
    assert(file != NULL);
    config_init(&c, SECTION_BROKER | SECTION_GATEWAY | SECTION_WORK);
    bool good = config_read(&c, file, "fuzz", why);
    assert(good == (why[0] == 0));
    assert(strchr(why, '\n') == NULL);
    fclose(file);
    config_free(&c);
    return 0;
}
