#!/bin/sh
# Calls that our code does not make, because a bounded or reentrant one
# exists (see base/base.h), and a shell, which nothing of ours may reach.
cd "$(dirname "$0")/../.." || exit 2
calls='strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|gmtime|localtime'
calls="$calls|system|popen"
if grep -nE "(^|[^_[:alnum:]])($calls)\(" src/*/*.[ch]; then
	echo "banned: the calls above are not used here" >&2
	exit 1
fi
echo "banned: ok"
