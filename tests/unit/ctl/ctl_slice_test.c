#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ctl/mock.h"
#include "workerd/ctl/session.h"
#include "workerd/slice/slice.h"

/* Clients of several slices on one worker. */

#define PEOPLE 4

struct crowd {
	struct mock_net net;
	struct conf conf;
	struct slices *slices;
	struct session_env env;
	struct session s[PEOPLE];
};

enum { ROOT, GUEST, GUEST_TOO, STRANGER };

static void
on_attend(struct session *s)
{
	(void)s;
}

static const uid_t uids[PEOPLE] = { 0, 1001, 1002, 1003 };

static void
on_slices(struct session_env *env)
{
	struct crowd *c = (struct crowd *)((char *)env - offsetof(struct crowd, env));

	for (int i = 0; i < PEOPLE; i++)
		session_identify(&c->s[i], uids[i], NULL, 0);
}

static void
on_settle(void *ctx, struct conf *conf)
{
	(void)ctx;
	if (conf->pps > 5000)
		conf->pps = 5000;
}

static int
crowd_open(void **state)
{
	static const char *const lines[] = { "guests uid 1001", "guests uid 1002", "guests running 3",
		"guests methods wait,now,step", "guests share 3", "guests window 2", "default hourly 2" };
	struct crowd *c = calloc(1, sizeof(*c));
	struct ctl_config cfg = { .types = mock_types,
		.version = "1",
		.hostname = "h",
		.pid = 1,
		.uid = 990,
		.wake = mock_net_wake };
	struct errbuf err;
	char name[16];

	assert_non_null(c);
	conf_init(&c->conf);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(conf_set(&c->conf, "slice", lines[i], &err), 0);
	assert_int_equal(slices_new(&c->conf, 990, &c->slices, &err), 0);
	assert_int_equal(mock_net_init(&c->net, 1000), 0);
	cfg.slices = c->slices;
	cfg.ctx = &c->net;
	cfg.conf = &c->conf;
	cfg.settle = on_settle;
	cfg.max_pps = 5000;
	assert_int_equal(session_env_init(&c->env, &cfg, c->net.engine), 0);
	c->env.on_slices = on_slices;
	for (int i = 0; i < PEOPLE; i++) {
		(void)snprintf(name, sizeof(name), "client %d", i);
		session_init(&c->s[i], &c->env, name);
		c->s[i].attend = on_attend;
		session_identify(&c->s[i], uids[i], NULL, 0);
	}
	*state = c;
	return 0;
}

static int
crowd_close(void **state)
{
	struct crowd *c = *state;

	for (int i = 0; i < PEOPLE; i++) {
		while (!session_drop(&c->s[i], 100))
			;
		session_fini(&c->s[i]);
	}
	for (uint32_t i = 0; i < slices_count(c->env.slices); i++) {
		assert_int_equal(slices_get(c->env.slices, i)->running, 0);
		assert_int_equal(slices_get(c->env.slices, i)->clients, 0);
	}
	session_env_fini(&c->env);
	slices_free(c->slices);
	mock_net_fini(&c->net);
	assert_int_equal(mock_alive, 0);
	free(c);
	return 0;
}

/* What the session answers, DATA blocks included; valid until the next. */
static const char *
say(struct crowd *c, int who, const char *text)
{
	static char heard[1 << 17];
	struct session *s = &c->s[who];
	char bytes[4096];
	size_t n;

	assert_true(strlen(text) < sizeof(bytes));
	memcpy(bytes, text, strlen(text));
	(void)session_input(s, bytes, strlen(text));
	mock_net_run(&c->net, NSEC_PER_MSEC);
	n = session_unsent(s);
	assert_true(n < sizeof(heard));
	memcpy(heard, s->out.p + s->sent, n);
	heard[n] = '\0';
	session_sent(s, n);
	return heard;
}

/* A line, and all that it is answered by, each without its newline at the end. */
#define expect(c, who, line, answer) assert_string_equal(say(c, who, line "\n"), answer "\n")

static void
who_may_set_is_who_is_an_operator(void **state)
{
	struct crowd *c = *state;

	expect(c, ROOT, "set pps 999", "OK pps 999");
	expect(c, GUEST, "set pps 5", "ERR not permitted: set pps is for operators");
	expect(c, STRANGER, "set pps 5", "ERR not permitted: set pps is for operators");
}

static void
limits_are_the_slices_not_the_connections(void **state)
{
	struct crowd *c = *state;

	(void)say(c, GUEST, "attach\n");
	(void)say(c, GUEST_TOO, "attach\n");
	assert_non_null(strstr(say(c, GUEST, "wait 192.0.2.1\nwait 192.0.2.2\n"), "OK id-2\n"));
	assert_non_null(strstr(say(c, GUEST_TOO, "wait 192.0.2.3\n"), "OK id-1\n"));
	expect(c, GUEST_TOO, "wait 192.0.2.4",
	    "ERR command not accepted: slice guests: running 3, 0 left; again when one of them ends");
	/* Two run, the third waits for the slice's window. */
	assert_int_equal(engine_running(c->net.engine), 2);
	assert_non_null(strstr(say(c, GUEST, "halt 1\n"), "OK halted 1\n"));
	assert_non_null(strstr(say(c, GUEST_TOO, "wait 192.0.2.4\n"), "OK id-2\n"));
	assert_int_equal(engine_running(c->net.engine), 2);
	/* Another slice is not concerned. */
	(void)say(c, ROOT, "attach\n");
	assert_non_null(strstr(say(c, ROOT, "hold 192.0.2.9\n"), "OK id-1\n"));
	assert_int_equal(engine_running(c->net.engine), 3);
}

static void
kinds_that_are_not_the_slices_are_refused(void **state)
{
	struct crowd *c = *state;

	(void)say(c, GUEST, "attach\n");
	expect(c, GUEST, "hold 192.0.2.1",
	    "ERR command not accepted: slice guests: methods wait,now,step, not hold");
	assert_non_null(strstr(say(c, GUEST, "now 192.0.2.1\n"), "OK id-1\n"));
}

static void
an_hour_s_limit_outlives_the_connection(void **state)
{
	struct crowd *c = *state;

	(void)say(c, STRANGER, "attach\n");
	(void)say(c, STRANGER, "now 192.0.2.1\nnow 192.0.2.1\n");
	assert_non_null(
	    strstr(say(c, STRANGER, "now 192.0.2.1\n"), "slice default: hourly 2, 0 left; again in "));
	session_fini(&c->s[STRANGER]);
	session_init(&c->s[STRANGER], &c->env, "again");
	c->s[STRANGER].attend = on_attend;
	session_identify(&c->s[STRANGER], 1004, NULL, 0);
	(void)say(c, STRANGER, "attach\n");
	assert_non_null(
	    strstr(say(c, STRANGER, "now 192.0.2.1\n"), "slice default: hourly 2, 0 left; again in "));
}

static void
a_client_that_vanishes_gives_back_what_it_had(void **state)
{
	struct crowd *c = *state;

	(void)say(c, GUEST, "attach\n");
	(void)say(c, GUEST, "wait 192.0.2.1\nwait 192.0.2.2\nwait 192.0.2.3\n");
	assert_int_equal(c->s[GUEST].slice->running, 3);
	assert_true(session_drop(&c->s[GUEST], 100));
	assert_int_equal(c->s[GUEST].slice->running, 0);
}

static void
sources_belong_to_the_share_of_their_slice(void **state)
{
	struct crowd *c = *state;

	assert_ptr_equal(session_share(&c->s[ROOT]), engine_share(c->net.engine));
	assert_ptr_equal(session_share(&c->s[GUEST]), session_share(&c->s[GUEST_TOO]));
	assert_ptr_not_equal(session_share(&c->s[GUEST]), session_share(&c->s[STRANGER]));
	assert_int_equal(share_part(c->net.engine, session_share(&c->s[GUEST])), 600); /* 3 of 1 + 1 + 3 */
	(void)say(c, GUEST, "attach\n");
	(void)say(c, GUEST, "now 192.0.2.1\nnow 192.0.2.1\n");
	assert_int_equal(session_share(&c->s[GUEST])->done, 2);
	assert_int_equal(session_share(&c->s[STRANGER])->done, 0);
}

static void
operators_see_all_and_others_their_own(void **state)
{
	struct crowd *c = *state;
	const char *seen;

	(void)say(c, GUEST, "attach name \"a \\b\"\n");
	(void)say(c, GUEST, "wait 192.0.2.1\n");
	(void)say(c, GUEST_TOO, "attach\n");
	seen = say(c, ROOT, "status\n");
	assert_memory_equal(
	    seen, "OK status {\"type\":\"status\",\"version\":\"1\",\"uptime\":0,\"operator\":true,", 68);
	assert_non_null(strstr(seen, "\"engine\":{\"active\":1,"));
	assert_non_null(strstr(seen, "{\"slice\":0,\"name\":\"operators\",\"share\":1,\"part\":200,"));
	assert_non_null(strstr(seen, "{\"slice\":2,\"name\":\"guests\",\"share\":3,\"part\":600,"));
	assert_non_null(strstr(
	    seen, "\"active\":1,\"window\":2,\"running\":1,\"running_max\":3,\"hourly\":0,\"clients\":2,"));
	assert_non_null(
	    strstr(seen, "{\"name\":\"client 1\",\"list\":\"a \\\\b\",\"slice\":\"guests\",\"uid\":1001,"));
	assert_non_null(strstr(seen, "\"sources_total\":2}\n"));
	seen = say(c, STRANGER, "status\n");
	assert_null(strstr(seen, "guests"));
	assert_null(strstr(seen, "client 1"));
	assert_null(strstr(seen, "engine"));
	assert_non_null(strstr(seen, "\"name\":\"default\""));
	assert_non_null(strstr(seen, "\"sources\":[],\"sources_total\":0}\n"));
	expect(c, STRANGER, "get window", "OK window 0/0");
	expect(c, ROOT, "get window", "OK window 1/0");
	(void)say(c, STRANGER, "attach\n"); /* one's slice is seen, its other users' sources are not */
	session_identify(&c->s[ROOT], 1002, NULL, 0);
	seen = say(c, ROOT, "status\n");
	assert_null(strstr(seen, "client 1"));
	assert_non_null(strstr(seen, "client 2"));
}

static void
halting_a_source_is_for_its_user(void **state)
{
	struct crowd *c = *state;

	(void)say(c, GUEST, "attach\n");
	(void)say(c, GUEST, "wait 192.0.2.1\nwait 192.0.2.2\nwait 192.0.2.3\n");
	expect(c, STRANGER, "halt client 1", "ERR no source 'client 1'");
	expect(c, STRANGER, "halt", "ERR usage: halt [source]");
	session_identify(&c->s[STRANGER], 1001, NULL, 0);
	expect(c, STRANGER, "halt client 1", "OK halted 3 of 'client 1'");
	assert_false(session_work(&c->s[GUEST]));
	assert_int_equal(c->s[GUEST].slice->running, 0);
	assert_int_equal(engine_running(c->net.engine), 0);
	/* Not what comes after. */
	assert_non_null(strstr(say(c, GUEST, "wait 192.0.2.4\n"), "OK id-4\n"));
	assert_int_equal(engine_running(c->net.engine), 1);
	/* A client without a user has nothing to halt, not even another's such. */
	session_identify(&c->s[STRANGER], PEER_UNKNOWN, NULL, 0);
	session_identify(&c->s[GUEST_TOO], PEER_UNKNOWN, NULL, 0);
	(void)say(c, GUEST_TOO, "attach\n");
	expect(c, STRANGER, "halt client 2", "ERR no source 'client 2'");
	expect(c, ROOT, "halt client 2", "OK halted 0 of 'client 2'");
}

static void
a_long_list_of_sources_is_cut_and_counted(void **state)
{
	enum { MANY = STATUS_SOURCES_MAX + 5 };
	struct crowd *c = *state;
	struct session *many = calloc(MANY, sizeof(*many));
	const char *seen, *p;
	uint32_t count = 0;

	assert_non_null(many);
	for (int i = 0; i < MANY; i++) {
		char attach[] = "attach\n";

		session_init(&many[i], &c->env, "many");
		many[i].attend = on_attend;
		(void)session_input(&many[i], attach, sizeof(attach) - 1);
	}
	seen = say(c, ROOT, "status\n");
	for (p = seen; (p = strstr(p, "\"list\"")) != NULL; p++)
		count++;
	assert_int_equal(count, STATUS_SOURCES_MAX);
	assert_non_null(strstr(seen, "\"sources_total\":261}"));
	for (int i = 0; i < MANY; i++) {
		assert_true(session_drop(&many[i], 1));
		session_fini(&many[i]);
	}
	free(many);
}

/* ---- another configuration ---- */

static void
a_commit_takes_all_at_once(void **state)
{
	struct crowd *c = *state;

	(void)say(c, GUEST, "attach\n");
	(void)say(c, GUEST, "wait 192.0.2.1\nwait 192.0.2.2\nwait 192.0.2.3\n");
	(void)say(c, STRANGER, "attach\n");
	(void)say(c, STRANGER, "wait 192.0.2.5\n");
	expect(c, ROOT,
	    "config begin\nconfig set pps 2000\nconfig set window 7\n"
	    "config set holdtime 3\nconfig set slice guests uid 1001\n"
	    "config set slice guests share 2\nconfig set slice guests running 4\n"
	    "config set slice others uid 1003\nconfig set slice others pps 5\n"
	    "config set nameserver 192.0.2.53",
	    "OK\nOK\nOK\nOK\nOK\nOK\nOK\nOK\nOK\nOK");
	/* Nothing holds yet. */
	expect(c, ROOT, "get pps", "OK pps 1000");
	assert_int_equal(slices_count(c->env.slices), 3);
	expect(c, ROOT, "config commit", "OK");
	expect(c, ROOT, "get pps\nget window\nget holdtime\nget nameserver",
	    "OK pps 2000\nOK window 4/7\nOK holdtime 3\nOK nameserver 192.0.2.53");
	/* What runs goes on, where it belongs now: the window of two is gone. */
	assert_int_equal(engine_running(c->net.engine), 4);
	assert_string_equal(c->s[GUEST].slice->conf->name, "guests");
	assert_int_equal(c->s[GUEST].slice->running, 3);
	assert_int_equal(c->s[GUEST].slice->accepted, 3);
	assert_int_equal(session_share(&c->s[GUEST])->running, 3);
	assert_string_equal(c->s[GUEST_TOO].slice->conf->name, "default");
	assert_string_equal(c->s[STRANGER].slice->conf->name, "others");
	assert_int_equal(c->s[STRANGER].slice->running, 1);
	assert_int_equal(session_share(&c->s[STRANGER])->running, 1);
	assert_int_equal(
	    share_part(c->net.engine, session_share(&c->s[GUEST])), 800); /* 2 of 1 + 1 + 2 + 1 */
	assert_int_equal(share_part(c->net.engine, session_share(&c->s[STRANGER])), 5);
	/* Limits are the new ones. */
	assert_non_null(strstr(say(c, GUEST, "hold 192.0.2.9\n"), "OK id-4\n"));
	assert_non_null(strstr(say(c, GUEST, "hold 192.0.2.9\n"), "running 4, 0 left"));
	assert_non_null(strstr(say(c, STRANGER, "halt 1\n"), "OK halted 1\n"));
	assert_int_equal(c->s[STRANGER].slice->running, 0);
	/* And once more, to none of them. */
	expect(c, ROOT, "config begin\nconfig commit", "OK\nOK");
	assert_string_equal(c->s[GUEST].slice->conf->name, "default");
	assert_int_equal(c->s[GUEST].slice->running, 4);
	expect(c, ROOT, "get pps\nget nameserver", "OK pps 20\nOK null nameserver");
}

static void
what_only_a_restart_changes_is_said(void **state)
{
	struct crowd *c = *state;
	const char *seen;

	(void)say(c, ROOT, "config begin\nconfig set mark 90\nconfig set dnp /a\nconfig set pps 9999\n");
	seen = say(c, ROOT, "config commit\n");
	assert_string_equal(seen,
	    "INFO pps: 5000 holds, not 9999, by the max-pps of vantage-privd or its command line\n"
	    "INFO mark: changed; takes effect after: systemctl restart vantage-privd\n"
	    "INFO dnp: changed; takes effect after: systemctl restart vantage-privd\nOK\n");
	/* Until the restart it is said each time. */
	seen = say(c, ROOT, "config begin\nconfig set mark 90\nconfig commit\n");
	assert_string_equal(
	    seen, "OK\nOK\nINFO mark: changed; takes effect after: systemctl restart vantage-privd\nOK\n");
	expect(c, ROOT, "set pps 5001", "ERR pps: 5001 out of range (1, 5000)");
}

static void
a_configuration_that_is_wrong_changes_nothing(void **state)
{
	struct crowd *c = *state;

	expect(c, ROOT, "config", "ERR usage: config [abort | begin | commit | set]");
	expect(c, ROOT, "config save", "ERR unhandled config command 'save'");
	expect(c, ROOT, "config set pps 5", "ERR config: begin comes first");
	expect(c, ROOT, "config commit", "ERR config: begin comes first");
	expect(c, ROOT, "config begin\nconfig set pps 0",
	    "OK\nERR config: pps: '0' is not a number from 1 to 1000000");
	expect(c, ROOT, "config set ppps 1", "ERR config: 'ppps' is no word of this file");
	expect(c, ROOT, "config set pps", "ERR config: pps: needs a value");
	expect(c, ROOT, "config set dnp /gr\\xc3\\xbcn/a\\x5cb", "OK");
	expect(c, ROOT, "config set dnp gr\\xc3\\xbcn",
	    "ERR config: dnp: 'gr\\xc3\\xbcn' does not start with /");
	expect(c, ROOT, "config set dnp /a\\xc3\\00",
	    "ERR config: dnp: a backslash is \\x5c, as other bytes are \\xHH");
	expect(c, ROOT, "config set", "ERR config: '' is no word of this file");
	expect(c, ROOT, "config set pps 77\nconfig set slice x uid alice\nconfig commit",
	    "OK\nOK\nERR config: slice: 'alice' is no number of a user");
	expect(c, ROOT, "config commit", "ERR config: begin comes first");
	expect(c, ROOT, "config begin\nconfig set tcp-slice x\nconfig commit",
	    "OK\nOK\nERR config: tcp-slice: no slice 'x'");
	expect(c, ROOT, "config begin\nconfig set pps 77\nconfig abort\nconfig commit",
	    "OK\nOK\nOK\nERR config: begin comes first");
	expect(c, ROOT, "get pps", "OK pps 1000");
	assert_string_equal(c->s[GUEST].slice->conf->name, "guests");
	/* Who goes away takes it along. */
	(void)say(c, ROOT, "config begin\nconfig set pps 77\n");
}

/* Without memory for a user of its own it is counted with strangers, and so it
 * stays: what was added there is taken off there. */
static void
a_client_stays_with_whom_it_was_counted(void **state)
{
	struct crowd *c = *state;
	struct session *s = &c->s[GUEST];

	peers_leave(&c->env.peers, s->peer);
	s->peer = &c->env.peers.unknown;
	s->peer->sessions++;
	(void)say(c, GUEST, "attach\nwait 192.0.2.1\n");
	assert_int_equal(c->env.peers.unknown.tasks, 1);
	expect(c, ROOT, "config begin\nconfig commit", "OK\nOK");
	assert_ptr_equal(s->peer, &c->env.peers.unknown);
	while (!session_drop(s, 100))
		;
	assert_int_equal(c->env.peers.unknown.tasks, 0);
}

static void
a_configuration_is_the_operators_affair(void **state)
{
	static const char *const verbs[] = { "begin", "set pps 5", "commit", "abort" };
	struct crowd *c = *state;
	char line[64];

	(void)say(c, ROOT, "config begin\nconfig set pps 77\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		(void)snprintf(line, sizeof(line), "config %s\n", verbs[i]);
		assert_string_equal(say(c, GUEST, line), "ERR not permitted: config is for operators\n");
	}
	/* Each has its own. */
	expect(c, ROOT, "config commit\nget pps", "OK\nOK pps 77");
	/* Operators by group, of this very configuration. */
	(void)say(c, ROOT, "config begin\nconfig set operators 4242\nconfig commit\n");
	session_identify(&c->s[GUEST], 1001, (const gid_t[]){ 7, 4242 }, 2);
	expect(c, GUEST, "set pps 5", "OK pps 5");
	session_identify(&c->s[GUEST], 1001, (const gid_t[]){ 7 }, 1);
	expect(c, GUEST, "set pps 6", "ERR not permitted: set pps is for operators");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_may_set_is_who_is_an_operator, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(
		    limits_are_the_slices_not_the_connections, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(
		    kinds_that_are_not_the_slices_are_refused, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(
		    an_hour_s_limit_outlives_the_connection, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(
		    a_client_that_vanishes_gives_back_what_it_had, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(
		    sources_belong_to_the_share_of_their_slice, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(
		    operators_see_all_and_others_their_own, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(halting_a_source_is_for_its_user, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(
		    a_long_list_of_sources_is_cut_and_counted, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(a_commit_takes_all_at_once, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(what_only_a_restart_changes_is_said, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(
		    a_configuration_that_is_wrong_changes_nothing, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(
		    a_client_stays_with_whom_it_was_counted, crowd_open, crowd_close),
		cmocka_unit_test_setup_teardown(
		    a_configuration_is_the_operators_affair, crowd_open, crowd_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
