#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "trace_util.h"

/* What is refused, and in which words. */

static void
refused(const char *command, const char *why)
{
	struct sim *net = sim_new(NET);
	const char *got = sim_refusal(net, command);

	if (strcmp(got, why) != 0)
		fail_msg("'%s': \"%s\", not \"%s\"", command, got, why);
	sim_free(net);
}

static void
accepted(const char *command)
{
	refused(command, "");
}

static void
range(char letter, const char *name, const char *low, const char *high, const char *min, const char *max)
{
	char command[100], why[200];
	const char *bad[2] = { low, high };

	(void)snprintf(why, sizeof(why), "-%c failed: %s must be within %s - %s", letter, name, min, max);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(command, sizeof(command), "trace -%c %s " DST, letter, bad[i]);
		refused(command, why);
	}
}

static void
every_number_has_its_range(void **state)
{
	range('c', "confidence", "94", "100", "95", "99");
	range('d', "dport", "0", "65536", "1", "65535");
	range('f', "firsthop", "0", "256", "1", "255");
	range('g', "gaplimit", "-1", "256", "0", "255");
	range('G', "gapaction", "0", "3", "1", "2");
	range('H', "hop wait", "2.001", "3s", "0s", "2s");
	range('l', "loops", "-1", "256", "0", "255");
	range('m', "hoplimit", "-1", "256", "0", "255");
	range('N', "squeries", "0", "256", "1", "255");
	range('o', "offset", "-1", "8191", "0", "8190");
	range('q', "attempts", "0", "21", "1", "20");
	range('s', "sport", "-1", "65536", "0", "65535");
	range('t', "tos", "-1", "256", "0", "255");
	range('U', "userid", "4294967296", "99999999999", "0", "4294967295");
	range('w', "wait", "0", "11", "1s", "10s");
	range('W', "wait-probe", "201", "2100ms", "0s", "2s");
	range('y', "progress", "-1", "21", "0", "20");
	(void)state;
}

static void
the_ends_of_each_range_are_within(void **state)
{
	static const char *const good[] = { "-c 95", "-c 99", "-d 1", "-d 65535", "-f 1", "-f 255", "-g 0",
		"-g 255", "-G 1", "-G 2", "-H 0", "-H 2s", "-l 0", "-l 255", "-m 0", "-m 255", "-N 1",
		"-N 255 -g 255", "-N 255 -g 0", "-q 1", "-q 20", "-s 0", "-s 65535", "-t 255",
		"-U 4294967295", "-U 0x10", "-w 1", "-w 10s", "-w 2000ms", "-W 200", "-W 0", "-W 20ms",
		"-y 20", "-y 0", "-MQT", "-p 0102", "-Z a", "-z 192.0.2.1 -z 192.0.2.2", "-O dl -O ptr",
		"-P tcp -O raw", "-P TCP-ACK -O raw", "-M -P tcp-ack", "-P Icmp -O const-payload",
		"-O dtree-noback", "-O back -m 9 -N 3", "-S 192.0.2.9 -r 192.0.2.1" };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char command[100];

		(void)snprintf(command, sizeof(command), "trace %s " DST, good[i]);
		accepted(command);
	}
	accepted("trace -o 8190 " DST6);
	accepted("trace -o 0 " DST);
	(void)state;
}

static void
combinations_are_refused_in_the_known_words(void **state)
{
	refused("trace -O back " DST, "backwards probing must be used with a hoplimit");
	refused("trace -O back -m 0 " DST, "backwards probing must be used with a hoplimit");
	refused("trace -f 5 -m 4 " DST, "firsthop cannot be beyond hoplimit");
	refused("trace -M -f 2 " DST, "cannot do pmtud without all of path");
	refused("trace -M -z 192.0.2.1 " DST, "cannot do pmtud without all of path");
	refused("trace -M -Z a " DST, "cannot do pmtud without all of path");
	refused("trace -M -P tcp " DST, "cannot do pmtud with this probe method");
	refused("trace -c 95 -Q " DST, "cannot set both all-attempts and confidence");
	refused("trace -P tcp -p 0102 " DST, "cannot include a payload with TCP traceroute");
	refused("trace -P tcp-ack -p 0102 " DST, "cannot include a payload with TCP traceroute");
	refused("trace -P tcp -N 2 " DST, "cannot send parallel probes with TCP methods");
	refused("trace -P tcp-ack -N 2 " DST, "cannot send parallel probes with TCP methods");
	refused("trace -N 6 " DST, "squeries cannot be greater than gaplimit");
	refused("trace -N 3 -g 2 " DST, "squeries cannot be greater than gaplimit");
	refused("trace -O raw " DST, "-O failed: raw is for IPv4 TCP methods only");
	refused("trace -P tcp -O raw " DST6, "-O failed: raw is for IPv4 TCP methods only");
	refused("trace -o 1 " DST, "-o failed: fragment offset is for IPv6 only");
	refused("trace -S 2001:db8::1 " DST, "-S failed: source address and destination differ in family");
	refused("trace -r 192.0.2.1 " DST6, "-r failed: router address and destination differ in family");
	refused(
	    "trace -z 192.0.2.1 " DST6, "-z failed: global stop set entry and destination differ in family");
	refused("trace -Z a -N 2 " DST, "cannot send parallel probes with doubletree");
	refused("trace -Z a -m 9 -O back " DST, "cannot probe backwards with doubletree");
	refused(
	    "trace -P icmp-paris -O const-payload " DST, "cannot keep the payload constant with ICMP-paris");
	(void)state;
}

static void
values_are_refused_in_words(void **state)
{
	refused("trace -c 97 " DST, "-c failed: confidence must be 95 or 99");
	refused("trace -w 1.5 " DST, "-w failed: wait must be a whole number of seconds");
	refused("trace -W 15ms " DST, "-W failed: wait-probe must be a multiple of 10ms");
	refused("trace -z 192.0.2.1 -z 192.0.2.1 " DST, "-z failed: duplicate global stop set entry");
	refused("trace -z x " DST, "-z failed: global stop set entry must be an address");
	refused("trace -Z '' " DST, "-Z failed: local stop set needs a name");
	refused("trace -p 012 " DST, "-p failed: payload must be 1 - 4096 bytes as pairs of hex digits");
	refused("trace -p 01zz " DST, "-p failed: payload must be 1 - 4096 bytes as pairs of hex digits");
	refused("trace -p 01 " DST, "-p failed: payload must be at least 2 bytes with paris methods");
	refused("trace -P udp-lite " DST,
	    "-P failed: method must be one of UDP-paris, UDP, ICMP-paris, ICMP, TCP, TCP-ack");
	refused("trace -O tachyons " DST,
	    "-O failed: option must be one of back, const-payload, dl, dtree-noback, ptr, raw");
	refused("trace -q 2 -q 3 " DST, "repeated option -q");
	refused("trace", "expected address to trace");
	refused("trace -q 2", "expected address to trace");
	refused("trace 192.0.2.300", "invalid destination address");
	refused("trace " DST " " DST, "invalid destination address");
	refused("trace example.net", "invalid destination address");
	refused("trace ::ffff:192.0.2.9",
	    "invalid destination address: '::ffff:192.0.2.9' is an IPv4 address: write 192.0.2.9");
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_has_its_range),
		cmocka_unit_test(the_ends_of_each_range_are_within),
		cmocka_unit_test(combinations_are_refused_in_the_known_words),
		cmocka_unit_test(values_are_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
