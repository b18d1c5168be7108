#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `make install` puts every file where one of the Debian packages takes it from, `make uninstall` takes all of them
# away, and a configuration that somebody changed outlives both.
set -u
top=${top_srcdir:?}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
status=0
bad() { echo "$*"; status=1; }
# As debian/rules has it; the build itself may be configured for other places.
target() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "${top_builddir:?}" "$1" DESTDIR="$tree" prefix=/usr \
		sysconfdir=/etc libdir=/usr/lib/any systemdsystemunitdir=/lib/systemd/system >"$tree.log" 2>&1 || {
		cat "$tree.log"
		bad "make $1 failed"
	}
	rm -f "$tree.log"
}
left() { (cd "$tree" && find . -mindepth 1 ! -type d | sed 's|^\./||' | LC_ALL=C sort); }

target install
for file in usr/sbin/xenopticd usr/bin/xenoptic usr/bin/xenoptic-guest usr/libexec/xenoptic/device-model \
	usr/libexec/xenoptic/xenoptic-{drive,ring,ioemu} usr/lib/any/xenoptic/xenoptic-exec.so \
	etc/xenoptic/xenoptic.conf lib/systemd/system/xenopticd.service usr/lib/sysusers.d/xenoptic.conf \
	usr/share/bash-completion/completions/xenoptic{,-guest} \
	$(cd "$top/man" && for page in *.[1-8]; do echo "usr/share/man/man${page##*.}/$page"; done); do
	[ -f "$tree/$file" ] || bad "not installed: $file"
done
# The lists here are plain: paths and patterns.
while read -r file; do
	[[ $file != *.la ]] || continue
	takers=
	for list in "$top"/debian/*.install; do
		while read -r line; do
			# shellcheck disable=SC2053 # a pattern
			if [[ $file == $line || $file == $line/* ]]; then takers+=" ${list##*/}"; fi
		done <"$list"
	done
	[ "$(wc -w <<<"$takers")" = 1 ] || bad "$file is in these packages, not in one:${takers:- none}"
done < <(left)
if command -v systemd-analyze >/dev/null; then
	mkdir "$tree/verify"
	sed 's|^ExecStart=.*|ExecStart=/bin/true|' "$tree/lib/systemd/system/xenopticd.service" >"$tree/verify/xenopticd.service"
	said=$(systemd-analyze verify --man=no "$tree/verify/xenopticd.service" 2>&1) || bad "the unit cannot be loaded"
	[ -z "$said" ] || bad "the unit: $said"
	rm -r "$tree/verify"
fi
grep -q "^ExecStart=/usr/.*xenopticd" "$tree/lib/systemd/system/xenopticd.service" || bad "the unit starts another daemon"
! grep -rl '#MODULE_VERSION#' "$tree/usr/src" || bad "dkms.conf has no version"

target uninstall
[ -z "$(find "$tree" -name '*xenoptic*')" ] || bad "left by make uninstall: $(find "$tree" -name '*xenoptic*')"
[ -z "$(left)" ] || bad "left by make uninstall: $(left)"

target install
echo '# mine' >>"$tree/etc/xenoptic/xenoptic.conf"
target install
target uninstall
[ "$(left)" = etc/xenoptic/xenoptic.conf ] || bad "after make uninstall there is: $(left)"
[ "$(tail -n 1 "$tree/etc/xenoptic/xenoptic.conf")" = '# mine' ] || bad "make install wrote over a changed configuration"

version=$(sed -n 's/^AC_INIT(\[xenoptic\], \[\([^]]*\)\].*/\1/p' "$top/configure.ac")
grep -q "^xenoptic ($version)" "$top/debian/changelog" || bad "debian/changelog begins with another version than $version"
[ $status != 0 ] || echo "ok: installed, packaged, uninstalled"
exit $status
