#include "common/addr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void
text_is_parsed_and_printed_as_rfc5952_wants(void **state)
{
	static const struct {
		const char *in, *out;
		uint8_t family;
	} cases[] = {
		{ "0.0.0.0", "0.0.0.0", ADDR_IP4 },
		{ "255.255.255.255", "255.255.255.255", ADDR_IP4 },
		{ "192.0.2.19", "192.0.2.19", ADDR_IP4 },
		{ "10.100.9.99", "10.100.9.99", ADDR_IP4 },
		{ "::", "::", ADDR_IP6 },
		{ "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", ADDR_IP6 },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", ADDR_IP6 },
		{ "2001:0db8::0001", "2001:db8::1", ADDR_IP6 },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", ADDR_IP6 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		    ADDR_IP6 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[ADDR_STRLEN];
		struct addr a;

		assert_int_equal(addr_parse(cases[i].in, &a), 0);
		assert_int_equal(a.family, cases[i].family);
		assert_string_equal(addr_format(&a, buf), cases[i].out);
	}
	(void)state;
}

static void
what_is_no_address_is_refused_and_leaves_the_result(void **state)
{
	static const char *const bad[] = { "", " 192.0.2.1", "192.0.2.1 ", "192.0.2", "192.0.2.256",
		"192.0.2.01.1", "0x7f.1", "192.0.2.1/24", "2001:db8::1%eth0", ":::", "1::2::3", "[::1]",
		"example.org", "12345::", "1:2:3:4:5:6:7:8:9" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct addr a = { .family = 77 };

		assert_int_equal(addr_parse(bad[i], &a), -EINVAL);
		assert_int_equal(a.family, 77);
	}
	(void)state;
}

static void
a_host_of_ip4_is_not_written_as_ip6(void **state)
{
	struct addr a = { .family = 77 };
	struct errbuf err;

	(void)state;
	assert_int_equal(addr_parse_host("::ffff:192.0.2.1", &a, &err), -EINVAL);
	assert_string_equal(err.text, "'::ffff:192.0.2.1' is an IPv4 address: write 192.0.2.1");
	assert_int_equal(addr_parse_host("0::FFFF:c000:0201", &a, &err), -EINVAL);
	assert_string_equal(err.text, "'0::FFFF:c000:0201' is an IPv4 address: write 192.0.2.1");
	assert_int_equal(addr_parse_host("192.0.2", &a, &err), -EINVAL);
	assert_string_equal(err.text, "'192.0.2' is no IPv4 or IPv6 address");
	assert_int_equal(a.family, 77);
	assert_int_equal(addr_parse_host("::fffe:192.0.2.1", &a, &err), 0);
	assert_int_equal(addr_parse_host("::192.0.2.1", &a, &err), 0);
	assert_int_equal(addr_parse_host("192.0.2.1", &a, &err), 0);
	assert_int_equal(a.family, ADDR_IP4);
}

static void
other_families_have_their_text_and_length(void **state)
{
	static const uint8_t mac[] = { 0x02, 0x00, 0x5e, 0x10, 0xff, 0x0a };
	struct addr a = addr_make(ADDR_ETHER, mac);
	char buf[ADDR_STRLEN];

	assert_string_equal(addr_format(&a, buf), "02:00:5e:10:ff:0a");
	a = (struct addr){ 0 };
	assert_string_equal(addr_format(&a, buf), "");
	assert_int_equal(addr_len(ADDR_IP4), 4);
	assert_int_equal(addr_len(ADDR_IP6), 16);
	assert_int_equal(addr_len(ADDR_ETHER), 6);
	assert_int_equal(addr_len(ADDR_NONE), 0);
	assert_int_equal(addr_len(4), 0);
	assert_int_equal(addr_len(255), 0);
	(void)state;
}

static void
addresses_sort_by_family_then_bytes(void **state)
{
	static const char *const sorted[] = { "1.2.3.4", "1.2.3.5", "9.0.0.0", "200.0.0.1", "::", "::1",
		"2001:db8::" };

	for (size_t i = 0; i < 7; i++) {
		for (size_t j = 0; j < 7; j++) {
			struct addr a, b;
			int order;

			assert_int_equal(addr_parse(sorted[i], &a), 0);
			assert_int_equal(addr_parse(sorted[j], &b), 0);
			order = addr_compare(&a, &b);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(addr_equal(&a, &b), i == j);
		}
	}
	(void)state;
}

static void
the_hash_spreads_neighbours_and_minds_its_seed(void **state)
{
	static uint8_t seen[1 << 14];
	struct addr a = { .family = ADDR_IP4, .b = { 10 } };
	unsigned int used = 0;

	for (unsigned int i = 0; i < sizeof(seen); i++) {
		a.b[2] = (uint8_t)(i >> 8);
		a.b[3] = (uint8_t)i;
		seen[addr_hash(&a, 1) % sizeof(seen)]++;
	}
	for (size_t i = 0; i < sizeof(seen); i++) {
		used += seen[i] != 0;
		assert_true(seen[i] < 12);
	}
	/* Thrown at random, 1 - 1/e of the places are hit. */
	assert_in_range(used, sizeof(seen) * 60 / 100, sizeof(seen) * 66 / 100);
	assert_true(addr_hash(&a, 1) != addr_hash(&a, 2));
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_parsed_and_printed_as_rfc5952_wants),
		cmocka_unit_test(what_is_no_address_is_refused_and_leaves_the_result),
		cmocka_unit_test(a_host_of_ip4_is_not_written_as_ip6),
		cmocka_unit_test(other_families_have_their_text_and_length),
		cmocka_unit_test(addresses_sort_by_family_then_bytes),
		cmocka_unit_test(the_hash_spreads_neighbours_and_minds_its_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
