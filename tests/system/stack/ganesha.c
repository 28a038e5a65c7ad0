/*
 * ganesha.c: preloaded into ganesha.nfsd, so that it serves what a test wants
 * from whatever machine it is on.
 */
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

bool rpcb_set(void);
bool rpcb_unset(void);

/* NFSv3 wants to be registered with rpcbind, which a test neither has nor
 * wants, as its clients name the ports. Both calls say that they worked. */
bool
rpcb_set(void)
{
	return true;
}

bool
rpcb_unset(void)
{
	return true;
}

/* The file systems to export from are looked up in /etc/mtab, which a minimal
 * system does not have; what it stands for is always there. */
FILE *
setmntent(const char *file, const char *mode)
{
	(void)file;
	return fopen("/proc/self/mounts", mode);
}

/* Version 6 exports nothing from a tmpfs. Debian 13 has one at /tmp, and in a
 * container there may be no other file system with file handles. */
struct mntent *
getmntent(FILE *mounts)
{
	static struct mntent entry;
	static char text[8192];
	static char memory[] = "memory";

	if (getmntent_r(mounts, &entry, text, sizeof(text)) == NULL)
		return NULL;
	if (strcmp(entry.mnt_type, "tmpfs") == 0)
		entry.mnt_type = memory;
	return &entry;
}
