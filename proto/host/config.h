/* config.h - the options in force: defaults < file < RELAIS_* environment < command line.
 *
 *   struct config config;
 *   int code = config_start(&config, SECTION_BROKER, &argc, argv);
 *   if (code >= 0) return code;
 *   … config.beat_ms … config_free(&config);
 *
 * The file (--config FILE or RELAIS_CONFIG) has the sections [base] [broker] [gateway] [work]. A
 * role reads [base], then its own section, which may also hold keys of [base]; under `serve` the
 * value of [broker] wins over [gateway]. A key of another role, an unknown key or section, a key
 * given twice and a bad value are errors that name file and line, in the sections of other roles
 * too. RELAIS_NAME is read for each option of the role; other RELAIS_* variables belong to others
 * (RELAIS_TASK_ID) and are skipped. Flags are --NAME VALUE or --NAME=VALUE with hyphens;
 * --print-config shows what is in force, as a file that could be loaded, and --check-config only
 * checks. Flags end at `--`. */
#ifndef RELAIS_PROTO_HOST_CONFIG_H
#define RELAIS_PROTO_HOST_CONFIG_H
#include "proto/host/option.h"
#include <stdio.h>

enum { CONFIG_HOST_MAX = 256, CONFIG_ENDPOINT_MAX = 4200, CONFIG_WHY_MAX = 5200 };

enum config_from { FROM_DEFAULT = 0, FROM_FILE = 1, FROM_ENVIRONMENT = 2, FROM_FLAG = 3 };

struct config {
#define OPTION(name, section, type, ...) config_##type name;
#include "proto/option.def"
    unsigned sections;         /* enum section: those read, BASE included */
    char *file;                /* owned; NULL = none */
    bool print, check;         /* --print-config, --check-config */
    struct config_source {
        uint8_t from;          /* enum config_from */
        uint8_t section;       /* FROM_FILE: where it was read */
        uint8_t seen;          /* FROM_FILE: the sections that held it */
        uint32_t line;         /* FROM_FILE */
    } source[OPTION_COUNT];
};

/* Loads all sources, prints what was asked for or went wrong (stderr). -1: go on with a filled
 * config, and the logger is open under the name argv[0]; else the exit code (0 or 2), and the
 * config is empty. Flags that were taken leave argv; what is left, argv[0] included, is the
 * command's own. */
int config_start(struct config *c, unsigned sections, int *argc, char **argv);
/* The same without printing or the two flags' effects: false with the cause in why (CONFIG_WHY_MAX
 * bytes) and an empty config. */
bool config_load(struct config *c, unsigned sections, int *argc, char **argv, char *why);
/* True when nothing but argv[0] is left; else says what is not understood on stderr: exit 2. */
bool config_used_up(int argc, char **argv);
/* Defaults only. */
void config_init(struct config *c, unsigned sections);
/* Reads a file on top; file_name is for messages. */
bool config_read(struct config *c, FILE *file, const char *file_name, char *why);
void config_print(const struct config *c, FILE *out);
/* The options of the sections, a line each: flag, meaning, (default). HELP_SHORT: those that are
 * set every day; HELP_ALL: all of them, under the names of their sections. */
enum help { HELP_NONE = 0, HELP_SHORT, HELP_ALL };
void config_help(unsigned sections, enum help help, FILE *out);
/* Whether --help or -h stands before `--`, and `all` behind it. */
enum help config_help_asked(int argc, char **argv);
void config_free(struct config *c);

/* HOST:PORT or [IPV6]:PORT; host without the brackets. False leaves the outputs untouched. */
bool config_address(const char *text, char host[static CONFIG_HOST_MAX], uint16_t *port);
/* The three below write at most CONFIG_ENDPOINT_MAX bytes.
 * Where the broker is for this role: `broker`, or the role's default. */
void config_broker_endpoint(const struct config *c, char *endpoint);
/* The broker's socket for gateways of the same machine: ipc://DATA/broker.ipc. */
void config_ipc_endpoint(const struct config *c, char *endpoint);
/* The file endpoint that goes with an endpoint: the next port, or the name with -files. */
void config_files_endpoint(const char *endpoint, char *files);
#endif
