#include <string.h>

#include "sim_ping.h"

/* The host's clock is set while measurements run. */

#define HOUR (3600 * NSEC_PER_SEC)

/* To and fro, further each time. */
static bool
set_clock(void *ctx, struct sim *net, const struct sim_packet *p)
{
	uint32_t *packets = ctx;

	(void)p;
	++*packets;
	sim_set_clock(net, *packets % 2 == 0 ? -(nsec_t)*packets * HOUR : *packets * HOUR);
	return true;
}

static void
check_all(const char *topology)
{
	static const char *const commands[] = { "ping -c 4 " DST, "ping -c 3 -i 0.2 -P icmp-time " DST,
		"ping -c 2 -P udp " DST6, "trace -P udp-paris " DST, "trace -P icmp-paris -N 3 " DST,
		"trace -P udp -M " DST };

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct sim *still = sim_new(topology), *set = sim_new(topology);
		uint32_t packets = 0;

		sim_run(still, commands[i]);
		sim_on_send(set, set_clock, &packets);
		sim_run(set, commands[i]);
		assert_true(packets > 1);
		assert_string_equal(sim_json(set), sim_json(still));
		sim_free(still);
		sim_free(set);
	}
}

static void
a_record_is_the_same_whatever_the_clock_does(void **state)
{
	(void)state;
	check_all(NET);
	check_all(NET "notx");
}

/* The next one begins by the clock as it is then. */
static void
a_new_measurement_has_the_new_time(void **state)
{
	struct sim *net = ping_sim(NET, "-c 1 " DST);
	nsec_t first = ping_result(net)->start, gone = sim_now(net);

	sim_set_clock(net, HOUR);
	sim_run(net, "ping -c 1 " DST);
	assert_true(ping_result(net)->start - first >= HOUR);
	assert_true(ping_result(net)->start - first <= HOUR + gone + NSEC_PER_SEC);
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_the_same_whatever_the_clock_does),
		cmocka_unit_test(a_new_measurement_has_the_new_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
