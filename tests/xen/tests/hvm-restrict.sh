# shellcheck shell=bash disable=SC2034 # lib.sh reads them
# SPDX-License-Identifier: GPL-2.0-or-later
# shows: beside a QEMU that xl restricts (dm_restrict: a user without rights, in a chroot) an AHCI drive of device_model_args_hvm burns and goes
# when: full
# time: 900

user=xen-qemuuser-shared # where libxl looks for no user of the domain's own
getent passwd $user >/dev/null || {
	useradd --system --no-create-home $user
	undo userdel $user
}
xenoptic_start
hvm_disc 32
HVM_ARGS=device_model_args_hvm hvm_guest h1 drive=virtual:disc,bus=ahci 'dm_restrict = 1'
pgrep -a -u $user qemu || fail "QEMU is not restricted: $(pgrep -a qemu)"
hvm_driver ahci
hvm_burn 1
hvm_clean_dmesg
guest_destroy h1
wait_until 20 eval '! pgrep xenoptic-ioemu'
no_nodes
