/* view.h - from a VIEW to the struct that librelais hands out. */
#ifndef RELAIS_WORKER_VIEW_H
#define RELAIS_WORKER_VIEW_H
#include "proto/message.h"
#include "worker/relais.h"

/* One block that holds everything; NULL when memory is out. */
struct relais_view *view_make(const struct view *v);
#endif
