// SPDX-License-Identifier: GPL-2.0-or-later
/* What xenstore tells: connection to the backend, its logical unit, media events; the module. */
#include "cdfront.h"

static unsigned int max_ring_pages = CDFRONT_RING_PAGES;
module_param(max_ring_pages, uint, 0444);
MODULE_PARM_DESC(max_ring_pages, "Pages of the ring at most (1, 2 or 4)");

/* --- media events --- */

/* What the block layer sends when it finds the event by polling; udev and desktops listen to it. */
static int cdfront_disk_event(struct device *dev, void *event)
{
	char *envp[2] = { event };

	if (dev->class && !strcmp(dev->class->name, "block"))
		kobject_uevent_env(&dev->kobj, KOBJ_CHANGE, envp);
	return 0;
}

static void cdfront_medium_changed(struct scsi_device *sdev)
{
	sdev_evt_send_simple(sdev, SDEV_EVT_MEDIA_CHANGE, GFP_KERNEL);
	device_for_each_child(&sdev->sdev_gendev, "DISK_MEDIA_CHANGE=1", cdfront_disk_event);
}

static unsigned int cdfront_counter(struct cdfront *info, const char *name)
{
	char node[64];

	snprintf(node, sizeof(node), "vscsi-devs/%s/%s", info->unit, name);
	return xenbus_read_unsigned(info->dev->otherend, node, 0);
}

/* The counters of the backend's unit: each step is an event (xenstore-schemas/optical). */
static void cdfront_media(struct cdfront *info, bool tell)
{
	unsigned int changes = cdfront_counter(info, "media-changes");
	unsigned int ejects = cdfront_counter(info, "eject-requests");
	struct scsi_device *sdev = tell ? scsi_device_lookup(info->host, 0, 0, 0) : NULL;

	if (sdev && changes != info->media_changes)
		cdfront_medium_changed(sdev);
	if (sdev && ejects != info->eject_requests)
		device_for_each_child(&sdev->sdev_gendev, "DISK_EJECT_REQUEST=1",
				      cdfront_disk_event);
	if (sdev)
		scsi_device_put(sdev);
	info->media_changes = changes;
	info->eject_requests = ejects;
}

/* --- watches --- */

/* However many events there are: the work looks at what is there when it runs. */
static bool cdfront_node_wanted(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct cdfront *info = container_of(watch, struct cdfront, node_watch);

	return !work_pending(&info->work);
}

static void cdfront_node_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	cdfront_queue_work(container_of(watch, struct cdfront, node_watch));
}

static bool cdfront_units_wanted(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct cdfront *info = container_of(watch, struct cdfront, units_watch);

	return !work_pending(&info->work);
}

static void cdfront_units_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	cdfront_queue_work(container_of(watch, struct cdfront, units_watch));
}

static void cdfront_unwatch(struct xenbus_watch *watch)
{
	if (!watch->node)
		return;
	unregister_xenbus_watch(watch);
	kfree(watch->node);
	watch->node = NULL;
}

static void cdfront_watch_units(struct cdfront *info)
{
	cdfront_unwatch(&info->units_watch);
	if (!xenbus_read_unsigned(info->dev->otherend, "feature-media-events", 0))
		return;
	xenbus_watch_pathfmt(info->dev, &info->units_watch, cdfront_units_wanted,
			     cdfront_units_changed, "%s/%s", info->dev->otherend, "vscsi-devs");
}

/* --- connection --- */

/*
 * Nothing is heard by these: they are so many that the backend may unmask several at once. As
 * many as there are to be had; xenbus_alloc_evtchn() would end the device for one.
 */
static void cdfront_setup_doorbells(struct cdfront *info)
{
	struct evtchn_alloc_unbound alloc = {
		.dom = DOMID_SELF,
		.remote_dom = info->dev->otherend_id,
	};

	for (info->channels = 1; info->channels < info->max_channels; info->channels++) {
		if (HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc))
			break;
		info->evtchns[info->channels] = alloc.port;
	}
}

static int cdfront_setup_event(struct cdfront *info)
{
	const evtchn_port_t *evtchn = &info->evtchns[0];
	int err = xenbus_alloc_evtchn(info->dev, &info->evtchns[0]);

	if (err)
		return err;
	err = bind_evtchn_to_irq_lateeoi(*evtchn);
	if (err <= 0) {
		xenbus_dev_fatal(info->dev, err, "bind_evtchn_to_irq");
		xenbus_free_evtchn(info->dev, *evtchn);
		return err ? err : -EINVAL;
	}
	info->irq = err;
	info->threaded = false;
	/* Not heard until its EOI, it needs no IRQF_ONESHOT. */
	err = request_threaded_irq(info->irq, cdfront_irq, cdfront_irq_thread, 0, "xen-cdfront",
				   info);
	if (err) {
		xenbus_dev_fatal(info->dev, err, "request_threaded_irq");
		evtchn_put(*evtchn);
		info->irq = 0;
		return err;
	}
	cdfront_setup_doorbells(info);
	return 0;
}

static int cdfront_setup_ring(struct cdfront *info)
{
	struct vscsiif_sring *sring;
	int err;

	err = xenbus_setup_ring(info->dev, GFP_NOIO, (void **)&sring, info->ring_pages,
				info->ring_refs);
	if (err)
		return err;
	XEN_FRONT_RING_INIT(&info->ring, sring, info->ring_pages * XEN_PAGE_SIZE);
	info->ids = min_t(unsigned int, RING_SIZE(&info->ring), CDFRONT_MAX_IDS);
	return cdfront_setup_event(info);
}

/* The backend is gone or is to go: nothing of the connection is used again. */
static void cdfront_free_ring(struct cdfront *info)
{
	/* A guest that was restored has none of its ports: by now they may be somebody else's. */
	const bool ours = info->irq && irq_from_evtchn(info->evtchns[0]) == info->irq;
	unsigned int i;

	if (info->irq)
		unbind_from_irqhandler(info->irq, info);
	info->irq = 0;
	for (; info->channels > 1; info->channels--)
		if (ours)
			xenbus_free_evtchn(info->dev, info->evtchns[info->channels - 1]);
	if (info->ring.sring)
		xenbus_teardown_ring((void **)&info->ring.sring, info->ring_pages, info->ring_refs);

	spin_lock_irq(&info->lock);
	cdfront_pool_end(info);
	for (i = 0; i < CDFRONT_MAX_IDS; i++)
		if (info->shadows[i].kind == CDFRONT_LOST)
			cdfront_id_put(info, i);
	spin_unlock_irq(&info->lock);
}

static int cdfront_publish_refs(struct cdfront *info, struct xenbus_transaction xbt)
{
	const char *node = info->dev->nodename;
	unsigned int i;
	char name[16];
	int err;

	/* What an earlier connection wrote must not be read with this one. */
	err = xenbus_printf(xbt, node, "ring-page-order", "%u", ilog2(info->ring_pages));
	if (!err && info->ring_pages == 1)
		return xenbus_printf(xbt, node, "ring-ref", "%u", info->ring_refs[0]);
	for (i = 0; i < info->ring_pages && !err; i++) {
		snprintf(name, sizeof(name), "ring-ref%u", i);
		err = xenbus_printf(xbt, node, name, "%u", info->ring_refs[i]);
	}
	return err;
}

static int cdfront_publish_channels(struct cdfront *info, struct xenbus_transaction xbt)
{
	const char *node = info->dev->nodename;
	unsigned int i;
	char name[20];
	int err;

	err = xenbus_printf(xbt, node, "event-channel", "%u", info->evtchns[0]);
	if (!err)
		err = xenbus_printf(xbt, node, "event-channels", "%u", info->channels);
	for (i = 1; i < info->channels && !err; i++) {
		snprintf(name, sizeof(name), "event-channel%u", i);
		err = xenbus_printf(xbt, node, name, "%u", info->evtchns[i]);
	}
	return err;
}

static int cdfront_publish_in(struct cdfront *info, struct xenbus_transaction xbt)
{
	const char *node = info->dev->nodename;
	int err = cdfront_publish_refs(info, xbt);

	if (!err)
		err = cdfront_publish_channels(info, xbt);
	if (!err)
		err = xenbus_printf(xbt, node, "protocol", "%s", XEN_IO_PROTO_ABI_NATIVE);
	if (!err)
		err = xenbus_printf(xbt, node, "feature-persistent", "%u", 1);
	if (!err)
		err = xenbus_printf(xbt, node, "feature-media-events", "%u", 1);
	return err;
}

static int cdfront_publish(struct cdfront *info)
{
	struct xenbus_transaction xbt;
	int err;

	do {
		err = xenbus_transaction_start(&xbt);
		if (err)
			break;
		err = cdfront_publish_in(info, xbt);
		if (err) {
			xenbus_transaction_end(xbt, 1);
			break;
		}
		err = xenbus_transaction_end(xbt, 0);
	} while (err == -EAGAIN);
	if (err)
		xenbus_dev_fatal(info->dev, err, "writing to xenstore");
	return err;
}

/* What the backend offers, within what we take. */
static void cdfront_negotiate(struct cdfront *info)
{
	const char *other = info->dev->otherend;
	unsigned int order = xenbus_read_unsigned(other, "max-ring-page-order", 0);
	unsigned int transfer = xenbus_read_unsigned(other, "max-transfer", 0);
	unsigned int most = clamp_t(unsigned int, max_ring_pages, 1, CDFRONT_RING_PAGES);

	info->ring_pages = min_t(unsigned int, 1u << min(order, 2u), rounddown_pow_of_two(most));
	info->max_channels = clamp_t(unsigned int,
				     xenbus_read_unsigned(other, "max-event-channels", 1), 1,
				     CDFRONT_CHANNELS);
	info->sg_grant = min_t(unsigned int, xenbus_read_unsigned(other, "feature-sg-grant", 0),
			       CDFRONT_MAX_SEGMENTS);
	info->max_bytes = max_t(unsigned int, info->sg_grant, VSCSIIF_SG_TABLESIZE) * XEN_PAGE_SIZE;
	if (transfer >= XEN_PAGE_SIZE)
		info->max_bytes = min_t(unsigned int, info->max_bytes,
					round_down(transfer, SECTOR_SIZE));
}

static void cdfront_connect(struct cdfront *info)
{
	int err;

	cdfront_negotiate(info);
	err = cdfront_setup_ring(info);
	if (!err)
		err = cdfront_publish(info);
	if (err)
		cdfront_free_ring(info);
	else
		xenbus_switch_state(info->dev, XenbusStateInitialised);
}

static void cdfront_unit_state(struct cdfront *info, const char *dir, enum xenbus_state state)
{
	char path[64];

	snprintf(path, sizeof(path), "vscsi-devs/%.15s/state", dir);
	xenbus_printf(XBT_NIL, info->dev->nodename, path, "%d", state);
}

/* What the backend says of an entry of vscsi-devs, if it is our logical unit. */
static enum xenbus_state cdfront_unit_read(struct cdfront *info, const char *dir)
{
	unsigned int host, channel, target, lun;
	char node[64];

	if (strlen(dir) >= CDFRONT_UNIT_NAME)
		return XenbusStateUnknown;
	snprintf(node, sizeof(node), "vscsi-devs/%.15s/v-dev", dir);
	if (xenbus_scanf(XBT_NIL, info->dev->otherend, node, "%u:%u:%u:%u", &host, &channel,
			 &target, &lun) != 4 || channel || target || lun)
		return XenbusStateUnknown;
	snprintf(node, sizeof(node), "vscsi-devs/%.15s/state", dir);
	return xenbus_read_unsigned(info->dev->otherend, node, XenbusStateUnknown);
}

/* The limits of another backend, for a drive that is there already. */
static void cdfront_limits(struct cdfront *info, struct scsi_device *sdev)
{
	struct queue_limits limits = queue_limits_start_update(sdev->request_queue);

	limits.max_hw_sectors = info->max_bytes / SECTOR_SIZE;
	if (queue_limits_commit_update(sdev->request_queue, &limits))
		dev_warn(&info->dev->dev, "the drive's limits are not taken\n");
}

/* The logical unit is there: with the mid-layer as well. */
static void cdfront_unit_add(struct cdfront *info, const char *dir)
{
	struct scsi_device *sdev = scsi_device_lookup(info->host, 0, 0, 0);
	bool known = sdev && !strcmp(info->unit, dir);

	strscpy(info->unit, dir, sizeof(info->unit));
	if (!known)
		cdfront_media(info, false);
	if (!sdev && scsi_add_device(info->host, 0, 0, 0)) {
		dev_err(&info->dev->dev, "the drive cannot be added\n");
		cdfront_unit_state(info, dir, XenbusStateClosed);
		return;
	}
	cdfront_unit_state(info, dir, XenbusStateConnected);
	if (sdev)
		scsi_device_put(sdev);
}

static void cdfront_unit_remove(struct cdfront *info)
{
	struct scsi_device *sdev = scsi_device_lookup(info->host, 0, 0, 0);

	if (!sdev)
		return;
	scsi_remove_device(sdev);
	scsi_device_put(sdev);
}

static void cdfront_units(struct cdfront *info)
{
	const char *here = NULL, *leaves = NULL;
	unsigned int count, i;
	char **dirs;

	dirs = xenbus_directory(XBT_NIL, info->dev->otherend, "vscsi-devs", &count);
	if (IS_ERR(dirs))
		return;
	for (i = 0; i < min_t(unsigned int, count, CDFRONT_MAX_UNIT_NODES); i++) {
		enum xenbus_state state = cdfront_unit_read(info, dirs[i]);

		if (state == XenbusStateInitialised || state == XenbusStateConnected)
			here = dirs[i];
		else if (state == XenbusStateClosing)
			leaves = dirs[i];
	}
	if (!here || leaves)
		cdfront_unit_remove(info);
	if (leaves)
		cdfront_unit_state(info, leaves, XenbusStateClosed);
	if (here)
		cdfront_unit_add(info, here);
	kfree(dirs);
}

/* Another connection serves a drive that programs may have open. */
static void cdfront_resumed(struct cdfront *info)
{
	struct scsi_device *sdev;

	info->resumed = false;
	sdev = scsi_device_lookup(info->host, 0, 0, 0);
	if (!sdev)
		return;
	cdfront_limits(info, sdev);
	cdfront_medium_changed(sdev);
	scsi_device_put(sdev);
}

static int cdfront_add_host(struct cdfront *info)
{
	int err;

	info->host->can_queue = info->ids - CDFRONT_RESERVED_IDS;
	err = scsi_add_host(info->host, &info->dev->dev);
	if (err)
		xenbus_dev_fatal(info->dev, err, "scsi_add_host");
	info->added = !err;
	return err;
}

static void cdfront_connected(struct cdfront *info)
{
	bool waited;

	if (info->dev->state == XenbusStateInitialised) {
		/* For a drive that is added from here on. */
		info->host->max_sectors = info->max_bytes / SECTOR_SIZE;
		spin_lock_irq(&info->lock);
		waited = info->state == CDFRONT_WAITING;
		if (waited || info->state == CDFRONT_ABSENT)
			info->state = CDFRONT_CONNECTED;
		info->attention = info->resumed;
		spin_unlock_irq(&info->lock);
		if (!info->added && cdfront_add_host(info))
			return;
		cancel_delayed_work(&info->deadline);
		/* What waited for the ring goes on. */
		if (waited)
			scsi_unblock_requests(info->host);
		if (info->resumed)
			cdfront_resumed(info);
		cdfront_watch_units(info);
	}
	if (!info->added)
		return;
	xenbus_switch_state(info->dev, XenbusStateConnected);
	cdfront_units(info);
}

/*
 * The device goes away for good. While the backend serves, the mid-layer's last
 * commands to the drive are carried out.
 */
static void cdfront_disconnect(struct cdfront *info, bool served)
{
	if (info->closed)
		return;
	info->closed = true;
	cancel_delayed_work(&info->deadline);
	if (!served) {
		spin_lock_irq(&info->lock);
		cdfront_end_all(info, CDFRONT_GONE, DID_NO_CONNECT);
		spin_unlock_irq(&info->lock);
		scsi_unblock_requests(info->host);
	}
	if (info->added)
		scsi_remove_host(info->host);
	info->added = false;
	spin_lock_irq(&info->lock);
	cdfront_end_all(info, CDFRONT_GONE, DID_NO_CONNECT);
	spin_unlock_irq(&info->lock);
}

static bool cdfront_serving(struct cdfront *info)
{
	return READ_ONCE(info->state) == CDFRONT_CONNECTED;
}

/* Goes on from what xenstore says now. */
static void cdfront_step(struct cdfront *info, enum xenbus_state backend)
{
	switch (backend) {
	case XenbusStateInitWait:
		if (info->dev->state == XenbusStateInitialising && !info->ring.sring)
			cdfront_connect(info);
		break;
	case XenbusStateConnected:
		if (info->ring.sring)
			cdfront_connected(info);
		break;
	case XenbusStateReconfiguring:
		if (info->added && cdfront_serving(info)) {
			cdfront_units(info);
			xenbus_switch_state(info->dev, XenbusStateReconfiguring);
		}
		break;
	case XenbusStateReconfigured:
		if (info->added && cdfront_serving(info)) {
			cdfront_units(info);
			xenbus_switch_state(info->dev, XenbusStateConnected);
		}
		break;
	case XenbusStateClosing:
	case XenbusStateClosed:
		/* One that never connected is that of the connection before. */
		if (!info->ring.sring)
			break;
		/* One that lets go of a drive asks first. */
		if (backend == XenbusStateClosed && cdfront_serving(info))
			dev_warn(&info->dev->dev, "the backend has closed: the drive is gone\n");
		cdfront_disconnect(info, backend == XenbusStateClosing && cdfront_serving(info));
		xenbus_frontend_closed(info->dev);
		break;
	default:
		break;
	}
}

static void cdfront_work(struct work_struct *work)
{
	struct cdfront *info = container_of(work, struct cdfront, work);

	if (info->closed)
		return;
	/* A guest that was restored where nobody gave it the device, or not in time. */
	if (!info->dev->otherend || !xenbus_exists(XBT_NIL, info->dev->nodename, "backend")) {
		dev_warn(&info->dev->dev, "the device is gone\n");
		cdfront_disconnect(info, false);
		return;
	}
	if (READ_ONCE(info->state) == CDFRONT_BROKEN) {
		xenbus_dev_error(info->dev, -EPROTO, "the backend %s", info->why);
		cdfront_disconnect(info, false);
		xenbus_frontend_closed(info->dev);
		return;
	}
	cdfront_step(info, READ_ONCE(info->backend_state));
	if (info->added && info->units_watch.node && cdfront_serving(info))
		cdfront_media(info, true);
}

static void cdfront_deadline(struct work_struct *work)
{
	struct cdfront *info = container_of(to_delayed_work(work), struct cdfront, deadline);
	bool absent;

	spin_lock_irq(&info->lock);
	absent = info->state == CDFRONT_WAITING;
	if (absent)
		info->state = CDFRONT_ABSENT;
	spin_unlock_irq(&info->lock);
	if (!absent)
		return;
	dev_warn(&info->dev->dev, "no backend has come: commands to the drive fail\n");
	scsi_unblock_requests(info->host);
}

static void cdfront_backend_changed(struct xenbus_device *dev, enum xenbus_state state)
{
	struct cdfront *info = dev_get_drvdata(&dev->dev);

	WRITE_ONCE(info->backend_state, state);
	cdfront_queue_work(info);
}

static int cdfront_probe(struct xenbus_device *dev, const struct xenbus_device_id *id)
{
	struct Scsi_Host *host;
	struct cdfront *info;
	int err;

	host = scsi_host_alloc(&cdfront_template, sizeof(*info));
	if (!host) {
		xenbus_dev_fatal(dev, -ENOMEM, "scsi_host_alloc");
		return -ENOMEM;
	}
	info = shost_priv(host);
	info->dev = dev;
	info->host = host;
	spin_lock_init(&info->lock);
	INIT_DELAYED_WORK(&info->shrink, cdfront_shrink);
	INIT_DELAYED_WORK(&info->deadline, cdfront_deadline);
	INIT_WORK(&info->work, cdfront_work);
	init_waitqueue_head(&info->wait);
	host->max_id = 1;
	host->max_lun = 1;
	host->max_channel = 0;
	host->max_cmd_len = VSCSIIF_MAX_COMMAND_SIZE;
	dev_set_drvdata(&dev->dev, info);
	err = xenbus_watch_pathfmt(dev, &info->node_watch, cdfront_node_wanted,
				   cdfront_node_changed, "%s/backend", dev->nodename);
	if (err) {
		dev_set_drvdata(&dev->dev, NULL);
		scsi_host_put(host);
		return err;
	}
	/* An earlier driver of this device has closed it. */
	xenbus_switch_state(dev, XenbusStateInitialising);
	return 0;
}

static void cdfront_leaving(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct cdfront *info = container_of(watch, struct cdfront, node_watch);

	WRITE_ONCE(info->backend_state,
		   xenbus_read_unsigned(info->dev->otherend, "state", XenbusStateUnknown));
	wake_up_all(&info->wait);
}

static bool cdfront_left(struct cdfront *info)
{
	enum xenbus_state state = READ_ONCE(info->backend_state);

	return state == XenbusStateClosed || state == XenbusStateUnknown;
}

/*
 * The driver is unloaded while the backend serves: that lets go of our pages
 * first. The bus does not tell of its state any more.
 */
static void cdfront_leave(struct cdfront *info)
{
	xenbus_switch_state(info->dev, XenbusStateClosed);
	if (!xenbus_watch_pathfmt(info->dev, &info->node_watch, NULL, cdfront_leaving, "%s/state",
				  info->dev->otherend))
		wait_event_timeout(info->wait, cdfront_left(info), CDFRONT_CLOSE_TIMEOUT);
	cdfront_unwatch(&info->node_watch);
}

/*
 * The device's nodes were away and are there again: the guest was restored to
 * nothing, which loses the other end, or they were removed and made again
 * before the bus looked. It takes them for those that it knows. Or the device
 * was closed before the guest was suspended (cdfront_resume).
 */
static bool cdfront_made_anew(struct xenbus_device *dev)
{
	return (!dev->otherend || dev->state != XenbusStateInitialising) &&
	       xenbus_read_unsigned(dev->nodename, "state", XenbusStateUnknown) ==
	       XenbusStateInitialising;
}

static void cdfront_remove(struct xenbus_device *dev)
{
	struct cdfront *info = dev_get_drvdata(&dev->dev);
	bool anew = cdfront_made_anew(dev);
	bool served = !anew && xenbus_exists(XBT_NIL, dev->nodename, "backend") &&
		      cdfront_serving(info);

	cdfront_unwatch(&info->node_watch);
	if (!served) {
		if (!anew && cdfront_serving(info))
			dev_warn(&dev->dev, "the device is gone\n");
		/* Before the work is waited for: it may wait for the drive. */
		spin_lock_irq(&info->lock);
		cdfront_end_all(info, CDFRONT_GONE, DID_NO_CONNECT);
		spin_unlock_irq(&info->lock);
	}
	cancel_work_sync(&info->work);
	/* It may have begun to watch the units; once they are, nothing watches them again. */
	cdfront_unwatch(&info->units_watch);
	cancel_work_sync(&info->work);
	cdfront_disconnect(info, served);
	if (served)
		cdfront_leave(info);
	else if (!anew)
		xenbus_switch_state(dev, XenbusStateClosed);
	cancel_work_sync(&info->work);
	cancel_delayed_work_sync(&info->deadline);
	cdfront_free_ring(info);
	cancel_delayed_work_sync(&info->shrink);
	dev_set_drvdata(&dev->dev, NULL);
	scsi_host_put(info->host);
}

/*
 * The guest runs again, here or elsewhere: a new ring to a new backend. The
 * mid-layer has let commands end before; those of its error handler may be left.
 */
static int cdfront_resume(struct xenbus_device *dev)
{
	struct cdfront *info = dev_get_drvdata(&dev->dev);

	if (info->closed) {
		/*
		 * What the other backend did is no fault of this one. A host that was
		 * removed cannot be added again: cdfront_class_changed() has the device
		 * probed anew, which it knows by its state, Initialising in the store only.
		 */
		cdfront_free_ring(info);
		dev->state = XenbusStateClosed;
		return 0;
	}
	scsi_block_requests(info->host);
	cdfront_unwatch(&info->units_watch);
	spin_lock_irq(&info->lock);
	cdfront_end_all(info, CDFRONT_WAITING, DID_RESET);
	spin_unlock_irq(&info->lock);
	cdfront_free_ring(info);
	info->resumed = info->added;
	info->unit[0] = '\0'; /* another backend counts its events from 0 */
	WRITE_ONCE(info->backend_state, XenbusStateUnknown);
	xenbus_switch_state(dev, XenbusStateInitialising);
	queue_delayed_work(system_freezable_wq, &info->deadline, CDFRONT_RESUME_TIMEOUT);
	return 0;
}

static const struct xenbus_device_id cdfront_ids[] = {
	{ "vcd" },
	{ "" }
};

static struct xenbus_driver cdfront_driver = {
	.ids = cdfront_ids,
	.allow_rebind = true,
	.probe = cdfront_probe,
	.remove = cdfront_remove,
	.resume = cdfront_resume,
	.otherend_changed = cdfront_backend_changed,
};

/*
 * Of all that is written there, this comes with new nodes only; the folder itself
 * when the watch is set, at first and whenever the guest was resumed.
 */
static bool cdfront_class_wanted(struct xenbus_watch *watch, const char *path, const char *token)
{
	const char *name = strrchr(path, '/');

	return !strcmp(path, watch->node) || (name && !strcmp(name, "/backend"));
}

static int cdfront_match_anew(struct device *dev, const void *unused)
{
	return cdfront_made_anew(to_xenbus_device(dev));
}

/*
 * Runs where the bus itself adds and removes devices, and where the guest is
 * suspended and resumed.
 */
static void cdfront_class_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct device *dev;

	while ((dev = driver_find_device(&cdfront_driver.driver, NULL, NULL, cdfront_match_anew))) {
		dev_info(dev, "the device is there anew\n");
		if (device_reprobe(dev))
			dev_err(dev, "the device cannot be probed anew\n");
		put_device(dev);
	}
}

static struct xenbus_watch cdfront_class_watch = {
	.node = "device/vcd",
	.will_handle = cdfront_class_wanted,
	.callback = cdfront_class_changed,
};

static int __init cdfront_init(void)
{
	int err;

	if (!xen_domain())
		return -ENODEV;
	err = xenbus_register_frontend(&cdfront_driver);
	if (err)
		return err;
	err = register_xenbus_watch(&cdfront_class_watch);
	if (err)
		xenbus_unregister_driver(&cdfront_driver);
	return err;
}

static void __exit cdfront_exit(void)
{
	unregister_xenbus_watch(&cdfront_class_watch);
	xenbus_unregister_driver(&cdfront_driver);
}

module_init(cdfront_init);
module_exit(cdfront_exit);

MODULE_DESCRIPTION("Xen optical drive frontend");
MODULE_LICENSE("GPL");
MODULE_ALIAS("xen:vcd");
