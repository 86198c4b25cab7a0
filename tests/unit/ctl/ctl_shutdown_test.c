#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/ctl/room.h"

/* The end by a client's word (control.md 2.4), over real connections. */

/* A client and an operator, connected. */
struct scene {
	void *room; /* struct room */
	int client;
	int op;
	bool end; /* what was heard last ended the connection */
};

static int
scene_open(void **state)
{
	struct scene *sc = calloc(1, sizeof(*sc));

	*state = sc;
	if (sc == NULL || room_open(&sc->room) != 0)
		return -1;
	room_listen(sc->room, CTL_FORM_PLAIN);
	sc->client = room_dial(sc->room);
	sc->op = room_dial(sc->room);
	return 0;
}

static int
scene_close(void **state)
{
	struct scene *sc = *state;
	int rc;

	(void)close(sc->client);
	(void)close(sc->op);
	rc = room_close(&sc->room);
	free(sc);
	return rc;
}

/* Its operator is whoever runs the test, as root. */
static struct scene *
scene_of(void **state)
{
	if (geteuid() != 0)
		skip();
	return *state;
}

static void
say(struct scene *sc, int fd, const char *text)
{
	room_say(fd, text);
	room_spin(sc->room);
}

static const char *
hear(struct scene *sc, int fd)
{
	return room_take(sc->room, fd, &sc->end);
}

static uint32_t
stops(const struct scene *sc)
{
	return ((const struct room *)sc->room)->stops;
}

static uint32_t
blocks(const char *text)
{
	uint32_t n = 0;

	for (const char *p = text; (p = strstr(p, "DATA ")) != NULL; p++)
		n++;
	return n;
}

static void
words_are_checked(void **state)
{
	struct scene *sc = scene_of(state);

	say(sc, sc->op, "shutdown\n");
	assert_string_equal(hear(sc, sc->op), "ERR usage: [cancel | done | flush | now]\n");
	say(sc, sc->op, "shutdown soon\n");
	assert_string_equal(hear(sc, sc->op), "ERR unhandled command 'soon'\n");
	assert_int_equal(stops(sc), 0);
}

static void
idle_service_ends(struct scene *sc, const char *word)
{
	say(sc, sc->op, word);
	assert_string_equal(hear(sc, sc->op), "OK\n");
	assert_true(sc->end);
	assert_int_equal(stops(sc), 1);
}

static void
done_ends_an_idle_service_at_once(void **state)
{
	idle_service_ends(scene_of(state), "shutdown done\n");
}

static void
flush_ends_an_idle_service_at_once(void **state)
{
	idle_service_ends(scene_of(state), "shutdown flush\n");
}

static void
done_waits_for_attached_clients(void **state)
{
	struct scene *sc = scene_of(state);

	say(sc, sc->client, "attach\nwait 192.0.2.1\n");
	say(sc, sc->op, "shutdown done\n");
	assert_string_equal(hear(sc, sc->op), "OK\n");
	assert_false(sc->end);
	(void)hear(sc, sc->client);
	say(sc, sc->client, "halt 1\ndone\n");
	assert_int_equal(blocks(hear(sc, sc->client)), 2); /* the result, the cycle's stop */
	assert_true(sc->end);
	(void)hear(sc, sc->op);
	assert_true(sc->end);
	assert_int_equal(stops(sc), 1);
}

static void
flush_drops_the_queue_and_finishes_what_runs(void **state)
{
	struct scene *sc = scene_of(state);
	struct room *r = sc->room;

	/* The second waits for the first, the third for a place in the window. */
	say(sc, sc->client, "attach window 1\nwait 192.0.2.1\nwait 192.0.2.2\nwait 192.0.2.3\n");
	(void)hear(sc, sc->client);
	say(sc, sc->op, "shutdown flush\n");
	assert_int_equal(stops(sc), 0);
	assert_int_equal(engine_running(r->net.engine), 1);
	say(sc, sc->op, "attach\n");
	assert_non_null(strstr(hear(sc, sc->op), "ERR not accepted"));
	mock_net_run(&r->net, 3601 * NSEC_PER_SEC);
	room_spin(r);
	assert_int_equal(blocks(hear(sc, sc->client)), 2);
	assert_true(sc->end);
	assert_int_equal(stops(sc), 1);
}

static void
now_discards_but_says_ok(void **state)
{
	struct scene *sc = scene_of(state);

	say(sc, sc->client, "attach\nwait 192.0.2.1\n");
	(void)hear(sc, sc->client);
	say(sc, sc->op, "shutdown now\n");
	assert_string_equal(hear(sc, sc->op), "OK\n");
	assert_true(sc->end);
	assert_string_equal(hear(sc, sc->client), "");
	assert_true(sc->end);
	assert_int_equal(stops(sc), 1);
}

static void
cancel_takes_it_back(void **state)
{
	struct scene *sc = scene_of(state);

	say(sc, sc->client, "attach\n");
	say(sc, sc->op, "shutdown done\nshutdown cancel\n");
	assert_string_equal(hear(sc, sc->op), "OK\nOK\n");
	say(sc, sc->client, "done\n");
	(void)hear(sc, sc->client);
	assert_true(sc->end);
	assert_int_equal(stops(sc), 0);
	(void)hear(sc, sc->op);
	assert_false(sc->end);
}

static void
a_client_that_never_reads_delays_the_end_by_little(void **state)
{
	struct scene *sc = scene_of(state);
	int small = 1;

	(void)setsockopt(sc->client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	say(sc, sc->client, "attach format json\n");
	for (int i = 0; i < 200; i++) {
		char many[2048];

		mock_lines(many, sizeof(many), "now 192.0.2.1\n");
		if (send(sc->client, many, strlen(many), MSG_DONTWAIT | MSG_NOSIGNAL) <= 0)
			break;
		room_spin(sc->room);
	}
	say(sc, sc->op, "shutdown flush\n");
	for (int i = 0; i < 3000 && stops(sc) == 0; i++) {
		room_spin(sc->room);
		(void)usleep(1000);
	}
	assert_int_equal(stops(sc), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, scene_open, scene_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(words_are_checked),
		T(done_ends_an_idle_service_at_once),
		T(flush_ends_an_idle_service_at_once),
		T(done_waits_for_attached_clients),
		T(flush_drops_the_queue_and_finishes_what_runs),
		T(now_discards_but_says_ok),
		T(cancel_takes_it_back),
		T(a_client_that_never_reads_delays_the_end_by_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
