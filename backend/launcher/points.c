/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of the launcher's kill points. */
#include "points.h"

const char *const xo_launcher_points[XO_POINT_COUNT] = {
	[XO_POINT_PLANNED] = "launcher.planned",   [XO_POINT_SPAWNED] = "launcher.spawned",
	[XO_POINT_RECORDED] = "launcher.recorded", [XO_POINT_ENDED] = "launcher.ended",
	[XO_POINT_LET_GO] = "launcher.let-go",	   [XO_POINT_LINKED] = "launcher.linked",
	[XO_POINT_OFFERED] = "launcher.offered",   [XO_POINT_SWITCH] = "launcher.switch",
	[XO_POINT_SWITCHED] = "launcher.switched", [XO_POINT_SAVING] = "launcher.saving",
	[XO_POINT_SAVED] = "launcher.saved",	   [XO_POINT_ADOPTED] = "launcher.adopted",
	[XO_POINT_LINE] = "launcher.line",	   [XO_POINT_LINE_DONE] = "launcher.line-done",
};
