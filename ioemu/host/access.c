/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses of vCPUs: taken, done by the model, committed, answered. An access
 * that a dead predecessor had committed is answered again, not done again.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "host.h"

/* Elements of a string instruction that are moved at once. */
#define STRING_BYTES 4096u

/*
 * Drivers make their accesses in bursts: the next one often comes sooner than an event would reach us. After
 * an access its successor is looked for in the shared page, a few times as long as successors took lately to
 * come, and not at all where that did not pay: the guest may have no processor while we have ours.
 */
#define LINGER_MAX_NS 300000u
#define LINGER_MIN_NS 10000u
#define LINGER_GAPS 4u
#define LINGER_CREDIT 16u
#define LINGER_TRY 32u /* without credit one access in so many is tried */
/* Others wait for this process, too. */
#define LINGER_ACCESSES 64u

/* The fields of a request, read once. */
struct access {
	uint64_t address;
	uint64_t data;
	uint32_t count;
	uint32_t size;
	bool data_is_ptr;
	bool read;
	bool down;
	uint8_t type;
};

static uint64_t size_mask(uint32_t size)
{
	return size >= 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
}

/* A value of guest memory; a page that is not there reads as ones, like a bus that nobody drives. */
static uint64_t load(struct xo_host *host, uint64_t address, uint32_t size)
{
	uint8_t bytes[8];
	uint64_t value = 0;

	if (xo_guest_memory_read(&host->memory, address, bytes, size))
		return size_mask(size);
	for (uint32_t i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

static void store(struct xo_host *host, uint64_t address, uint32_t size, uint64_t value)
{
	uint8_t bytes[8];

	for (uint32_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	if (xo_guest_memory_write(&host->memory, address, bytes, size))
		xo_log_limited(XO_LOG_WARNING,
			       "the guest's string instruction names no RAM at %#llx",
			       (unsigned long long)address);
}

/* The i-th element's address of a string instruction. */
static uint64_t element(uint64_t base, const struct access *access, uint32_t i)
{
	uint64_t step = (uint64_t)i * access->size;

	return access->down ? base - step : base + step;
}

/* Elements one by one, where some of their memory is not there: the others have theirs all the same. */
static void move_elements(struct xo_host *host, const struct access *access, uint64_t memory,
			  uint8_t *elements, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *bytes = elements + (size_t)i * access->size;
		uint64_t at = memory + (uint64_t)i * access->size;

		if (!access->read) {
			if (xo_guest_memory_read(&host->memory, at, bytes, access->size))
				memset(bytes, 0xff, access->size);
		} else if (xo_guest_memory_write(&host->memory, at, bytes, access->size)) {
			xo_log_limited(XO_LOG_WARNING, "rep ins to no RAM at %#llx",
				       (unsigned long long)at);
		}
	}
}

/* `rep ins`, `rep outs` upwards: as many elements at once as the buffer holds. */
static void port_string(struct xo_host *host, const struct access *access)
{
	uint8_t buffer[STRING_BYTES];
	uint32_t at_once = STRING_BYTES / access->size;

	for (uint32_t i = 0; i < access->count; i += at_once) {
		uint32_t n = XO_MIN(at_once, access->count - i);
		uint64_t memory = element(access->data, access, i);
		size_t bytes = (size_t)n * access->size;

		if (access->read) {
			xo_bus_read_string(&host->bus, access->address, access->size, buffer, n);
			if (xo_guest_memory_write(&host->memory, memory, buffer, bytes))
				move_elements(host, access, memory, buffer, n);
			continue;
		}
		if (xo_guest_memory_read(&host->memory, memory, buffer, bytes))
			move_elements(host, access, memory, buffer, n);
		xo_bus_write_string(&host->bus, access->address, access->size, buffer, n);
	}
}

static uint64_t do_one(struct xo_host *host, enum xo_space space, const struct access *access,
		       uint64_t address, uint64_t value)
{
	if (access->read)
		xo_bus_read(&host->bus, space, address, access->size, &value);
	else
		xo_bus_write(&host->bus, space, address, access->size, value);
	return value;
}

static uint64_t do_port(struct xo_host *host, const struct access *access)
{
	if (!access->data_is_ptr)
		return do_one(host, XO_SPACE_PORT, access, access->address, access->data);
	if (!access->down) {
		port_string(host, access);
		return access->data;
	}
	for (uint32_t i = 0; i < access->count; i++) {
		uint64_t memory = element(access->data, access, i);
		uint64_t value = access->read ? 0 : load(host, memory, access->size);

		value = do_one(host, XO_SPACE_PORT, access, access->address, value);
		if (access->read)
			store(host, memory, access->size, value);
	}
	return access->data;
}

static uint64_t do_memory(struct xo_host *host, const struct access *access)
{
	uint64_t result = access->data;

	for (uint32_t i = 0; i < access->count; i++) {
		uint64_t address = element(access->address, access, i);
		uint64_t memory = element(access->data, access, i);
		uint64_t value = access->data;

		if (access->data_is_ptr && !access->read)
			value = load(host, memory, access->size);
		value = do_one(host, XO_SPACE_MEMORY, access, address, value);
		if (access->data_is_ptr && access->read)
			store(host, memory, access->size, value);
		else if (access->read)
			result = value;
	}
	return result;
}

/* The address is the function in the upper half, the register in the lower. */
static uint64_t do_config(struct xo_host *host, const struct access *access)
{
	struct xo_pci *pci = xo_machine_pci(host);
	uint32_t sbdf = (uint32_t)(access->address >> 32);
	uint32_t reg = (uint32_t)access->address;

	if (sbdf != (uint32_t)host->options.device << 3)
		return UINT64_MAX;
	if (access->read)
		return xo_pci_config_read(pci, reg, access->size);
	xo_pci_config_write(pci, reg, access->size, (uint32_t)access->data);
	return access->data;
}

static uint64_t do_access(struct xo_host *host, const struct access *access)
{
	bool size_valid =
		access->size == 1 || access->size == 2 || access->size == 4 || access->size == 8;

	if (access->type == IOREQ_TYPE_INVALIDATE) {
		xo_guest_memory_forget(&host->memory);
		return access->data;
	}
	if (!size_valid)
		return UINT64_MAX;
	switch (access->type) {
	case IOREQ_TYPE_PIO:
		return do_port(host, access);
	case IOREQ_TYPE_COPY:
		return do_memory(host, access);
	case IOREQ_TYPE_PCI_CONFIG:
		return do_config(host, access);
	default:
		return access->data;
	}
}

static uint8_t slot_state(const volatile ioreq_t *slot)
{
	uint8_t state = slot->state;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return state;
}

static void set_slot_state(volatile ioreq_t *slot, uint8_t state)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	slot->state = (uint8_t)(state & 0xf);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void read_fields(const volatile ioreq_t *slot, struct access *access)
{
	access->address = slot->addr;
	access->data = slot->data;
	access->count = slot->count;
	access->size = slot->size;
	access->data_is_ptr = slot->data_is_ptr;
	access->read = slot->dir == IOREQ_READ;
	access->down = slot->df;
	access->type = slot->type;
}

static void answer(struct xo_host *host, unsigned int vcpu, volatile ioreq_t *slot)
{
	slot->data = host->state.accesses[vcpu].data;
	set_slot_state(slot, STATE_IORESP_READY);
	xo_point(XO_IOEMU_POINT_ANSWERED);
	if (xenevtchn_notify(host->evtchn, host->ports[vcpu]) < 0)
		xo_log_limited(XO_LOG_WARNING, "cannot notify a vCPU: %s", strerror(errno));
}

static void run_access(struct xo_host *host, unsigned int vcpu, volatile ioreq_t *slot)
{
	struct xo_ioemu_access *done = &host->state.accesses[vcpu];
	struct access access;

	read_fields(slot, &access);
	done->data = do_access(host, &access);
	done->sequence = host->record->sequences[vcpu];
	xo_point(XO_IOEMU_POINT_DONE);
	xo_machine_commit(host);
	xo_point(XO_IOEMU_POINT_COMMITTED);
	answer(host, vcpu, slot);
	xo_drive_port_flush(host);
}

/* A request that waits, or one that a predecessor had taken. */
static void serve_vcpu(struct xo_host *host, unsigned int vcpu)
{
	volatile ioreq_t *slot = &host->iopage->vcpu_ioreq[vcpu];

	switch (slot_state(slot)) {
	case STATE_IOREQ_READY:
		host->record->sequences[vcpu]++;
		host->record->accesses++;
		set_slot_state(slot, STATE_IOREQ_INPROCESS);
		xo_point(XO_IOEMU_POINT_TAKEN);
		run_access(host, vcpu, slot);
		break;
	case STATE_IOREQ_INPROCESS:
		/* Ours alone: we answer each before the next event. Seen only by a successor. */
		if (host->state.accesses[vcpu].sequence == host->record->sequences[vcpu])
			answer(host, vcpu, slot);
		else
			run_access(host, vcpu, slot);
		break;
	case STATE_IORESP_READY:
		/* Answered by a predecessor that may have died before it said so. */
		xenevtchn_notify(host->evtchn, host->ports[vcpu]);
		break;
	default:
		/* Spurious: right after the bind, or one answered above. */
		break;
	}
}

void xo_access_recover(struct xo_host *host)
{
	for (unsigned int i = 0; i < host->vcpus; i++)
		serve_vcpu(host, i);
}

static bool serve_ready(struct xo_host *host, unsigned int vcpu)
{
	if (slot_state(&host->iopage->vcpu_ioreq[vcpu]) != STATE_IOREQ_READY)
		return false;
	serve_vcpu(host, vcpu);
	return true;
}

static bool serve_next(struct xo_host *host)
{
	for (unsigned int i = 0; i < host->vcpus; i++)
		if (serve_ready(host, i))
			return true;
	return false;
}

/* Waits for the next access until `limit` has passed. */
static bool linger_once(struct xo_host *host, uint64_t limit)
{
	struct xo_linger *linger = &host->linger;
	uint64_t begin = xo_now_ns();
	uint64_t gap;

	for (;;) {
		gap = xo_now_ns() - begin;
		if (serve_next(host))
			break;
		if (gap > limit)
			return false;
		__builtin_ia32_pause();
	}
	linger->gap = linger->gap ? (7 * linger->gap + gap) / 8 : gap;
	return true;
}

/* The event channel stays masked: what is served here brings no event. */
static void linger(struct xo_host *host)
{
	struct xo_linger *linger = &host->linger;

	if (!linger->credit && ++linger->skipped < LINGER_TRY)
		return;
	linger->skipped = 0;
	/* With a command at the drive the guest waits for that, and the drive's process for the processor. */
	for (unsigned int i = 0; i < LINGER_ACCESSES && !xo_drive_port_busy(host); i++) {
		uint64_t limit = linger->gap ? LINGER_GAPS * linger->gap : LINGER_MAX_NS;

		limit = XO_MIN(XO_MAX(limit, (uint64_t)LINGER_MIN_NS), (uint64_t)LINGER_MAX_NS);
		if (!linger_once(host, limit)) {
			linger->credit -= linger->credit ? 1 : 0;
			return;
		}
		linger->credit = XO_MIN(linger->credit + 1, LINGER_CREDIT);
	}
}

void xo_access_ready(struct xo_watch *watch, uint32_t events)
{
	struct xo_host *host = watch->priv;
	/* The vCPU waits for its access; which event told of it can be read afterwards. */
	bool served = serve_next(host);
	xenevtchn_port_or_error_t port = xenevtchn_pending(host->evtchn);

	(void)events;
	if (port < 0)
		return;
	for (unsigned int i = 0; i < host->vcpus; i++)
		if (host->ports[i] == (evtchn_port_t)port)
			served |= serve_ready(host, i);
	if (served)
		linger(host);
	xenevtchn_unmask(host->evtchn, (evtchn_port_t)port);
}
