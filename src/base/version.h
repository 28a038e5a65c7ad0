/*
 * version.h: of the program. Master and clients of a run must be of the same.
 */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define DATAMOVER_VERSION "0.1.0"

#endif
