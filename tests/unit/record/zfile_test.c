#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "golden.h"
#include "proto/record/zfile.h"

static const enum zfile_kind kinds[] = { ZFILE_NONE, ZFILE_GZIP, ZFILE_BZIP2, ZFILE_XZ };

static int
file_of(const void *bytes, size_t n)
{
	int fd = memfd_create("zfile", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* All that can be read of it, and the last answer of zfile_read. */
static ssize_t
read_marked(int fd, size_t chunk, struct buf *ret, enum zfile_kind *ret_kind, struct zfile_mark *ret_mark)
{
	struct zfile *z = zfile_reader_new(fd);
	uint8_t bytes[4096];
	ssize_t n;

	assert_non_null(z);
	while ((n = zfile_read(z, bytes, chunk)) > 0)
		buf_bytes(ret, bytes, (size_t)n);
	*ret_kind = zfile_reader_kind(z);
	*ret_mark = zfile_reader_mark(z);
	zfile_reader_free(z);
	return n;
}

static ssize_t
read_all(int fd, size_t chunk, struct buf *ret, enum zfile_kind *ret_kind)
{
	struct zfile_mark mark;

	return read_marked(fd, chunk, ret, ret_kind, &mark);
}

/* Wherever the second stream is cut, the end of the first is known. */
static void
the_last_whole_stream_is_marked(void **state)
{
	static const char text[] = "one of many records";
	const size_t n = sizeof(text);

	for (size_t i = 1; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct buf packed;
		size_t first;

		buf_init(&packed, 0);
		assert_int_equal(zfile_pack(kinds[i], text, n, &packed), 0);
		first = packed.len;
		assert_int_equal(zfile_pack(kinds[i], text, n, &packed), 0);
		for (size_t len = first; len <= packed.len; len++) {
			int fd = file_of(packed.p, len);
			struct zfile_mark mark;
			enum zfile_kind kind;
			struct buf out;
			bool whole = len == first || len == packed.len;

			buf_init(&out, 0);
			assert_int_equal(read_marked(fd, 7, &out, &kind, &mark), whole ? 0 : -EBADMSG);
			assert_int_equal(mark.packed, len == packed.len ? len : first);
			assert_int_equal(mark.plain, len == packed.len ? 2 * n : n);
			buf_fini(&out);
			(void)close(fd);
		}
		buf_fini(&packed);
	}
	(void)state;
}

/* Two streams one behind the other read as one file, in any step. */
static void
streams_follow_one_another(void **state)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		static const size_t chunks[] = { 1, 7, 4096 };

		for (size_t j = 0; j < 3; j++) {
			struct buf in, packed, out;
			enum zfile_kind kind;
			size_t half;
			int fd;

			buf_init(&in, 0);
			buf_init(&packed, 0);
			buf_init(&out, 0);
			golden_read("trace-pmtud", ".warts", &in);
			golden_read("ping-ts", ".warts", &in);
			half = in.len / 3;
			assert_int_equal(zfile_pack(kinds[i], in.p, half, &packed), 0);
			assert_int_equal(zfile_pack(kinds[i], in.p + half, in.len - half, &packed), 0);
			fd = file_of(packed.p, packed.len);
			assert_int_equal(read_all(fd, chunks[j], &out, &kind), 0);
			assert_int_equal(kind, kinds[i]);
			assert_int_equal(out.len, in.len);
			assert_memory_equal(out.p, in.p, in.len);
			(void)close(fd);
			buf_fini(&in);
			buf_fini(&packed);
			buf_fini(&out);
		}
	}
	(void)state;
}

static void
a_cut_stream_is_an_error(void **state)
{
	for (size_t i = 1; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct buf in, packed, out;
		enum zfile_kind kind;

		buf_init(&in, 0);
		buf_init(&packed, 0);
		golden_read("ping-ts", ".warts", &in);
		assert_int_equal(zfile_pack(kinds[i], in.p, in.len, &packed), 0);
		for (size_t n = 6; n < packed.len; n++) {
			int fd = file_of(packed.p, n);

			buf_init(&out, 0);
			assert_int_equal(read_all(fd, 4096, &out, &kind), -EBADMSG);
			assert_true(out.len <= in.len);
			(void)close(fd);
			buf_fini(&out);
		}
		buf_fini(&in);
		buf_fini(&packed);
	}
	(void)state;
}

static void
a_flipped_byte_is_noticed(void **state)
{
	for (size_t i = 1; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct buf in, packed, out;
		enum zfile_kind kind;
		int fd;

		buf_init(&in, 0);
		buf_init(&packed, 0);
		buf_init(&out, 0);
		golden_read("ping-ts", ".warts", &in);
		assert_int_equal(zfile_pack(kinds[i], in.p, in.len, &packed), 0);
		packed.p[packed.len / 2] ^= 0x10;
		fd = file_of(packed.p, packed.len);
		assert_int_equal(read_all(fd, 4096, &out, &kind), -EBADMSG);
		(void)close(fd);
		buf_fini(&in);
		buf_fini(&packed);
		buf_fini(&out);
	}
	(void)state;
}

static void
an_empty_file_is_empty(void **state)
{
	enum zfile_kind kind;
	struct buf out;
	int fd = file_of("", 0);

	buf_init(&out, 0);
	assert_int_equal(read_all(fd, 4096, &out, &kind), 0);
	assert_int_equal(out.len, 0);
	assert_int_equal(kind, ZFILE_NONE);
	(void)close(fd);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_follow_one_another),
		cmocka_unit_test(the_last_whole_stream_is_marked),
		cmocka_unit_test(a_cut_stream_is_an_error),
		cmocka_unit_test(a_flipped_byte_is_noticed),
		cmocka_unit_test(an_empty_file_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
