# SPDX-License-Identifier: GPL-2.0-or-later
dist_man_MANS += man/xenoptic.1 man/xenopticd.8 man/xenoptic.conf.5 man/xenoptic-xl.5 \
	man/xenoptic-security.7 man/xenoptic-guest.1
