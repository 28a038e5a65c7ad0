#!/bin/sh
# Build the Debian package from this checkout: build/deb/*.deb. Needs
# debhelper and what contrib/packages.sh --build installs. Nothing is signed.
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^#define DATAMOVER_VERSION "\(.*\)"$/\1/p' src/*/*.h)
packaged=$(sed -n '1s/.*(\(.*\)).*/\1/p' contrib/debian/changelog)
if [ "$version" != "$packaged" ]; then
	echo "deb: the program is $version," \
	    "contrib/debian/changelog says $packaged" >&2
	exit 1
fi
out=$PWD/build/deb
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$out" "$tree/datamover-$version"
tar -c --exclude=./.git --exclude='./build*' . |
	tar -x -C "$tree/datamover-$version"
cp -R contrib/debian "$tree/datamover-$version/debian"
(cd "$tree/datamover-$version" && dpkg-buildpackage -b -us -uc \
    "-j$(nproc)" --no-check-builddeps)
rm -f "$out"/*.deb
cp "$tree/datamover_$version"_*.deb "$out"/
if command -v lintian >/dev/null; then
	lintian --allow-root --fail-on error "$out"/*.deb
fi
echo "deb: $(cd "$out" && echo *.deb) in $out"
