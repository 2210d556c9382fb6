/* serve.c - `relais serve`: broker and gateway in one process, inproc between them.
 *
 * It stands above both floors, for neither may know the other. The broker's loop has a thread of
 * its own; the first thread waits for the end. At SIGTERM the gateway ends first, while the broker
 * still answers it; then what is in flight becomes durable. */
#include "broker/broker.h"
#include "command.h"
#include "gateway/gateway.h"
#include "proto/host/log.h"
#include "proto/host/signal.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { GATEWAY_LOOK_MS = 5 };

static void *broker_main(void *context) {
    pthread_setname_np(pthread_self(), "broker");
    broker_run(context);
    return NULL;
}

/* Waits until the gateway has heard the broker; false when a signal comes first. */
static bool ready_await(const struct gateway *g, int signals) {
    struct pollfd fd = {.fd = signals, .events = POLLIN};
    while (!gateway_ready(g))
        if (poll(&fd, 1, GATEWAY_LOOK_MS) > 0) return false;
    return true;
}

static int gateway_run(const struct config *config, struct broker *broker, int signals) {
    char files[CONFIG_ENDPOINT_MAX], why[512] = "";
    config_files_endpoint(BROKER_INPROC, files);
    const struct gateway_setup setup = {.config = config, .zmq = broker_context(broker),
                                        .broker = BROKER_INPROC, .files = files,
                                        .drain_ms = config->drain_ms};
    struct gateway *gateway = gateway_start(&setup, why, sizeof why);
    if (gateway == NULL) {
        fprintf(stderr, "relais serve: %s\n", why);
        return 1;
    }
    if (ready_await(gateway, signals)) {
        printf("relais: ready http=%s native=%s\n", gateway_address(gateway),
               broker_native(broker));
        fflush(stdout);
        supervisor_say("READY=1");
        struct pollfd fd = {.fd = signals, .events = POLLIN};
        while (poll(&fd, 1, -1) <= 0) {}
    }
    supervisor_say("STOPPING=1");
    log_info("stopping");
    gateway_stop(&gateway);
    return 0;
}

static int serve_run(const struct config *config) {
    char why[512] = "";
    const int signals = signal_open();
    const struct broker_setup setup = {.config = config, .serve = true, .stop_fd = -1};
    struct broker *broker = broker_open(&setup, why, sizeof why);
    if (broker == NULL) {
        fprintf(stderr, "relais serve: %s\n", why);
        return 1;
    }
    pthread_t thread;
    int code = 1;
    if (pthread_create(&thread, NULL, broker_main, broker) == 0) {
        code = gateway_run(config, broker, signals);
        broker_stop(broker);
        pthread_join(thread, NULL);
    }
    broker_close(&broker);
    close(signals);
    return code;
}

int command_serve(int argc, char **argv) {
    const unsigned sections = SECTION_BASE | SECTION_BROKER | SECTION_GATEWAY;
    struct config config;
    const enum help help = config_help_asked(argc, argv);
    if (help != HELP_NONE) {
        puts("usage: relais serve [--OPTION VALUE]… | --help all\n\n"
             "Broker and HTTP gateway in one process, until SIGTERM. Says where it listens on one\n"
             "line, `relais: ready http=… native=…`, on stdout; logs to stderr.\n");
        config_help(sections, help, stdout);
        return 0;
    }
    const int code = config_start(&config, sections, &argc, argv);
    if (code >= 0) return code;
    const int exit_code = config_used_up(argc, argv) ? serve_run(&config) : 2;
    config_free(&config);
    return exit_code;
}
