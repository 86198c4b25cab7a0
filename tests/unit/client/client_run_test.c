#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/idset.h"
#include "client/output.h"
#include "client/session.h"
#include "client/ui.h"

/* idset */

static void
an_id_is_there_until_it_is_removed(void **state)
{
	struct idset s = { 0 };

	(void)state;
	assert_false(idset_remove(&s, 1));
	assert_int_equal(idset_next(&s, 0), 0);
	assert_int_equal(idset_add(&s, 1), 0);
	assert_int_equal(idset_add(&s, 1), -EEXIST);
	assert_int_equal(idset_add(&s, 700), 0);
	assert_int_equal(idset_next(&s, 0), 1);
	assert_int_equal(idset_next(&s, 2), 700);
	assert_int_equal(idset_next(&s, 701), 0);
	assert_true(idset_remove(&s, 1));
	assert_false(idset_remove(&s, 1));
	assert_int_equal(s.count, 1);
	assert_int_equal(idset_add(&s, 701 + IDSET_SPAN_MAX), -ERANGE);
	idset_fini(&s);
}

static void
a_window_of_a_million_ids_slides_in_little_memory(void **state)
{
	struct idset s = { 0 };

	(void)state;
	for (uint32_t id = 1; id <= 1000000; id++) {
		assert_int_equal(idset_add(&s, id), 0);
		if (id > 1000)
			assert_true(idset_remove(&s, id - 1000));
	}
	assert_int_equal(s.count, 1000);
	assert_int_equal(idset_next(&s, 0), 999001);
	assert_true(s.cap <= 256);
	idset_fini(&s);
}

static void
the_set_agrees_with_an_array(void **state)
{
	enum { N = 3000 };
	static bool in[N + 1];
	struct idset s = { 0 };
	uint32_t newest = 0, count = 0;

	(void)state;
	srandom(3);
	for (int i = 0; i < 20000; i++) {
		uint32_t id = 1 + (uint32_t)random() % N;

		if (newest < N && random() % 3 == 0) {
			newest += 1 + (uint32_t)random() % 3;
			newest = newest > N ? N : newest;
			if (!in[newest]) {
				assert_int_equal(idset_add(&s, newest), 0);
				in[newest] = true;
				count++;
			}
			continue;
		}
		assert_int_equal(idset_remove(&s, id), in[id]);
		count -= in[id];
		in[id] = false;
		assert_int_equal(s.count, count);
	}
	for (uint32_t id = 1, want = 0; id <= N; id = want + 1) {
		for (want = id; want <= N && !in[want];)
			want++;
		assert_int_equal(idset_next(&s, id), want > N ? 0 : want);
	}
	idset_fini(&s);
}

/* progress */

static void
progress_says_what_is_known(void **state)
{
	static const struct {
		struct progress p;
		const char *text;
	} rows[] = {
		{ { .done = 7 }, "7 done" },
		{ { .done = 0, .total = 10, .elapsed = 9 * NSEC_PER_SEC }, "0 of 10 done (0%)" },
		{ { .done = 1234567, .total = 0, .rate = 9987 }, "1,234,567 done, 9,987 packets/s" },
		{ { .done = 12000, .total = 100000, .rate = 1000, .elapsed = 12 * NSEC_PER_SEC },
		    "12,000 of 100,000 done (12%), 1,000 packets/s, 1m28s left" },
		{ { .done = 10, .total = 20, .estimated = true, .elapsed = 5 * NSEC_PER_SEC },
		    "10 of about 20 done (50%), 5s left" },
		{ { .done = 1, .total = 3601, .elapsed = 2 * NSEC_PER_SEC },
		    "1 of 3,601 done (0%), 2h00m left" },
		{ { .done = 1000, .total = 10000000, .elapsed = 2000 * NSEC_PER_SEC },
		    "1,000 of 10,000,000 done (0%), days left" },
		{ { .done = 5, .total = 5, .elapsed = 2 * NSEC_PER_SEC }, "5 of 5 done (100%)" },
		{ { .done = 5, .total = 9, .elapsed = NSEC_PER_SEC / 2 }, "5 of 9 done (55%)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[160];

		progress_format(&rows[i].p, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
	}
}

static void
progress_fits_whatever_the_buffer(void **state)
{
	const struct progress p = { UINT64_MAX - 1, UINT64_MAX, true, UINT64_MAX, INT64_MAX };
	char text[200];

	(void)state;
	for (size_t cap = 1; cap < sizeof(text); cap++) {
		memset(text, 'x', sizeof(text));
		progress_format(&p, text, cap);
		assert_true(memchr(text, '\0', cap) != NULL);
		assert_true(cap == sizeof(text) || text[cap] == 'x');
	}
}

/* session */

struct heard {
	uint32_t oks;
	uint32_t errs;
	uint32_t blocks;
	uint64_t err_line;
	uint32_t last_id;
	bool inprogress;
	char text[64];
	char block[64];
};

static int
hear_answer(void *ctx, const struct session_pending *p, const char *text, const struct reply_line *reply)
{
	struct heard *h = ctx;

	(void)snprintf(h->text, sizeof(h->text), "%.*s", 63, text);
	if (reply->kind == REPLY_LINE_OK) {
		h->oks++;
		return 0;
	}
	h->errs++;
	h->err_line = p->line_no;
	return 0;
}

static int
hear_block(void *ctx, const struct reply_line *head, const char *bytes, size_t len)
{
	struct heard *h = ctx;

	h->blocks++;
	h->last_id = head->id;
	h->inprogress = head->inprogress;
	(void)snprintf(h->block, sizeof(h->block), "%.*s", (int)len, bytes);
	return 0;
}

static const struct session_ops hear = { hear_answer, hear_block };

struct wire {
	struct session s;
	struct heard heard;
	int peer;
};

static void
wire_up(struct wire *w)
{
	struct errbuf err;
	int pair[2];

	memset(w, 0, sizeof(*w));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(session_init(&w->s, pair[0], &hear, &w->heard, &err), 0);
	w->peer = pair[1];
}

static void
wire_down(struct wire *w)
{
	session_fini(&w->s);
	(void)close(w->peer);
}

static int
hear_bytes(struct wire *w, const char *bytes, size_t len)
{
	struct errbuf err;

	assert_int_equal(send(w->peer, bytes, len, 0), len);
	return session_receive(&w->s, &err);
}

static void
push(struct wire *w, const char *line, uint64_t line_no)
{
	size_t from = w->s.out.len;

	buf_text(&w->s.out, line);
	buf_u8(&w->s.out, '\n');
	session_pushed(&w->s, from, ASK_COMMAND, line_no);
}

static const char transcript[] = "OK id-1\nMORE\nERR command not accepted: no\nDATA 8 id-1 inprog\nabc\nde\n`"
				 "DATA 4 id-1\nxyz\nOK id-2\r\n";

static void
answers_find_their_lines_however_the_bytes_are_cut(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < sizeof(transcript); cut++) {
		struct wire w;

		wire_up(&w);
		push(&w, "one", 1);
		push(&w, "two", 2);
		push(&w, "three", 3);
		assert_int_equal(session_send(&w.s), 0);
		for (size_t at = 0; at < sizeof(transcript) - 1; at += cut) {
			size_t n = sizeof(transcript) - 1 - at;

			assert_int_equal(hear_bytes(&w, transcript + at, n < cut ? n : cut), 0);
		}
		assert_int_equal(w.heard.oks, 2);
		assert_int_equal(w.heard.errs, 1);
		assert_int_equal(w.heard.err_line, 2);
		assert_string_equal(w.heard.text, "three");
		assert_int_equal(w.heard.blocks, 2);
		assert_int_equal(w.heard.last_id, 1);
		assert_false(w.heard.inprogress);
		assert_string_equal(w.heard.block, "xyz\n");
		assert_int_equal(w.s.pending_count, 0);
		wire_down(&w);
	}
}

static void
a_hostile_service_is_refused(void **state)
{
	static const char *const bad[] = { "HELLO\n", "OK\n", "ERR x\n", "DATA 0\n", "DATA 16777217\n",
		"DATA 99999999999\n", "DATA -1\n", "DATA\n", "O\x01K\n", "DATA x\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wire w;

		wire_up(&w);
		if (hear_bytes(&w, bad[i], strlen(bad[i])) != -EPROTO)
			fail_msg("'%s' was taken", bad[i]);
		wire_down(&w);
	}
}

static void
an_endless_line_is_refused(void **state)
{
	char *bytes = malloc(64 * 1024);
	struct wire w;
	int rc = 0;

	(void)state;
	memset(bytes, 'x', 64 * 1024);
	wire_up(&w);
	rc = hear_bytes(&w, bytes, 64 * 1024);
	assert_int_equal(rc, -EPROTO);
	wire_down(&w);
	free(bytes);
}

static void
an_answer_before_its_line_was_sent_is_refused(void **state)
{
	struct wire w;

	(void)state;
	wire_up(&w);
	push(&w, "one", 1);
	assert_int_equal(hear_bytes(&w, "OK id-1\n", 8), -EPROTO);
	wire_down(&w);
}

static void
lines_without_an_answer_are_bounded(void **state)
{
	struct wire w;
	uint32_t n = 0;

	(void)state;
	wire_up(&w);
	while (session_has_room(&w.s) && n < 100000) {
		push(&w, "x", n++);
		(void)session_send(&w.s);
	}
	assert_true(n <= SESSION_PENDING_MAX);
	wire_down(&w);
}

static void
unsent_lines_are_forgotten_whole(void **state)
{
	struct wire w;
	uint32_t n = 0, dropped;
	size_t sent;

	(void)state;
	wire_up(&w);
	while (session_has_room(&w.s)) {
		char line[600];

		memset(line, 'x', sizeof(line) - 1);
		line[sizeof(line) - 1] = '\0';
		push(&w, line, n++);
		(void)session_send(&w.s);
	}
	sent = w.s.sent;
	dropped = session_drop_unsent(&w.s);
	assert_true(dropped > 0);
	assert_int_equal(w.s.pending_count, n - dropped);
	assert_true(w.s.out.len >= sent);
	assert_int_equal(w.s.out.len % 600, 0);
	assert_true(w.s.out.len - sent < 600);
	wire_down(&w);
}

/* output */

static void
file_path(char path[64])
{
	int fd;

	(void)snprintf(path, 64, "/tmp/vantage-output-test.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void
a_failed_write_is_taken_back_and_the_next_one_works(void **state)
{
	struct rlimit old, few = { 100, RLIM_INFINITY };
	struct output o;
	struct errbuf err;
	struct stat st;
	char path[64];

	(void)state;
	file_path(path);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(output_open(&o, path, FORMAT_WARTS, COMP_NONE, -1, &err), 0);
	buf_bytes(&o.group, "0123456789", 10);
	assert_int_equal(output_flush(&o), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	(void)memset(buf_room(&o.group, 200), 'x', 200); /* does not fit */
	o.records = 3;
	assert_int_equal(output_flush(&o), -EFBIG);
	assert_int_equal(o.lost, 3);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 10);
	buf_bytes(&o.group, "abc", 3); /* fits */
	assert_int_equal(output_flush(&o), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(output_close(&o), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 13);
	(void)unlink(path);
}

static void
a_reader_that_goes_is_noticed(void **state)
{
	struct output o;
	struct errbuf err;
	int fds[2], keep = dup(STDOUT_FILENO);

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	(void)fflush(stdout);
	(void)dup2(fds[1], STDOUT_FILENO);
	assert_int_equal(output_open(&o, NULL, FORMAT_WARTS, COMP_NONE, -1, &err), 0);
	(void)dup2(keep, STDOUT_FILENO);
	o.fd = fds[1];
	(void)close(fds[0]);
	buf_bytes(&o.group, "x", 1);
	assert_int_equal(output_flush(&o), -EPIPE);
	assert_true(o.gone);
	buf_bytes(&o.group, "x", 1);
	assert_int_equal(output_flush(&o), -EPIPE);
	(void)output_close(&o);
	(void)close(fds[1]);
	(void)close(keep);
}

static void
a_signal_ends_the_wait_for_a_slow_reader(void **state)
{
	struct output o = { .comp = COMP_NONE, .path = "-" };
	int fds[2], wake[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(wake), 0);
	o.fd = fds[1];
	o.wake_fd = wake[0];
	buf_init(&o.group, 0);
	buf_init(&o.packed, 0);
	(void)memset(buf_room(&o.group, 1 << 20), 'x', 1 << 20);
	assert_int_equal(write(wake[1], "!", 1), 1);
	assert_int_equal(output_flush(&o), -EINTR);
	assert_true(o.group.len > 0 && o.group.len < 1 << 20);
	assert_int_equal(o.lost, 0);
	o.gone = true;
	(void)output_close(&o);
}

static void
a_file_that_cannot_be_made_is_named(void **state)
{
	struct output o;
	struct errbuf err;

	(void)state;
	assert_int_equal(output_open(&o, "/nonexistent/x", FORMAT_WARTS, COMP_NONE, -1, &err), -ENOENT);
	assert_non_null(strstr(err.text, "cannot create '/nonexistent/x'"));
	(void)output_close(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_there_until_it_is_removed),
		cmocka_unit_test(a_window_of_a_million_ids_slides_in_little_memory),
		cmocka_unit_test(the_set_agrees_with_an_array),
		cmocka_unit_test(progress_says_what_is_known),
		cmocka_unit_test(progress_fits_whatever_the_buffer),
		cmocka_unit_test(answers_find_their_lines_however_the_bytes_are_cut),
		cmocka_unit_test(a_hostile_service_is_refused),
		cmocka_unit_test(an_endless_line_is_refused),
		cmocka_unit_test(an_answer_before_its_line_was_sent_is_refused),
		cmocka_unit_test(lines_without_an_answer_are_bounded),
		cmocka_unit_test(unsent_lines_are_forgotten_whole),
		cmocka_unit_test(a_failed_write_is_taken_back_and_the_next_one_works),
		cmocka_unit_test(a_reader_that_goes_is_noticed),
		cmocka_unit_test(a_signal_ends_the_wait_for_a_slow_reader),
		cmocka_unit_test(a_file_that_cannot_be_made_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
