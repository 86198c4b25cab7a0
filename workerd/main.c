#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sd.h"
#include "proto/priv/pp.h"
#include "vantage-paths.h"
#include "workerd/ctl/ctl.h"
#include "workerd/latency.h"
#include "workerd/loop.h"
#include "workerd/meas/meas.h"
#include "workerd/options.h"
#include "workerd/out/dir.h"
#include "workerd/privcli.h"
#include "workerd/sandbox.h"
#include "workerd/slice/slice.h"

/*
 * The worker: no privilege, no network of its own. It asks privd for its
 * descriptors, shuts itself in, and only then reads the first foreign byte.
 */

#define PRIVD_FD 3 /* where privd leaves the channel when it starts us */

struct worker {
	struct options opt;
	struct privcli priv;
	struct privcli_facts facts;
	struct loop loop;
	struct slices *slices;
	struct ctl *ctl;
	struct dir data; /* below which files are */
	char hostname[256];
	struct sd sd;
	uv_poll_t watchdog;
	bool single; /* serves one client, then ends */
	int status;
};

static int
fail(int status, const struct errbuf *err)
{
	log_error("%s", err->text);
	return status;
}

/* ---- what the loop and the control side ask of us ---- */

static void
on_stop(struct loop *l)
{
	struct worker *w = l->user;

	if (l->privd_gone)
		w->status = EX_UNAVAILABLE;
	(void)sd_notify(&w->sd, "STOPPING=1");
	ctl_stop(w->ctl);
	loop_end(l);
}

static void
on_client_done(void *ctx)
{
	struct worker *w = ctx;

	if (w->single)
		loop_end(&w->loop);
}

static void
on_shutdown(void *ctx)
{
	struct worker *w = ctx;

	log_info("a client's shutdown: stopping");
	on_stop(&w->loop);
}

static uint64_t
ring_drops(void *ctx)
{
	const struct worker *w = ctx;

	return w->loop.rx.dropped;
}

static void
on_wake(void *ctx)
{
	struct worker *w = ctx;

	loop_wake(&w->loop);
}

/* A question may find out before the loop does that privd has gone, or that
 * what answers is not privd: either way this is the end. */
static int
judge(struct worker *w, int rc)
{
	if (w->priv.lost && !w->loop.privd_gone) {
		log_error("privd has gone: stopping");
		w->loop.privd_gone = true;
		w->status = EX_UNAVAILABLE;
		loop_end(&w->loop);
	}
	return rc;
}

static int
port_reserve(void *ctx, uint8_t proto, uint16_t port)
{
	struct worker *w = ctx;

	return judge(w, privcli_reserve_port(&w->priv, proto, port));
}

static int
port_release(void *ctx, uint8_t proto, uint16_t port)
{
	struct worker *w = ctx;

	return judge(w, privcli_release_port(&w->priv, proto, port));
}

/* From the loop, which might hang: that is what is watched. */
static void
on_watchdog(uv_poll_t *h, int status, int events)
{
	const struct worker *w = h->data;
	char text[128];

	(void)status;
	(void)events;
	(void)snprintf(text, sizeof(text), "%" PRIu32 " measurements under way, %" PRIu64 " packets sent so far",
	    engine_running(w->loop.engine), engine_stats_get(w->loop.engine)->sent);
	sd_ping(&w->sd, text);
}

static uint32_t
max_pps(const struct worker *w)
{
	return w->facts.max_pps > 1000000 ? 1000000 : w->facts.max_pps;
}

/* The command line has the last word. A pair that a client started belongs to
 * that client, who told privd the rate, and sets the rest. */
static void
on_settle(void *ctx, struct conf *conf)
{
	struct worker *w = ctx;
	const struct engine_config *now = w->loop.engine == NULL ? NULL : engine_config_get(w->loop.engine);
	struct errbuf err;

	(void)options_override(&w->opt, conf, &err);
	if (w->facts.has_client)
		conf->pps = now == NULL ? max_pps(w) : now->pps;
	if (w->facts.has_client && now != NULL) {
		conf->window = now->window;
		conf->hold_s = now->hold_s;
		conf->nameserver = now->nameserver;
	}
	if (conf->pps > max_pps(w))
		conf->pps = max_pps(w);
}

/* ---- setting up ---- */

static int
connect_privd(struct worker *w, struct errbuf *err)
{
	int rc;

	if (w->opt.privd_path != NULL)
		rc = privcli_connect(&w->priv, w->opt.privd_path, err);
	else
		rc = privcli_init(&w->priv, PRIVD_FD, err);
	return rc != 0 ? rc : privcli_hello(&w->priv, &w->facts, err);
}

/* A privd that ran before us read its file then: what it holds is what it says,
 * and a reload tells where the file has another word. */
static void
take_facts(struct worker *w)
{
	if (w->opt.privd_path == NULL)
		return;
	w->opt.conf.max_pps = w->facts.max_pps;
	w->opt.conf.spoof = w->facts.spoof;
	w->opt.conf.local = w->facts.local;
}

/* A kernel without IPv6 (ipv6.disable=1) has no routes of it either, so that no
 * probe comes to need the socket. */
static int
open_raw6(struct worker *w, int *ret_fd)
{
	int rc = privcli_open_raw(&w->priv, ADDR_IP6, ret_fd);

	if (rc != -EAFNOSUPPORT)
		return rc;
	log_info("this kernel has no IPv6: what goes by it is refused for want of a route");
	return 0;
}

static int
open_sockets(struct worker *w, struct loop_fds *fds, struct errbuf *err)
{
	int rc;

	*fds = (struct loop_fds){
		.ring = -1, .departures = -1, .raw4 = -1, .raw6 = -1, .route = -1, .privd = w->priv.fd
	};
	fds->frame_size = PRIVCLI_RING_FRAME_SIZE;
	fds->frame_count = PRIVCLI_RING_FRAMES;
	fds->mark = w->opt.conf.mark << 24 | 0x010000;
	if ((rc = privcli_open_raw(&w->priv, ADDR_IP4, &fds->raw4)) != 0 ||
	    (rc = open_raw6(w, &fds->raw6)) != 0 ||
	    (rc = privcli_open_ring(&w->priv, &fds->ring)) != 0 ||
	    (rc = privcli_open_departures(&w->priv, &fds->departures)) != 0 ||
	    (rc = privcli_open_route(&w->priv, &fds->route)) != 0)
		return errbuf_set(err, rc, "privd does not give us our sockets: %s", strerror(-rc));
	return 0;
}

static int
setup_loop(struct worker *w, struct errbuf *err)
{
	struct conf *conf = &w->opt.conf;
	struct engine_config cfg = { 0 };
	uint32_t asked = conf->pps;
	struct loop_fds fds;
	int rc;

	on_settle(w, conf);
	if (conf->pps < asked && !w->facts.has_client)
		log_warn("pps %u is more than vantage-privd allows: %u is what holds", asked, conf->pps);
	cfg.pps = conf->pps;
	cfg.window = conf->window;
	cfg.hold_s = conf->hold_s;
	cfg.nameserver = conf->nameserver;

	/* commands.md section 2: the process id decides. */
	cfg.sport = (uint16_t)((getpid() & 0x7fff) + 0x8000);
	cfg.icmp_id = (uint16_t)(getpid() & 0xffff);
	w->loop.user = w;
	w->loop.on_stop = on_stop;
	w->loop.ports.reserve = port_reserve;
	w->loop.ports.release = port_release;
	w->loop.ports.ctx = w;
	w->loop.ports.max = PRIVCLI_PORTS_MAX;
	rc = open_sockets(w, &fds, err);
	return rc != 0 ? rc : loop_init(&w->loop, &fds, &cfg, err);
}

/* Listening sockets from the service manager, or from privd; and the client
 * that a private pair is for. */
static int
setup_clients(struct worker *w, struct errbuf *err)
{
	int count = sd_listen_fds(PRIVCLI_LISTENERS_MAX, err), rc, fd;

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		if ((rc = ctl_listen(w->ctl, SD_LISTEN_FDS_START + i, CTL_FORM_PLAIN)) != 0)
			return errbuf_set(err, rc, "control socket %d: %s", i, strerror(-rc));
	}
	for (uint32_t i = 0; i < w->facts.listeners; i++) {
		if ((rc = privcli_open_listener(&w->priv, i, &fd)) != 0 ||
		    (rc = ctl_listen(w->ctl, fd, CTL_FORM_PLAIN)) != 0)
			return errbuf_set(err, rc, "control socket %u: %s", i, strerror(-rc));
	}
	if (!w->facts.has_client)
		return 0;
	if ((rc = privcli_open_client(&w->priv, &fd)) != 0 || (rc = ctl_client(w->ctl, fd)) != 0)
		return errbuf_set(err, rc, "the client of this run: %s", strerror(-rc));
	w->single = w->facts.listeners == 0;
	return 0;
}

static int
setup_ctl(struct worker *w, struct errbuf *err)
{
	struct ctl_config cfg = { .types = meas_types,
		.version = VANTAGE_VERSION,
		.hostname = w->hostname,
		.monitor = w->opt.monitor,
		.command = w->opt.command,
		.pid = getpid(),
		.uid = getuid(),
		.slices = w->slices,
		.conf = &w->opt.conf,
		.settle = on_settle,
		.max_pps = max_pps(w),
		.wake = on_wake,
		.ring_drops = ring_drops,
		.client_done = on_client_done,
		.stop = on_shutdown,
		.data = &w->data,
		.ctx = w };
	int rc;

	(void)gethostname(w->hostname, sizeof(w->hostname) - 1);
	w->ctl = ctl_new(&w->loop.uv, &cfg, w->loop.engine);
	if (w->ctl == NULL)
		return errbuf_set(err, -ENOMEM, "out of memory");
	if (w->opt.output != NULL && (rc = ctl_output(w->ctl, PP_OUTPUT_FD, w->opt.output, err)) != 0)
		return rc;
	return setup_clients(w, err);
}

static int
setup_manager(struct worker *w, struct errbuf *err)
{
	int rc = sd_open(&w->sd, err);

	if (rc != 0 || w->sd.watchdog < 0)
		return rc;
	w->watchdog.data = w;
	if ((rc = uv_poll_init(&w->loop.uv, &w->watchdog, w->sd.watchdog)) != 0 ||
	    (rc = uv_poll_start(&w->watchdog, UV_READABLE, on_watchdog)) != 0)
		return errbuf_set(err, rc, "watchdog: %s", uv_strerror(rc));
	return 0;
}

static int
run(struct worker *w)
{
	struct sandbox_config box = { .user = w->opt.conf.user,
		.group = w->opt.conf.group,
		.root_dir = w->opt.root_dir,
		.data_fd = -1 };
	struct errbuf err = { "" };
	int rc;

	if ((rc = dir_open(&w->data, w->opt.root_dir, &err)) != 0)
		return fail(EX_CONFIG, &err);
	box.data_fd = w->data.fd;
	if ((rc = connect_privd(w, &err)) != 0)
		return fail(EX_UNAVAILABLE, &err);
	take_facts(w);
	if ((rc = slices_new(&w->opt.conf, getuid(), &w->slices, &err)) != 0)
		return fail(rc == -ENOMEM ? EX_OSERR : EX_CONFIG, &err);
	if ((rc = setup_loop(w, &err)) != 0 || (rc = setup_ctl(w, &err)) != 0 || (rc = setup_manager(w, &err)) != 0)
		return fail(EX_OSERR, &err);
	latency_want();
	/* The zone file is read now: none can be opened later. */
	tzset();
	if ((rc = sandbox_enter(&box, &err)) != 0)
		return fail(EX_CONFIG, &err);
	ctl_restore(w->ctl);
	(void)sd_notify(&w->sd, "READY=1");
	loop_run(&w->loop);
	return w->status;
}

int
main(int argc, char **argv)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct errbuf err = { "" };
	int rc;

	log_init("vantage-workerd", LOG_LEVEL_INFO);
	if (w == NULL)
		return EX_OSERR;
	rc = options_parse(&w->opt, argc, argv, &err);
	if (rc != 0)
		return fail(rc == -EINVAL ? EX_USAGE : EX_CONFIG, &err);
	if (w->opt.print_help) {
		(void)fputs(options_usage, stdout);
		return 0;
	}
	if (w->opt.print_version) {
		(void)puts("vantage-workerd " VANTAGE_VERSION);
		return 0;
	}
	if (w->opt.print_sandbox) {
		sandbox_print(stdout);
		return 0;
	}
	if (w->opt.debug)
		log_init("vantage-workerd", LOG_LEVEL_DEBUG);
	/* Output that nobody reads, or that is longer than is allowed, is an error of
	 * that output alone. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	return run(w);
}
