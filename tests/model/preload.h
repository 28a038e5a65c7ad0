/*
 * preload.h: the calls that preload.c knows, as bits.
 */
#ifndef MODEL_PRELOAD_H
#define MODEL_PRELOAD_H

enum model_call {
	CALL_WRITE = 1,
	CALL_SYNC = 2,
	CALL_OPEN = 4,
	CALL_RENAME = 8,
	CALL_SEND = 16,
	CALL_RECV = 32,
	CALL_CONNECT = 64,
	CALL_STAT = 128,
	CALL_LIST = 256,
	CALL_READ = 512
};

#endif
