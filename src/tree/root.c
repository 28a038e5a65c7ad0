#include "tree/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tree/tree.h"

int
root_open(const char *dir, struct stat *ret_stat, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 && (errno == EACCES || errno == EPERM))
		return err_errno(err, ERR_DENIED, errno, "%s", dir);
	if (fd == -1)
		return err_errno(err, ERR_UNREACHABLE, errno, "%s", dir);
	if (fstat(fd, ret_stat) == 0)
		return fd;
	err_errno(err, ERR_UNREACHABLE, errno, "%s", dir);
	close(fd);
	return -1;
}

bool
root_is_filled(int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = own == -1 ? NULL : fdopendir(own);
	const struct dirent *e;
	bool filled = false;

	if (dir == NULL) {
		close_fd(&own);
		return true;	/* nobody knows */
	}
	while (!filled && (e = readdir(dir)) != NULL)
		filled = strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0;
	closedir(dir);
	return filled;
}

int
tree_peek(const char *dir, uint64_t *ret_ino, bool *ret_filled,
    struct err *err)
{
	struct stat st;
	int fd = root_open(dir, &st, err);

	if (fd == -1)
		return -1;
	*ret_ino = st.st_ino;
	*ret_filled = root_is_filled(fd);
	close(fd);
	return 0;
}
