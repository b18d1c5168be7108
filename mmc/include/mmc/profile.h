/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Profiles and features of GET CONFIGURATION, mode pages, event classes and write types: the
 * numbers and names of MMC-6.
 */
#ifndef XO_MMC_PROFILE_H
#define XO_MMC_PROFILE_H

#include <stdint.h>

/* Profiles (MMC-6 5.3.1, table 92). */
#define XO_PROFILES(X)                                                        \
	X(NON_REMOVABLE_DISK, 0x0001, "Non-removable disk")                   \
	X(REMOVABLE_DISK, 0x0002, "Removable disk")                           \
	X(CD_ROM, 0x0008, "CD-ROM")                                           \
	X(CD_R, 0x0009, "CD-R")                                               \
	X(CD_RW, 0x000a, "CD-RW")                                             \
	X(DVD_ROM, 0x0010, "DVD-ROM")                                         \
	X(DVD_R, 0x0011, "DVD-R sequential recording")                        \
	X(DVD_RAM, 0x0012, "DVD-RAM")                                         \
	X(DVD_RW_RESTRICTED_OVERWRITE, 0x0013, "DVD-RW restricted overwrite") \
	X(DVD_RW_SEQUENTIAL, 0x0014, "DVD-RW sequential recording")           \
	X(DVD_R_DL, 0x0015, "DVD-R dual layer sequential recording")          \
	X(DVD_R_DL_LAYER_JUMP, 0x0016, "DVD-R dual layer jump recording")     \
	X(DVD_RW_DL, 0x0017, "DVD-RW dual layer")                             \
	X(DVD_DOWNLOAD, 0x0018, "DVD-Download disc recording")                \
	X(DVD_PLUS_RW, 0x001a, "DVD+RW")                                      \
	X(DVD_PLUS_R, 0x001b, "DVD+R")                                        \
	X(DVD_PLUS_RW_DL, 0x002a, "DVD+RW dual layer")                        \
	X(DVD_PLUS_R_DL, 0x002b, "DVD+R dual layer")                          \
	X(BD_ROM, 0x0040, "BD-ROM")                                           \
	X(BD_R_SRM, 0x0041, "BD-R sequential recording")                      \
	X(BD_R_RRM, 0x0042, "BD-R random recording")                          \
	X(BD_RE, 0x0043, "BD-RE")                                             \
	X(HD_DVD_ROM, 0x0050, "HD DVD-ROM")                                   \
	X(HD_DVD_R, 0x0051, "HD DVD-R")                                       \
	X(HD_DVD_RAM, 0x0052, "HD DVD-RAM")                                   \
	X(HD_DVD_RW, 0x0053, "HD DVD-RW")                                     \
	X(HD_DVD_R_DL, 0x0058, "HD DVD-R dual layer")                         \
	X(HD_DVD_RW_DL, 0x005a, "HD DVD-RW dual layer")                       \
	X(NON_STANDARD, 0xffff, "not conforming to a standard profile")

/* Features (MMC-6 5.3). */
#define XO_FEATURES(X)                                                                    \
	X(PROFILE_LIST, 0x0000, "Profile List")                                           \
	X(CORE, 0x0001, "Core")                                                           \
	X(MORPHING, 0x0002, "Morphing")                                                   \
	X(REMOVABLE_MEDIUM, 0x0003, "Removable Medium")                                   \
	X(WRITE_PROTECT, 0x0004, "Write Protect")                                         \
	X(RANDOM_READABLE, 0x0010, "Random Readable")                                     \
	X(MULTI_READ, 0x001d, "Multi-Read")                                               \
	X(CD_READ, 0x001e, "CD Read")                                                     \
	X(DVD_READ, 0x001f, "DVD Read")                                                   \
	X(RANDOM_WRITABLE, 0x0020, "Random Writable")                                     \
	X(INCREMENTAL_STREAMING_WRITABLE, 0x0021, "Incremental Streaming Writable")       \
	X(SECTOR_ERASABLE, 0x0022, "Sector Erasable")                                     \
	X(FORMATTABLE, 0x0023, "Formattable")                                             \
	X(HARDWARE_DEFECT_MANAGEMENT, 0x0024, "Hardware Defect Management")               \
	X(WRITE_ONCE, 0x0025, "Write Once")                                               \
	X(RESTRICTED_OVERWRITE, 0x0026, "Restricted Overwrite")                           \
	X(CD_RW_CAV_WRITE, 0x0027, "CD-RW CAV Write")                                     \
	X(MRW, 0x0028, "MRW")                                                             \
	X(ENHANCED_DEFECT_REPORTING, 0x0029, "Enhanced Defect Reporting")                 \
	X(DVD_PLUS_RW, 0x002a, "DVD+RW")                                                  \
	X(DVD_PLUS_R, 0x002b, "DVD+R")                                                    \
	X(RIGID_RESTRICTED_OVERWRITE, 0x002c, "Rigid Restricted Overwrite")               \
	X(CD_TRACK_AT_ONCE, 0x002d, "CD Track at Once")                                   \
	X(CD_MASTERING, 0x002e, "CD Mastering")                                           \
	X(DVD_R_RW_WRITE, 0x002f, "DVD-R/-RW Write")                                      \
	X(DDCD_READ, 0x0030, "Double Density CD Read")                                    \
	X(DDCD_R_WRITE, 0x0031, "Double Density CD-R Write")                              \
	X(DDCD_RW_WRITE, 0x0032, "Double Density CD-RW Write")                            \
	X(LAYER_JUMP_RECORDING, 0x0033, "Layer Jump Recording")                           \
	X(LJ_RIGID_RESTRICTED_OVERWRITE, 0x0034, "Layer Jump Rigid Restricted Overwrite") \
	X(STOP_LONG_OPERATION, 0x0035, "Stop Long Operation")                             \
	X(CD_RW_MEDIA_WRITE, 0x0037, "CD-RW Media Write Support")                         \
	X(BD_R_POW, 0x0038, "BD-R Pseudo-Overwrite")                                      \
	X(DVD_PLUS_RW_DL, 0x003a, "DVD+RW Dual Layer")                                    \
	X(DVD_PLUS_R_DL, 0x003b, "DVD+R Dual Layer")                                      \
	X(BD_READ, 0x0040, "BD Read")                                                     \
	X(BD_WRITE, 0x0041, "BD Write")                                                   \
	X(TSR, 0x0042, "Timely Safe Recording")                                           \
	X(HD_DVD_READ, 0x0050, "HD DVD Read")                                             \
	X(HD_DVD_WRITE, 0x0051, "HD DVD Write")                                           \
	X(HD_DVD_RW_FRAGMENT, 0x0052, "HD DVD-RW Fragment Recording")                     \
	X(HYBRID_DISC, 0x0080, "Hybrid Disc")                                             \
	X(POWER_MANAGEMENT, 0x0100, "Power Management")                                   \
	X(SMART, 0x0101, "S.M.A.R.T.")                                                    \
	X(EMBEDDED_CHANGER, 0x0102, "Embedded Changer")                                   \
	X(CD_AUDIO_EXTERNAL_PLAY, 0x0103, "CD Audio External Play")                       \
	X(MICROCODE_UPGRADE, 0x0104, "Microcode Upgrade")                                 \
	X(TIMEOUT, 0x0105, "Timeout")                                                     \
	X(DVD_CSS, 0x0106, "DVD CSS")                                                     \
	X(REAL_TIME_STREAMING, 0x0107, "Real Time Streaming")                             \
	X(DRIVE_SERIAL_NUMBER, 0x0108, "Drive Serial Number")                             \
	X(MEDIA_SERIAL_NUMBER, 0x0109, "Media Serial Number")                             \
	X(DCBS, 0x010a, "Disc Control Blocks")                                            \
	X(DVD_CPRM, 0x010b, "DVD CPRM")                                                   \
	X(FIRMWARE_INFORMATION, 0x010c, "Firmware Information")                           \
	X(AACS, 0x010d, "AACS")                                                           \
	X(DVD_CSS_MANAGED_RECORDING, 0x010e, "DVD CSS Managed Recording")                 \
	X(VCPS, 0x0110, "VCPS")                                                           \
	X(SECURDISC, 0x0113, "SecurDisc")                                                 \
	X(OSSC, 0x0142, "OSSC")

/* Mode pages of an optical unit (MMC-6 7). */
enum xo_mode_page {
	XO_PAGE_READ_WRITE_ERROR_RECOVERY = 0x01,
	XO_PAGE_WRITE_PARAMETERS = 0x05,
	XO_PAGE_MRW = 0x03,
	XO_PAGE_CACHING = 0x08,
	XO_PAGE_CD_DEVICE_PARAMETERS = 0x0d,
	XO_PAGE_CD_AUDIO_CONTROL = 0x0e,
	XO_PAGE_POWER_CONDITION = 0x1a,
	XO_PAGE_INFORMATIONAL_EXCEPTIONS = 0x1c,
	XO_PAGE_TIMEOUT_AND_PROTECT = 0x1d,
	XO_PAGE_CAPABILITIES = 0x2a,
	XO_PAGE_ALL = 0x3f,
};

/* Write types of the write parameters page (MMC-6 7.5.4). */
enum xo_write_type {
	XO_WRITE_PACKET = 0,
	XO_WRITE_TRACK_AT_ONCE = 1,
	XO_WRITE_SESSION_AT_ONCE = 2,
	XO_WRITE_RAW = 3,
	XO_WRITE_LAYER_JUMP = 4,
};

/* Notification classes of GET EVENT STATUS NOTIFICATION (MMC-6 6.6). */
enum xo_event_class {
	XO_EVENT_OPERATIONAL_CHANGE = 1,
	XO_EVENT_POWER_MANAGEMENT = 2,
	XO_EVENT_EXTERNAL_REQUEST = 3,
	XO_EVENT_MEDIA = 4,
	XO_EVENT_MULTI_HOST = 5,
	XO_EVENT_DEVICE_BUSY = 6,
};

enum xo_profile {
	XO_PROFILE_NONE = 0x0000,
#define XO_X(ident, number, name) XO_PROFILE_##ident = (number),
	XO_PROFILES(XO_X)
#undef XO_X
};

enum xo_feature {
#define XO_X(ident, number, name) XO_FEATURE_##ident = (number),
	XO_FEATURES(XO_X)
#undef XO_X
};

/* The standard's name; "no current profile" for profile 0, "reserved" or "vendor specific" for the rest. */
const char *xo_profile_name(unsigned number);
const char *xo_feature_name(unsigned number);

#endif
