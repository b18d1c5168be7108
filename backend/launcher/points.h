/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a test lets the launcher die (base/point.h). */
#ifndef XO_BACKEND_POINTS_H
#define XO_BACKEND_POINTS_H

enum xo_launcher_point {
	XO_POINT_PLANNED, /* a worker is written down, not started */
	XO_POINT_SPAWNED, /* started, its pid not written down */
	XO_POINT_RECORDED, /* its pid is written down */
	XO_POINT_ENDED, /* a worker's end was seen, nothing done about it */
	XO_POINT_LET_GO, /* a ring has said that it has let go of its guest, nothing done about it */
	XO_POINT_LINKED, /* a link was made and not yet offered to the drive */
	XO_POINT_OFFERED, /* offered, no answer yet */
	XO_POINT_SWITCH, /* before a state is written */
	XO_POINT_SWITCHED, /* after it */
	XO_POINT_SAVING, /* a description was written and not yet renamed */
	XO_POINT_SAVED,
	XO_POINT_ADOPTED, /* workers were found again, the store not yet read */
	XO_POINT_LINE, /* before a device of xl's lines is made */
	XO_POINT_LINE_DONE, /* after it */
	XO_POINT_COUNT
};

extern const char *const xo_launcher_points[XO_POINT_COUNT];

#endif
