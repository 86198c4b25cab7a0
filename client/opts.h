#ifndef VANTAGE_CLIENT_OPTS_H
#define VANTAGE_CLIENT_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/err.h"

/*
 * What the command line asks for (control.md section 1). Texts are borrowed
 * from argv, which outlives it; operands is owned.
 */

enum out_format {
	FORMAT_UNSET = 0,
	FORMAT_TEXT,
	FORMAT_WARTS,
	FORMAT_JSON,
};

enum out_comp {
	COMP_NONE = 0,
	COMP_GZIP,
	COMP_BZIP2,
	COMP_XZ,
};

enum run_mode {
	MODE_NONE = 0,
	MODE_ADDRESSES, /* -i */
	MODE_COMMANDS,  /* -I */
	MODE_FILE,      /* -f, or a plain file name */
	MODE_VERB,      /* "vantage ping ..." */
	MODE_CHECK_CONFIG,
	MODE_DUMP,
	MODE_RELOAD,
	MODE_STATUS,
	MODE_TOP,
	MODE_SERVE, /* -U, -P */
};

#define OPTS_DNP_MAX 64
#define OPTS_LISTEN_MAX 4
#define OPTS_UNIX_MAX 108 /* of sockaddr_un */

struct opts {
	enum run_mode mode;
	enum out_format format;
	enum out_comp comp;
	const char *command;
	const char *monitor;
	const char *list_name;
	const char *output;
	const char *debug_file;
	const char *pid_file;
	const char *method_file;
	const char *socket; /* NULL: the default one */
	uint32_t pps;
	uint32_t window;
	uint32_t list_id;
	uint32_t cycle_id;
	uint32_t hold_s;
	struct addr nameserver;
	const char *dnp[OPTS_DNP_MAX];
	uint32_t dnp_count;
	char unix_path[OPTS_LISTEN_MAX][OPTS_UNIX_MAX]; /* full */
	uint32_t unix_count;
	const char *tcp[OPTS_LISTEN_MAX]; /* "[ip:]port" */
	uint32_t tcp_count;
	bool daemon;
	bool data_id;
	bool outcopy;
	bool hold_given;
	bool command_given;
	uint64_t given; /* bit by row of opt_specs */
	bool help;
	bool version;
	bool quiet;
	bool private_pair;
	bool spoof;
	bool local;
	bool ip4; /* of a name, this kind of address */
	bool ip6;
	bool tsps;
	bool cmdfile;
	bool debug_append;
	char target[ADDR_STRLEN]; /* of a host's name */
	const char **operands;
	uint32_t operand_count;
};

enum opt_kind {
	OPT_FLAG,   /* no value; bool becomes true */
	OPT_NUM,    /* number in min..max; uint32_t */
	OPT_TEXT,   /* const char * */
	OPT_CALL,   /* the text, or NULL of a flag, is handed to call */
	OPT_REFUSE, /* known, and not ours: help is the reason */
};

struct opt_spec {
	char letter;       /* 0: long form only */
	const char *name;  /* long form; NULL: none */
	const char *value; /* what usage calls the value; NULL: takes none */
	const char *help;
	enum opt_kind kind;
	size_t off;
	uint32_t min;
	uint32_t max;
	int (*call)(struct opts *, const char *text, struct errbuf *);
	bool dump;  /* dump has it too */
	bool watch; /* so have status and top */
	bool serve; /* so have -U and -P */
};

/* The options, ended by an empty row: parsing, usage text and tests. */
extern const struct opt_spec opt_specs[];

/* Fills ret; -EINVAL with a sentence that names the word and the range, or
 * -ENOMEM. Whatever came back, opts_fini. */
int opts_parse(int argc, const char *const *argv, struct opts *ret, struct errbuf *reterr);
void opts_fini(struct opts *);

/* One -O value. */
int opts_parse_extra(struct opts *, const char *text, struct errbuf *reterr);

/* Refuses a second, different format. */
int opts_set_format(struct opts *, enum out_format, enum out_comp, struct errbuf *reterr);

/* Combinations of what was parsed; settles format and compression. */
int opts_check(struct opts *, struct errbuf *reterr);

#endif
