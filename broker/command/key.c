/* key.c - `relais key`: makes, lists and revokes keys in the data folder, live or offline. */
#include "broker/keys.h"
#include "command.h"
#include "proto/host/config.h"
#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage_text[] =
    "usage: relais key curve NAME [--role worker|client|gateway|admin] [--brand N]\n"
    "                             [--queue Q[,Q...]] [--data DIR]\n"
    "       relais key api NAME [--role service|user|admin] [--brand N] [--data DIR]\n"
    "       relais key list [--data DIR]\n"
    "       relais key drop HEX            (as listed)\n"
    "       relais key revoke jti:ID|worker:NAME\n"
    "\n"
    "curve makes a CURVE key pair, registers its public half and says where the certificate\n"
    "is that the program of that name connects with. api prints a new API key, once.\n"
    "A server that runs on the folder takes up every change within a second.\n";

struct flags { struct key_entry entry; const char *verb, *name; };

static int refuse(const char *what, const char *value) {
    fprintf(stderr, "relais key: %s%s%.128s\n%s", what, value == NULL ? "" : ": ",
            value == NULL ? "" : value, usage_text);
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

static int flag_take(struct flags *f, const char *flag, const char *value) {
    if (strcmp(flag, "--role") == 0) {
        f->entry.role = (uint8_t)(strcmp(value, "client") == 0 ? ROLE_CLIENT
                                  : strcmp(value, "gateway") == 0 ? ROLE_GATEWAY
                                  : token_role(value));
        return f->entry.role == ROLE_NONE ? refuse("there is no such role", value) : 0;
    }
    if (strcmp(flag, "--brand") == 0) {
        char *end = NULL;
        const unsigned long brand = strtoul(value, &end, 10);
        f->entry.brand = (uint32_t)brand;
        return *end != 0 || value[0] == 0 || brand > UINT32_MAX
            ? refuse("a brand is a number", value) : 0;
    }
    if (strcmp(flag, "--queue") == 0) {
        if (!queues_good(value)) return refuse("not a list of queues", value);
        snprintf(f->entry.queues, sizeof f->entry.queues, "%s", value);
        return 0;
    }
    return refuse("not understood", flag);
}

static int flags_read(struct flags *f, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            char flag[32];
            const char *equals = strchr(argv[i], '=');
            const size_t len = equals == NULL ? strlen(argv[i]) : (size_t)(equals - argv[i]);
            if (len >= sizeof flag) return refuse("not understood", argv[i]);
            snprintf(flag, sizeof flag, "%.*s", (int)len, argv[i]);
            const char *value = equals != NULL ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
            if (value == NULL) return refuse("a value is missing", flag);
            const int code = flag_take(f, flag, value);
            if (code != 0) return code;
        } else if (f->verb == NULL) {
            f->verb = argv[i];
        } else if (f->name == NULL) {
            f->name = argv[i];
        } else {
            return refuse("not understood", argv[i]);
        }
    }
    return f->verb == NULL ? refuse("curve, api, list, drop or revoke", NULL) : 0;
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

static void folder_print(const char *data, const char *folder) {
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
        printf("%-8s %s", folder, d->d_name);
        if (curve)
            printf(" name=%s brand=%u queues=%s", entry.name, entry.brand, entry.queues);
        printf("\n");
    }
    closedir(dir);
}

static int key_drop(const char *data, const char *name) {
    char path[KEYS_PATH_MAX];
    bool dropped = false;
    static const char *const folders[] = {"curve", "api", "revoked"};
    if (strchr(name, '/') != NULL || name[0] == '.') return refuse("not a key", name);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/keys/%s/%.200s", data, folders[i], name);
        dropped |= unlink(path) == 0;
    }
    return dropped ? 0 : fail("there is no such key");
}

static int verb_run(struct flags *f, const char *data) {
    char why[512];
    if (strcmp(f->verb, "list") == 0) {
        folder_print(data, "curve");
        folder_print(data, "api");
        folder_print(data, "revoked");
        return 0;
    }
    if (f->name == NULL) return refuse("a name is missing", NULL);
    if (strcmp(f->verb, "drop") == 0) return key_drop(data, f->name);
    if (strcmp(f->verb, "revoke") == 0)
        return keys_revoke(data, f->name, why, sizeof why) ? 0 : fail(why);
    if (!name_good(f->name))
        return refuse("a name has 1 to 63 letters, digits, dots, lines or underscores", f->name);
    snprintf(f->entry.name, sizeof f->entry.name, "%s", f->name);
    if (strcmp(f->verb, "curve") == 0) return curve_make(f, data);
    if (strcmp(f->verb, "api") == 0) return api_make(f, data);
    return refuse("not understood", f->verb);
}

int command_key(int argc, char **argv) {
    struct config config;
    if (config_help_asked(argc, argv)) {
        fputs(usage_text, stdout);
        return 0;
    }
    const int code = config_start(&config, SECTION_BASE, &argc, argv);
    if (code >= 0) return code;
    struct flags flags = {0};
    int exit_code = flags_read(&flags, argc, argv);
    if (exit_code == 0) exit_code = verb_run(&flags, config.data);
    config_free(&config);
    return exit_code;
}
