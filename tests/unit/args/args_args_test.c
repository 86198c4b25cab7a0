#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workerd/ctl/args.h"

struct opts {
	bool quiet;
	bool multi;
	int64_t attempts;
	int64_t number;
	int64_t wait;
	int64_t userid;
	int64_t method;
	uint32_t flags;
	struct addr src;
	struct arg_str name;
	int calls;
};

static const struct word methods[] = {
	{ "udp", 1 },
	{ "icmp", 2 },
	{ NULL, 0 },
};

static const struct word flags[] = {
	{ "dl", 1 },
	{ "raw", 4 },
	{ NULL, 0 },
};

static int
count_call(void *dst, const char *text, struct errbuf *err)
{
	struct opts *o = dst;

	if (strcmp(text, "bad") == 0)
		return errbuf_set(err, -EINVAL, "bad is bad");
	o->calls++;
	return 0;
}

#define AT(field) .off = offsetof(struct opts, field)
static const struct arg_spec rows[] = {
	{ 'Q', "quiet", "say \"nothing\"", ARG_FLAG, AT(quiet) },
	{ 'M', "multi", "say more", ARG_FLAG, AT(multi) },
	{ 'q', "attempts", "probes per hop", ARG_NUM, AT(attempts), 1, 20, 2 },
	{ 'w', "wait", "time to wait", ARG_TIME, AT(wait), 1000, 20000000, 1000000, .unit_us = 1000000 },
	{ 'U', "userid", "recorded", ARG_U32, AT(userid), 0, UINT32_MAX, 0 },
	{ 'P', "method", "kind of probe", ARG_WORD, AT(method), .def = 2, .words = methods },
	{ 'O', "option", "further", ARG_WORDS, AT(flags), .words = flags },
	{ 'S', "source", "source address", ARG_ADDR, AT(src) },
	{ 'Z', "name", "a name", ARG_STR, AT(name) },
	{ 'A', "number", "a number", ARG_NUM, AT(number), 0, 9, -1, .otherwise = "random" },
	{ 'z', "entry", "an entry", ARG_CALL, .off = 0, .call = count_call },
	{ 0 },
};

struct parsed {
	struct opts o;
	struct args_scratch scratch;
	const char *target;
	struct errbuf err;
	int rc;
};

static struct parsed p;

static int
parse(const char *text)
{
	memset(&p, 0, sizeof(p));
	p.rc = args_parse(rows, "trace", text, &p.o, &p.scratch, &p.target, &p.err);
	return p.rc;
}

static void
defaults_hold_when_nothing_is_given(void **state)
{
	assert_int_equal(parse("192.0.2.1"), 0);
	assert_int_equal(p.o.attempts, 2);
	assert_int_equal(p.o.wait, 1000000);
	assert_int_equal(p.o.method, 2);
	assert_int_equal(p.o.flags, 0);
	assert_int_equal(p.o.src.family, ADDR_NONE);
	assert_null(p.o.name.p);
	assert_string_equal(p.target, "192.0.2.1");
	(void)state;
}

static void
every_kind_of_option_reaches_its_field(void **state)
{
	assert_int_equal(
	    parse("-Q -q 3 -w 250ms -U 0x10 -P UDP -O dl -O RAW -S 2001:db8::1 -Z xy -z a -z b  t"), 0);
	assert_true(p.o.quiet);
	assert_false(p.o.multi);
	assert_int_equal(p.o.attempts, 3);
	assert_int_equal(p.o.wait, 250000);
	assert_int_equal(p.o.userid, 16);
	assert_int_equal(p.o.method, 1);
	assert_int_equal(p.o.flags, 5);
	assert_int_equal(p.o.src.family, ADDR_IP6);
	assert_string_equal(p.o.name.p, "xy");
	assert_int_equal(p.o.name.len, 2);
	assert_int_equal(p.o.calls, 2);
	(void)state;
}

static void
unsigned_numbers_are_written_as_in_c(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} cases[] = { { "-U 0 t", 0 }, { "-U 010 t", 8 }, { "-U 0xFf t", 255 }, { "-U 0X1a t", 26 },
		{ "-U 4294967295 t", 4294967295 }, { "-U 0xffffffff t", 4294967295 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].text), 0);
		assert_int_equal(p.o.userid, cases[i].value);
	}
	(void)state;
}

static void
flags_cluster_and_the_last_may_take_a_value(void **state)
{
	assert_int_equal(parse("-QMq 7 t"), 0);
	assert_true(p.o.quiet && p.o.multi);
	assert_int_equal(p.o.attempts, 7);
	assert_string_equal(p.target, "t");
	(void)state;
}

static void
a_lone_dash_is_skipped(void **state)
{
	assert_int_equal(parse("- -q 4 - t"), 0);
	assert_int_equal(p.o.attempts, 4);
	assert_string_equal(p.target, "t");
	(void)state;
}

static void
the_target_keeps_its_words_and_loses_trailing_blanks(void **state)
{
	assert_int_equal(parse("  -Q \t a -q 2 \"b\"  \t"), 0);
	assert_string_equal(p.target, "a -q 2 \"b\"");
	assert_int_equal(p.o.attempts, 2);
	assert_int_equal(parse(""), 0);
	assert_string_equal(p.target, "");
	assert_int_equal(parse("-q 2   "), 0);
	assert_string_equal(p.target, "");
	(void)state;
}

static void
quotes_hold_blanks_and_escaped_quotes(void **state)
{
	assert_int_equal(parse("-Z \"a b \\\" \\\\ 'c'\" t"), 0);
	assert_string_equal(p.o.name.p, "a b \" \\ 'c'");
	assert_int_equal(parse("-Z 'x \"y\"' t"), 0);
	assert_string_equal(p.o.name.p, "x \"y\"");
	assert_int_equal(parse("-Z '' t"), 0);
	assert_int_equal(p.o.name.len, 0);
	assert_non_null(p.o.name.p);
	assert_string_equal(p.target, "t");
	(void)state;
}

static void
a_value_may_begin_with_a_dash(void **state)
{
	assert_int_equal(parse("-Z -q t"), 0);
	assert_string_equal(p.o.name.p, "-q");
	(void)state;
}

struct bad {
	const char *text;
	const char *error;
};

static const struct bad bads[] = {
	{ "-q 0 t", "-q failed: attempts must be within 1 - 20" },
	{ "-q 21 t", "-q failed: attempts must be within 1 - 20" },
	{ "-q 99999999999999999999 t", "-q failed: attempts must be within 1 - 20" },
	{ "-q -1 t", "-q failed: attempts must be within 1 - 20" },
	{ "-q 0x2 t", "-q failed: attempts '0x2' is not a decimal number" },
	{ "-q 2x t", "-q failed: attempts '2x' is not a decimal number" },
	{ "-q '' t", "-q failed: attempts '' is not a decimal number" },
	{ "-q2 t", "could not parse trace command: option -q needs a blank before its value" },
	{ "-q", "could not parse trace command: option -q needs a value" },
	{ "-q  ", "could not parse trace command: option -q needs a value" },
	{ "-x t", "could not parse trace command: unknown option -x" },
	{ "-Qx t", "could not parse trace command: unknown option -x" },
	{ "--attempts 3 t", "could not parse trace command: unknown option --attempts" },
	{ "-- t", "could not parse trace command: unknown option --" },
	{ "-\x01 t", "could not parse trace command: unknown option -?" },
	{ "-q 2 -q 3 t", "repeated option -q" },
	{ "-QQ t", "repeated option -Q" },
	{ "-w 0 t", "-w failed: wait must be within 1ms - 20s" },
	{ "-w 20.001 t", "-w failed: wait must be within 1ms - 20s" },
	{ "-w 9999999999 t", "-w failed: wait must be within 1ms - 20s" },
	{ "-w -1 t", "-w failed: wait '-1' is not a time" },
	{ "-w 1h t", "-w failed: wait '1h' is not a time" },
	{ "-w 1.0000001 t", "-w failed: wait '1.0000001' is not a time" },
	{ "-U 4294967296 t", "-U failed: userid must be within 0 - 4294967295" },
	{ "-U 99999999999999999999999999 t", "-U failed: userid must be within 0 - 4294967295" },
	{ "-U 08 t", "-U failed: userid '08' is not an unsigned number" },
	{ "-U '' t", "-U failed: userid '' is not an unsigned number" },
	{ "-U +1 t", "-U failed: userid '+1' is not an unsigned number" },
	{ "-U ' 1' t", "-U failed: userid ' 1' is not an unsigned number" },
	{ "-U -1 t", "-U failed: userid '-1' is not an unsigned number" },
	{ "-U 12z t", "-U failed: userid '12z' is not an unsigned number" },
	{ "-U 0x t", "-U failed: userid '0x' is not an unsigned number" },
	{ "-P tcp t", "-P failed: method must be one of udp, icmp" },
	{ "-P udpx t", "-P failed: method must be one of udp, icmp" },
	{ "-O x t", "-O failed: option must be one of dl, raw" },
	{ "-S 192.0.2.256 t", "-S failed: source '192.0.2.256' is not an address" },
	{ "-S \x1b[2J t", "-S failed: source '?[2J' is not an address" },
	{ "-z bad t", "-z failed: bad is bad" },
	{ "-Z \"abc t", "could not parse trace command: option -Z has a value without its end quote" },
	{ "-Z \"a\\n\" t", "could not parse trace command: option -Z has a backslash before neither a quote "
			   "nor a backslash" },
	{ "-Z \"a\\", "could not parse trace command: option -Z has a backslash before neither a quote nor a "
		      "backslash" },
	{ "-Z 'a'b t", "could not parse trace command: option -Z has text behind its end quote" },
};

static void
each_mistake_is_named(void **state)
{
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		assert_int_equal(parse(bads[i].text), -EINVAL);
		assert_string_equal(p.err.text, bads[i].error);
	}
	(void)state;
}

static void
a_line_beyond_the_limit_is_refused(void **state)
{
	static char text[2 * ARGS_LINE_MAX];

	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(parse(text), -EINVAL);
	assert_string_equal(p.err.text, "could not parse trace command: line too long");
	memcpy(text, "-Z ", 3);
	assert_int_equal(parse(text), -EINVAL);
	assert_string_equal(p.err.text, "could not parse trace command: line too long");
	text[ARGS_LINE_MAX - 1 + 3] = '\0'; /* the value fits, with its NUL; the empty target does not */
	assert_int_equal(parse(text), -EINVAL);
	text[ARGS_LINE_MAX - 2 + 3] = '\0';
	assert_int_equal(parse(text), 0);
	assert_int_equal(p.o.name.len, ARGS_LINE_MAX - 2);
	(void)state;
}

static void
words_are_found_both_ways(void **state)
{
	uint32_t v = 0;

	assert_true(word_find(methods, "Icmp", &v));
	assert_int_equal(v, 2);
	assert_string_equal(word_name(methods, 1), "udp");
	assert_null(word_name(methods, 9));
	assert_false(word_find(methods, "", &v));
	(void)state;
}

static void
help_and_description_come_from_the_rows(void **state)
{
	struct buf b;

	buf_init(&b, 0);
	args_help(&b, rows);
	buf_u8(&b, 0);
	assert_non_null(strstr((char *)b.p, "  -q attempts           probes per hop (1 - 20, default 2)\n"));
	assert_non_null(
	    strstr((char *)b.p, "  -w wait               time to wait (1ms - 20s, default 1s)\n"));
	assert_non_null(strstr((char *)b.p, "kind of probe: udp, icmp (default icmp)\n"));
	assert_non_null(strstr((char *)b.p, "  -A number             a number (0 - 9, default random)\n"));
	buf_reset(&b);
	args_describe(&b, rows);
	buf_u8(&b, 0);
	assert_non_null(strstr((char *)b.p,
	    "{\"option\":\"-q\",\"name\":\"attempts\",\"kind\":\"number\",\"help\":"
	    "\"probes per hop\",\"min\":1,\"max\":20,\"default\":2,\"repeatable\":false}"));
	assert_non_null(strstr((char *)b.p, "\"help\":\"say \\\"nothing\\\"\""));
	assert_non_null(strstr((char *)b.p, "\"words\":[\"udp\",\"icmp\"],\"default\":\"icmp\""));
	assert_non_null(
	    strstr((char *)b.p, "\"min\":0,\"max\":9,\"otherwise\":\"random\",\"repeatable\":false}"));
	assert_int_equal(b.p[0], '[');
	assert_int_equal(b.p[b.len - 2], ']');
	buf_fini(&b);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_hold_when_nothing_is_given),
		cmocka_unit_test(every_kind_of_option_reaches_its_field),
		cmocka_unit_test(unsigned_numbers_are_written_as_in_c),
		cmocka_unit_test(flags_cluster_and_the_last_may_take_a_value),
		cmocka_unit_test(a_lone_dash_is_skipped),
		cmocka_unit_test(the_target_keeps_its_words_and_loses_trailing_blanks),
		cmocka_unit_test(quotes_hold_blanks_and_escaped_quotes),
		cmocka_unit_test(a_value_may_begin_with_a_dash),
		cmocka_unit_test(each_mistake_is_named),
		cmocka_unit_test(a_line_beyond_the_limit_is_refused),
		cmocka_unit_test(words_are_found_both_ways),
		cmocka_unit_test(help_and_description_come_from_the_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
