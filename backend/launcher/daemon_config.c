/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's configuration: a table of options for each kind of section. */
#include "daemon_config.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/domctl_control.h"
#include "base/log.h"
#include "base/worker.h"
#include "rate.h"
#include "schema/schema.h"

#define RESTART_LIMIT 10
#define RESTART_WINDOW 10
#define OPEN_TIMEOUT 5

int xo_config_set(char **option, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*option);
	*option = copy;
	return 0;
}

int xo_config_init(struct xo_config *config)
{
	*config = (struct xo_config){
		.toolstack = true,
		.backend = true,
		.restart_limit = RESTART_LIMIT,
		.restart_window = RESTART_WINDOW,
		.hold_seconds = XO_DOMCTL_HOLD_SECONDS,
		.open_timeout = OPEN_TIMEOUT,
		.log_level = XO_LOG_INFO,
	};
	SLIST_INIT(&config->drives);
	if (xo_config_set(&config->run_dir, XO_RUN_DIR) ||
	    xo_config_set(&config->state_dir, XO_STATE_DIR) ||
	    xo_config_set(&config->libexec_dir, XO_LIBEXEC_DIR) ||
	    xo_config_set(&config->libxl_dir, "/var/lib/xen") ||
	    xo_config_set(&config->user, XO_WORKER_USER))
		return -ENOMEM;
	return 0;
}

static void drive_free(struct xo_drive_config *drive)
{
	for (size_t i = 0; i < drive->allow_count; i++)
		free(drive->allow[i]);
	free(drive->name);
	free(drive->speed);
	free(drive->buffer);
	free(drive->poll_ms);
	free(drive->delay);
	free(drive->fault);
	free(drive->trace);
	free(drive);
}

void xo_config_fini(struct xo_config *config)
{
	while (!SLIST_EMPTY(&config->drives)) {
		struct xo_drive_config *drive = SLIST_FIRST(&config->drives);

		SLIST_REMOVE_HEAD(&config->drives, entry);
		drive_free(drive);
	}
	free(config->path);
	free(config->run_dir);
	free(config->state_dir);
	free(config->libexec_dir);
	free(config->libxl_dir);
	free(config->user);
	*config = (struct xo_config){ .log_level = XO_LOG_INFO };
}

const struct xo_drive_config *xo_config_drive(const struct xo_config *config, const char *name)
{
	struct xo_drive_config *drive;

	SLIST_FOREACH (drive, &config->drives, entry)
		if (!strcmp(drive->name, name))
			return drive;
	return NULL;
}

static int parse_number(const char *value, unsigned int min, unsigned int max, unsigned int *number)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || n < min || n > max)
		return -EINVAL;
	*number = (unsigned int)n;
	return 0;
}

static int parse_flag(const char *value, bool *flag)
{
	*flag = !strcmp(value, "yes");
	return *flag || !strcmp(value, "no") ? 0 : -EINVAL;
}

static int parse_path(const char *value, char **path)
{
	return value[0] == '/' ? xo_config_set(path, value) : -EINVAL;
}

static int daemon_option(struct xo_config *c, const char *name, const char *value)
{
	if (!strcmp(name, "run-dir"))
		return parse_path(value, &c->run_dir);
	if (!strcmp(name, "state-dir"))
		return parse_path(value, &c->state_dir);
	if (!strcmp(name, "libexec-dir"))
		return parse_path(value, &c->libexec_dir);
	if (!strcmp(name, "libxl-dir"))
		return parse_path(value, &c->libxl_dir);
	if (!strcmp(name, "user"))
		return xo_config_set(&c->user, value);
	if (!strcmp(name, "toolstack"))
		return parse_flag(value, &c->toolstack);
	if (!strcmp(name, "backend"))
		return parse_flag(value, &c->backend);
	if (!strcmp(name, "restart-limit"))
		return parse_number(value, 0, XO_RATE_LIMIT_MAX, &c->restart_limit);
	if (!strcmp(name, "restart-window"))
		return parse_number(value, 1, 86400, &c->restart_window);
	if (!strcmp(name, "hold-seconds"))
		return parse_number(value, 1, XO_DOMCTL_HOLD_SECONDS, &c->hold_seconds);
	if (!strcmp(name, "open-timeout"))
		return parse_number(value, 0, 3600, &c->open_timeout);
	if (!strcmp(name, "log"))
		return parse_number(value, XO_LOG_ERROR, XO_LOG_DEBUG, &c->log_level);
	return -ENOENT;
}

static int drive_option(struct xo_drive_config *drive, const char *name, const char *value)
{
	if (!strcmp(name, "mode")) {
		drive->read_only = !strcmp(value, "ro");
		return drive->read_only || !strcmp(value, "rw") ? 0 : -EINVAL;
	}
	if (!strcmp(name, "allow")) {
		if (drive->allow_count == XO_CONFIG_ALLOW_MAX)
			return -E2BIG;
		return xo_config_set(&drive->allow[drive->allow_count++], value);
	}
	if (!strcmp(name, "speed"))
		return xo_config_set(&drive->speed, value);
	if (!strcmp(name, "buffer"))
		return xo_config_set(&drive->buffer, value);
	if (!strcmp(name, "poll-ms"))
		return xo_config_set(&drive->poll_ms, value);
	if (!strcmp(name, "delay"))
		return xo_config_set(&drive->delay, value);
	if (!strcmp(name, "fault"))
		return xo_config_set(&drive->fault, value);
	if (!strcmp(name, "direct")) {
		drive->never_lend = !strcmp(value, "no");
		return drive->never_lend || !strcmp(value, "yes") ? 0 : -EINVAL;
	}
	if (!strcmp(name, "trace"))
		return xo_config_set(&drive->trace, value);
	return -ENOENT;
}

static struct xo_drive_config *drive_section(struct xo_config *config, const char *name)
{
	struct xo_drive_config *drive;

	if (xo_schema_check(XO_OPTICAL_UNIT_P_DEV, name, strlen(name)))
		return NULL;
	SLIST_FOREACH (drive, &config->drives, entry)
		if (!strcmp(drive->name, name))
			return drive;
	drive = calloc(1, sizeof(*drive));
	if (!drive || xo_config_set(&drive->name, name)) {
		free(drive);
		return NULL;
	}
	SLIST_INSERT_HEAD(&config->drives, drive, entry);
	return drive;
}

/* inih cuts the name of a section after so many characters, and a drive's stable name may be longer. */
#define INIH_SECTION_MAX 49

struct source {
	FILE *file;
	struct xo_config *config;
	char section[sizeof("drive ") + XO_DRIVE_NAME_MAX +
		     1]; /* the newest that begins its line, whole */
};

/* inih's reader: as fgets. */
static char *read_line(char *line, int size, void *stream)
{
	struct source *source = stream;
	size_t length;

	if (!fgets(line, size, source->file))
		return NULL;
	if (*line == '[') {
		length = XO_MIN(strcspn(line + 1, "]\n"), sizeof(source->section) - 1);
		memcpy(source->section, line + 1, length);
		source->section[length] = '\0';
	}
	return line;
}

/* inih's handler: 1, or 0 for an error in this line. */
static int handle(void *priv, const char *section, const char *name, const char *value)
{
	static const char prefix[] = "drive ";
	const struct source *source = priv;
	struct xo_config *config = source->config;
	int r = -ENOENT;

	if (strlen(section) == INIH_SECTION_MAX) {
		if (strncmp(source->section, section, INIH_SECTION_MAX) != 0) {
			xo_error("configuration: [%s…: so long a name must begin its line",
				 section);
			return 0;
		}
		section = source->section;
	}
	if (!strcmp(section, "xenopticd")) {
		r = daemon_option(config, name, value);
	} else if (!strncmp(section, prefix, sizeof(prefix) - 1)) {
		struct xo_drive_config *drive = drive_section(config, section + sizeof(prefix) - 1);

		if (!drive) {
			xo_error("configuration: [%s]: expected [drive /dev/…] or "
				 "[drive virtual:NAME]",
				 section);
			return 0;
		}
		r = drive_option(drive, name, value);
	}
	if (r == -ENOENT)
		xo_error("configuration: [%s] %s: not known", section, name);
	else if (r)
		xo_error("configuration: [%s] %s = %s: not a valid value", section, name, value);
	return r ? 0 : 1;
}

/* What one option needs of another. 0 or -EINVAL. */
static int check_drives(const struct xo_config *config)
{
	const struct xo_drive_config *drive;

	SLIST_FOREACH (drive, &config->drives, entry) {
		if (drive->buffer && !drive->speed) {
			xo_error("configuration: [drive %s] buffer: it needs a speed", drive->name);
			return -EINVAL;
		}
	}
	return 0;
}

int xo_config_read(struct xo_config *config, const char *path)
{
	struct source source = { .file = fopen(path, "re"), .config = config };
	int r;

	if (!source.file)
		return -errno;
	r = ini_parse_stream(read_line, &source, handle, &source);
	if (ferror(source.file))
		r = -1;
	fclose(source.file);
	if (r > 0) {
		xo_error("configuration: %s, line %d", path, r);
		return -EINVAL;
	}
	return r ? -EIO : check_drives(config);
}
