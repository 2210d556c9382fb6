/* token.c - `relais token`: prints one JSON Web Token from the data folder's secret. */
#include "broker/secret.h"
#include "command.h"
#include "proto/host/clock.h"
#include "proto/host/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TTL_S_DEFAULT = 86400, TTL_S_MAX = 315360000 };

static const char usage_text[] =
    "usage: relais token --role admin|user|worker|service --user NAME [--brand N]... [--ttl S]\n"
    "                    [--brand-admin] [--data DIR]\n"
    "\n"
    "Prints one token and a newline, for servers on the data folder. --brand may repeat; an admin\n"
    "without --brand has all, any other role none. --ttl is in seconds, 24 hours by default. A\n"
    "token of role worker is the worker NAME.\n";

static int refuse(const char *what, const char *value) {
    fprintf(stderr, "relais token: %s%s%.128s\n%s", what, value == NULL ? "" : ": ",
            value == NULL ? "" : value, usage_text);
    return 2;
}

static bool number_read(const char *text, int64_t min, int64_t max, int64_t *out) {
    char *end = NULL;
    const long long number = strtoll(text, &end, 10);
    if (end == text || *end != 0 || number < min || number > max) return false;
    *out = number;
    return true;
}

/* Takes the flag at argv[*i]: "--name value" or "--name=value"; NULL when it is another. */
static const char *flag_value(const char *name, int argc, char **argv, int *i) {
    const size_t len = strlen(name);
    if (strncmp(argv[*i], name, len) != 0) return NULL;
    if (argv[*i][len] == '=') return argv[*i] + len + 1;
    if (argv[*i][len] != 0 || *i + 1 >= argc) return NULL;
    return argv[++*i];
}

static int flags_read(struct token *t, int64_t *ttl_s, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *value;
        int64_t number;
        if (strcmp(argv[i], "--brand-admin") == 0) {
            t->brand_admin = true;
        } else if ((value = flag_value("--role", argc, argv, &i)) != NULL) {
            t->role = (uint8_t)token_role(value);
            if (t->role == ROLE_NONE) return refuse("there is no such role", value);
        } else if ((value = flag_value("--user", argc, argv, &i)) != NULL) {
            if (value[0] == 0 || strlen(value) >= sizeof t->name)
                return refuse("a name has 1 to 63 bytes", value);
            snprintf(t->name, sizeof t->name, "%s", value);
        } else if ((value = flag_value("--brand", argc, argv, &i)) != NULL) {
            if (!number_read(value, 1, UINT32_MAX, &number) || t->brand_count == TOKEN_BRANDS_MAX)
                return refuse("a brand is a number from 1, 64 of them at most", value);
            t->brands[t->brand_count++] = (uint32_t)number;
        } else if ((value = flag_value("--ttl", argc, argv, &i)) != NULL) {
            if (!number_read(value, 1, TTL_S_MAX, ttl_s))
                return refuse("a time to live is in seconds, from 1 to ten years", value);
        } else {
            return refuse("not understood", argv[i]);
        }
    }
    if (t->role == ROLE_NONE) return refuse("--role is needed", NULL);
    if (t->name[0] == 0) return refuse("--user is needed", NULL);
    return 0;
}

static int token_print(struct token *t, const char *data) {
    char why[512], text[TOKEN_BYTES_MAX + 1];
    struct secret secret;
    const bool fresh = access(data, F_OK) != 0;
    if (!secret_open(&secret, data, why, sizeof why)) {
        fprintf(stderr, "relais token: %s\n", why);
        return 1;
    }
    const char *types[] = {[ROLE_ADMIN] = "access", [ROLE_USER] = "access",
                           [ROLE_SERVICE] = "service", [ROLE_WORKER] = "worker"};
    snprintf(t->type, sizeof t->type, "%s", types[t->role]);
    token_stamp(t);
    const size_t len = token_sign(t, &secret.tokens[0], text, sizeof text);
    secret_wipe(&secret);
    if (len == 0) {
        fprintf(stderr, "relais token: the name is not UTF-8\n");
        return 2;
    }
    if (fresh)
        fprintf(stderr, "relais token: %s is new: only a server on it takes this token\n", data);
    if (t->brand_count == 0 && t->role != ROLE_ADMIN)
        fprintf(stderr, "relais token: without --brand it opens nothing\n");
    printf("%s\n", text);
    return fflush(stdout) == 0 ? 0 : 1;
}

int command_token(int argc, char **argv) {
    struct config config;
    if (config_help_asked(argc, argv)) {
        fputs(usage_text, stdout);
        return 0;
    }
    const int code = config_start(&config, SECTION_BASE, &argc, argv);
    if (code >= 0) return code;
    struct token token = {0};
    int64_t ttl_s = TTL_S_DEFAULT;
    int exit_code = flags_read(&token, &ttl_s, argc, argv);
    token.issued_s = clock_wall_ms() / 1000;
    token.expires_s = token.issued_s + ttl_s;
    if (exit_code == 0) exit_code = token_print(&token, config.data);
    config_free(&config);
    return exit_code;
}
