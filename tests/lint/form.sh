#!/bin/sh
# The form of the text: no line is wider than 80 columns (a tab is 8), the
# numbers of mail stand in one header, and comments name their nouns
# (comments.py).
cd "$(dirname "$0")/../.." || exit 2
bad=0

wide=$(find src tests schema Makefile -type f \( -name '*.[ch]' -o \
	-name '*.def' -o -name '*.sql' -o -name '*.awk' -o -name '*.py' -o \
	-name '*.sh' -o -name Makefile -o -path 'tests/system/stack/*' \) \
	! -name '*.pyc' -exec awk '
	{
		n = split($0, piece, "\t")
		wide = length(piece[1])
		for (i = 2; i <= n; i++)
			wide += 8 - wide % 8 + length(piece[i])
		if (wide > 80)
			print FILENAME ":" FNR ": " wide " columns"
	}' {} +)
if [ -n "$wide" ]; then
	echo "$wide"
	echo "form: lines of at most 80 columns" >&2
	bad=1
fi

# An enumerator with a number, or a macro, outside of the register.
if grep -nE '\bMAIL_[A-Z_]+[[:space:]]*=[^=]|#define[[:space:]]+MAIL_' \
	src/*/*.[ch] | grep -vE '^src/model/mail\.h:|type = MAIL_'; then
	echo "form: numbers of mail stand in src/model/mail.h alone" >&2
	bad=1
fi

python3 -B tests/lint/comments.py || bad=1

[ "$bad" -eq 0 ] && echo "form: ok"
exit "$bad"
