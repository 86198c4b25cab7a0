#include "workerd/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"

static struct instant
instant_now(void)
{
	return (struct instant){ .mono = clock_ns(CLOCK_MONOTONIC), .wall = clock_ns(CLOCK_REALTIME) };
}

/* ---- what the engine asks of the kernel ---- */

static void
io_send(void *ctx, struct engine_packet *p, uint32_t count)
{
	struct loop *l = ctx;

	tx_send(&l->tx, p, count);
}

static int
io_route(void *ctx, const struct addr *dst, const struct addr *via, struct route *ret)
{
	struct loop *l = ctx;

	return routes_get(l->routing, dst, via, ret);
}

static int
io_port_hold(void *ctx, uint32_t tenant, uint8_t proto, uint16_t port)
{
	struct loop *l = ctx;

	return ports_hold(&l->ports, tenant, proto, port);
}

static void
io_port_release(void *ctx, uint8_t proto, uint16_t port)
{
	struct loop *l = ctx;

	ports_release(&l->ports, proto, port);
}

/* From the kernel, a pool at a time. Not arc4random: it asks for our process
 * id each time, to notice a fork. */
static uint32_t
io_random(void *ctx)
{
	struct loop *l = ctx;

	if (l->random_left == 0) {
		while (getrandom(l->random, sizeof(l->random), 0) != (ssize_t)sizeof(l->random))
			;
		l->random_left = sizeof(l->random) / sizeof(l->random[0]);
	}
	return l->random[--l->random_left];
}

/* ---- the timer ---- */

/*
 * A timer that fires too early costs one wake-up, setting it costs as much: so
 * it is only moved when it would fire too late. Setting it also takes back its
 * being readable, which saves the read.
 */
static void
arm(struct loop *l, nsec_t when)
{
	struct itimerspec its = { 0 };

	if (!l->fired && l->armed <= when)
		return;
	l->fired = false;
	l->armed = when;
	if (when != INT64_MAX) {
		its.it_value.tv_sec = (time_t)(when / NSEC_PER_SEC);
		its.it_value.tv_nsec = (long)(when % NSEC_PER_SEC);
	}
	(void)timerfd_settime(l->timerfd, TFD_TIMER_ABSTIME, &its, NULL);
}

static void
on_timer(uv_poll_t *h, int status, int events)
{
	struct loop *l = h->data;

	(void)status;
	(void)events;
	l->fired = true;
}

/* An idle handle only keeps the loop from sleeping: the work is in on_after. */
static void
on_again(uv_idle_t *h)
{
	(void)h;
}

/* ---- input ---- */

/* An error on a socket (a full netlink queue, an interface that went down)
 * makes libuv stop watching it; the socket itself goes on. */
static void
rewatch(uv_poll_t *h, int status, uv_poll_cb cb)
{
	if (status < 0)
		(void)uv_poll_start(h, UV_READABLE | UV_DISCONNECT, cb);
}

static void
on_ring(uv_poll_t *h, int status, int events)
{
	struct loop *l = h->data;
	struct instant now = instant_now();

	(void)events;
	rewatch(h, status, on_ring);
	/* What is left makes the descriptor readable again. */
	(void)rx_drain(&l->rx, l->engine, l->routing, &now);
}

/*
 * While probes leave in groups, replies are looked at as often, and a
 * wake-up for each of them would only cost: their stamps are the kernel's.
 */
#define DENSE_NS (PACE_GROUP_MAX_NS + PACE_GROUP_MAX_NS / 4)
#define SPARSE_NS (2 * PACE_GROUP_MAX_NS)

static void
set_dense(struct loop *l, nsec_t sleep)
{
	if (!l->dense && sleep <= DENSE_NS) {
		l->dense = true;
		(void)uv_poll_stop(&l->ring);
	} else if (l->dense && sleep > SPARSE_NS) {
		l->dense = false;
		(void)uv_poll_start(&l->ring, UV_READABLE | UV_DISCONNECT, on_ring);
	}
}

static void
on_after(uv_check_t *h)
{
	struct loop *l = h->data;
	struct instant now = instant_now();
	bool more = l->dense && rx_drain(&l->rx, l->engine, l->routing, &now);
	nsec_t when = engine_run(l->engine, &now);

	if (more || when <= now.mono) {
		if (!uv_is_active((uv_handle_t *)&l->again))
			(void)uv_idle_start(&l->again, on_again);
		return;
	}
	if (uv_is_active((uv_handle_t *)&l->again))
		(void)uv_idle_stop(&l->again);
	set_dense(l, when - now.mono);
	/* Unwatched replies must not lie longer than this. */
	arm(l, l->dense && when > now.mono + SPARSE_NS ? now.mono + SPARSE_NS : when);
}

static void
on_routes(uv_poll_t *h, int status, int events)
{
	struct loop *l = h->data;

	(void)events;
	rewatch(h, status, on_routes);
	routes_changed(l->routing);
}

/* privd never speaks unasked: readable means that it has gone. Our sockets
 * would still send what the policy allows, so end at once. */
static void
on_privd(uv_poll_t *h, int status, int events)
{
	struct loop *l = h->data;

	(void)status;
	(void)events;
	log_error("privd has gone: stopping");
	l->privd_gone = true;
	l->on_stop(l);
}

/* The file is out of reach: who sends this is told who can read it. */
static void
on_hangup(uv_signal_t *h, int signum)
{
	(void)h;
	(void)signum;
	log_info("SIGHUP changes nothing; to reload: vantage reload");
}

static void
on_signal(uv_signal_t *h, int signum)
{
	struct loop *l = h->data;

	log_info("signal %d: stopping", signum);
	l->on_stop(l);
}

/* ---- life ---- */

static int
watch(struct loop *l, uv_poll_t *h, int fd, uv_poll_cb cb)
{
	int rc = uv_poll_init(&l->uv, h, fd);

	h->data = l;
	return rc != 0 ? rc : uv_poll_start(h, UV_READABLE | UV_DISCONNECT, cb);
}

/* libuv makes what it watches non-blocking, but questions to privd wait for
 * their answer. */
static int
watch_privd(struct loop *l, int fd)
{
	int rc = watch(l, &l->privd, fd, on_privd), flags;

	if (rc != 0)
		return rc;
	flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

static int
watch_all(struct loop *l, const struct loop_fds *fds)
{
	int rc;

	l->after.data = l->again.data = l->sigterm.data = l->sigint.data = l->sighup.data = l;
	if ((rc = watch(l, &l->ring, fds->ring, on_ring)) != 0 ||
	    (rc = watch(l, &l->timer, l->timerfd, on_timer)) != 0 ||
	    (rc = watch(l, &l->routes, fds->route, on_routes)) != 0 ||
	    (rc = watch_privd(l, fds->privd)) != 0 || (rc = uv_check_init(&l->uv, &l->after)) != 0 ||
	    (rc = uv_check_start(&l->after, on_after)) != 0 || (rc = uv_idle_init(&l->uv, &l->again)) != 0 ||
	    (rc = uv_signal_init(&l->uv, &l->sigterm)) != 0 ||
	    (rc = uv_signal_start(&l->sigterm, on_signal, SIGTERM)) != 0 ||
	    (rc = uv_signal_init(&l->uv, &l->sigint)) != 0 ||
	    (rc = uv_signal_start(&l->sigint, on_signal, SIGINT)) != 0 ||
	    (rc = uv_signal_init(&l->uv, &l->sighup)) != 0)
		return rc;
	return uv_signal_start(&l->sighup, on_hangup, SIGHUP);
}

/*
 * What nearly every task uses is not asked for and given back with each that
 * runs alone. Where another program has one of them, the tasks that want it
 * will be told.
 */
static void
hold_defaults(struct loop *l, const struct engine_config *cfg)
{
	(void)ports_hold(&l->ports, 0, IPPROTO_ICMP, cfg->icmp_id);
	(void)ports_hold(&l->ports, 0, IPPROTO_UDP, cfg->sport);
	(void)ports_hold(&l->ports, 0, IPPROTO_TCP, cfg->sport);
}

int
loop_init(struct loop *l, const struct loop_fds *fds, const struct engine_config *cfg, struct errbuf *err)
{
	struct engine_io io = { l, io_send, io_route, io_port_hold, io_port_release, io_random };
	struct instant now = instant_now();
	int rc;

	l->tx = (struct tx){ fds->raw4, fds->raw6 };
	l->armed = INT64_MAX;
	rc = rx_init(&l->rx, fds->ring, fds->frame_size, fds->frame_count);
	if (rc == 0)
		rc = departures_init(&l->rx.departures, fds->departures);
	if (rc != 0)
		return errbuf_set(err, rc, "cannot map the packet ring: %s", strerror(-rc));
	l->routing = routes_new(fds->route, fds->mark);
	l->engine = engine_new(cfg, &io, &now);
	if (l->routing == NULL || l->engine == NULL)
		return errbuf_set(err, -ENOMEM, "out of memory");
	l->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->timerfd < 0)
		return errbuf_set(err, -errno, "cannot make a timer: %s", strerror(errno));
	rc = uv_loop_init(&l->uv);
	if (rc == 0)
		rc = watch_all(l, fds);
	if (rc != 0)
		return errbuf_set(err, rc, "cannot set up the event loop: %s", uv_strerror(rc));
	/* Maps what routes there are while it is cheap, not at the first probe. */
	routes_changed(l->routing);
	hold_defaults(l, cfg);
	return 0;
}

void
loop_wake(struct loop *l)
{
	if (!uv_is_active((uv_handle_t *)&l->again))
		(void)uv_idle_start(&l->again, on_again);
}

void
loop_run(struct loop *l)
{
	(void)uv_run(&l->uv, UV_RUN_DEFAULT);
}

void
loop_end(struct loop *l)
{
	uv_stop(&l->uv);
}
