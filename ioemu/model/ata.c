/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IDENTIFY PACKET DEVICE and SET FEATURES (ATA8-ACS 7.17, 7.45). */
#include "model/ata.h"

#include <string.h>

#include "base/bytes.h"

enum {
	FEATURE_TRANSFER_MODE = 0x03,
	FEATURE_ENABLE_SATA = 0x10,
	FEATURE_DISABLE_SATA = 0x90,
	FEATURE_KEEP_AT_RESET = 0x66,
	FEATURE_REVERT_AT_RESET = 0xcc,
	FEATURE_RELEASE_INTERRUPT_OFF = 0xdd,
	FEATURE_SERVICE_INTERRUPT_OFF = 0xde,
	SATA_NOTIFICATION = 0x05,

	MODE_PIO_DEFAULT = 0x00,
	MODE_PIO = 0x08,
	MODE_MWDMA = 0x20,
	MODE_UDMA = 0x40,
	PIO_MAX = 4,
	MWDMA_MAX = 2,
	UDMA_MAX = 5,
};

void xo_ata_reset(struct xo_ata_state *state, bool power_on)
{
	state->notification = 0;
	if (power_on)
		state->transfer_mode = MODE_UDMA | UDMA_MAX;
}

/* Strings have their characters swapped in pairs. */
static void put_string(uint8_t *words, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i += 2) {
		words[i] = (uint8_t)text[i + 1];
		words[i + 1] = (uint8_t)text[i];
	}
}

static void put_word(uint8_t data[512], unsigned int word, unsigned int value)
{
	xo_put_le16(data + 2 * word, value);
}

/* The "selected" bit of the mode in the high byte, the supported ones in the low byte. */
static unsigned int mode_word(uint8_t mode, uint8_t group, unsigned int max)
{
	unsigned int word = (2u << max) - 1;

	if ((mode & 0xf8) == group)
		word |= 0x100u << (mode & 7);
	return word;
}

static void put_modes(const struct xo_ata_state *state, uint8_t data[512])
{
	put_word(data, 53, 0x0006); /* words 64-70 and 88 are valid */
	put_word(data, 63, mode_word(state->transfer_mode, MODE_MWDMA, MWDMA_MAX));
	put_word(data, 64, 0x0003); /* PIO 3 and 4 */
	for (unsigned int word = 65; word <= 68; word++)
		put_word(data, word, 120); /* ns a cycle */
	put_word(data, 88, mode_word(state->transfer_mode, MODE_UDMA, UDMA_MAX));
}

static void put_sata(const struct xo_ata_state *state, uint8_t data[512])
{
	put_word(data, 76, 0x0002); /* Serial ATA, 1.5 Gb/s */
	put_word(data, 78, 1u << SATA_NOTIFICATION); /* asynchronous notification */
	put_word(data, 79, state->notification ? 1u << SATA_NOTIFICATION : 0);
}

void xo_ata_identify(const struct xo_ata_state *state, const struct xo_ata_identity *identity,
		     bool sata, uint8_t data[512])
{
	uint8_t sum = 0;

	memset(data, 0, 512);
	/* PACKET device, command set 5 (MMC), removable, DRQ within 50 us, 12-byte packets. */
	put_word(data, 0, 0x85c0);
	put_string(data + 2 * 10, identity->serial, sizeof(identity->serial));
	put_string(data + 2 * 23, identity->firmware, sizeof(identity->firmware));
	put_string(data + 2 * 27, identity->model, sizeof(identity->model));
	put_word(data, 49, 0x0f00); /* DMA, LBA, IORDY may be disabled, IORDY supported */
	put_modes(state, data);
	if (sata)
		put_sata(state, data);
	put_word(data, 80, 0x01f0); /* ATA/ATAPI-4 to ATA8-ACS */
	put_word(data, 82, 0x0210); /* DEVICE RESET, PACKET */
	put_word(data, 83, 0x4000);
	put_word(data, 84, 0x4000);
	put_word(data, 85, 0x0210);
	put_word(data, 87, 0x4000);
	if (!sata)
		put_word(data, 93, 0x600b); /* device 0 passed, 80-conductor cable (CBLID-) */
	data[510] = 0xa5;
	for (unsigned int i = 0; i < 511; i++)
		sum = (uint8_t)(sum + data[i]);
	data[511] = (uint8_t)-sum;
}

static bool mode_valid(uint8_t mode)
{
	unsigned int n = mode & 7;

	switch (mode & 0xf8) {
	case MODE_PIO_DEFAULT:
		return n <= 1;
	case MODE_PIO:
		return n <= PIO_MAX;
	case MODE_MWDMA:
		return n <= MWDMA_MAX;
	case MODE_UDMA:
		return n <= UDMA_MAX;
	default:
		return false;
	}
}

static bool set_transfer_mode(struct xo_ata_state *state, uint8_t mode)
{
	if (!mode_valid(mode))
		return false;
	/* A PIO mode leaves the DMA mode as it is. */
	if (mode >= MODE_MWDMA)
		state->transfer_mode = mode;
	return true;
}

bool xo_ata_set_features(struct xo_ata_state *state, bool sata, uint8_t feature, uint8_t count)
{
	switch (feature) {
	case FEATURE_TRANSFER_MODE:
		return set_transfer_mode(state, count);
	case FEATURE_ENABLE_SATA:
	case FEATURE_DISABLE_SATA:
		if (!sata || count != SATA_NOTIFICATION)
			return false;
		state->notification = feature == FEATURE_ENABLE_SATA;
		return true;
	case FEATURE_KEEP_AT_RESET:
	case FEATURE_REVERT_AT_RESET:
	case FEATURE_RELEASE_INTERRUPT_OFF:
	case FEATURE_SERVICE_INTERRUPT_OFF:
		return true;
	default:
		return false;
	}
}
