/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenopticd: the launcher. The only process with xenstore, configuration and the
 * right to open devices; it starts, watches and restarts the workers.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/point.h"
#include "base/sandbox.h"
#include "launcher.h"
#include "notify.h"
#include "points.h"
#include "state.h"
#include "toolstack.h"

#define CLEAN_AGAIN_MS 1000

enum {
	OPT_CONFIG = 256,
	OPT_RUN_DIR,
	OPT_STATE_DIR,
	OPT_LIBEXEC_DIR,
	OPT_LIBXL_DIR,
	OPT_USER,
	OPT_NO_TOOLSTACK,
	OPT_NO_BACKEND,
	OPT_FOREGROUND,
	OPT_LOG,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
	{ "libexec-dir", required_argument, NULL, OPT_LIBEXEC_DIR },
	{ "libxl-dir", required_argument, NULL, OPT_LIBXL_DIR },
	{ "user", required_argument, NULL, OPT_USER },
	{ "no-toolstack", no_argument, NULL, OPT_NO_TOOLSTACK },
	{ "no-backend", no_argument, NULL, OPT_NO_BACKEND },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"Usage: xenopticd [OPTION]…\n"
	"Serves optical drives of this host to Xen guests.\n\n"
	"  --config FILE       configuration (default " XO_CONFIG_FILE ", if it is there)\n"
	"  --run-dir DIR       control socket and state of the workers (default " XO_RUN_DIR ")\n"
	"  --state-dir DIR     trays of virtual drives (default " XO_STATE_DIR ")\n"
	"  --libexec-dir DIR   where the workers' programs are (default " XO_LIBEXEC_DIR ")\n"
	"  --libxl-dir DIR     where libxl keeps the configurations of its domains (default "
	"/var/lib/xen)\n"
	"  --user USER         what the workers become (default xenoptic)\n"
	"  --no-toolstack      serve the drives of this domain only: a driver domain\n"
	"  --no-backend        attach and detach only\n"
	"  --foreground        stay in the foreground (always so)\n"
	"  --log LEVEL         3 (errors) to 7 (debug); default 6\n"
	"  --help, --version\n";

static int set_log_level(struct xo_config *config, const char *text)
{
	if (!text || text[0] < '3' || text[0] > '7' || text[1])
		return -EINVAL;
	config->log_level = (unsigned int)(text[0] - '0');
	return 0;
}

static int set_option(struct xo_config *config, int option, const char *value)
{
	switch (option) {
	case OPT_CONFIG:
		return 0; /* was read before the others */
	case OPT_RUN_DIR:
		return xo_config_set(&config->run_dir, value);
	case OPT_STATE_DIR:
		return xo_config_set(&config->state_dir, value);
	case OPT_LIBEXEC_DIR:
		return xo_config_set(&config->libexec_dir, value);
	case OPT_LIBXL_DIR:
		return xo_config_set(&config->libxl_dir, value);
	case OPT_USER:
		return xo_config_set(&config->user, value);
	case OPT_NO_TOOLSTACK:
		config->toolstack = false;
		return 0;
	case OPT_NO_BACKEND:
		config->backend = false;
		return 0;
	case OPT_FOREGROUND:
		return 0;
	case OPT_LOG:
		return set_log_level(config, value);
	default:
		return -EINVAL;
	}
}

/* The file first, then what the command line says. 0, 1: exit with success, -errno. */
static int configure(struct xo_config *config, int argc, char **argv)
{
	const char *path = NULL;
	int option;
	int r;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPT_HELP) {
			fputs(usage, stdout);
			return 1;
		}
		if (option == OPT_VERSION) {
			puts("xenopticd " PACKAGE_VERSION);
			return 1;
		}
		if (option == '?')
			return -EINVAL;
		if (option == OPT_CONFIG)
			path = optarg;
	}
	if (optind < argc) {
		fprintf(stderr, "xenopticd: %s: unexpected argument\n", argv[optind]);
		return -EINVAL;
	}
	r = xo_config_read(config, path ? path : XO_CONFIG_FILE);
	if (r == -ENOENT && !path)
		r = 0;
	if (r) {
		xo_error("configuration %s: %s", path ? path : XO_CONFIG_FILE, strerror(-r));
		return r;
	}
	optind = 1;
	while (!r && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		r = set_option(config, option, optarg);
	return r;
}

void xo_launcher_quit(struct xo_launcher *launcher, bool stop_workers)
{
	launcher->stop_workers |= stop_workers;
	uv_stop(&launcher->loop);
}

static void workers_changed(struct xo_workers *workers)
{
	const struct xo_launcher *launcher = workers->priv;

	xo_state_save(launcher->config.run_dir, workers, launcher->drives.next_link);
}

static void workers_unchanged(struct xo_workers *workers)
{
	(void)workers;
}

static void drive_available(void *priv, const char *drive)
{
	struct xo_launcher *launcher = priv;

	if (launcher->config.backend)
		xo_devices_drive_available(&launcher->devices, drive);
	xo_controllers_drive_available(&launcher->controllers, drive);
}

static void drive_event(void *priv, const char *drive, const char *event, const json_t *data)
{
	struct xo_launcher *launcher = priv;
	json_t *copy = data ? json_deep_copy(data) : json_object();

	json_object_set_new(copy, "drive", json_string(drive));
	xo_server_event(&launcher->server, event, copy);
}

static void host_device(void *priv, const struct xo_hotplug_event *event)
{
	struct xo_launcher *launcher = priv;

	xo_drives_hotplug(&launcher->drives, event);
}

static void device_event(void *priv, const char *event, json_t *data)
{
	struct xo_launcher *launcher = priv;

	xo_server_event(&launcher->server, event, data);
}

static void clean_later(uv_timer_t *timer)
{
	struct xo_launcher *launcher = timer->data;

	xo_toolstack_clean(&launcher->store);
}

/* What is left of dead domains goes, now, and what dies while we look a little later. */
static void clean(struct xo_launcher *launcher)
{
	if (!launcher->config.toolstack)
		return;
	xo_toolstack_clean(&launcher->store);
	uv_timer_start(&launcher->clean_timer, clean_later, CLEAN_AGAIN_MS, 0);
}

static void domain_gone(void *priv)
{
	clean(priv);
}

static void line_refused(void *priv, unsigned int domid, const char *reason)
{
	struct xo_launcher *launcher = priv;

	xo_server_event(&launcher->server, "line-refused",
			json_pack("{s:i,s:s}", "domid", (int)domid, "message", reason));
}

static void domain_settled(void *priv, unsigned int domid)
{
	struct xo_launcher *launcher = priv;

	struct xo_domain domain;

	xo_holds_release(&launcher->holds, domid);
	if (!xo_domain_read(&launcher->store, domid, &domain))
		xo_refusals_started(&launcher->refusals, &domain);
}

static bool is_settled(void *priv, unsigned int domid)
{
	const struct xo_launcher *launcher = priv;

	return xo_configured_settled(&launcher->configured, domid);
}

static void store_changed(void *priv, const char *path)
{
	struct xo_launcher *launcher = priv;

	if (launcher->config.toolstack && path[0] == '@')
		xo_configured_scan(&launcher->configured);
	if (launcher->config.backend)
		xo_devices_changed(&launcher->devices, path);
	if (!strcmp(path, "@releaseDomain")) {
		xo_controllers_released(&launcher->controllers);
		xo_refusals_released(&launcher->refusals, &launcher->store);
		clean(launcher);
	}
}

static void store_lost(void *priv)
{
	struct xo_launcher *launcher = priv;

	launcher->result = 1; /* the service manager starts us again; the workers go on meanwhile */
	xo_launcher_quit(launcher, false);
}

static int make_directory(const char *path, mode_t mode)
{
	struct stat st;

	if (!mkdir(path, mode) || errno == EEXIST) {
		/* Not one that somebody else could put things into. */
		if (!stat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
		    !(st.st_mode & 022))
			return 0;
		xo_error("%s: must be a directory that only its owner, who runs this, can write",
			 path);
		return -EPERM;
	}
	xo_error("%s: %s", path, strerror(errno));
	return -errno;
}

/* One daemon for a run directory. */
static int lock_run_dir(struct xo_launcher *launcher)
{
	char *path;
	int r = make_directory(launcher->config.run_dir, 0755);

	if (r)
		return r;
	if (asprintf(&path, "%s/lock", launcher->config.run_dir) < 0)
		return -ENOMEM;
	launcher->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (launcher->lock_fd < 0 || flock(launcher->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		xo_error("%s: %s", path,
			 r == -EWOULDBLOCK ? "another xenopticd serves this run directory"
					   : strerror(-r));
	}
	free(path);
	return r;
}

static void raise_limits(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void signalled(uv_signal_t *handle, int number)
{
	struct xo_launcher *launcher = handle->data;

	xo_info("signal %d: ending; the workers go on", number);
	xo_launcher_quit(launcher, false);
}

static void init_parts(struct xo_launcher *launcher)
{
	launcher->workers = (struct xo_workers){
		.loop = &launcher->loop,
		.keeper = &launcher->keeper,
		.libexec_dir = launcher->config.libexec_dir,
		.restart_limit = launcher->config.restart_limit,
		.restart_window = launcher->config.restart_window,
		.changed = workers_unchanged,
		.priv = launcher,
	};
	LIST_INIT(&launcher->workers.list);
	launcher->drives.available = drive_available;
	launcher->drives.event = drive_event;
	launcher->drives.priv = launcher;
	xo_drives_init(&launcher->drives, &launcher->loop, &launcher->config, &launcher->workers);
	launcher->devices = (struct xo_devices){
		.loop = &launcher->loop,
		.config = &launcher->config,
		.store = &launcher->store,
		.workers = &launcher->workers,
		.drives = &launcher->drives,
		.event = device_event,
		.domain_gone = domain_gone,
		.priv = launcher,
	};
	launcher->controllers = (struct xo_controllers){
		.config = &launcher->config,
		.store = &launcher->store,
		.workers = &launcher->workers,
		.drives = &launcher->drives,
		.event = device_event,
		.priv = launcher,
	};
	xo_controllers_init(&launcher->controllers);
	xo_refusals_init(&launcher->refusals);
}

/* What a former launcher left. The state file stays as it is until all of it has been read. */
static unsigned int take_over(struct xo_launcher *launcher)
{
	unsigned int found = xo_state_adopt(launcher->config.run_dir, &launcher->drives,
					    launcher->config.backend ? &launcher->devices : NULL,
					    &launcher->controllers);

	xo_point(XO_POINT_ADOPTED);
	launcher->workers.changed = workers_changed;
	workers_changed(&launcher->workers);
	xo_keeper_sweep(&launcher->keeper);
	xo_workers_revive(&launcher->workers);
	xo_drives_settle(&launcher->drives);
	return found;
}

/* Domains that come from now on are held until their nodes are there; those that are there are looked at. */
static void start_toolstack(struct xo_launcher *launcher)
{
	launcher->holds.loop = &launcher->loop;
	launcher->holds.config = &launcher->config;
	launcher->holds.settled = is_settled;
	launcher->holds.priv = launcher;
	xo_holds_init(&launcher->holds);
	launcher->configured.loop = &launcher->loop;
	launcher->configured.config = &launcher->config;
	launcher->configured.store = &launcher->store;
	launcher->configured.settled = domain_settled;
	launcher->configured.refused = line_refused;
	launcher->configured.priv = launcher;
	xo_configured_init(&launcher->configured);
	xo_store_watch(&launcher->store, "@introduceDomain");
}

static int start(struct xo_launcher *launcher)
{
	char *socket;
	unsigned int found;
	int r = lock_run_dir(launcher);

	if (!r)
		r = xo_keeper_open(&launcher->keeper, &launcher->loop, launcher->config.run_dir,
				   launcher->config.libexec_dir, launcher->config.user);
	if (!r)
		r = xo_store_open(&launcher->store, &launcher->loop, store_changed, store_lost,
				  launcher);
	if (r)
		return r;
	init_parts(launcher);
	/* Before drives are looked at: what comes later is heard of. */
	if (launcher->config.backend)
		xo_hotplug_open(&launcher->hotplug, &launcher->loop, host_device, launcher);
	if (launcher->config.backend)
		r = xo_devices_init(&launcher->devices);
	if (r)
		return r;
	uv_timer_init(&launcher->loop, &launcher->clean_timer);
	launcher->clean_timer.data = launcher;
	found = take_over(launcher);
	xo_store_watch(&launcher->store, "@releaseDomain"); /* not for a driver domain */
	xo_controllers_released(&launcher->controllers); /* while the launcher was away */
	if (asprintf(&socket, "%s/control.sock", launcher->config.run_dir) < 0)
		return -ENOMEM;
	r = xo_server_open(&launcher->server, &launcher->loop, socket, xo_launcher_commands,
			   launcher);
	free(socket);
	if (r)
		return r;
	if (launcher->config.toolstack)
		start_toolstack(launcher);
	xo_info("serving domain %u%s%s; %u workers were found again", launcher->store.domid,
		launcher->config.backend ? ", backend" : "",
		launcher->config.toolstack ? ", toolstack" : "", found);
	xo_notify("READY=1");
	return 0;
}

static void close_handle(uv_handle_t *handle, void *priv)
{
	(void)priv;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void stop(struct xo_launcher *launcher)
{
	struct xo_worker *worker;

	xo_notify("STOPPING=1");
	if (launcher->stop_workers)
		LIST_FOREACH (worker, &launcher->workers.list, entry)
			xo_worker_kill(worker);
	/* State file and keeper are for the successor. */
	launcher->workers.changed = workers_unchanged;
	xo_keeper_close(&launcher->keeper, launcher->stop_workers);
	xo_server_close(&launcher->server);
	xo_devices_fini(&launcher->devices);
	xo_controllers_fini(&launcher->controllers);
	xo_refusals_fini(&launcher->refusals);
	if (launcher->config.toolstack) {
		xo_configured_fini(&launcher->configured);
		xo_holds_fini(&launcher->holds);
	}
	xo_drives_fini(&launcher->drives);
	xo_hotplug_close(&launcher->hotplug);
	xo_store_close(&launcher->store);
}

int main(int argc, char **argv)
{
	static struct xo_launcher launcher = { .lock_fd = -1, .holds.control = -1 };
	uv_signal_t signals[2];
	int r = xo_config_init(&launcher.config);

	xo_log_open("xenopticd", XO_LOG_INFO);
	if (!r)
		r = configure(&launcher.config, argc, argv);
	if (r) {
		xo_config_fini(&launcher.config);
		return r < 0;
	}
	xo_log_open("xenopticd", (enum xo_log_level)launcher.config.log_level);
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	raise_limits();
	r = xo_restrict();
	if (!r)
		r = xo_point_init(xo_launcher_points, XO_POINT_COUNT, NULL);
	if (!r)
		r = uv_loop_init(&launcher.loop);
	if (r)
		return 1;
	for (unsigned int i = 0; i < XO_ARRAY_SIZE(signals); i++) {
		uv_signal_init(&launcher.loop, &signals[i]);
		signals[i].data = &launcher;
		uv_signal_start(&signals[i], signalled, i ? SIGINT : SIGTERM);
	}
	r = start(&launcher);
	if (r)
		launcher.result = 1;
	else
		uv_run(&launcher.loop, UV_RUN_DEFAULT);
	stop(&launcher);
	uv_walk(&launcher.loop, close_handle, NULL);
	uv_run(&launcher.loop, UV_RUN_DEFAULT);
	uv_loop_close(&launcher.loop);
	xo_config_fini(&launcher.config);
	if (launcher.lock_fd >= 0)
		close(launcher.lock_fd);
	return launcher.result;
}
