#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workerd/ctl/conn.h"
#include "workerd/ctl/peer.h"

static void
users_take_turns_and_so_do_their_connections(void **state)
{
	struct conn a[3] = { 0 }, b[1] = { 0 };
	struct turns t = { 0 };
	struct peers all;
	struct peer *pa, *pb;

	(void)state;
	peers_init(&all);
	pa = peers_join(&all, 1000);
	pb = peers_join(&all, 1001);
	for (int i = 0; i < 3; i++)
		turns_add(&t, pa, &a[i]);
	turns_add(&t, pb, &b[0]);
	assert_int_equal(t.count, 4);
	assert_ptr_equal(turns_take(&t), &a[0]);
	assert_ptr_equal(turns_take(&t), &b[0]);
	/* One that has more to do comes behind those of its user that wait. */
	turns_add(&t, pa, &a[0]);
	turns_add(&t, pb, &b[0]);
	assert_ptr_equal(turns_take(&t), &a[1]);
	assert_ptr_equal(turns_take(&t), &b[0]);
	assert_ptr_equal(turns_take(&t), &a[2]);
	assert_ptr_equal(turns_take(&t), &a[0]);
	assert_null(turns_take(&t));
	assert_int_equal(t.count, 0);
	peers_leave(&all, pa);
	peers_leave(&all, pb);
}

static void
a_user_is_one_however_often_it_comes(void **state)
{
	struct peers all;
	struct peer *a, *b;

	(void)state;
	peers_init(&all);
	a = peers_join(&all, 1000);
	assert_ptr_equal(peers_join(&all, 1000), a);
	b = peers_join(&all, 0);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(peers_join(&all, PEER_UNKNOWN), &all.unknown);
	assert_int_equal(a->sessions, 2);
	peers_leave(&all, a);
	assert_ptr_equal(peers_join(&all, 1000), a);
	peers_leave(&all, a);
	peers_leave(&all, a);
	peers_leave(&all, b);
	peers_leave(&all, &all.unknown);
	assert_ptr_equal(all.first, &all.unknown);
	assert_int_equal(all.unknown.sessions, 0);
}

static void
the_fullest_is_who_holds_most(void **state)
{
	struct peers all;
	struct peer *a, *b;

	(void)state;
	peers_init(&all);
	a = peers_join(&all, 1000);
	b = peers_join(&all, 1001);
	all.unknown.out_held = 2;
	assert_ptr_equal(peers_fullest(&all), &all.unknown);
	a->out_held = 3;
	assert_ptr_equal(peers_fullest(&all), a);
	b->out_held = 4;
	assert_ptr_equal(peers_fullest(&all), b);
	peers_leave(&all, a);
	peers_leave(&all, b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_take_turns_and_so_do_their_connections),
		cmocka_unit_test(a_user_is_one_however_often_it_comes),
		cmocka_unit_test(the_fullest_is_who_holds_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
