/* relais.c - the front door: a table of subcommands, nothing else. */
#include "command.h"
#include <stdio.h>
#include <string.h>

#ifndef RELAIS_VERSION
#define RELAIS_VERSION "0.1.0"
#endif

static const struct command {
    const char *name, *arguments, *sentence;
    command_main *main;
} commands[] = {
    {"serve", "", "broker and gateway in one process", command_serve},
    {"broker", "", "the broker alone", command_broker},
    {"gateway", "", "the HTTP gateway alone", command_gateway},
    {"work", "--queue Q[,Q] -- COMMAND [ARG...]", "makes any command a worker", command_work},
    {"submit", "QUEUE TYPE [PAYLOAD]", "creates a task", command_submit},
    {"get", "ID", "shows a task", command_get},
    {"list", "[tasks|queues|workers|...]", "lists what the broker holds", command_list},
    {"cancel", "ID", "cancels a task", command_cancel},
    {"retry", "ID", "queues a failed or cancelled task again", command_retry},
    {"explain", "ID", "says what keeps a task from running", command_explain},
    {"stats", "", "shows the broker's counters", command_stats},
    {"token", "--role R --user NAME --brand N", "prints a token for HTTP", command_token},
    {"user", "add|list|...", "accounts", command_user},
    {"brand", "add|list|rename", "tenants", command_brand},
    {"key", "curve|api|list|...", "makes, lists and revokes keys", command_key},
    {"check", "", "audits a data folder", command_check},
    {"bench", "SCENARIO", "measures this machine", command_bench},
};

static int usage(FILE *out, int code) {
    fputs("usage: relais COMMAND [--OPTION VALUE]...\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        fprintf(out, "  %-8s %-32s %s\n", commands[i].name, commands[i].arguments,
                commands[i].sentence);
    }
    fputs("\nEvery command takes --help, --config FILE, --print-config and --check-config.\n"
          "Options: file < RELAIS_* environment < command line; --print-config explains them.\n",
          out);
    return code;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        return usage(stderr, 2);
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return usage(stdout, 0);
    }
    if (strcmp(name, "--version") == 0) {
        puts("relais " RELAIS_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return commands[i].main(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "relais: there is no command %.64s\n", name);
    return usage(stderr, 2);
}
