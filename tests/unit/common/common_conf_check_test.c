#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/conf_check.h"

/* Files with names of users, groups and other files; and back to text. */

struct files {
	char dir[32];
	char conf[64];
	char dnp[64];
	struct conf read;
	struct errbuf err;
};

static void
put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static int
set_up(void **state)
{
	struct files *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/conf_check_XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->conf, sizeof(f->conf), "%s/conf", f->dir);
	(void)snprintf(f->dnp, sizeof(f->dnp), "%s/dnp", f->dir);
	put_file(f->dnp, "192.0.2.0/24\n");
	conf_init(&f->read);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct files *f = *state;

	(void)unlink(f->conf);
	(void)unlink(f->dnp);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

/* The users of both processes are not those of a build machine. */
#define USERS "user nobody\ngroup nogroup\nprivd-user daemon\nprivd-group daemon\n"

static void
names_become_numbers(void **state)
{
	struct files *f = *state;

	put_file(f->conf,
	    "operators daemon\nslice a uid nobody\nslice a gid daemon\nslice b uid 0077\nslice b share 3\n");
	assert_int_equal(conf_load(&f->read, f->conf, false, &f->err), 0);
	assert_string_equal(f->read.operators, "1");
	assert_string_equal(f->read.slices.member[0].name, "65534");
	assert_string_equal(f->read.slices.member[1].name, "1");
	assert_string_equal(f->read.slices.member[2].name, "77");
	/* No group is asked for: the worker's, if there is one. */
	put_file(f->conf, "group daemon\n");
	assert_int_equal(conf_load(&f->read, f->conf, false, &f->err), 0);
	assert_string_equal(f->read.operators, "1");
	put_file(f->conf, "group no-such-group\n");
	assert_int_equal(conf_load(&f->read, f->conf, false, &f->err), 0);
	assert_string_equal(f->read.operators, "");
}

static void
a_file_may_lack_only_when_that_is_said(void **state)
{
	struct files *f = *state;

	assert_int_equal(conf_load(&f->read, f->conf, false, &f->err), -ENOENT);
	assert_int_equal(conf_load(&f->read, f->conf, true, &f->err), 0);
	assert_int_equal(f->read.pps, 20);
}

static void
what_a_start_finds_wrong_is_named_by_line_and_column(void **state)
{
	static const struct {
		const char *text;
		const char *says;
		bool load_too; /* the worker alone would find it */
	} cases[] = {
		{ "pps 5\nppps 5\n", ":2:1: 'ppps' is no word of this file", true },
		{ "operators vx-none\n", ":1:11: operators: no group 'vx-none'", true },
		{ "\nslice a uid vx-none\n", ":2:7: slice: no user 'vx-none'", true },
		{ "slice a gid vx-none\n", ":1:7: slice: no group 'vx-none'", true },
		{ "slice a uid 4294967295\n", ":1:7: slice: no user '4294967295'", true },
		{ "slice a uid 65534\nslice b uid nobody\n", ":2:7: slice: user 'nobody' belongs to slice 'a' already",
		    true },
		{ "tcp-slice b\nslice a share 1\n", ":1:11: tcp-slice: no slice 'b'", true },
		{ "user vx-none\n", ":1:6: no user 'vx-none'", false },
		{ "privd-group vx-none\n", ":1:13: no group 'vx-none'", false },
		{ "user daemon\n", ": user and privd-user must not be the same", false },
		{ "user root\n", ": user 'root' and group 'nogroup' must not be root's", false },
		{ "dnp /nonexistent/list\n", ":1:5: /nonexistent/list: No such file", false },
	};
	struct files *f = *state;
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int loaded;

		/* The case's own lines come first: they are counted. */
		(void)snprintf(text, sizeof(text), "%s%s", cases[i].text,
		    strstr(cases[i].text, "user") == cases[i].text ? "group nogroup\nprivd-user daemon\nprivd-group daemon\n"
								    : USERS);
		put_file(f->conf, text);
		loaded = conf_load(&f->read, f->conf, false, &f->err);
		if ((loaded != 0) != cases[i].load_too)
			fail_msg("'%s': loading gives %d", cases[i].text, loaded);
		f->err.text[0] = '\0';
		assert_int_not_equal(conf_check(&f->read, f->conf, false, &f->err), 0);
		if (strncmp(f->err.text, f->conf, strlen(f->conf)) != 0 || strstr(f->err.text, cases[i].says) == NULL)
			fail_msg("'%s': not '%s'", f->err.text, cases[i].says);
	}
}

static void
a_bad_prefix_is_named_in_its_own_file(void **state)
{
	struct files *f = *state;
	char text[256], says[192];

	(void)snprintf(text, sizeof(text), "%sdnp %s\n", USERS, f->dnp);
	put_file(f->conf, text);
	assert_int_equal(conf_check(&f->read, f->conf, false, &f->err), 0);
	put_file(f->dnp, "192.0.2.0/24\n  192.0.2.0/33\n");
	assert_int_not_equal(conf_check(&f->read, f->conf, false, &f->err), 0);
	(void)snprintf(says, sizeof(says), "%s:5:5: %s:2:3: prefix length '33'", f->conf, f->dnp);
	assert_non_null(strstr(f->err.text, says));
}

/* ---- back to text ---- */

/* The lines of a configuration, through conf_set into another. */
static void
say_again(const struct conf *from, struct conf *to)
{
	struct errbuf err = { "" };
	struct buf text;
	char *line, *rest;

	buf_init(&text, 0);
	conf_put(from, &text);
	buf_u8(&text, '\0');
	assert_false(text.failed);
	conf_init(to);
	rest = (char *)text.p;
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *value = strchr(line, ' ');

		if (*line == '\0')
			continue;
		*value++ = '\0';
		if (conf_set(to, line, value, &err) != 0)
			fail_msg("%s %s: %s", line, value, err.text);
	}
	buf_fini(&text);
}

#define ALL                                                                                                  \
	"user a\ngroup b\nprivd-user c\nprivd-group d\nmark 90\nmax-pps 1000\npps 50\nwindow 7\nholdtime 3\n"   \
	"nameserver 2001:db8::53\n"                                                                              \
	"spoof yes\nlocal yes\ndnp /a\ndnp /b\ncontrol /c\nport udp/133\nport tcp/134\nlisten 31337\n"           \
	"listen [2001:db8::1]:5\noperators 7\ntcp-slice second\nslice first uid 5\nslice second gid 6\n"           \
	"slice second share 4\nslice second pps 10\nslice second window 11\nslice second running 12\n"             \
	"slice second hourly 13\nslice second methods ping,trace\nslice default pps 3\n"

static void
what_is_put_says_the_same(void **state)
{
	struct files *f = *state;
	struct conf *again = malloc(sizeof(*again));
	struct buf text[2];

	assert_non_null(again);
	put_file(f->conf, ALL);
	assert_int_equal(conf_read(&f->read, f->conf, &f->err), 0);
	say_again(&f->read, again);
	for (int i = 0; i < 2; i++) {
		buf_init(&text[i], 0);
		conf_put(i == 0 ? &f->read : again, &text[i]);
	}
	assert_int_equal(text[0].len, text[1].len);
	assert_memory_equal(text[0].p, text[1].p, text[0].len);
	buf_fini(&text[0]);
	buf_fini(&text[1]);
	assert_int_equal(again->slices.count, 4);
	assert_string_equal(again->slices.slice[2].name, "first");
	assert_int_equal(again->slices.slice[3].hourly, 13);
	assert_int_equal(again->slices.member[1].slice, 3);
	assert_int_equal(again->listens.at[1].port, 5);
	assert_true(addr_equal(&again->nameserver, &f->read.nameserver));
	assert_int_equal(again->ports.port[1].ipproto, f->read.ports.port[1].ipproto);
	assert_true(again->spoof && again->local);
	free(again);
}

static void
note(void *ctx, const char *word)
{
	(void)strlcat(ctx, word, 256);
	(void)strlcat(ctx, " ", 256);
}

static void
only_a_restart_changes_these(void **state)
{
	struct files *f = *state;
	struct conf *plain = malloc(sizeof(*plain));
	char words[256] = "";

	assert_non_null(plain);
	conf_init(plain);
	put_file(f->conf, ALL);
	assert_int_equal(conf_read(&f->read, f->conf, &f->err), 0);
	conf_diff(plain, &f->read, note, words);
	assert_string_equal(
	    words, "user group privd-user privd-group mark max-pps spoof local dnp control port listen ");
	words[0] = '\0';
	conf_diff(&f->read, &f->read, note, words);
	assert_string_equal(words, "");
	/* And these do not need one. */
	conf_take_live(plain, &f->read);
	assert_int_equal(plain->pps, 50);
	assert_int_equal(plain->window, 7);
	assert_int_equal(plain->hold_s, 3);
	assert_memory_equal(&plain->nameserver, &f->read.nameserver, sizeof(plain->nameserver));
	assert_int_equal(plain->nameserver.family, ADDR_IP6);
	assert_string_equal(plain->operators, "7");
	assert_string_equal(plain->tcp_slice, "second");
	assert_int_equal(plain->slices.count, 4);
	assert_int_equal(plain->max_pps, 12000);
	assert_string_equal(plain->user, "vantage");
	free(plain);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_become_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_may_lack_only_when_that_is_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_start_finds_wrong_is_named_by_line_and_column, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_bad_prefix_is_named_in_its_own_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_put_says_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_a_restart_changes_these, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
