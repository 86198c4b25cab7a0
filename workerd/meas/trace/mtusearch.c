#include "workerd/meas/trace/mtusearch.h"

#include <stdbool.h>
#include <stddef.h>

/* Ethernet, and the ways its payload is shortened by tunnels. */
#define MTU_ETHERNET 1500
#define MTU_TUNNELLED 1454

/* MTUs that links are known to have, ascending. */
static const uint16_t common_mtus[] = {
	68,
	296,
	508,
	512,
	544,
	552,
	576,
	1006,
	1280,
	1454,
	1480,
	1492,
	1500,
	1514,
	1536,
	2002,
	2048,
	4352,
	4464,
	4470,
	8166,
	9000,
	9192,
	16110,
	17914,
	65535,
};
#define MTU_COUNT (sizeof(common_mtus) / sizeof(common_mtus[0]))

/* The largest entry below size, and the smallest above; 0 when there is none. */
static uint16_t
entry_below(uint16_t size)
{
	uint16_t best = 0;

	for (size_t i = 0; i < MTU_COUNT && common_mtus[i] < size; i++)
		best = common_mtus[i];
	return best;
}

static uint16_t
entry_above(uint16_t size)
{
	for (size_t i = 0; i < MTU_COUNT; i++) {
		if (common_mtus[i] > size)
			return common_mtus[i];
	}
	return 0;
}

static bool
is_entry(uint16_t size)
{
	return size == UINT16_MAX || entry_below((uint16_t)(size + 1)) == size;
}

uint16_t
mtu_first_guess(uint16_t upper)
{
	if (upper > MTU_ETHERNET)
		return MTU_ETHERNET;
	if (upper > MTU_TUNNELLED)
		return MTU_TUNNELLED;
	return entry_below(upper);
}

uint16_t
mtu_next_guess(uint16_t lower, uint16_t upper)
{
	uint16_t above = entry_above(lower);

	if (upper <= lower + 1)
		return 0;
	if (lower == MTU_ETHERNET || (is_entry(lower) && upper <= above))
		return (uint16_t)(lower + 1);
	if (above != 0 && above < upper)
		return above;
	return (uint16_t)(lower + (upper - lower) / 2);
}
