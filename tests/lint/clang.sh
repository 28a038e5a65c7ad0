#!/bin/sh
# The source is compiled by a second compiler, with the same warnings, as far
# as it can be without making objects. Arguments: the compiler's flags.
cd "$(dirname "$0")/../.." || exit 2
if ! command -v clang >/dev/null; then
	echo "clang: not installed (contrib/packages.sh installs it)" >&2
	exit 1
fi
printf '%s\n' src/*/*.c |
	xargs -P "$(nproc)" -n 16 clang "$@" -fsyntax-only || exit 1
echo "clang: ok"
