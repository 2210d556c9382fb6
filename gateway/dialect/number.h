/* number.h - options.dialect: by which dialect a task came. All of them are served to dialect 002,
 * which shows every task of a brand. */
#ifndef RELAIS_GATEWAY_DIALECT_NUMBER_H
#define RELAIS_GATEWAY_DIALECT_NUMBER_H

enum { NATIVE_NUMBER = 0, QALPUCH_NUMBER = 1, MEGAHUB_NUMBER = 2, SPEECH_NUMBER = 4 };
#endif
