#include "common/packet/pkt.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"

static struct pkt_ipopts
parse_hex(const char *hex)
{
	uint8_t bytes[64];
	size_t len = hex_bytes(hex, bytes, sizeof(bytes));
	uint8_t *copy = malloc(len + 1);
	struct pkt_ipopts o;

	assert_non_null(copy);
	memcpy(copy + 1, bytes, len); /* the end is the heap block's end, for ASan */
	pkt_parse_ipopts(&o, copy + 1, len);
	free(copy);
	return o;
}

static void
assert_ip(const struct addr *a, const char *text)
{
	char buf[ADDR_STRLEN];

	assert_string_equal(addr_format(a, buf), text);
}

static void
record_route_gives_the_addresses_before_the_pointer(void **state)
{
	struct pkt_ipopts o = parse_hex("07270cc0000201c0000202"
					"0000000000000000000000000000000000000000000000000000000000");

	assert_true(o.rr_count == 2 && o.ts_count == 0);
	assert_ip(&o.rr[0], "192.0.2.1");
	assert_ip(&o.rr[1], "192.0.2.2");
	(void)state;
}

static void
a_full_record_route_has_nine(void **state)
{
	struct pkt_ipopts o = parse_hex("072728"
					"010101010202020203030303040404040505050506060606"
					"07070707080808080909090900");

	assert_int_equal(o.rr_count, 9);
	assert_ip(&o.rr[8], "9.9.9.9");
	(void)state;
}

static void
timestamps_come_with_addresses_by_their_flag(void **state)
{
	/* RFC 791: flags 0, 1 and 3; the high half of the byte is the overflow. */
	struct pkt_ipopts o = parse_hex("440c0d1002932e0002932e01");

	assert_true(o.ts_count == 2 && !o.ts_has_addrs);
	assert_true(o.ts[0] == 43200000 && o.ts[1] == 43200001);
	o = parse_hex("44140d01c000020102932e00"
		      "0000000000000000");
	assert_true(o.ts_count == 1 && o.ts_has_addrs && o.ts[0] == 43200000);
	assert_ip(&o.ts_addr[0], "192.0.2.1");
	o = parse_hex("44141503c000020702932e00c000020802932e02");
	assert_true(o.ts_count == 2 && o.ts_has_addrs && o.ts[1] == 43200002);
	assert_ip(&o.ts_addr[1], "192.0.2.8");
	o = parse_hex("440c0d0202932e0002932e01");
	assert_int_equal(o.ts_count, 0);
	(void)state;
}

static void
other_options_are_stepped_over(void **state)
{
	struct pkt_ipopts o = parse_hex("01019404000007070801020304"
					"00");

	assert_int_equal(o.rr_count, 1);
	assert_ip(&o.rr[0], "1.2.3.4");
	o = parse_hex("00070708010203040000");
	assert_int_equal(o.rr_count, 0);
	(void)state;
}

static void
of_two_options_of_a_kind_the_first_counts(void **state)
{
	struct pkt_ipopts o = parse_hex("440c0d01c000020102932e0044080900000000070707080102030407070801020305");

	assert_true(o.ts_count == 1 && o.ts_has_addrs && o.ts[0] == 43200000);
	assert_int_equal(o.rr_count, 1);
	assert_ip(&o.rr[0], "1.2.3.4");
	(void)state;
}

static void
the_host_that_it_is_for_adds_itself_where_there_is_room(void **state)
{
	static const uint8_t here4[] = { 192, 0, 2, 1 };
	const struct addr here = addr_make(ADDR_IP4, here4);
	static const struct {
		const char *hex;
		uint8_t rr, ts;
	} cases[] = {
		{ "070b08c00002020000000000000000", 2, 0 },
		{ "070704c0000202", 1, 0 },         /* nobody has been here yet */
		{ "070708c0000202", 1, 0 },         /* full */
		{ "070605c00002", 0, 0 },           /* three bytes are no room */
		{ "070700c0000202", 0, 0 },         /* a pointer to nowhere */
		{ "440c090002932e0000000000", 0, 2 },
		{ "440c0d0002932e0002932e01", 0, 2 }, /* full */
		{ "44140d01c000020202932e000000000000000000", 0, 2 },
		{ "44140d03c000020202932e00c000020100000000", 0, 2 }, /* ours is next */
		{ "44140d03c000020202932e00c000020300000000", 0, 1 }, /* another's */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pkt_ipopts o = parse_hex(cases[i].hex);

		/* 2023-11-14 22:13:20.123 UT */
		pkt_ipopts_arrive(&o, &here, 1700000000123 * NSEC_PER_MSEC);
		assert_int_equal(o.rr_count, cases[i].rr);
		assert_int_equal(o.ts_count, cases[i].ts);
		if (i == 0 || i == 1)
			assert_ip(&o.rr[o.rr_count - 1], "192.0.2.1");
		if (i == 5 || i == 7 || i == 8)
			assert_int_equal(o.ts[1], 80000123);
		if (i == 7 || i == 8)
			assert_ip(&o.ts_addr[1], "192.0.2.1");
	}
	(void)state;
}

static void
lengths_and_pointers_that_lie_give_nothing_beyond(void **state)
{
	static const struct {
		const char *hex;
		uint8_t rr, ts;
	} cases[] = {
		{ "07", 0, 0 },
		{ "0700", 0, 0 },
		{ "0701", 0, 0 },
		{ "0702", 0, 0 },
		{ "070304", 0, 0 },
		{ "07ff0801020304", 0, 0 },   /* longer than there is */
		{ "0707ff01020304", 1, 0 },   /* pointer past the end */
		{ "07070001020304", 0, 0 },   /* pointer before the first slot */
		{ "07060801020304", 0, 0 },   /* three bytes are no address */
		{ "4402", 0, 0 },
		{ "440305", 0, 0 },
		{ "4408ff0001020304", 0, 1 },
		{ "4408ff0101020304", 0, 0 }, /* half a pair */
		{ "9400070708", 0, 0 },	      /* length 0 must not loop */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pkt_ipopts o = parse_hex(cases[i].hex);

		assert_int_equal(o.rr_count, cases[i].rr);
		assert_int_equal(o.ts_count, cases[i].ts);
	}
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_route_gives_the_addresses_before_the_pointer),
		cmocka_unit_test(a_full_record_route_has_nine),
		cmocka_unit_test(timestamps_come_with_addresses_by_their_flag),
		cmocka_unit_test(other_options_are_stepped_over),
		cmocka_unit_test(of_two_options_of_a_kind_the_first_counts),
		cmocka_unit_test(the_host_that_it_is_for_adds_itself_where_there_is_room),
		cmocka_unit_test(lengths_and_pointers_that_lie_give_nothing_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
