#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/names.h"

static void
names_are_wanted_by_a_trace_with_ptr(void **state)
{
	static const struct {
		const char *command;
		bool wanted;
	} rows[] = {
		{ "trace -O ptr 192.0.2.1\n", true },
		{ "TRACE -P icmp -QO PTR 192.0.2.1\n", true },
		{ "trace -O dl  -O \"ptr\" 192.0.2.1\n", true },
		{ "trace -O 'ptr' 192.0.2.1", true },
		{ "trace -O dl 192.0.2.1\n", false },
		{ "trace -Z ptr 192.0.2.1\n", false },
		{ "trace -O ptrs 192.0.2.1\n", false },
		{ "trace -O\n", false },
		{ "trace -O\nptr", false },
		{ "trace O ptr 192.0.2.1\n", false },
		{ "ping -O ptr 192.0.2.1\n", false },
		{ "trace\n", false },
		{ "trace   \n", false },
		{ "\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(names_wanted(rows[i].command), rows[i].wanted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_wanted_by_a_trace_with_ptr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
