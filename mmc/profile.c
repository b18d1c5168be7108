/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of profiles and features. */
#include "mmc/profile.h"

const char *xo_profile_name(unsigned number)
{
	switch (number) {
	case XO_PROFILE_NONE:
		return "no current profile";
#define XO_X(ident, number, name) \
	case number:              \
		return name;
		XO_PROFILES(XO_X)
#undef XO_X
	default:
		return "reserved";
	}
}

const char *xo_feature_name(unsigned number)
{
	switch (number) {
#define XO_X(ident, number, name) \
	case number:              \
		return name;
		XO_FEATURES(XO_X)
#undef XO_X
	default:
		/* MMC-6 5.2.2: FF00h to FFFFh are the vendors'. */
		return number >= 0xff00 ? "vendor specific" : "reserved";
	}
}
