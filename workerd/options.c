#include "workerd/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_check.h"
#include "vantage-paths.h"

const char options_usage[] =
    "usage: vantage-workerd [-c FILE] [-d] [--privd PATH] [--root DIR] [--pps N] [--window N]\n"
    "                       [--holdtime SECONDS] [--monitor NAME] [--command TEXT]\n"
    "                       [--nameserver ADDRESS] [--output TEXT]\n"
    "       vantage-workerd --print-sandbox | --version | --help\n";

/* Words of the configuration file that the command line may set too. */
enum opt {
	OPT_PRIVD = 256,
	OPT_ROOT,
	OPT_PPS,
	OPT_WINDOW,
	OPT_HOLDTIME,
	OPT_MONITOR,
	OPT_COMMAND,
	OPT_NAMESERVER,
	OPT_OUTPUT,
	OPT_PRINT_SANDBOX,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option longopts[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "debug", no_argument, NULL, 'd' },
	{ "privd", required_argument, NULL, OPT_PRIVD },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "pps", required_argument, NULL, OPT_PPS },
	{ "window", required_argument, NULL, OPT_WINDOW },
	{ "holdtime", required_argument, NULL, OPT_HOLDTIME },
	{ "monitor", required_argument, NULL, OPT_MONITOR },
	{ "command", required_argument, NULL, OPT_COMMAND },
	{ "nameserver", required_argument, NULL, OPT_NAMESERVER },
	{ "output", required_argument, NULL, OPT_OUTPUT },
	{ "print-sandbox", no_argument, NULL, OPT_PRINT_SANDBOX },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int
take(struct options *o, int opt, const char *arg, struct errbuf *err)
{
	switch (opt) {
	case 'c':
		o->conf_path = arg;
		return 0;
	case 'd':
		o->debug = true;
		return 0;
	case OPT_PRIVD:
		o->privd_path = arg;
		return 0;
	case OPT_ROOT:
		o->root_dir = arg;
		return 0;
	case OPT_PPS:
		o->pps = arg;
		return 0;
	case OPT_WINDOW:
		o->window = arg;
		return 0;
	case OPT_HOLDTIME:
		o->holdtime = arg;
		return 0;
	case OPT_MONITOR:
		o->monitor = arg;
		return 0;
	case OPT_COMMAND:
		o->command = arg;
		return 0;
	case OPT_NAMESERVER:
		o->nameserver = arg;
		return 0;
	case OPT_OUTPUT:
		o->output = arg;
		return 0;
	case OPT_PRINT_SANDBOX:
		o->print_sandbox = true;
		return 0;
	case OPT_VERSION:
		o->print_version = true;
		return 0;
	case OPT_HELP:
		o->print_help = true;
		return 0;
	default:
		return errbuf_set(
		    err, -EINVAL, "unknown option or missing value; see vantage-workerd --help");
	}
}

static int
override(struct conf *conf, const char *word, const char *value, struct errbuf *err)
{
	return value == NULL || conf_set(conf, word, value, err) == 0 ? 0 : -EINVAL;
}

int
options_override(const struct options *o, struct conf *conf, struct errbuf *err)
{
	int rc;

	if ((rc = override(conf, "pps", o->pps, err)) != 0 || (rc = override(conf, "window", o->window, err)) != 0 ||
	    (rc = override(conf, "holdtime", o->holdtime, err)) != 0)
		return rc;
	return override(conf, "nameserver", o->nameserver, err);
}

int
options_parse(struct options *o, int argc, char **argv, struct errbuf *err)
{
	int opt, rc;

	memset(o, 0, sizeof(*o));
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "c:d", longopts, NULL)) != -1) {
		rc = take(o, opt, optarg, err);
		if (rc != 0)
			return rc;
	}
	if (optind < argc)
		return errbuf_set(err, -EINVAL, "unexpected argument '%s'", argv[optind]);
	if (o->print_help || o->print_version || o->print_sandbox)
		return 0;
	rc = conf_load(&o->conf, o->conf_path != NULL ? o->conf_path : VANTAGE_CONF_FILE, o->conf_path == NULL, err);
	if (rc != 0)
		return rc == -EINVAL ? -EBADF : rc;
	return options_override(o, &o->conf, err);
}
