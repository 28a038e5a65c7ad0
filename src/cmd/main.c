#include "base/base.h"

int
main(void)
{
	fputs("usage: datamover PUT|LIST [options]\n", stderr);
	return 2;
}
