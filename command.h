/* command.h - the subcommands that the front door (relais.c) knows; each is a program's main.
 *
 * argv[0] is the subcommand's name. The answer is the exit code: 0 done, 1 failed, 2 usage; a
 * usage error has been said on stderr. `--help` after a subcommand is the subcommand's own. */
#ifndef RELAIS_COMMAND_H
#define RELAIS_COMMAND_H

typedef int command_main(int argc, char **argv);

/* serve.c, broker/main.c */
command_main command_serve, command_broker;
/* gateway/main.c */
command_main command_gateway;
/* worker/main.c and worker/command */
command_main command_work, command_submit, command_get, command_list, command_cancel,
    command_retry, command_explain, command_stats, command_bench;
/* broker/command */
command_main command_token, command_key, command_check, command_user, command_brand;
#endif
