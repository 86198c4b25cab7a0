#include "common/packet/checksum.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"

static void
rfc1071_example_sums_to_ddf2(void **state)
{
	/* RFC 1071 section 3 */
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	assert_int_equal(checksum_fold(checksum_add(0, bytes, sizeof(bytes))), (uint16_t)~0xddf2);
	(void)state;
}

static void
every_length_and_alignment_agrees_with_the_plain_sum(void **state)
{
	uint8_t bytes[300];

	srandom(1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random();
	for (size_t at = 0; at < 9; at++) {
		for (size_t len = 0; at + len <= sizeof(bytes); len++) {
			uint16_t want = (uint16_t)~naive_sum(bytes + at, len, 0);

			assert_int_equal(checksum_fold(checksum_add(0, bytes + at, len)), want);
		}
	}
	(void)state;
}

static void
even_pieces_add_up_to_the_whole(void **state)
{
	uint8_t bytes[1500];

	memset(bytes, 0xff, sizeof(bytes));
	bytes[700] = 0x12;
	for (size_t cut = 0; cut < sizeof(bytes); cut += 2) {
		uint32_t sum = checksum_add(0, bytes, cut);

		sum = checksum_add(sum, bytes + cut, sizeof(bytes) - cut);
		assert_int_equal(checksum_fold(sum), (uint16_t)~naive_sum(bytes, sizeof(bytes), 0));
	}
	(void)state;
}

static void
carry_out_of_the_running_sum_comes_round(void **state)
{
	static const uint8_t one[] = { 0x00, 0x01 };

	/* 0xffffffff is 0 in one's complement, and stays so. */
	assert_int_equal(checksum_fold(checksum_add(UINT32_MAX, one, 2)), (uint16_t)~1);
	(void)state;
}

static void
pseudo_header_covers_addresses_protocol_and_length(void **state)
{
	struct addr a4, b4, a6, b6;
	uint8_t raw[40];
	size_t n;

	assert_int_equal(addr_parse("192.0.2.1", &a4), 0);
	assert_int_equal(addr_parse("198.51.100.9", &b4), 0);
	assert_int_equal(addr_parse("2001:db8::1", &a6), 0);
	assert_int_equal(addr_parse("2001:db8:9::9", &b6), 0);
	n = hex_bytes("c0000201c633640900110018", raw, sizeof(raw));
	assert_int_equal(checksum_fold(checksum_pseudo(&a4, &b4, 17, 24)), (uint16_t)~naive_sum(raw, n, 0));
	/* RFC 8200 section 8.1: a 32-bit length */
	n = hex_bytes("20010db800000000000000000000000120010db8000900000000000000000009"
		      "000100080000003a",
	    raw, sizeof(raw));
	assert_int_equal(checksum_fold(checksum_pseudo(&a6, &b6, 58, 65544)),
	    (uint16_t)~naive_sum(raw, n, 0));
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc1071_example_sums_to_ddf2),
		cmocka_unit_test(every_length_and_alignment_agrees_with_the_plain_sum),
		cmocka_unit_test(even_pieces_add_up_to_the_whole),
		cmocka_unit_test(carry_out_of_the_running_sum_comes_round),
		cmocka_unit_test(pseudo_header_covers_addresses_protocol_and_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
