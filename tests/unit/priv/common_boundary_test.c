#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/conf.h"
#include "common/listen.h"
#include "common/prefixes.h"
#include "common/sd.h"
#include "common/status.h"

/* ---- prefixes ---- */

static void
add_all(struct prefixes *p, const char *const *prefixes)
{
	for (; *prefixes != NULL; prefixes++)
		assert_int_equal(prefixes_add(p, *prefixes, NULL), 0);
	prefixes_merge(p);
}

static void
overlapping_and_touching_prefixes_become_one_range(void **state)
{
	static const char *const in[] = { "10.0.1.0/24", "10.0.0.0/24", "10.0.0.77/25", "10.0.3.0/24",
		"10.0.0.0/24", NULL };
	static const uint8_t lo0[] = { 10, 0, 0, 0 }, hi0[] = { 10, 0, 1, 255 }, lo1[] = { 10, 0, 3, 0 };
	struct prefixes p = { 0 };

	(void)state;
	add_all(&p, in);
	assert_int_equal(p.ip4.count, 2);
	assert_memory_equal(p.ip4.range[0].lo, lo0, 4);
	assert_memory_equal(p.ip4.range[0].hi, hi0, 4);
	assert_memory_equal(p.ip4.range[1].lo, lo1, 4);
	prefixes_fini(&p);
}

static void
the_whole_space_is_one_range(void **state)
{
	static const char *const in[] = { "255.255.255.255", "0.0.0.0/0", "ffff::/16", "::/0", "1.2.3.4",
		NULL };
	struct prefixes p = { 0 };
	uint8_t last[4] = { 255, 255, 255, 255 };

	(void)state;
	add_all(&p, in);
	assert_int_equal(p.ip4.count, 1);
	assert_int_equal(p.ip6.count, 1);
	assert_memory_equal(p.ip4.range[0].hi, last, 4);
	assert_int_equal(prefixes_next(last, 4), 0);
	prefixes_fini(&p);
}

static void
bad_prefixes_are_refused(void **state)
{
	static const char *const bad[] = { "", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08x",
		"::/129", "10.0.0", "10.0.0.0/8/8", "::1%lo",
		"1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17:18:19:20:21" };
	struct prefixes p = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(prefixes_add(&p, bad[i], NULL), -EINVAL);
	assert_int_equal(p.ip4.count + p.ip6.count, 0);
	prefixes_fini(&p);
}

/* A file of len bytes, read; what went wrong in err. */
static int
read_bytes(struct prefixes *p, const char *bytes, size_t len, struct errbuf *err)
{
	char path[] = "/tmp/prefixes_test_XXXXXX";
	int fd = mkstemp(path), rc;

	assert_int_equal(write(fd, bytes, len), len);
	(void)close(fd);
	rc = prefixes_read(p, path, err);
	(void)unlink(path);
	return rc;
}

#define READ(p, text, err) read_bytes(p, text, sizeof(text) - 1, err)

static void
no_line_of_a_prefix_file_is_lost_in_silence(void **state)
{
	struct prefixes p = { 0 };
	struct errbuf err = { "" };
	char line[300];

	(void)state;
	assert_int_equal(READ(&p, "", &err), 0);
	assert_int_equal(READ(&p, "\n# none\r\n \n", &err), 0);
	assert_int_equal(p.ip4.count, 0);
	assert_int_equal(READ(&p, "192.0.2.0/24\r\n2001:db8::/32 # two\n198.51.100.0/24", &err), 0);
	assert_int_equal(p.ip4.count, 2);
	assert_int_equal(p.ip6.count, 1);
	/* As a power cut leaves a file on some file systems. */
	assert_int_equal(READ(&p, "192.0.2.0/24\n\0\0\0\0", &err), -EINVAL);
	assert_non_null(strstr(err.text, ":2:1: contains a NUL byte"));
	assert_int_equal(READ(&p, "\000192.0.2.0/24\n", &err), -EINVAL);
	assert_int_equal(READ(&p, "192.0.2.0/24 #\0\n203.0.113.0/24\n", &err), -EINVAL);
	memset(line, ' ', sizeof(line));
	line[254] = '\n';
	assert_int_equal(read_bytes(&p, line, 255, &err), 0);
	line[254] = ' ';
	assert_int_equal(read_bytes(&p, line, 255, &err), 0);
	assert_int_equal(read_bytes(&p, line, 256, &err), -EINVAL);
	assert_non_null(strstr(err.text, ":1:1: line longer than 255 bytes"));
	prefixes_fini(&p);
}

/* ---- the configuration ---- */

static int
read_text(struct conf *conf, const char *text, size_t len, mode_t mode, struct errbuf *err)
{
	char path[] = "/tmp/conf_test_XXXXXX";
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
	conf_init(conf);
	rc = conf_read(conf, path, err);
	(void)unlink(path);
	return rc;
}

static void
every_word_is_read(void **state)
{
	static const char text[] =
	    "# all of it\nuser a\ngroup b\nprivd-user c\nprivd-group d\nmark 90\r\n"
	    "max-pps\t1000\n  pps 50  \nwindow 7\nholdtime 3\nspoof yes\nlocal yes # both\n"
	    "dnp /a\ndnp /b\ncontrol /c\nport udp/133\nport tcp/133";
	struct conf conf;
	struct errbuf err;

	(void)state;
	assert_int_equal(read_text(&conf, text, strlen(text), 0600, &err), 0);
	assert_string_equal(conf.user, "a");
	assert_string_equal(conf.group, "b");
	assert_string_equal(conf.privd_user, "c");
	assert_string_equal(conf.privd_group, "d");
	assert_int_equal(conf.mark, 90);
	assert_int_equal(conf.max_pps, 1000);
	assert_int_equal(conf.pps, 50);
	assert_int_equal(conf.window, 7);
	assert_int_equal(conf.hold_s, 3);
	assert_true(conf.spoof && conf.local);
	assert_int_equal(conf.dnp.count, 2);
	assert_string_equal(conf.dnp.path[1], "/b");
	assert_string_equal(conf.control.path[0], "/c");
	assert_int_equal(conf.ports.count, 2);
	assert_int_equal(conf.ports.port[0].ipproto, IPPROTO_UDP);
	assert_int_equal(conf.ports.port[1].port, 133);
}

static void
a_bad_line_is_named_by_line_and_column(void **state)
{
	static const struct {
		const char *text;
		const char *where;
	} bad[] = {
		{ "pps 10\nppps 10\n", ":2:1:" },
		{ "pps  0", ":1:6:" },
		{ "pps 1000001", ":1:5:" },
		{ "pps 1x", ":1:5:" },
		{ "pps", ":1:4:" },
		{ "mark 256", ":1:6:" },
		{ "spoof maybe", ":1:7:" },
		{ "dnp relative", ":1:5:" },
		{ "port udp/0", ":1:6:" },
		{ "port sctp/1", ":1:6:" },
		{ "user aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ":1:6:" },
		{ "port udp/1\nport udp/1\nport udp/1\nport udp/1\nport udp/1\nport udp/1\nport udp/1\nport "
		  "udp/1\n"
		  "port udp/1\nport udp/1\nport udp/1\nport udp/1\nport udp/1\nport udp/1\nport udp/1\nport "
		  "udp/1\n"
		  "port udp/1\n",
		    ":17:6:" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct errbuf err = { "" };
		struct conf conf;

		assert_int_not_equal(read_text(&conf, bad[i].text, strlen(bad[i].text), 0600, &err), 0);
		assert_non_null(strstr(err.text, bad[i].where));
	}
}

static void
a_file_that_others_may_write_is_refused(void **state)
{
	struct errbuf err;
	struct conf conf;

	(void)state;
	assert_int_equal(read_text(&conf, "pps 1\n", 6, 0620, &err), -EPERM);
	assert_int_equal(read_text(&conf, "pps 1\n", 6, 0602, &err), -EPERM);
	assert_int_equal(read_text(&conf, "pps\0 1\n", 7, 0600, &err), -EINVAL);
	assert_int_equal(conf_read(&conf, "/tmp", &err), -EINVAL);
	assert_int_equal(conf_read(&conf, "/nonexistent", &err), -ENOENT);
}

static void
a_file_that_is_too_long_is_refused(void **state)
{
	static char text[CONF_FILE_MAX + 10];
	struct errbuf err;
	struct conf conf;

	(void)state;
	memset(text, '\n', sizeof(text));
	assert_int_equal(read_text(&conf, text, sizeof(text), 0600, &err), -E2BIG);
	assert_int_equal(read_text(&conf, text, CONF_FILE_MAX - 1, 0600, &err), 0);
}

/* ---- what the kernel says of us ---- */

static const char status_text[] =
    "Name:\tx\nUid:\t995\t996\t997\t998\nGid:\t1\t2\t3\t4\nGroups:\t10 20 \n"
    "CapInh:\t0000000000000000\nCapPrm:\t0000000000003000\nCapEff:\t000001ffffffffff\n"
    "CapBnd:\t0000000000000001\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";

static void
status_is_read_to_the_bit(void **state)
{
	struct status st;

	(void)state;
	assert_int_equal(status_parse(status_text, &st), 0);
	assert_int_equal(st.uid[3], 998);
	assert_int_equal(st.gid[1], 2);
	assert_int_equal(st.groups, 2);
	assert_int_equal(st.cap_prm, 0x3000);
	assert_true(st.cap_eff == 0x1ffffffffffull);
	assert_int_equal(st.no_new_privs, 1);
	assert_int_equal(st.seccomp, 2);
}

static void
status_cut_short_is_no_status(void **state)
{
	struct status st;

	(void)state;
	for (size_t n = 0; n < strlen(status_text) - 2; n++) {
		char cut[sizeof(status_text)];

		memcpy(cut, status_text, n);
		cut[n] = '\0';
		assert_int_equal(status_parse(cut, &st), -ENODATA);
	}
}

/* ---- the service manager ---- */

static void
listen_variables_that_lie_are_refused(void **state)
{
	char pid[16];

	(void)state;
	unsetenv("LISTEN_PID");
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(sd_listen_fds(4, NULL), 0);
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "5", 1);
	assert_int_equal(sd_listen_fds(4, NULL), -EINVAL);
	setenv("LISTEN_FDS", "-1", 1);
	assert_int_equal(sd_listen_fds(4, NULL), -EINVAL);
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(sd_listen_fds(4, NULL), 0);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
}

static void
readiness_is_told_to_the_managers_socket(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/tmp/sd_test.sock" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char text[32] = "";
	struct sd sd;

	(void)state;
	(void)unlink(sun.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	setenv("NOTIFY_SOCKET", sun.sun_path, 1);
	assert_int_equal(sd_open(&sd, NULL), 0);
	assert_int_equal(sd.watchdog, -1);
	/* The name is not needed again: neither is a root that has it. */
	unsetenv("NOTIFY_SOCKET");
	(void)unlink(sun.sun_path);
	assert_int_equal(sd_notify(&sd, "READY=1"), 0);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 7);
	assert_string_equal(text, "READY=1");
	(void)close(sd.notify);
	(void)close(fd);
	assert_int_equal(sd_open(&sd, NULL), 0);
	assert_int_equal(sd_notify(&sd, "READY=1"), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(sd_open(&sd, NULL), -EINVAL);
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	assert_int_equal(sd_open(&sd, NULL), -EINVAL);
	unsetenv("NOTIFY_SOCKET");
}

static void
a_watched_process_says_that_it_lives(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "/tmp/sd_test.sock" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct pollfd due = { .events = POLLIN };
	char text[32] = "";
	struct sd sd;

	(void)state;
	(void)unlink(sun.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	setenv("NOTIFY_SOCKET", sun.sun_path, 1);
	setenv("WATCHDOG_USEC", "20000", 1);
	setenv("WATCHDOG_PID", "1", 1); /* somebody else's */
	assert_int_equal(sd_open(&sd, NULL), 0);
	assert_int_equal(sd.watchdog, -1);
	(void)close(sd.notify);
	unsetenv("WATCHDOG_PID");
	assert_int_equal(sd_open(&sd, NULL), 0);
	/* Not before it is due. */
	sd_ping(&sd, NULL);
	assert_int_equal(recv(fd, text, sizeof(text), 0), -1);
	due.fd = sd.watchdog;
	assert_int_equal(poll(&due, 1, 5000), 1);
	sd_ping(&sd, NULL);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 10);
	assert_string_equal(text, "WATCHDOG=1");
	assert_int_equal(poll(&due, 1, 5000), 1);
	sd_ping(&sd, "well");
	assert_int_equal(recv(fd, text, sizeof(text), 0), 22);
	assert_string_equal(text, "WATCHDOG=1\nSTATUS=well");
	(void)close(sd.notify);
	(void)close(sd.watchdog);
	setenv("WATCHDOG_USEC", "soon", 1);
	assert_int_equal(sd_open(&sd, NULL), -EINVAL);
	unsetenv("WATCHDOG_USEC");
	unsetenv("NOTIFY_SOCKET");
	(void)unlink(sun.sun_path);
	(void)close(fd);
}

/* ---- control sockets ---- */

static void
a_dead_ones_name_is_taken_over_a_live_ones_is_not(void **state)
{
	const struct ids me = { getuid(), getgid() };
	char dir[] = "/tmp/listen_test_XXXXXX", path[64];
	struct listener first = { .fd = -1 }, second = { .fd = -1 };
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sub/c.sock", dir);
	assert_int_equal(listener_open(&first, path, &me, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_int_equal(listener_open(&second, path, &me, NULL), -EADDRINUSE);
	(void)close(first.fd);
	assert_int_equal(listener_open(&second, path, &me, NULL), 0);
	assert_int_equal(listener_remove_name(&second), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(listener_remove_name(&second), 0);
	assert_int_equal(listener_open(&first, "relative", &me, NULL), -EINVAL);
	assert_int_equal(listener_open(&first, dir, &me, NULL), -EEXIST);
	(void)snprintf(path, sizeof(path), "%s/sub", dir);
	(void)rmdir(path);
	(void)rmdir(dir);
	(void)close(second.fd);
	(void)close(second.dir);
	(void)close(first.dir);
}

/* A socket of this type at the name, with somebody in its queue if it has one. */
static int
occupy(const char *path, int type, int *ret_waiting)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	*ret_waiting = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (type == SOCK_STREAM) {
		assert_int_equal(listen(fd, 0), 0);
		assert_int_equal(connect(*ret_waiting, (struct sockaddr *)&sun, sizeof(sun)), 0);
	}
	return fd;
}

static void
a_name_in_use_is_left_alone_even_by_one_who_does_not_answer(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	const struct ids me = { getuid(), getgid() };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char dir[] = "/tmp/listen_test_XXXXXX", path[64];
		struct listener l = { .fd = -1, .dir = -1 };
		int waiting, fd;

		assert_non_null(mkdtemp(dir));
		(void)snprintf(path, sizeof(path), "%s/c.sock", dir);
		fd = occupy(path, types[i], &waiting);
		assert_int_equal(listener_open(&l, path, &me, NULL), -EADDRINUSE);
		assert_int_equal(unlink(path), 0);
		(void)rmdir(dir);
		(void)close(l.dir);
		(void)close(waiting);
		(void)close(fd);
	}
}

static void
everybody_reaches_the_name_whatever_the_umask(void **state)
{
	const struct ids me = { getuid(), getgid() };
	char dir[] = "/tmp/listen_test_XXXXXX", path[64];
	struct listener l = { .fd = -1 };
	const mode_t before = umask(077);
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sub/c.sock", dir);
	assert_int_equal(listener_open(&l, path, &me, NULL), 0);
	(void)umask(before);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_int_equal(fstat(l.dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_int_equal(listener_remove_name(&l), 0);
	(void)snprintf(path, sizeof(path), "%s/sub", dir);
	(void)rmdir(path);
	(void)rmdir(dir);
	(void)close(l.fd);
	(void)close(l.dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlapping_and_touching_prefixes_become_one_range),
		cmocka_unit_test(the_whole_space_is_one_range),
		cmocka_unit_test(bad_prefixes_are_refused),
		cmocka_unit_test(no_line_of_a_prefix_file_is_lost_in_silence),
		cmocka_unit_test(every_word_is_read),
		cmocka_unit_test(a_bad_line_is_named_by_line_and_column),
		cmocka_unit_test(a_file_that_others_may_write_is_refused),
		cmocka_unit_test(a_file_that_is_too_long_is_refused),
		cmocka_unit_test(status_is_read_to_the_bit),
		cmocka_unit_test(status_cut_short_is_no_status),
		cmocka_unit_test(listen_variables_that_lie_are_refused),
		cmocka_unit_test(readiness_is_told_to_the_managers_socket),
		cmocka_unit_test(a_watched_process_says_that_it_lives),
		cmocka_unit_test(a_dead_ones_name_is_taken_over_a_live_ones_is_not),
		cmocka_unit_test(a_name_in_use_is_left_alone_even_by_one_who_does_not_answer),
		cmocka_unit_test(everybody_reaches_the_name_whatever_the_umask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
