#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workerd/slice/slice.h"

#define WORKER 990

static const char *said; /* of the last refusal */
static struct errbuf err;

/* Lines of "word value" to slices; NULL when refused, and said is why. */
static struct slices *
configured(const char *const *lines)
{
	struct conf *conf = malloc(sizeof(*conf));
	struct slices *all = NULL;
	int rc = 0;

	assert_non_null(conf);
	conf_init(conf);
	err.text[0] = '\0';
	for (; rc == 0 && *lines != NULL; lines += 2)
		rc = conf_set(conf, lines[0], lines[1], &err);
	if (rc == 0)
		rc = slices_new(conf, WORKER, &all, &err);
	said = err.text;
	free(conf);
	assert_true(rc == 0 ? all != NULL : err.text[0] != '\0');
	return all;
}

static const char *
name_of(struct slices *all, uid_t uid, gid_t a, gid_t b)
{
	const gid_t groups[] = { a, b };

	return slices_of_user(all, uid, groups, 2)->conf->name;
}

static void
clients_belong_to_their_slice(void **state)
{
	static const char *const lines[] = { "operators", "1", "slice", "guests uid 1001", "slice",
		"guests gid 2001", "slice", "staff uid 65534", "slice", "staff gid 2002", "slice", "staff share 5",
		"tcp-slice", "guests", NULL };
	struct slices *all = configured(lines);

	(void)state;
	assert_non_null(all);
	assert_int_equal(slices_count(all), 4);
	assert_string_equal(name_of(all, 0, 0, 0), "operators");
	assert_string_equal(name_of(all, WORKER, 7, 7), "operators");
	assert_string_equal(name_of(all, 1001, 7, 7), "guests");
	assert_string_equal(name_of(all, 1001, 2002, 7), "guests"); /* the user before the group */
	assert_string_equal(name_of(all, 1005, 7, 2002), "staff");
	assert_string_equal(name_of(all, 1005, 2001, 2002), "guests"); /* the first group */
	assert_string_equal(name_of(all, 65534, 7, 7), "staff");
	assert_string_equal(name_of(all, 1005, 7, 1), "operators");
	assert_string_equal(name_of(all, 1005, 7, 7), "default");
	assert_string_equal(slices_of_tcp(all)->conf->name, "guests");
	assert_true(slices_get(all, 0)->operators);
	assert_false(slices_get(all, 1)->operators);
	assert_int_equal(slices_get(all, 3)->conf->share, 5);
	slices_free(all);
}

static void
without_configuration_there_are_operators_and_the_others(void **state)
{
	struct slices *all;

	(void)state;
	assert_int_equal(slices_new(NULL, WORKER, &all, &err), 0);
	assert_int_equal(slices_count(all), 2);
	assert_string_equal(name_of(all, 0, 0, 0), "operators");
	assert_string_equal(name_of(all, 1, 1, 1), "default");
	assert_string_equal(slices_of_tcp(all)->conf->name, "default");
	slices_free(all);
}

static void
a_wrong_line_is_refused_by_name(void **state)
{
	static const struct {
		const char *lines[5];
		const char *says;
	} cases[] = {
		{ { "slice", "x", NULL }, "NAME, then uid" },
		{ { "slice", "x colour red", NULL }, "NAME, then uid" },
		{ { "slice", "x pps", NULL }, "pps needs one value" },
		{ { "slice", "x pps 1 2", NULL }, "pps needs one value" },
		{ { "slice", "x pps 0", NULL }, "'0' is not a number from 1 to 1000000" },
		{ { "slice", "x share 10001", NULL }, "from 1 to 10000" },
		{ { "slice", "x/y pps 1", NULL }, "a name is up to 32" },
		{ { "slice", "x methods ping;trace", NULL }, "'ping;trace' is none" },
		{ { "slice", "x uid 5", "slice", "y uid 5", NULL }, "belongs to slice 'x' already" },
		{ { "slice", "x uid 65534", "slice", "y uid 065534", NULL }, "belongs to two slices" },
		{ { "slice", "x uid nobody", NULL }, "'nobody' is no number of a user" },
		{ { "slice", "x gid nogroup", NULL }, "'nogroup' is no number of a group" },
		{ { "slice", "x uid 4294967295", NULL }, "'4294967295' is no number of a user" },
		{ { "operators", "daemon", NULL }, "operators: 'daemon' is no number of a group" },
		{ { "tcp-slice", "nobodys", NULL }, "tcp-slice: no slice 'nobodys'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(configured(cases[i].lines));
		if (strstr(said, cases[i].says) == NULL)
			print_error("%s: %s\n", cases[i].says, said);
		assert_non_null(strstr(said, cases[i].says));
	}
}

static void
slices_and_members_are_bounded(void **state)
{
	struct conf *conf = malloc(sizeof(*conf));
	char line[64];
	int rc = 0;

	(void)state;
	assert_non_null(conf);
	conf_init(conf);
	for (int i = 0; rc == 0; i++) {
		(void)snprintf(line, sizeof(line), "s%d share 1", i);
		rc = conf_set(conf, "slice", line, &err);
	}
	assert_int_equal(rc, -E2BIG);
	assert_int_equal(conf->slices.count, CONF_SLICES_MAX);
	for (int i = 0; rc != 0; i++) {
		(void)snprintf(line, sizeof(line), "s1 uid %d", i);
		rc = conf_set(conf, "slice", line, &err) == 0;
	}
	assert_int_equal(conf->slices.members, CONF_MEMBERS_MAX);
	free(conf);
}

static void
a_refusal_says_which_limit_what_is_left_and_when_to_come_again(void **state)
{
	static const char *const lines[] = { "slice", "g methods ping,sting", "slice", "g running 2", "slice",
		"g hourly 3", NULL };
	struct slices *all = configured(lines);
	struct slice *s = slices_get(all, 2);
	nsec_t now = 50 * NSEC_PER_SEC;

	(void)state;
	assert_int_equal(slice_begin(s, "trace", now, &err), -EPERM);
	assert_string_equal(err.text, "slice g: methods ping,sting, not trace");
	assert_int_equal(slice_begin(s, "pin", now, &err), -EPERM);
	assert_int_equal(slice_begin(s, "ping", now, &err), 0);
	assert_int_equal(slice_begin(s, "sting", now, &err), 0);
	assert_int_equal(slice_begin(s, "ping", now, &err), -EDQUOT);
	assert_string_equal(err.text, "slice g: running 2, 0 left; again when one of them ends");
	slice_ended(s);
	assert_int_equal(slice_begin(s, "ping", now + 10 * NSEC_PER_SEC, &err), 0);
	slice_ended(s);
	assert_int_equal(slice_begin(s, "ping", now + 600 * NSEC_PER_SEC, &err), -EDQUOT);
	assert_string_equal(err.text, "slice g: hourly 3, 0 left; again in 3000 seconds");
	assert_int_equal(slice_begin(s, "ping", now + 3600 * NSEC_PER_SEC, &err), 0);
	assert_int_equal(s->refused[SLICE_METHOD], 2);
	assert_int_equal(s->refused[SLICE_RUNNING], 1);
	assert_int_equal(s->refused[SLICE_HOURLY], 1);
	assert_int_equal(s->accepted, 4);
	assert_int_equal(s->running, 2);
	slices_free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_belong_to_their_slice),
		cmocka_unit_test(without_configuration_there_are_operators_and_the_others),
		cmocka_unit_test(a_wrong_line_is_refused_by_name),
		cmocka_unit_test(slices_and_members_are_bounded),
		cmocka_unit_test(a_refusal_says_which_limit_what_is_left_and_when_to_come_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
