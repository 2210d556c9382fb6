/* main.c - `relais broker`. */
#include "broker/broker.h"
#include "command.h"
#include "proto/host/log.h"
#include "proto/host/signal.h"
#include <stdio.h>

int command_broker(int argc, char **argv) {
    struct config config;
    const enum help help = config_help_asked(argc, argv);
    if (help != HELP_NONE) {
        puts("usage: relais broker [--OPTION VALUE]…\n\n"
             "The broker alone, until SIGTERM; gateways and workers connect to it.\n");
        config_help(SECTION_BASE | SECTION_BROKER, help, stdout);
        return 0;
    }
    const int code = config_start(&config, SECTION_BASE | SECTION_BROKER, &argc, argv);
    if (code >= 0) return code;
    if (!config_used_up(argc, argv)) {
        config_free(&config);
        return 2;
    }
    char why[512];
    const struct broker_setup setup = {.config = &config, .stop_fd = signal_open()};
    struct broker *broker = broker_open(&setup, why, sizeof why);
    if (broker == NULL) {
        fprintf(stderr, "relais broker: %s\n", why);
        config_free(&config);
        return 1;
    }
    printf("relais: ready native=%s\n", broker_native(broker));
    fflush(stdout);
    supervisor_say("READY=1");
    broker_run(broker);
    supervisor_say("STOPPING=1");
    log_info("stopping");
    broker_close(&broker);
    config_free(&config);
    return 0;
}
