#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/conf.h"
#include "common/log.h"
#include "tests/unit/ctl/mock.h"
#include "workerd/ctl/attach_priv.h"
#include "workerd/ctl/ctl_priv.h"
#include "workerd/ctl/sources.h"
#include "workerd/out/dir.h"
#include "workerd/slice/slice.h"

/*
 * The whole control side on real sockets and files: clients come, speak, read or
 * do not, and go, in an order that the input says, two bytes an act: what and
 * who, and an argument. Half of them are operators, the others strangers.
 * Property: no crash, no leak; what is counted for users, slices and all is at
 * any time what their connections have; once the clients have gone nothing is
 * left of them, and the loop sleeps.
 */

#define CLIENTS 6
#define ACTS_MAX 256

struct service {
	uv_loop_t loop;
	struct mock_net net;
	struct dir data;
	char tmp[40];
	struct conf conf;
	struct ctl *ctl;
	int client[CLIENTS]; /* -1: not there */
	bool stopped;
};

static const char *const lines[] = {
	"attach\n",
	"attach name x window 2\n",
	"now 192.0.2.1\n",
	"wait 192.0.2.1\n",
	"hold 192.0.2.1\n",
	"step 3 192.0.2.2\n",
	"halt 1\n",
	"done\n",
	"describe\n",
	"status\n",
	"observe sources\n",
	"source list\n",
	"source add name s file l command now outfile a\n",
	"source add name s file l command wait outfile b cycle 0\n",
	"source add name t file l command step cycle 2\n",
	"source add name t file l command hold autoreload on\n",
	"source update s priority 0\n",
	"source update s priority 3 autoreload on\n",
	"source cycle s\n",
	"source delete s\n",
	"source delete t\n",
	"halt s\n",
	"outfile open name a file fa mode truncate\n",
	"outfile open name a file fb mode append\n",
	"outfile open name b file fb mode truncate format json\n",
	"outfile open name c file fc mode append format warts.gz\n",
	"outfile swap a b\n",
	"outfile swap c a\n",
	"outfile swap a -\n",
	"outfile close a\n",
	"outfile close b\n",
	"outfile list\n",
	"config begin\n",
	"config set pps 1000\n",
	"config set slice x share 3\n",
	"config set slice x running 2\n",
	"config set slice y window 1\n",
	"config set tcp-slice x\n",
	"config set tcp-slice y\n",
	"config set dnp /gr\\xc3\\xbcn\\x5c\n",
	"config commit\n",
	"config begin\nconfig commit\n",
	"config abort\n",
	"set pps 50\n",
	"set pps 100000\n",
	"exit\n",
	"shutdown flush\n",
	"shutdown done\n",
	"shutdown cancel\n",
	"shutdown now\n",
	"nonsense\n",
	"now 192.",
	"0.2.3\n",
};

static void
on_stop(void *ctx)
{
	((struct service *)ctx)->stopped = true;
}

static void
on_wake(void *ctx)
{
	((struct service *)ctx)->net.wakes++;
}

/* ---- acts ---- */

static void
run(struct service *s, uint32_t times)
{
	for (uint32_t i = 0; i < times && !s->stopped; i++) {
		(void)uv_run(&s->loop, UV_RUN_NOWAIT);
		mock_net_run(&s->net, NSEC_PER_MSEC);
	}
}

static void
hang_up(struct service *s, uint32_t who)
{
	if (s->client[who] >= 0)
		(void)close(s->client[who]);
	s->client[who] = -1;
}

/* The first half as we are, by a socket of the system's; the others as clients
 * of TCP. */
static void
come(struct service *s, uint32_t who)
{
	struct conn *c;
	int fds[2];

	hang_up(s, who);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	s->client[who] = fds[0];
	if (who < CLIENTS / 2)
		must(ctl_client(s->ctl, fds[1]) == 0);
	else
		must(conn_new(s->ctl, fds[1], "stranger", &c) == 0);
}

static void
say(struct service *s, uint32_t who, const char *line)
{
	if (s->client[who] >= 0)
		(void)send(s->client[who], line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
hear(struct service *s, uint32_t who)
{
	char bytes[4096];

	while (s->client[who] >= 0 && recv(s->client[who], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void
act(struct service *s, uint32_t what, uint32_t who, uint8_t arg)
{
	const char *line = lines[arg % (sizeof(lines) / sizeof(lines[0]))];

	switch (what) {
	case 0:
	case 1:
		come(s, who);
		break;
	case 2:
		hang_up(s, who);
		break;
	case 3:
		hear(s, who);
		break;
	case 4:
		if (s->client[who] >= 0)
			(void)shutdown(s->client[who], SHUT_WR);
		break;
	case 5:
		for (int i = 0; i < 40; i++)
			say(s, who, line);
		break;
	case 6:
		mock_net_run(&s->net, arg * 20 * NSEC_PER_SEC);
		break;
	case 7:
		sources_tick(&s->ctl->env, arg % 2 == 0 ? s->net.now.mono : INT64_MAX);
		break;
	case 8:
	case 9:
		run(s, arg % 8);
		break;
	case 10:
		s->ctl->spent = CTL_TURNS_NS; /* others have had all the time there is */
		break;
	case 11:
		s->ctl->env.out_total = (size_t)arg * 1024;
		break;
	default:
		say(s, who, line);
		run(s, 1);
		break;
	}
}

/* ---- what must hold ---- */

static void
check_slices(const struct session_env *env, uint32_t clients, uint32_t tasks)
{
	for (uint32_t i = 0; i < slices_count(env->slices); i++) {
		const struct slice *slice = slices_get(env->slices, i);

		must(slice->clients <= clients && slice->running <= tasks);
		clients -= slice->clients;
		tasks -= slice->running;
	}
	must(clients == 0 && tasks == 0);
}

static void
check_peers(const struct ctl *ctl, uint32_t sessions, uint32_t tasks)
{
	uint32_t waiting = 0;
	size_t held = 0;

	for (const struct peer *p = ctl->env.peers.first; p != NULL; p = p->next) {
		must(p->sessions <= sessions && p->tasks <= tasks);
		sessions -= p->sessions;
		tasks -= p->tasks;
		waiting += p->waiting;
		held += p->out_held;
	}
	must(sessions == 0 && tasks == 0);
	must(waiting == ctl->turns.count && held == ctl->out_held);
}

static void
check(const struct service *s)
{
	uint32_t count = 0, tasks = 0;
	size_t held = 0;

	for (const struct conn *c = s->ctl->conns; c != NULL; c = c->next) {
		count++;
		held += c->out_held;
		tasks += c->session.attach == NULL ? 0 : c->session.attach->ids.count;
	}
	must(count == s->ctl->conn_count && held == s->ctl->out_held);
	check_slices(&s->ctl->env, count, tasks);
	check_peers(s->ctl, count, tasks);
}

/* All hang up: their tasks and what they hold go by themselves. */
static void
all_leave(struct service *s)
{
	for (uint32_t i = 0; i < CLIENTS; i++)
		hang_up(s, i);
	for (int i = 0; i < 10000 && !s->stopped && (s->ctl->conn_count > 0 || s->ctl->turns.count > 0); i++)
		run(s, 1);
	check(s);
	if (s->stopped)
		return;
	must(s->ctl->conn_count == 0 && s->ctl->turns.count == 0);
	must(s->ctl->out_held == 0 && s->ctl->env.peers.first == &s->ctl->env.peers.unknown);
}

/* ---- a service ---- */

static void
make_directory(struct service *s)
{
	static const char list[] = "192.0.2.1\n192.0.2.2\n\nnot a host\n192.0.2.3\n192.0.2.1\n";
	struct errbuf err;
	int fd;

	(void)snprintf(s->tmp, sizeof(s->tmp), "/tmp/vantage-fuzz-XXXXXX");
	must(mkdtemp(s->tmp) != NULL && dir_open(&s->data, s->tmp, &err) == 0);
	fd = openat(s->data.fd, "l", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0 && write(fd, list, sizeof(list) - 1) == sizeof(list) - 1);
	(void)close(fd);
}

static void
remove_directory(struct service *s)
{
	DIR *d = opendir(s->tmp);
	const struct dirent *e;

	must(d != NULL);
	while ((e = readdir(d)) != NULL)
		(void)unlinkat(dirfd(d), e->d_name, 0);
	(void)closedir(d);
	dir_close(&s->data);
	must(rmdir(s->tmp) == 0);
}

/* An engine is large, and each run leaves it empty: it serves many. */
static void
begin(struct service *s)
{
	struct ctl_config cfg = { .types = mock_types,
		.version = "1",
		.hostname = "h",
		.pid = 1,
		.uid = getuid(),
		.data = &s->data,
		.conf = &s->conf,
		.wake = on_wake,
		.stop = on_stop,
		.ctx = s };

	if (s->net.engine == NULL) {
		log_init("fuzz", LOG_LEVEL_ERROR);
		must(mock_net_init(&s->net, 100000) == 0);
	}
	s->stopped = false;
	conf_init(&s->conf);
	for (uint32_t i = 0; i < CLIENTS; i++)
		s->client[i] = -1;
	must(uv_loop_init(&s->loop) == 0);
	s->ctl = ctl_new(&s->loop, &cfg, s->net.engine);
	must(s->ctl != NULL);
	ctl_restore(s->ctl);
}

static void
finish(struct service *s, bool by_itself)
{
	if (by_itself)
		all_leave(s);
	ctl_stop(s->ctl);
	for (uint32_t i = 0; i < CLIENTS; i++)
		hang_up(s, i);
	must(uv_run(&s->loop, UV_RUN_DEFAULT) == 0);
	must(uv_loop_close(&s->loop) == 0);
	must(mock_alive == 0);
	must(engine_running(s->net.engine) == 0);
}

/* The first byte: whether the clients leave before the service ends, and whether
 * another begins where it stopped. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct service s;

	if (size == 0)
		return 0;
	make_directory(&s);
	begin(&s);
	for (size_t at = 1; at + 1 < size && at < 2 * ACTS_MAX && !s.stopped; at += 2) {
		act(&s, data[at] & 15, (data[at] >> 4) % CLIENTS, data[at + 1]);
		if (!s.stopped)
			check(&s);
	}
	finish(&s, (data[0] & 1) != 0);
	if ((data[0] & 2) != 0) {
		begin(&s);
		run(&s, 4);
		check(&s);
		finish(&s, true);
	}
	remove_directory(&s);
	return 0;
}
