/*
 * norpcbind.c: preloaded into ganesha.nfsd. NFSv3 wants to be registered
 * with rpcbind, which a test neither has nor wants, as its clients name the
 * ports. Both calls say that they worked.
 */
#include <stdbool.h>

bool rpcb_set(void);
bool rpcb_unset(void);

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
#include <mntent.h>
#include <stdio.h>

FILE *
setmntent(const char *file, const char *mode)
{
	(void)file;
	return fopen("/proc/self/mounts", mode);
}
