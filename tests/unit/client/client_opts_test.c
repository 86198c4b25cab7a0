#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/opts.h"

#define WORDS_MAX 32

/* Splits at blanks; "_" stands for a blank inside a word, "''" is an empty one. */
static int
parse(const char *line, struct opts *o, struct errbuf *err)
{
	static char text[512];
	const char *argv[WORDS_MAX] = { "vantage" };
	int argc = 1, rc;
	char *p = text;

	(void)snprintf(text, sizeof(text), "%s", line);
	for (char *w; (w = strsep(&p, " ")) != NULL && argc < WORDS_MAX;) {
		if (*w == '\0')
			continue;
		for (char *u = w; (u = strchr(u, '_')) != NULL;)
			*u = ' ';
		argv[argc++] = strcmp(w, "''") == 0 ? "" : w;
	}
	rc = opts_parse(argc, argv, o, err);
	return rc != 0 ? rc : opts_check(o, err);
}

struct bad {
	const char *line;
	const char *says;
};

static const struct bad bad_lines[] = {
	{ "", "nothing to do" },
	{ "-x f", "unknown option -x" },
	{ "--nope f", "unknown option --nope" },
	{ "-p f", "'f' is not within 0 - 1000000" },
	{ "-p 1000001 f", "'1000001' is not within 0 - 1000000" },
	{ "-p -1 f", "'-1' is not within 0 - 1000000" },
	{ "-p 20x f", "'20x' is not within" },
	{ "-p", "-p needs a value" },
	{ "-p 0 f", "-p 0 needs a window" },
	{ "-w 65536 f", "'65536' is not within 0 - 65535" },
	{ "-w", "-w needs a value" },
	{ "-L 0 f", "'0' is not within 1 - 2147483647" },
	{ "-L 2147483648 f", "not within 1 - 2147483647" },
	{ "-C 0 f", "'0' is not within 1 - 2147483647" },
	{ "-H 61 f", "'61' is not within 0 - 60" },
	{ "-H x f", "'x' is not within 0 - 60" },
	{ "-4 -6 ping localhost", "-4 and -6 exclude each other" },
	{ "ping -4 --ipv6 localhost", "-4 and -6 exclude each other" },
	{ "-4 -i ::1", "-4 is for a name behind ping or trace" },
	{ "-6 f", "-6 is for a name behind ping or trace" },
	{ "-n localhost f", "'localhost' is no IPv4 or IPv6 address" },
	{ "-M a\"b f", "-M: a character that cannot be sent" },
	{ "-l a\x01 f", "-l: a character that cannot be sent: \\x01" },
	{ "-l '' f", "-l: the value is empty" },
	{ "-o '' f", "-o: the value is empty" },
	{ "-d '' f", "-d: the value is empty" },
	{ "-e '' f", "-e: the value is empty" },
	{ "-g '' f", "-g: the value is empty" },
	{ "-c '' f", "-c: the command is empty" },
	{ "-c _ f", "-c: the command is empty" },
	{ "-c ping\x02 f", "-c: a character that cannot be sent: \\x02" },
	{ "-c ping -I ping_192.0.2.1", "-c has no place here" },
	{ "-c ping -O cmdfile f", "-c has no place here" },
	{ "-c ping -O tsps f", "-c has no place here" },
	{ "-c trace ping 192.0.2.1", "-c has no place here" },
	{ "-i", "-i needs one or more addresses" },
	{ "-I", "-I needs one or more commands" },
	{ "-f", "-f needs a file name" },
	{ "-f a b", "'b' is left over" },
	{ "a b", "'b' is left over behind the file name 'a', which is no command" },
	{ "192.0.2.1", "'192.0.2.1' is an address, not a file of targets: 'vantage -i 192.0.2.1'" },
	{ "2001:db8::1 x", "'2001:db8::1' is an address" },
	{ "ping", "ping needs an address, as in 'vantage ping 192.0.2.1'" },
	{ "trace -q 1 exam$ple.org", "'exam$ple.org' is no address and no host's name, which trace takes last" },
	{ "ping -c 3", "'3' is no address and no host's name, which ping takes last" },
	{ "ping 192.0.2", "'192.0.2' is no address" },
	{ "ping 192.0.2.1 -R", "'-R' is no address" },
	{ "-i -I a", "only one of -i, -I and -f" },
	{ "-f -i a", "only one of -i, -I and -f" },
	{ "-i -i a", "only one of -i, -I and -f" },
	{ "-D f", "-D needs -U or -P" },
	{ "-O data-id f", "-O data-id needs -U or -P" },
	{ "-P 1 -i 192.0.2.1", "-i, -I and -f have no place beside -U and -P" },
	{ "-f -U /s", "-i, -I and -f have no place beside -U and -P" },
	{ "-U /s f", "'f' is left over" },
	{ "-U /s -O tsps", "-O tsps: with -U and -P lists are the clients' to give" },
	{ "-D -U /s -o -", "-o -: -D leaves standard output behind" },
	{ "-D -U /s -O json", "needs -o FILE" },
	{ "-D -U /s -O outcopy", "needs -o FILE" },
	{ "-U /s -o it's", "-o: a character that cannot be sent" },
	{ "-P 1 -l x", "-l has no place beside -U and -P" },
	{ "-P 1 --private", "--private has no place beside -U and -P" },
	{ "-U /s -p 0", "-p 0 needs a window" },
	{ "-U /1 -U /2 -U /3 -U /4 -U /5", "at most 4 of each" },
	{ "-U /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "is longer than 107 bytes" },
	{ "status x", "'x' is left over behind status" },
	{ "top --json", "top has no such option" },
	{ "-p 3 top", "-p: top has no such option" },
	{ "status --private", "--private: status has no such option" },
	{ "-R h:1", "-R: there is no remote controller" },
	{ "-F ipfw", "-F: the firewall is vantage-privd's" },
	{ "-S 192.0.2.1 f", "-S: a source address belongs to the command" },
	{ "-O f", "-O: unknown value 'f'" },
	{ "-O warts.zip f", "unknown value 'warts.zip'" },
	{ "-O textx f", "unknown value 'textx'" },
	{ "-O dnp f", "unknown value 'dnp'" },
	{ "-O text=1 f", "unknown value 'text=1'" },
	{ "-O dnp= f", "-O dnp=: names no file" },
	{ "-O text -O warts f", "two output formats" },
	{ "-O warts -O warts.gz f", "two output formats" },
	{ "--json -O text f", "two output formats" },
	{ "-O planetlab f", "-O planetlab: " },
	{ "-O kqueue f", "-O kqueue: the worker waits with epoll" },
	{ "-O select f", "-O select: " },
	{ "-O poll f", "-O poll: " },
	{ "-O outcopy f", "-O outcopy needs -U or -P" },
	{ "-O icmp-rxerr f", "-O icmp-rxerr: " },
	{ "-O noring f", "-O noring: " },
	{ "-O ring-blocks=4 f", "-O ring-blocks=: " },
	{ "-O ring-block-size=4 f", "-O ring-block-size=: " },
	{ "-O ring-locked f", "-O ring-locked: " },
	{ "-O cafile=x f", "-O cafile=: " },
	{ "-O client-certfile=x f", "-O client-certfile=: " },
	{ "-O client-privfile=x f", "-O client-privfile=: " },
	{ "-O tsps -i 192.0.2.1", "-O tsps needs a file" },
	{ "-O cmdfile -I x", "-O cmdfile needs a file" },
	{ "-O cmdfile -O tsps f", "exclude each other" },
	{ "-O debugfileappend f", "-O debugfileappend needs -d" },
	{ "--private --socket /x f", "--private and --socket exclude" },
	{ "--socket", "--socket needs a value" },
	{ "--json=1 f", "--json takes no value" },
	{ "dump -O warts", "-O: dump has json and text alone" },
	{ "dump -o x", "-o: dump has no such option" },
	{ "dump --warts", "--warts: dump has no such option" },
	{ "-p 3 dump x", "-p: dump has no such option" },
	{ "dump -O cmdfile x", "-O: dump has json and text alone" },
	{ "dump -x", "unknown option -x" },
	{ "ping 192.0.2.1 --nope", "unknown option --nope" },
	{ "check-config --socket /x", "--socket: check-config has no such option: it asks no service" },
	{ "check-config -p 5", "-p: check-config has no such option" },
	{ "check-config a b", "'b' is left over behind check-config" },
	{ "reload --json", "--json: reload has no such option" },
	{ "reload a b", "'b' is left over behind reload" },
};

static void
a_bad_line_names_its_word_and_range(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_lines) / sizeof(bad_lines[0]); i++) {
		struct errbuf err = { "" };
		struct opts o;

		if (parse(bad_lines[i].line, &o, &err) != -EINVAL ||
		    strstr(err.text, bad_lines[i].says) == NULL)
			fail_msg("'%s' gave '%s'", bad_lines[i].line, err.text);
		opts_fini(&o);
	}
}

static const char *const good_lines[] = {
	"status",
	"status --json --socket /s",
	"--socket /s top",
	"-U /s",
	"-U s -P 31337 -P [::1]:31338 -D",
	"-U /s -O json",
	"-U /s -o - --warts",
	"-D -U /s -o out.warts.gz -O outcopy",
	"-U /s -p 5 -w 3 -M m -c ping -d log -e pid -H 3 -n ::1 -O data-id -O dnp=f --spoof --local",
	"f",
	"-",
	"-f -",
	"-i 192.0.2.1 ::1",
	"-I ping_::1",
	"-p 1 f",
	"-p 1000000 f",
	"-p 0 -w 1 f",
	"-w 0 f",
	"-w 65535 f",
	"-L 1 f",
	"-L 2147483647 f",
	"-C 1 f",
	"-C 2147483647 f",
	"-H 0 f",
	"-H 60 f",
	"-n 192.0.2.53 f",
	"-n ::1 f",
	"-M mon f",
	"-l my_list f",
	"-o - f",
	"-o x.warts f",
	"-d log f",
	"-d log -O debugfileappend f",
	"-e pid f",
	"-g cfg f",
	"-c ping_-c_1 f",
	"-O text f",
	"-O WARTS f",
	"-O warts.gz f",
	"-O warts.bz2 f",
	"-O warts.xz f",
	"-O json f",
	"-O rawtcp f",
	"-O epoll f",
	"-O noinitndc f",
	"-O notls f",
	"-O notls-remote f",
	"-O ring f",
	"-O dl-any f",
	"-O dyn-filter f",
	"-O dnp=x -O dnp=y f",
	"-O tsps f",
	"-O cmdfile f",
	"--private f",
	"--socket /x f",
	"--socket=/x f",
	"-q f",
	"--quiet f",
	"--spoof --local f",
	"dump",
	"dump a b",
	"dump --text a",
	"dump -",
	"f -p 5",
};

static void
every_good_line_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good_lines) / sizeof(good_lines[0]); i++) {
		struct errbuf err = { "" };
		struct opts o;

		if (parse(good_lines[i], &o, &err) != 0)
			fail_msg("'%s' gave '%s'", good_lines[i], err.text);
		opts_fini(&o);
	}
}

static void
values_go_where_they_belong(void **state)
{
	struct errbuf err;
	struct opts o;

	(void)state;
	assert_int_equal(
	    parse("-p7 -w 9 -L 3 -C 4 -qM mon -l li -o out -H 2 -n ::1 -c ping_-c_2 f", &o, &err), 0);
	assert_int_equal(o.pps, 7);
	assert_int_equal(o.window, 9);
	assert_int_equal(o.list_id, 3);
	assert_int_equal(o.cycle_id, 4);
	assert_true(o.quiet);
	assert_string_equal(o.monitor, "mon");
	assert_string_equal(o.list_name, "li");
	assert_string_equal(o.output, "out");
	assert_int_equal(o.hold_s, 2);
	assert_true(o.hold_given);
	assert_int_equal(o.nameserver.family, ADDR_IP6);
	assert_string_equal(o.command, "ping -c 2");
	assert_int_equal(o.mode, MODE_FILE);
	assert_int_equal(o.operand_count, 1);
	opts_fini(&o);
}

static void
defaults_are_those_of_the_manual(void **state)
{
	struct errbuf err;
	struct opts o;

	(void)state;
	assert_int_equal(parse("f", &o, &err), 0);
	assert_int_equal(o.pps, 20);
	assert_int_equal(o.window, 0);
	assert_string_equal(o.command, "trace");
	assert_string_equal(o.list_name, "default");
	assert_int_equal(o.list_id, 0);
	assert_int_equal(o.cycle_id, 0);
	assert_int_equal(o.format, FORMAT_TEXT);
	assert_int_equal(o.comp, COMP_NONE);
	assert_null(o.output);
	opts_fini(&o);
}

static void
suffix_gives_the_format_unless_an_option_does(void **state)
{
	static const struct {
		const char *line;
		enum out_format format;
		enum out_comp comp;
	} rows[] = {
		{ "-o a.warts f", FORMAT_WARTS, COMP_NONE },
		{ "-o a.warts.gz f", FORMAT_WARTS, COMP_GZIP },
		{ "-o a.warts.bz2 f", FORMAT_WARTS, COMP_BZIP2 },
		{ "-o a.warts.xz f", FORMAT_WARTS, COMP_XZ },
		{ "-o a.json f", FORMAT_JSON, COMP_NONE },
		{ "-o a.json.gz f", FORMAT_JSON, COMP_GZIP },
		{ "-o a.txt.xz f", FORMAT_TEXT, COMP_XZ },
		{ "-o a.out f", FORMAT_TEXT, COMP_NONE },
		{ "-O text -o a.warts f", FORMAT_TEXT, COMP_NONE },
		{ "-O warts -o a.warts.gz f", FORMAT_WARTS, COMP_GZIP },
		{ "-O json -o a.warts.gz f", FORMAT_JSON, COMP_GZIP },
		{ "-o a.gz f", FORMAT_TEXT, COMP_GZIP },
		{ "-O warts -o a.bz2 f", FORMAT_WARTS, COMP_BZIP2 },
		{ "-o gz f", FORMAT_TEXT, COMP_NONE },
		{ "-o .warts f", FORMAT_TEXT, COMP_NONE },
		{ "-O warts.gz -o a f", FORMAT_WARTS, COMP_GZIP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct errbuf err;
		struct opts o;

		assert_int_equal(parse(rows[i].line, &o, &err), 0);
		if (o.format != rows[i].format || o.comp != rows[i].comp)
			fail_msg("'%s' gave %d %d", rows[i].line, o.format, o.comp);
		opts_fini(&o);
	}
}

static void
a_verb_takes_the_rest_of_the_line(void **state)
{
	struct errbuf err;
	struct opts o;

	(void)state;
	assert_int_equal(parse("-p 5 ping -c 3 -p 0a0b 192.0.2.1 --json", &o, &err), 0);
	assert_int_equal(o.mode, MODE_VERB);
	assert_int_equal(o.pps, 5);
	assert_int_equal(o.format, FORMAT_JSON);
	assert_int_equal(o.operand_count, 6);
	assert_string_equal(o.operands[0], "ping");
	assert_string_equal(o.operands[5], "192.0.2.1");
	opts_fini(&o);
	/* Behind -f it is a file name. */
	assert_int_equal(parse("-f ping", &o, &err), 0);
	assert_int_equal(o.mode, MODE_FILE);
	opts_fini(&o);
	assert_int_equal(parse("./ping", &o, &err), 0);
	assert_int_equal(o.mode, MODE_FILE);
	opts_fini(&o);
	assert_int_equal(parse("-f 192.0.2.1", &o, &err), 0);
	assert_int_equal(o.mode, MODE_FILE);
	opts_fini(&o);
}

static void
words_behind_two_dashes_are_operands(void **state)
{
	struct errbuf err;
	struct opts o;

	(void)state;
	assert_int_equal(parse("-I -- -x", &o, &err), 0);
	assert_string_equal(o.operands[0], "-x");
	opts_fini(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_line_names_its_word_and_range),
		cmocka_unit_test(every_good_line_is_taken),
		cmocka_unit_test(values_go_where_they_belong),
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(suffix_gives_the_format_unless_an_option_does),
		cmocka_unit_test(a_verb_takes_the_rest_of_the_line),
		cmocka_unit_test(words_behind_two_dashes_are_operands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
