#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "common/prefixes.h"
#include "common/sd.h"
#include "common/strnum.h"
#include "privd/privd.h"
#include "vantage-paths.h"

static const char usage[] =
    "usage: vantage-privd [-fd] [-c FILE] [-U PATH]... [-P [IP:]PORT]... [--workerd PATH] [--data DIR]\n"
    "                     [--client-fd N] [--output TEXT] [--max-pps N] [--spoof] [--local] [--dnp FILE]...\n"
    "       vantage-privd --print-sandbox | --version | --help\n";

enum { OPT_CLIENT_FD = 256, OPT_WORKERD, OPT_DATA, OPT_OUTPUT, OPT_MAX_PPS, OPT_SPOOF, OPT_LOCAL, OPT_DNP, OPT_PRINT, OPT_VERSION, OPT_HELP };

static const struct option options[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "debug", no_argument, NULL, 'd' },
	{ "config", required_argument, NULL, 'c' },
	{ "socket", required_argument, NULL, 'U' },
	{ "listen", required_argument, NULL, 'P' },
	{ "client-fd", required_argument, NULL, OPT_CLIENT_FD },
	{ "workerd", required_argument, NULL, OPT_WORKERD },
	{ "data", required_argument, NULL, OPT_DATA },
	{ "output", required_argument, NULL, OPT_OUTPUT },
	{ "max-pps", required_argument, NULL, OPT_MAX_PPS },
	{ "spoof", no_argument, NULL, OPT_SPOOF },
	{ "local", no_argument, NULL, OPT_LOCAL },
	{ "dnp", required_argument, NULL, OPT_DNP },
	{ "print-sandbox", no_argument, NULL, OPT_PRINT },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/* Options that are words of the configuration, said on the command line. */
static const struct {
	int option;
	const char *word;
} option_words[] = { { 'U', "control" }, { 'P', "listen" }, { OPT_MAX_PPS, "max-pps" }, { OPT_SPOOF, "spoof" },
	{ OPT_LOCAL, "local" }, { OPT_DNP, "dnp" } };

#define ARGS_MAX 64

struct args {
	bool foreground;
	bool debug;
	const char *conf_path; /* NULL: the usual place, if there */
	const char *workerd;
	const char *data; /* NULL: the usual directory, if there */
	const char *output;
	int client;
	int sockets;    /* that systemd passed */
	uint32_t words; /* applied after the file: the command line has the last word */
	const char *word[ARGS_MAX];
	const char *value[ARGS_MAX];
};

static int
args_word(struct args *args, int option)
{
	for (size_t i = 0; i < sizeof(option_words) / sizeof(option_words[0]); i++) {
		if (option_words[i].option != option)
			continue;
		if (args->words == ARGS_MAX)
			return -E2BIG;
		args->word[args->words] = option_words[i].word;
		args->value[args->words++] = optarg == NULL ? "yes" : optarg;
		return 0;
	}
	return -EINVAL;
}

/* 0; > 0: done, with this code less one. */
static int
args_one(struct args *args, int option)
{
	uint32_t fd;

	switch (option) {
	case 'f':
		args->foreground = true;
		return 0;
	case 'd':
		args->debug = true;
		return 0;
	case 'c':
		args->conf_path = optarg;
		return 0;
	case OPT_WORKERD:
		args->workerd = optarg;
		return 0;
	case OPT_DATA:
		args->data = optarg;
		return 0;
	case OPT_OUTPUT:
		args->output = optarg;
		return fcntl(PP_OUTPUT_FD, F_SETFD, FD_CLOEXEC) == 0 ? 0 : 1 + EX_USAGE;
	case OPT_CLIENT_FD:
		if (strnum_u32(optarg, 3, 65535, &fd) != 0 || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0) {
			fprintf(stderr, "vantage-privd: --client-fd '%s' is no open descriptor from 3 on\n",
			    optarg);
			return 1 + EX_USAGE;
		}
		args->client = (int)fd;
		return 0;
	case OPT_PRINT:
		sandbox_print();
		return 1;
	case OPT_VERSION:
		printf("vantage-privd %s\n", VANTAGE_VERSION);
		return 1;
	case OPT_HELP:
		(void)fputs(usage, stdout);
		return 1;
	default:
		return args_word(args, option) == 0 ? 0 : 1 + EX_USAGE;
	}
}

static int
args_parse(struct args *args, int argc, char **argv)
{
	int option, rc = 0;

	args->client = -1;
	while (rc == 0 && (option = getopt_long(argc, argv, "fdc:U:P:", options, NULL)) != -1)
		rc = args_one(args, option);
	if (rc == 0 && optind < argc) {
		fprintf(stderr, "vantage-privd: '%s': no arguments are taken\n", argv[optind]);
		rc = 1 + EX_USAGE;
	}
	if (rc == 1 + EX_USAGE)
		(void)fputs(usage, stderr);
	return rc;
}

static int
configure(struct privd *privd, const struct args *args, struct errbuf *reterr)
{
	const char *path = args->conf_path == NULL ? VANTAGE_CONF_FILE : args->conf_path;
	int rc;

	conf_init(&privd->conf);
	rc = conf_read(&privd->conf, path, reterr);
	if (rc == -ENOENT && args->conf_path == NULL)
		rc = 0;
	/* A private pair has no doors but those it was started with. */
	if (privd->client >= 0)
		privd->conf.control.count = privd->conf.listens.count = 0;
	for (uint32_t i = 0; rc == 0 && i < args->words; i++)
		rc = conf_set(&privd->conf, args->word[i], args->value[i], reterr);
	if (rc != 0)
		return rc;
	privd->policy = (struct firewall_policy){ .mark = privd->conf.mark << 24,
		.max_pps = privd->conf.max_pps,
		.spoof = privd->conf.spoof,
		.local = privd->conf.local };
	return start_users(privd, reterr);
}

/* Sockets that systemd made: the one for records is the worker's, streams are
 * for clients. */
static int
take_sockets(struct privd *privd, int count, struct errbuf *reterr)
{
	for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++) {
		int type = 0;
		socklen_t len = sizeof(type);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
			return errbuf_set(
			    reterr, -errno, "LISTEN_FDS: descriptor %d: %s", fd, strerror(errno));
		if (type == SOCK_SEQPACKET && privd->accepting < 0)
			privd->accepting = fd;
		else if (type == SOCK_STREAM && privd->listeners < PP_LISTENERS_MAX)
			privd->listener[privd->listeners++] = (struct listener){ .fd = fd, .dir = -1 };
		else
			return errbuf_set(reterr, -EINVAL, "LISTEN_FDS: descriptor %d is of no use here", fd);
	}
	if (count > 0 && privd->accepting < 0)
		return errbuf_set(
		    reterr, -EINVAL, "LISTEN_FDS: no ListenSequentialPacket= socket for the worker");
	if (count == 0 && geteuid() != 0)
		return errbuf_set(reterr, -EPERM, "start it as root, or by systemd (vantage-privd.socket)");
	return 0;
}

static int
watch_signals(struct privd *privd, struct errbuf *reterr)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	/* A log that nobody reads any more is no reason to die. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return errbuf_set(reterr, -errno, "signals: %s", strerror(errno));
	privd->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return privd->signals < 0 ? errbuf_set(reterr, -errno, "signalfd: %s", strerror(errno)) : 0;
}

/* Policy before descriptors, always. */
static int
install(struct privd *privd, struct errbuf *reterr)
{
	const struct conf_paths *files = &privd->conf.dnp;
	struct prefixes dnp = { 0 };
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < files->count; i++)
		rc = prefixes_read(&dnp, files->path[i], reterr);
	prefixes_merge(&dnp);
	/* From here on a signal waits for the loop, which takes the tables away. */
	if (rc == 0)
		rc = watch_signals(privd, reterr);
	if (rc == 0)
		rc = firewall_init(&privd->firewall, &privd->policy, &dnp, reterr);
	prefixes_fini(&dnp);
	if (rc == 0)
		rc = firewall_self_test(&privd->policy, reterr);
	if (rc == 0 && !privd->firewall.egress)
		log_warn(
		    "no netdev egress hook on this kernel: that the packet ring cannot send rests on the "
		    "worker's own system call filter alone");
	if (rc == 0)
		rc = filter_init(&privd->filter, privd->policy.mark | MARK_KIND_TX, reterr);
	return rc;
}

static int
open_doors(struct privd *privd, struct errbuf *reterr)
{
	/* For clients that want ids in DATA headers, and those that do not; the
	 * worker tells them apart by name. */
	static const char *const controls[2] = { VANTAGE_CONTROL_SOCKET, VANTAGE_CONTROL_ID_SOCKET };
	const struct conf *conf = &privd->conf;
	uint32_t wanted;
	int rc = 0;

	ports_init(&privd->ports, &privd->filter);
	privd->echo = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (uint32_t i = 0; rc == 0 && i < conf->ports.count; i++)
		rc = ports_offer(
		    &privd->ports, &conf->ports.port[i], privd->policy.mark | MARK_KIND_TX, reterr);
	wanted = conf->listens.count + (conf->control.count == 0 && privd->client < 0 ? 2 : conf->control.count);
	if (rc == 0 && privd->listeners + wanted > PP_LISTENERS_MAX)
		return errbuf_set(reterr, -E2BIG, "control and listen: at most %d sockets", PP_LISTENERS_MAX);
	for (uint32_t i = 0; rc == 0 && i < conf->listens.count; i++)
		rc = listener_open_tcp(&privd->listener[privd->listeners++], &conf->listens.at[i].addr,
		    conf->listens.at[i].port, reterr);
	if (rc != 0 || privd->accepting >= 0)
		return rc;
	for (uint32_t i = 0; rc == 0 && privd->client < 0 && conf->control.count == 0 && i < 2; i++)
		rc = listener_open(&privd->listener[privd->listeners++], controls[i], &privd->ids, reterr);
	for (uint32_t i = 0; rc == 0 && i < conf->control.count; i++)
		rc = listener_open(
		    &privd->listener[privd->listeners++], conf->control.path[i], &privd->ids, reterr);
	return rc;
}

/* Everything up to the sandbox; *ret_code is what the exit code would be. */
static int
start(struct privd *privd, const struct args *args, int *ret_code, struct errbuf *reterr)
{
	int rc = configure(privd, args, reterr);

	*ret_code = EX_CONFIG;
	if (rc == 0) {
		rc = take_sockets(privd, args->sockets, reterr);
		*ret_code = rc == -EPERM ? EX_NOPERM : EX_CONFIG;
	}
	if (rc == 0)
		rc = start_alone(privd, reterr);
	if (rc == 0)
		rc = install(privd, reterr);
	if (rc != 0)
		return rc;
	*ret_code = EX_CANTCREAT;
	rc = open_doors(privd, reterr);
	if (rc == 0 && privd->accepting < 0)
		rc = start_worker(privd, args->workerd, args->conf_path, args->debug, reterr);
	if (rc != 0)
		return rc;
	*ret_code = EX_CONFIG;
	return sandbox_drop(privd, reterr);
}

/* Without -f: the parent waits until the child is ready, or fails as it does. */
static int
detach(void)
{
	int pair[2], status = 0;
	char ready;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return -errno;
	if (pid == 0) {
		(void)close(pair[0]);
		(void)setsid();
		return pair[1];
	}
	(void)close(pair[1]);
	if (read(pair[0], &ready, 1) == 1)
		_exit(0);
	(void)waitpid(pid, &status, 0);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE);
}

int
main(int argc, char **argv)
{
	static struct privd privd = {
		.accepting = -1, .alone = -1, .client = -1, .worker_dead = -1, .session = { .sock = -1 }
	};
	struct args args = { 0 };
	struct errbuf err = { "" };
	int code = 0, rc = args_parse(&args, argc, argv), ready = -1;

	if (rc != 0)
		return rc - 1;
	log_init("vantage-privd", args.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	privd.client = args.client;
	privd.data = args.data;
	privd.output = args.output;
	args.sockets = sd_listen_fds(1 + PP_LISTENERS_MAX, &err);
	if (args.sockets < 0 || sd_open(&privd.sd, &err) != 0) {
		log_error("%s", err.text);
		return EX_CONFIG;
	}
	if (!args.foreground && args.client < 0 && args.sockets == 0) {
		ready = detach();
		if (ready < 0)
			return EX_SOFTWARE;
	}
	rc = start(&privd, &args, &code, &err);
	if (rc == 0 && ready >= 0 && write(ready, "", 1) != 1)
		log_warn("cannot tell the starter that all is ready");
	if (rc == 0)
		rc = sandbox_enter(&err);
	if (rc != 0) {
		log_error("%s", err.text);
		if (privd.firewall.portid != 0 && privd.worker == 0)
			firewall_remove(&privd.firewall);
		return code;
	}
	if (sd_notify(&privd.sd, "READY=1") != 0)
		log_warn("cannot tell the service manager that all is ready");
	return privd_loop(&privd);
}
