/* show.h - a task, printed: as JSON for programs, as a page or a row for people. */
#ifndef RELAIS_WORKER_COMMAND_SHOW_H
#define RELAIS_WORKER_COMMAND_SHOW_H
#include "worker/relais.h"
#include <stdio.h>

void show_json(FILE *out, const struct relais_view *v);
void show_row_head(FILE *out);
void show_row(FILE *out, const struct relais_view *v);
/* JSON or page. */
void show_task(const struct relais_view *v, bool json);
#endif
