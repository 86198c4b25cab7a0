#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/conf.h"

static int
set_up(void **state)
{
	struct conf *conf = malloc(sizeof(*conf));

	if (conf == NULL)
		return -1;
	conf_init(conf);
	*state = conf;
	return 0;
}

static int
tear_down(void **state)
{
	free(*state);
	return 0;
}

static void
listen_takes_an_address_and_a_port(void **state)
{
	static const struct {
		const char *value;
		const char *addr;
		uint16_t port;
	} good[] = {
		{ "31337", "127.0.0.1", 31337 },
		{ "192.0.2.1:1", "192.0.2.1", 1 },
		{ "[2001:db8::1]:65535", "2001:db8::1", 65535 },
		{ "[::]:80", "::", 80 },
	};
	struct conf *conf = *state;
	char text[ADDR_STRLEN];
	struct errbuf err;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(conf_set(conf, "listen", good[i].value, &err), 0);
		assert_string_equal(addr_format(&conf->listens.at[i].addr, text), good[i].addr);
		assert_int_equal(conf->listens.at[i].port, good[i].port);
	}
	assert_int_equal(conf_set(conf, "listen", "31338", &err), -E2BIG);
}

static void
listen_refuses_what_is_none(void **state)
{
	static const char *const bad[] = { "0", "65536", "x", ":1", "192.0.2.1", "192.0.2.1:", "192.0.2.1:x",
		"2001:db8::1:80", "[2001:db8::1]", "[192.0.2.1:5", "[]:5", "host:5", "1.2.3:5", "192.0.2.1:80 ",
		"[2001:db8::1111111111111111111111111111111111111111111111]:1" };
	struct conf *conf = *state;
	struct errbuf err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (conf_set(conf, "listen", bad[i], &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(err.text, "is not [ip:]port"));
	}
	assert_int_equal(conf->listens.count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(listen_takes_an_address_and_a_port, set_up, tear_down),
		cmocka_unit_test_setup_teardown(listen_refuses_what_is_none, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
