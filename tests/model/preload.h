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

/*
 * Most of what a short run costs is to load the program. So with
 * MODEL_NURSERY in its environment the program is loaded once, stops before
 * main, and for each message that comes on NURSERY_FD a child of it runs
 * main. A message has texts that end in NUL: the user's number, the files for
 * standard output and standard error, the arguments, an empty text, the
 * environment. The answers are two numbers (int): the process, and its wait
 * status when it has ended.
 */
#define NURSERY_FD	3
#define NURSERY_MAX	16384	/* bytes of a message */

#endif
