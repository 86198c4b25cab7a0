#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "workerd/privcli.h"

/* The loop watches the channel: were it closed here, the worker would never
 * learn that privd has ended, and live on. */
static void
a_question_to_the_dead_leaves_the_channel_to_its_watcher(void **state)
{
	struct privcli cli;
	struct pollfd watch = { .events = POLLIN };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(privcli_init(&cli, pair[0], NULL), 0);
	(void)close(pair[1]);
	assert_int_equal(privcli_reserve_port(&cli, IPPROTO_UDP, 40000), -EPIPE);
	assert_true(cli.lost);
	assert_true(fcntl(pair[0], F_GETFD) >= 0);
	watch.fd = pair[0];
	assert_int_equal(poll(&watch, 1, 0), 1);
	assert_int_equal(privcli_release_port(&cli, IPPROTO_UDP, 40000), -EPIPE);
	privcli_close(&cli);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_to_the_dead_leaves_the_channel_to_its_watcher),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
