#include "worker/reach.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The 40 characters between the quotes behind a name. */
static bool read_key(const char *line, const char *name, char key[41]) {
    const char *at = strstr(line, name);
    at = at ? strchr(at, '"') : NULL;
    if (!at || strcspn(at + 1, "\"") != 40) return false;
    memcpy(key, at + 1, 40);
    key[40] = 0;
    return true;
}

bool reach_certificate(const char *path, char public_key[41], char secret_key[41]) {
    FILE *f = fopen(path, "re");
    if (!f) {
        fprintf(stderr, "relais: %s: %s\n", path, strerror(errno));
        return false;
    }
    char line[512];
    while (fgets(line, sizeof line, f)) {
        read_key(line, "public-key", public_key);
        read_key(line, "secret-key", secret_key);
    }
    fclose(f);
    if (public_key[0] && secret_key[0]) return true;
    fprintf(stderr, "relais: %s: no public-key and secret-key in it\n", path);
    return false;
}

bool reach_open(struct reach *r, const struct config *config) {
    *r = (struct reach){.link = {0}};
    config_broker_endpoint(config, r->endpoint);
    r->link.endpoint = r->endpoint;
    if (config->broker_files[0]) r->link.files = config->broker_files;
    if (config->broker_key[0]) r->link.server_key = config->broker_key;
    if (!config->curve_file[0]) return true;
    if (!reach_certificate(config->curve_file, r->public_key, r->secret_key)) return false;
    r->link.public_key = r->public_key;
    r->link.secret_key = r->secret_key;
    return true;
}
