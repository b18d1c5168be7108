#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `quickstart --xen` on a machine with nothing but git: what the testbed needs is installed before it begins. The
# archives and the testbed are stand-ins.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAIL: $*" >&2; exit 1; }

mkdir -p "$dir/bin" "$dir/tree/build-aux" "$dir/tree/tests/xen"
cp "${top_srcdir:?}/quickstart" "$dir/tree"
cp "$top_srcdir/build-aux/packages" "$dir/tree/build-aux"
: >"$dir/installed"
cat >"$dir/bin/dpkg-query" <<'END'
#!/bin/sh
for package; do :; done
grep -qx -- "$package" "$HERE/installed" && echo installed
END
cat >"$dir/bin/apt-get" <<'END'
#!/bin/sh
echo "$*" >>"$HERE/apt"
[ ! -e "$HERE/broken" ] || { echo "E: no network"; exit 100; }
for package; do echo "$package"; done | grep -v -e ^- -e '^install$' -e '^update$' >>"$HERE/installed"
exit 0
END
cat >"$dir/bin/sudo" <<'END'
#!/bin/sh
exec "$@"
END
cat >"$dir/tree/tests/xen/demo" <<'END'
#!/bin/sh
cp "$HERE/installed" "$HERE/before-demo"
END
chmod 755 "$dir/bin"/* "$dir/tree/tests/xen/demo"
run() { HERE=$dir PATH=$dir/bin:$PATH "$dir/tree/quickstart" --xen >"$dir/output" 2>&1; }

: >"$dir/broken"
run && fail "without packages: $(cat "$dir/output")"
[ ! -e "$dir/before-demo" ] || fail "the testbed began without its packages"
grep -q "apt-get install .*mmdebstrap" "$dir/output" || fail "it does not say what to install: $(cat "$dir/output")"

rm "$dir/broken" "$dir/apt"
run || fail "$(cat "$dir/output")"
[ -e "$dir/before-demo" ] || fail "the testbed did not begin"
head -n 1 "$dir/apt" | grep -q update || fail "the archives' lists are not fetched: $(cat "$dir/apt")"
# What tests/xen needs of the machine, and what builds the packages that Dom0 gets.
for package in mmdebstrap qemu-system-x86 seabios e2fsprogs cpio debhelper dh-dkms gcc make autoconf libxen-dev; do
	grep -qx "$package" "$dir/before-demo" || fail "$package is not installed"
done
! grep -qx clang "$dir/before-demo" || fail "compilers of the lints, which the demo does not need"

rm "$dir/apt"
run || fail "a second time: $(cat "$dir/output")"
[ ! -e "$dir/apt" ] || fail "everything is there, and apt-get was run: $(cat "$dir/apt")"
