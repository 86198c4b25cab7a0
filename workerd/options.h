#ifndef VANTAGE_WORKERD_OPTIONS_H
#define VANTAGE_WORKERD_OPTIONS_H

#include <stdbool.h>

#include "common/addr.h"
#include "common/conf.h"
#include "common/err.h"

/* What the worker is told at its start: configuration file, then command line. */
struct options {
	struct conf conf;
	const char *conf_path;  /* NULL: the default, which may be missing */
	const char *privd_path; /* NULL: privd gave us its channel on descriptor 3 */
	const char *root_dir;   /* becomes the root directory; NULL: an empty, deleted one */
	const char *monitor;
	const char *command;
	const char *output; /* what descriptor PP_OUTPUT_FD is: outfiles_give; NULL: none */
	const char *pps; /* words of the configuration, over the file's; NULL */
	const char *window;
	const char *holdtime;
	const char *nameserver;
	bool debug;
	bool print_sandbox;
	bool print_version;
	bool print_help;
};

/* 0; -EINVAL with the sentence (exit status 64); another errno for what the
 * configuration file has (78). */
int options_parse(struct options *, int argc, char **argv, struct errbuf *);

/* What the command line says, over what this configuration has. -EINVAL with the
 * sentence: never once options_parse has seen it. */
int options_override(const struct options *, struct conf *, struct errbuf *);

extern const char options_usage[];

#endif
