#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "workerd/probe/departures.h"

/* What the engine was told, in its place. */
static struct {
	uint32_t count;
	size_t len;
	uint8_t first;
	nsec_t stamp;
} told;

void
engine_departed(struct engine *e, const uint8_t *bytes, size_t len, nsec_t stamp)
{
	(void)e;
	told.count++;
	told.len = len;
	told.first = bytes[0];
	told.stamp = stamp;
}

struct room {
	struct departures *map;
	struct departures_rx rx;
};

static void
room_open(struct room *r, uint32_t count)
{
	int fd = memfd_create("departures", 0);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, sizeof(*r->map)), 0);
	r->map = mmap(NULL, sizeof(*r->map), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(r->map != MAP_FAILED);
	r->map->count = count;
	assert_int_equal(departures_init(&r->rx, fd), 0);
	memset(&told, 0, sizeof(told));
}

static void
room_close(struct room *r)
{
	(void)munmap(r->map, sizeof(*r->map));
	(void)munmap((void *)(uintptr_t)r->rx.map, sizeof(*r->map));
}

/* As the filter does. */
static struct departure *
write_one(struct room *r)
{
	uint32_t n = r->map->count++;
	struct departure *d = &r->map->slot[n % DEPARTURES];

	d->mono = 1000 + n;
	d->len = 28;
	d->bytes[0] = (uint8_t)n;
	d->seq = n + 1;
	return d;
}

static uint32_t
drain(struct room *r)
{
	uint32_t before = told.count;

	departures_drain(&r->rx, NULL);
	return told.count - before;
}

static void
each_is_told_once(void **state)
{
	struct room r;

	(void)state;
	room_open(&r, 0);
	assert_int_equal(drain(&r), 0);
	write_one(&r);
	write_one(&r);
	assert_int_equal(drain(&r), 2);
	assert_int_equal(told.first, 1);
	assert_int_equal(told.len, 28);
	assert_true(told.stamp == 1001);
	assert_int_equal(drain(&r), 0);
	room_close(&r);
}

static void
what_was_before_is_not_told(void **state)
{
	struct room r;

	(void)state;
	room_open(&r, 7);
	assert_int_equal(drain(&r), 0);
	write_one(&r);
	assert_int_equal(drain(&r), 1);
	room_close(&r);
}

static void
one_that_is_being_written_is_waited_for(void **state)
{
	struct room r;
	struct departure *d;
	uint32_t seq;

	(void)state;
	room_open(&r, 0);
	d = write_one(&r);
	seq = d->seq;
	d->seq = 0;
	write_one(&r);
	assert_int_equal(drain(&r), 0);
	d->seq = seq;
	assert_int_equal(drain(&r), 2);
	room_close(&r);
}

static void
what_was_written_over_is_left_out(void **state)
{
	struct room r;

	(void)state;
	room_open(&r, 0);
	for (uint32_t i = 0; i < DEPARTURES; i++)
		write_one(&r);
	assert_int_equal(drain(&r), DEPARTURES);
	for (uint32_t i = 0; i < DEPARTURES + 1; i++)
		write_one(&r);
	assert_int_equal(drain(&r), 0);
	assert_int_equal(drain(&r), DEPARTURES / 2);
	assert_true(told.stamp == 1000 + 2 * DEPARTURES);
	write_one(&r);
	assert_int_equal(drain(&r), 1);
	room_close(&r);
}

static void
the_count_may_wrap(void **state)
{
	struct room r;

	(void)state;
	room_open(&r, UINT32_MAX - 1);
	for (uint32_t i = 0; i < 4; i++)
		write_one(&r);
	assert_int_equal(drain(&r), 4);
	assert_int_equal(told.first, 1);
	assert_int_equal(drain(&r), 0);
	room_close(&r);
}

static void
a_length_beyond_the_bytes_is_cut(void **state)
{
	struct room r;

	(void)state;
	room_open(&r, 0);
	write_one(&r)->len = UINT32_MAX;
	assert_int_equal(drain(&r), 1);
	assert_int_equal(told.len, DEPARTURE_BYTES);
	room_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_told_once),
		cmocka_unit_test(what_was_before_is_not_told),
		cmocka_unit_test(one_that_is_being_written_is_waited_for),
		cmocka_unit_test(what_was_written_over_is_left_out),
		cmocka_unit_test(the_count_may_wrap),
		cmocka_unit_test(a_length_beyond_the_bytes_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
