/* key.c - `relais key`: makes, lists and revokes keys of the data folder. */
#include "broker/command/people.h"
#include "broker/keys.h"
#include "command.h"
#include "proto/host/args.h"
#include <dirent.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char usage_text[] =
    "curve NAME | api NAME | list | drop HEX | revoke jti:ID|worker:NAME|user:NAME\n\n"
    "curve makes a CURVE key pair, registers its public half and says where the certificate\n"
    "is that the program of that name connects with. api prints a new API key, once. Where a\n"
    "server runs on the folder, the change is in force when the command ends; revoke needs one.";

enum { TAKEN_UP_MS = 250 }; /* from the broker's look at the folder to the gateways */

struct flags {
    struct key_entry entry;
    const char *role, *brand, *queue, *verb, *name;
    bool json;
};

static int refuse(const char *what, const char *value) {
    fprintf(stderr, "relais key: %s%s%.128s; --help lists what there is\n", what,
            value == NULL ? "" : ": ", value == NULL ? "" : value);
    return 2;
}

static bool name_good(const char *name) {
    const size_t len = strlen(name);
    return len > 0 && len < WHO_NAME_MAX && name[0] != '.'
        && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static bool queues_good(const char *queues) {
    return strlen(queues) < sizeof ((struct key_entry *)0)->queues
        && strpbrk(queues, "\"\n") == NULL;
}

static int flags_take(struct flags *f) {
    if (f->role != NULL) {
        f->entry.role = (uint8_t)(strcmp(f->role, "client") == 0 ? ROLE_CLIENT
                                  : strcmp(f->role, "gateway") == 0 ? ROLE_GATEWAY
                                  : token_role(f->role));
        if (f->entry.role == ROLE_NONE) return refuse("there is no such role", f->role);
    }
    if (f->brand != NULL) {
        char *end = NULL;
        const unsigned long brand = strtoul(f->brand, &end, 10);
        f->entry.brand = (uint32_t)brand;
        if (*end != 0 || f->brand[0] == 0 || brand > UINT32_MAX)
            return refuse("a brand is a number", f->brand);
    }
    if (f->queue != NULL) {
        if (!queues_good(f->queue)) return refuse("not a list of queues", f->queue);
        snprintf(f->entry.queues, sizeof f->entry.queues, "%s", f->queue);
    }
    return -1;
}

/* -1 = go on, else the exit code. */
static int flags_read(struct flags *f, int argc, char **argv) {
    const struct arg table[] = {
        {"role", ARG_TEXT, &f->role, "curve: worker, client, gateway, admin; api: service, user, "
                                     "worker, admin"},
        {"brand", ARG_TEXT, &f->brand, "the brand's number (1)"},
        {"queue", ARG_TEXT, &f->queue, "curve: queues it may name, comma between; all without"},
        {"json", ARG_FLAG, &f->json, "list: one JSON object a line"},
        {"data", ARG_SHOWN, NULL, "the data folder"}};
    *f = (struct flags){0};
    const int words = args_read(table, COUNT(table), usage_text, argc, argv);
    if (words < 0) return args_exit(words);
    if (words == 0) return refuse("curve, api, list, drop or revoke", NULL);
    if (words > 2) return refuse("not understood", argv[3]);
    f->verb = argv[1];
    f->name = words == 2 ? argv[2] : NULL;
    return flags_take(f);
}

static int fail(const char *why) {
    fprintf(stderr, "relais key: %s\n", why);
    return 1;
}

static int curve_make(struct flags *f, const char *data) {
    char path[KEYS_PATH_MAX], public_text[CURVE_TEXT_SIZE], why[512];
    struct secret secret;
    if (f->entry.role == ROLE_NONE) f->entry.role = ROLE_WORKER;
    if (f->entry.role == ROLE_USER || f->entry.role == ROLE_SERVICE)
        return refuse("a CURVE key is a worker's, client's, gateway's or admin's", NULL);
    if (f->entry.brand == 0 && (f->entry.role == ROLE_CLIENT || f->entry.role == ROLE_WORKER))
        f->entry.brand = 1;
    if (!secret_open(&secret, data, why, sizeof why)) return fail(why);
    const bool good = keys_make_curve(data, &f->entry, path, sizeof path, public_text, why,
                                      sizeof why);
    if (good)
        printf("certificate %s\npublic %s\nserver %s\n", path, public_text, secret.curve_public);
    secret_wipe(&secret);
    return good ? 0 : fail(why);
}

/* What the next line of a script does must find a server that has seen the change: a broker looks
 * at the folder when a gateway comes, as which this connects. */
static void taken_up(const struct config *config) {
    static const struct who local = {.role = ROLE_ADMIN, .brand_admin = true, .name = "local"};
    const struct timespec pause = {.tv_sec = TAKEN_UP_MS / 1000,
                                   .tv_nsec = TAKEN_UP_MS % 1000 * 1000000L};
    char why[512];
    struct caller *server = caller_open(config, &local, why, sizeof why);
    if (server == NULL) return; /* none runs */
    caller_close(&server);
    nanosleep(&pause, NULL);
}

static int api_make(struct flags *f, const char *data) {
    char text[64], why[512];
    struct secret secret;
    if (f->entry.role == ROLE_NONE) f->entry.role = ROLE_SERVICE;
    if (f->entry.role == ROLE_CLIENT || f->entry.role == ROLE_GATEWAY)
        return refuse("an API key is a service's, user's, worker's or admin's", NULL);
    if (f->entry.brand == 0 && f->entry.role != ROLE_ADMIN) f->entry.brand = 1;
    if (!secret_open(&secret, data, why, sizeof why)) return fail(why);
    const bool good = keys_make_api(data, &secret, &f->entry, text, why, sizeof why);
    secret_wipe(&secret);
    if (!good) return fail(why);
    printf("%s\n", text);
    return 0;
}

static void key_print(const struct flags *f, const char *kind, const char *id,
                      const struct key_entry *entry) {
    if (f->json) {
        json_t *object = entry == NULL
            ? json_pack("{s:s, s:s}", "kind", kind, "id", id)
            : json_pack("{s:s, s:s, s:s, s:i, s:s}", "kind", kind, "id", id, "name", entry->name,
                        "brand", (int)entry->brand, "queues", entry->queues);
        char *line = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
        printf("%s\n", line == NULL ? "null" : line);
        free(line);
        json_decref(object);
        return;
    }
    printf("%-8s %s", kind, id);
    if (entry != NULL)
        printf(" name=%s brand=%u queues=%s", entry->name, entry->brand, entry->queues);
    printf("\n");
}

static void folder_print(const struct flags *f, const char *data, const char *folder) {
    char path[KEYS_PATH_MAX];
    snprintf(path, sizeof path, "%s/keys/%s", data, folder);
    DIR *dir = opendir(path);
    if (dir == NULL) return;
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        struct key_entry entry;
        uint8_t key[32];
        size_t len = 0;
        if (d->d_name[0] == '.') continue;
        const bool curve = strcmp(folder, "curve") == 0
            && sodium_hex2bin(key, sizeof key, d->d_name, strlen(d->d_name), NULL, &len, NULL) == 0
            && len == sizeof key && keys_find_curve(path, key, &entry);
        key_print(f, folder, d->d_name, curve ? &entry : NULL);
    }
    closedir(dir);
}

/* What is revoked is known to the server alone. */
static void revoked_print(const struct flags *f, const struct config *config) {
    static const struct who local = {.role = ROLE_ADMIN, .name = "local"};
    char why[512];
    struct caller *c = caller_open(config, &local, why, sizeof why);
    struct buffer next = {0};
    struct slice rows;
    bool failed;
    while (c != NULL && people_page(c, "key", "revocation", NULL, &next, &rows, &failed)) {
        struct object_row row;
        uint32_t at = 0;
        while (object_row_next(rows, &at, &row)) {
            char name[REVOCATION_NAME_SIZE];
            snprintf(name, sizeof name, "%.*s", (int)row.name.len, (const char *)row.name.data);
            key_print(f, "revoked", name, NULL);
        }
    }
    buffer_free(&next);
    caller_close(&c);
}

static int key_revoke(const struct config *config, const char *name) {
    const bool kind = strncmp(name, "jti:", 4) == 0 || strncmp(name, "worker:", 7) == 0
        || strncmp(name, "user:", 5) == 0;
    if (!kind || strchr(name, ':')[1] == 0 || strlen(name) >= REVOCATION_NAME_SIZE)
        return refuse("jti:ID, worker:NAME or user:NAME", name);
    struct caller *c = people_open(config, "key");
    if (c == NULL) return 1;
    /* a user may log in again: what was given up to now dies */
    const bool done = people_revoke(c, "key", name, strncmp(name, "user:", 5) == 0 ? REVOKE_NOW
                                                                                : REVOKE_ALL);
    caller_close(&c);
    return done ? 0 : 1;
}

static int key_drop(const char *data, const char *name) {
    char path[KEYS_PATH_MAX];
    bool dropped = false;
    static const char *const folders[] = {"curve", "api"};
    if (strchr(name, '/') != NULL || name[0] == '.') return refuse("not a key", name);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/keys/%s/%.200s", data, folders[i], name);
        dropped |= unlink(path) == 0;
    }
    return dropped ? 0 : fail("there is no such key");
}

static int verb_run(struct flags *f, const struct config *config) {
    const char *data = config->data;
    if (strcmp(f->verb, "list") == 0) {
        folder_print(f, data, "curve");
        folder_print(f, data, "api");
        revoked_print(f, config);
        return 0;
    }
    if (f->name == NULL) return refuse("a name is missing", NULL);
    if (strcmp(f->verb, "drop") == 0) {
        const int code = key_drop(data, f->name);
        if (code == 0) taken_up(config);
        return code;
    }
    if (strcmp(f->verb, "revoke") == 0) return key_revoke(config, f->name);
    if (!name_good(f->name))
        return refuse("a name has 1 to 63 letters, digits, dots, lines or underscores", f->name);
    snprintf(f->entry.name, sizeof f->entry.name, "%s", f->name);
    if (strcmp(f->verb, "curve") == 0) return curve_make(f, data);
    if (strcmp(f->verb, "api") == 0) {
        const int code = api_make(f, data);
        fflush(stdout);
        if (code == 0) taken_up(config);
        return code;
    }
    return refuse("not understood", f->verb);
}

int command_key(int argc, char **argv) {
    struct config config;
    struct flags flags;
    int code = config_start(&config, SECTION_BASE, &argc, argv);
    if (code >= 0) return code;
    code = flags_read(&flags, argc, argv);
    if (code < 0) code = verb_run(&flags, &config);
    config_free(&config);
    return code;
}
