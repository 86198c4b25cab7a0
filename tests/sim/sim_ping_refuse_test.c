#include <netinet/in.h>
#include <string.h>

#include "sim_ping.h"

/* What is refused, and why. */

struct refusal_row {
	const char *text;
	const char *error;
};

static const struct refusal_row refusals[] = {
	{ "", "expected address to ping" },
	{ "-c 2", "expected address to ping" },
	{ "host.example", "invalid destination address" },
	{ DST " extra", "invalid destination address" },
	{ "-c 0 " DST, "-c failed: count must be within 1 - 65535" },
	{ "-c 65536 " DST, "-c failed: count must be within 1 - 65535" },
	{ "-A 4294967296 -P tcp-syn " DST, "-A failed: number must be within 0 - 4294967295" },
	{ "-b 65536 " DST, "-b failed: payload-size must be within 0 - 65535" },
	{ "-C 65536 " DST, "-C failed: checksum must be within 0 - 65535" },
	{ "-d 65536 " DST, "-d failed: dport must be within 0 - 65535" },
	{ "-F 65536 " DST, "-F failed: sport must be within 0 - 65535" },
	{ "-i 0.9ms " DST, "-i failed: wait must be within 1ms - 20s" },
	{ "-i 21 " DST, "-i failed: wait must be within 1ms - 20s" },
	{ "-m 0 " DST, "-m failed: ttl must be within 1 - 255" },
	{ "-m 256 " DST, "-m failed: ttl must be within 1 - 255" },
	{ "-M 65536 " DST, "-M failed: mtu must be within 0 - 65535" },
	{ "-o 65536 " DST, "-o failed: replies must be within 0 - 65535" },
	{ "-s 65536 " DST, "-s failed: size must be within 0 - 65535" },
	{ "-U 4294967296 " DST, "-U failed: userid must be within 0 - 4294967295" },
	{ "-W 0 " DST, "-W failed: timeout must be within 1ms - 255s" },
	{ "-W 256 " DST, "-W failed: timeout must be within 1ms - 255s" },
	{ "-y 21 " DST, "-y failed: progress must be within 0 - 20" },
	{ "-z 256 " DST, "-z failed: tos must be within 0 - 255" },
	{ "-P ping " DST,
	    "-P failed: method must be one of icmp-echo, icmp-time, tcp-syn, tcp-ack, tcp-ack-sport, "
	    "tcp-synack, tcp-rst, tcp-syn-sport, udp, udp-dport, udp-sport" },
	{ "-O fast " DST,
	    "-O failed: option must be one of dl, dltx, mss=N, nosrc, raw, sockrx, spoof, tbt" },
	{ "-O mss=0 -P tcp-syn " DST, "-O failed: mss must be within 1 - 65535" },
	{ "-O mss=65536 -P tcp-syn " DST, "-O failed: mss must be within 1 - 65535" },
	{ "-O mss= -P tcp-syn " DST, "-O failed: mss must be within 1 - 65535" },
	{ "-T all " DST, "-T failed: timestamp must be one of tsonly, tsandaddr, tsprespec=a[,b[,c[,d]]]" },
	{ "-T tsprespec= " DST, "-T failed: tsprespec must be 1 - 4 IPv4 addresses" },
	{ "-T tsprespec=192.0.2.1, " DST, "-T failed: tsprespec must be 1 - 4 IPv4 addresses" },
	{ "-T tsprespec=2001:db8::1 " DST, "-T failed: tsprespec must be 1 - 4 IPv4 addresses" },
	{ "-T tsprespec=192.0.2.1,192.0.2.1,192.0.2.1,192.0.2.1,192.0.2.1 " DST,
	    "-T failed: tsprespec must be 1 - 4 IPv4 addresses" },
	{ "-B 123 " DST, "-B failed: payload must be 1 - 1000 bytes as pairs of hex digits" },
	{ "-B xy " DST, "-B failed: payload must be 1 - 1000 bytes as pairs of hex digits" },
	{ "-B '' " DST, "-B failed: payload must be 1 - 1000 bytes as pairs of hex digits" },
	{ "-p xy " DST, "-p failed: pattern must be 1 - 32 hex digits" },
	{ "-p '' " DST, "-p failed: pattern must be 1 - 32 hex digits" },
	{ "-p 112233445566778899001122334455667 " DST, "-p failed: pattern must be 1 - 32 hex digits" },
	/* combinations */
	{ "-p 00 -B 00 " DST, "cannot set both payload and pattern" },
	{ "-s 27 " DST, "specified probe size too small" },
	{ "-s 47 " DST6, "specified probe size too small" },
	{ "-s 67 -R " DST, "specified probe size too small" },
	{ "-s 29 -C 1 " DST, "specified probe size too small" },
	{ "-s 39 -P tcp-syn " DST, "specified probe size too small" },
	{ "-s 31 -B 0102 " DST, "specified probe size inconsistent with payload" },
	{ "-s 85 -b 56 " DST, "specified probe size inconsistent with payload" },
	{ "-b 1 -B 0102 " DST, "-b failed: payload-size must be at least 2 with this payload" },
	{ "-b 1 -C 1 " DST, "-b failed: payload-size must be at least 2 with this payload" },
	{ "-b 65535 " DST, "-b failed: probe would exceed 65535 bytes" },
	{ "-C 1 -P udp " DST, "-C failed: checksum is for ICMP methods only" },
	{ "-A 1 " DST, "-A failed: number is for TCP methods only" },
	{ "-R -T tsonly " DST, "cannot set both record route and timestamp options" },
	{ "-R " DST6, "-R failed: IPv6 has no record route option" },
	{ "-T tsonly " DST6, "-T failed: IPv6 has no timestamp option" },
	{ "-P icmp-time " DST6, "-P failed: IPv6 has no icmp-time" },
	{ "-O tbt -M 1280 -s 1300 " DST, "-O failed: tbt is for IPv6 only" },
	{ "-O tbt " DST6, "specify valid path-mtu" },
	{ "-O tbt -M 1280 -s 1280 " DST6, "probe size must be larger than the path-mtu" },
	{ "-M 1280 -O sockrx " DST, "cannot use a pseudo mtu with sockrx" },
	{ "-O mss=1000 " DST, "-O failed: mss is for tcp-syn and tcp-syn-sport only" },
	{ "-O mss=1000 -P tcp-synack " DST, "-O failed: mss is for tcp-syn and tcp-syn-sport only" },
	{ "-P udp-dport -d 65533 " DST, "-d failed: dport of the last probe would exceed 65535" },
	{ "-P udp-sport -F 65533 " DST, "-F failed: sport of the last probe would exceed 65535" },
	{ "-P tcp-ack-sport -F 65533 " DST, "-F failed: sport of the last probe would exceed 65535" },
	{ "-O raw " DST, "-O failed: raw is for IPv4 TCP methods only" },
	{ "-O raw -P tcp-syn " DST6, "-O failed: raw is for IPv4 TCP methods only" },
	{ "-S 2001:db8::1 " DST, "-S failed: source address and destination differ in family" },
	{ "-S nowhere " DST, "-S failed: source 'nowhere' is not an address" },
	{ "-r 192.0.2.1 " DST6, "-r failed: router address and destination differ in family" },
	{ "-R -R " DST, "repeated option -R" },
	{ "-T tsonly -T tsonly " DST, "repeated option -T" },
	{ "-B 00 -B 00 " DST, "repeated option -B" },
	{ "-x " DST, "could not parse ping command: unknown option -x" },
	{ "-c", "could not parse ping command: option -c needs a value" },
};

static void
each_bad_command_is_refused_by_its_reason(void **state)
{
	struct sim *net = sim_new(NET);

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char command[256];

		(void)snprintf(command, sizeof(command), "ping %s", refusals[i].text);
		assert_string_equal(sim_refusal(net, command), refusals[i].error);
	}
	assert_int_equal(sim_sent(net), 0);
	sim_free(net);
	(void)state;
}

static void
edges_of_the_ranges_are_taken(void **state)
{
	static const char *const good[] = { "-c 65535", "-c 1", "-i 1ms", "-i 20", "-W 255", "-m 255",
		"-y 20", "-z 255", "-d 0 -P udp", "-P udp-dport -d 65532", "-P udp-sport -F 65532",
		"-s 65535", "-U 0xffffffff", "-C 0", "-b 65507", "-P tcp-syn -O mss=65535",
		"-p 11223344556677889900112233445566", "-O dl -O dl", "-o 65535" };
	struct sim *net = sim_new(NET);

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char command[256];

		(void)snprintf(command, sizeof(command), "ping %s " DST "  ", good[i]);
		assert_string_equal(sim_refusal(net, command), "");
	}
	sim_free(net);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bad_command_is_refused_by_its_reason),
		cmocka_unit_test(edges_of_the_ranges_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
