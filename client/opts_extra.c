#include "client/opts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/name.h"

enum extra_kind {
	EXTRA_FORMAT, /* a and b: format and compression */
	EXTRA_ALWAYS, /* asks for what vantage always does */
	EXTRA_FLAG,   /* off: a bool */
	EXTRA_DNP,
	EXTRA_REFUSE,
};

struct extra {
	const char *name; /* with '=' at the end: takes a value */
	enum extra_kind kind;
	uint8_t format;
	uint8_t comp;
	size_t off;
	const char *reason; /* of a refusal */
};

#define AT(member) offsetof(struct opts, member)
#define NO_REMOTE "there is no remote controller in this client"
#define RING_FIXED "the packet ring is set up by vantage-privd and cannot be tuned"
#define EPOLL_ONLY "the worker waits with epoll and nothing else"

/* Sorted, for bsearch. */
static const struct extra extras[] = {
	{ "cafile=", EXTRA_REFUSE, 0, 0, 0, NO_REMOTE },
	{ "client-certfile=", EXTRA_REFUSE, 0, 0, 0, NO_REMOTE },
	{ "client-privfile=", EXTRA_REFUSE, 0, 0, 0, NO_REMOTE },
	{ "cmdfile", EXTRA_FLAG, 0, 0, AT(cmdfile), NULL },
	{ "data-id", EXTRA_FLAG, 0, 0, AT(data_id), NULL },
	{ "debugfileappend", EXTRA_FLAG, 0, 0, AT(debug_append), NULL },
	{ "dl-any", EXTRA_ALWAYS, 0, 0, 0, NULL },
	{ "dnp=", EXTRA_DNP, 0, 0, 0, NULL },
	{ "dyn-filter", EXTRA_ALWAYS, 0, 0, 0, NULL },
	{ "epoll", EXTRA_ALWAYS, 0, 0, 0, NULL },
	{ "icmp-rxerr", EXTRA_REFUSE, 0, 0, 0, "replies are received by the packet ring" },
	{ "json", EXTRA_FORMAT, FORMAT_JSON, COMP_NONE, 0, NULL },
	{ "kqueue", EXTRA_REFUSE, 0, 0, 0, EPOLL_ONLY },
	{ "noinitndc", EXTRA_ALWAYS, 0, 0, 0, NULL },
	{ "noring", EXTRA_REFUSE, 0, 0, 0, "replies are received by the packet ring" },
	{ "notls", EXTRA_ALWAYS, 0, 0, 0, NULL },
	{ "notls-remote", EXTRA_ALWAYS, 0, 0, 0, NULL },
	{ "outcopy", EXTRA_FLAG, 0, 0, AT(outcopy), NULL },
	{ "planetlab", EXTRA_REFUSE, 0, 0, 0, "sockets are restricted by vantage-privd's policy" },
	{ "poll", EXTRA_REFUSE, 0, 0, 0, EPOLL_ONLY },
	{ "rawtcp", EXTRA_ALWAYS, 0, 0, 0, NULL },
	{ "ring", EXTRA_ALWAYS, 0, 0, 0, NULL },
	{ "ring-block-size=", EXTRA_REFUSE, 0, 0, 0, RING_FIXED },
	{ "ring-blocks=", EXTRA_REFUSE, 0, 0, 0, RING_FIXED },
	{ "ring-locked", EXTRA_REFUSE, 0, 0, 0, RING_FIXED },
	{ "select", EXTRA_REFUSE, 0, 0, 0, EPOLL_ONLY },
	{ "text", EXTRA_FORMAT, FORMAT_TEXT, COMP_NONE, 0, NULL },
	{ "tsps", EXTRA_FLAG, 0, 0, AT(tsps), NULL },
	{ "warts", EXTRA_FORMAT, FORMAT_WARTS, COMP_NONE, 0, NULL },
	{ "warts.bz2", EXTRA_FORMAT, FORMAT_WARTS, COMP_BZIP2, 0, NULL },
	{ "warts.gz", EXTRA_FORMAT, FORMAT_WARTS, COMP_GZIP, 0, NULL },
	{ "warts.xz", EXTRA_FORMAT, FORMAT_WARTS, COMP_XZ, 0, NULL },
};

static const struct {
	const char *suffix;
	uint8_t format;
	uint8_t comp;
} suffixes[] = {
	{ ".warts", FORMAT_WARTS, COMP_NONE },
	{ ".warts.gz", FORMAT_WARTS, COMP_GZIP },
	{ ".warts.bz2", FORMAT_WARTS, COMP_BZIP2 },
	{ ".warts.xz", FORMAT_WARTS, COMP_XZ },
	{ ".json", FORMAT_JSON, COMP_NONE },
	{ ".json.gz", FORMAT_JSON, COMP_GZIP },
	{ ".json.bz2", FORMAT_JSON, COMP_BZIP2 },
	{ ".json.xz", FORMAT_JSON, COMP_XZ },
	{ ".gz", FORMAT_UNSET, COMP_GZIP },
	{ ".bz2", FORMAT_UNSET, COMP_BZIP2 },
	{ ".xz", FORMAT_UNSET, COMP_XZ },
};

int
opts_set_format(struct opts *o, enum out_format format, enum out_comp comp, struct errbuf *reterr)
{
	if (o->format != FORMAT_UNSET && (o->format != format || o->comp != comp))
		return errbuf_set(reterr, -EINVAL, "two output formats are given; one is possible");
	o->format = format;
	o->comp = comp;
	return 0;
}

static int
compare_extra(const void *key, const void *row)
{
	return strcasecmp(key, ((const struct extra *)row)->name);
}

/* Any case; of name=value only the name and the sign. */
static const struct extra *
find_extra(const char *text)
{
	char name[32];
	size_t len = strcspn(text, "=");

	if (text[len] == '=')
		len++;
	if (len >= sizeof(name))
		return NULL;
	memcpy(name, text, len);
	name[len] = '\0';
	return bsearch(name, extras, sizeof(extras) / sizeof(extras[0]), sizeof(extras[0]), compare_extra);
}

int
opts_parse_extra(struct opts *o, const char *text, struct errbuf *reterr)
{
	const struct extra *e = find_extra(text);
	const char *value;

	if (e == NULL)
		return errbuf_set(reterr, -EINVAL, "-O: unknown value '%s'", text);
	value = text + strlen(e->name);
	switch (e->kind) {
	case EXTRA_FORMAT:
		return opts_set_format(o, e->format, e->comp, reterr);
	case EXTRA_ALWAYS:
		return 0;
	case EXTRA_FLAG:
		*(bool *)((char *)o + e->off) = true;
		return 0;
	case EXTRA_DNP:
		if (value[0] == '\0')
			return errbuf_set(reterr, -EINVAL, "-O dnp=: names no file");
		if (o->dnp_count == OPTS_DNP_MAX)
			return errbuf_set(reterr, -EINVAL, "-O dnp=: more than %d files", OPTS_DNP_MAX);
		o->dnp[o->dnp_count++] = value;
		return 0;
	case EXTRA_REFUSE:
		return errbuf_set(reterr, -EINVAL, "-O %s: %s", e->name, e->reason);
	}
	return -EINVAL;
}

/* The longest suffix decides, so that .warts.gz is not taken for .gz alone. */
static void
format_from_suffix(struct opts *o)
{
	size_t len = o->output == NULL ? 0 : strlen(o->output);

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t n = strlen(suffixes[i].suffix);

		if (len <= n || strcmp(o->output + len - n, suffixes[i].suffix) != 0)
			continue;
		if (o->format == FORMAT_UNSET)
			o->format = suffixes[i].format;
		if (o->comp == COMP_NONE)
			o->comp = suffixes[i].comp;
	}
}

/* What travels in a line of the control protocol; names go there in quotes. */
static int
check_text(const char *what, const char *text, const char *never, struct errbuf *err)
{
	for (const char *p = text == NULL ? "" : text; *p != '\0'; p++) {
		if (*p < 0x20 || *p > 0x7e || strchr(never, *p) != NULL)
			return errbuf_set(err, -EINVAL, "%s: a character that cannot be sent: \\x%02x", what,
			    (unsigned char)*p);
	}
	return 0;
}

static bool
is_address(const char *text)
{
	struct addr a;

	return addr_parse(text, &a) == 0;
}

/* The last word is the target. What else is wrong the service says. */
static int
check_verb(const struct opts *o, struct errbuf *err)
{
	const char *word = o->operands[0], *last = o->operands[o->operand_count - 1];

	if (o->operand_count == 1)
		return errbuf_set(err, -EINVAL, "%s needs an address, as in 'vantage %s 192.0.2.1'", word, word);
	if (is_address(last) || name_is_host(last))
		return 0;
	return errbuf_set(
	    err, -EINVAL, "'%.64s' is no address and no host's name, which %s takes last", last, word);
}

static int
check_file(const struct opts *o, struct errbuf *err)
{
	if (o->operand_count == 0)
		return errbuf_set(err, -EINVAL, "-f needs a file name; '-' is standard input");
	if (o->operand_count > 1)
		return errbuf_set(err, -EINVAL,
		    "'%s' is left over behind the file name '%s', which is no command; see 'vantage --help'",
		    o->operands[1], o->operands[0]);
	return 0;
}

static int
check_operands(const struct opts *o, struct errbuf *err)
{
	switch (o->mode) {
	case MODE_NONE:
	case MODE_CHECK_CONFIG:
	case MODE_DUMP:
	case MODE_RELOAD:
	case MODE_STATUS:
	case MODE_TOP:
	case MODE_SERVE:
		return 0;
	case MODE_VERB:
		return check_verb(o, err);
	case MODE_ADDRESSES:
		if (o->operand_count == 0)
			return errbuf_set(err, -EINVAL, "-i needs one or more addresses");
		return 0;
	case MODE_COMMANDS:
		if (o->operand_count == 0)
			return errbuf_set(err, -EINVAL, "-I needs one or more commands");
		return 0;
	case MODE_FILE:
		return check_file(o, err);
	}
	return -EINVAL;
}

static int
check_combination(const struct opts *o, struct errbuf *err)
{
	bool file = o->mode == MODE_FILE;

	if (o->pps == 0 && o->window == 0)
		return errbuf_set(err, -EINVAL, "-p 0 needs a window: -w 1 - 65535");
	if ((o->tsps || o->cmdfile) && !file)
		return errbuf_set(
		    err, -EINVAL, "-O %s needs a file of targets", o->tsps ? "tsps" : "cmdfile");
	if (o->tsps && o->cmdfile)
		return errbuf_set(err, -EINVAL, "-O tsps and -O cmdfile exclude each other");
	if (o->command_given && (o->tsps || o->cmdfile || o->mode == MODE_COMMANDS || o->mode == MODE_VERB))
		return errbuf_set(err, -EINVAL, "-c has no place here: the commands are complete");
	if (o->mode != MODE_SERVE && (o->daemon || o->data_id))
		return errbuf_set(err, -EINVAL, "%s needs -U or -P", o->daemon ? "-D" : "-O data-id");
	if (o->mode != MODE_SERVE && o->outcopy)
		return errbuf_set(
		    err, -EINVAL, "-O outcopy needs -U or -P: a run has one output file, there is nothing to copy");
	if (o->debug_append && o->debug_file == NULL)
		return errbuf_set(err, -EINVAL, "-O debugfileappend needs -d");
	if (o->private_pair && o->socket != NULL)
		return errbuf_set(err, -EINVAL, "--private and --socket exclude each other");
	if (o->ip4 && o->ip6)
		return errbuf_set(err, -EINVAL, "-4 and -6 exclude each other");
	if ((o->ip4 || o->ip6) && o->mode != MODE_VERB)
		return errbuf_set(err, -EINVAL, "-%c is for a name behind ping or trace", o->ip4 ? '4' : '6');
	return 0;
}

static int
check_dump(const struct opts *o, struct errbuf *err)
{
	for (const struct opt_spec *s = opt_specs; s->help != NULL; s++) {
		if ((o->given >> (s - opt_specs) & 1) == 0 || s->dump)
			continue;
		return s->letter != 0 ? errbuf_set(err, -EINVAL, "-%c: dump has no such option", s->letter)
				      : errbuf_set(err, -EINVAL, "--%s: dump has no such option", s->name);
	}
	if (o->format == FORMAT_WARTS || o->tsps || o->cmdfile || o->debug_append || o->dnp_count > 0)
		return errbuf_set(err, -EINVAL, "-O: dump has json and text alone");
	return 0;
}

/* What concerns one run has no place where clients say what is to run. */
static int
check_serve(const struct opts *o, struct errbuf *err)
{
	for (const struct opt_spec *s = opt_specs; s->help != NULL; s++) {
		if ((o->given >> (s - opt_specs) & 1) == 0 || s->serve)
			continue;
		return s->letter != 0 ? errbuf_set(err, -EINVAL, "-%c has no place beside -U and -P", s->letter)
				      : errbuf_set(err, -EINVAL, "--%s has no place beside -U and -P", s->name);
	}
	if (o->tsps || o->cmdfile)
		return errbuf_set(err, -EINVAL, "-O %s: with -U and -P lists are the clients' to give",
		    o->tsps ? "tsps" : "cmdfile");
	if (o->daemon && o->output != NULL && strcmp(o->output, "-") == 0)
		return errbuf_set(err, -EINVAL, "-o -: -D leaves standard output behind; give a file");
	if (o->daemon && o->output == NULL && (o->format != FORMAT_UNSET || o->outcopy))
		return errbuf_set(err, -EINVAL, "-O: with -D the default output, of which this speaks, needs -o FILE");
	if (o->operand_count > 0)
		return errbuf_set(err, -EINVAL, "'%s' is left over: with -U and -P clients say what is to run",
		    o->operands[0]);
	return 0;
}

/* Sub-commands about the service, not about a run. */
static const struct {
	enum run_mode mode;
	const char *word;
	uint32_t operands;
} service_words[] = {
	{ MODE_CHECK_CONFIG, "check-config", 1 },
	{ MODE_RELOAD, "reload", 1 },
	{ MODE_STATUS, "status", 0 },
	{ MODE_TOP, "top", 0 },
};

#define SERVICE_WORDS (sizeof(service_words) / sizeof(service_words[0]))

/* What they can use; -ENOENT: it is none of them. */
static int
check_service(const struct opts *o, struct errbuf *err)
{
	const char *word;
	size_t i = 0;

	while (i < SERVICE_WORDS && service_words[i].mode != o->mode)
		i++;
	if (i == SERVICE_WORDS)
		return -ENOENT;
	word = service_words[i].word;
	for (const struct opt_spec *s = opt_specs; s->help != NULL; s++) {
		if ((o->given >> (s - opt_specs) & 1) == 0 || s->watch)
			continue;
		return s->letter != 0 ? errbuf_set(err, -EINVAL, "-%c: %s has no such option", s->letter, word)
				      : errbuf_set(err, -EINVAL, "--%s: %s has no such option", s->name, word);
	}
	if (o->mode != MODE_STATUS && o->format == FORMAT_JSON)
		return errbuf_set(
		    err, -EINVAL, "--json: %s has no such option; status --json is for programs", word);
	if (o->mode == MODE_CHECK_CONFIG && o->socket != NULL)
		return errbuf_set(err, -EINVAL, "--socket: %s has no such option: it asks no service", word);
	if (o->operand_count > service_words[i].operands)
		return errbuf_set(
		    err, -EINVAL, "'%s' is left over behind %s", o->operands[service_words[i].operands], word);
	return 0;
}

int
opts_check(struct opts *o, struct errbuf *reterr)
{
	int rc = check_service(o, reterr);

	if (rc != -ENOENT)
		return rc;
	if (o->mode == MODE_DUMP)
		return check_dump(o, reterr);
	if (o->mode == MODE_NONE) {
		if (o->operand_count == 0)
			return errbuf_set(reterr, -EINVAL, "nothing to do; try 'vantage --help'");
		if (is_address(o->operands[0]))
			return errbuf_set(reterr, -EINVAL,
			    "'%s' is an address, not a file of targets: 'vantage -i %s' (for a file of that name: ./%s)",
			    o->operands[0], o->operands[0], o->operands[0]);
		o->mode = MODE_FILE;
	}
	rc = o->mode == MODE_SERVE ? check_serve(o, reterr) : check_operands(o, reterr);
	if (rc == 0)
		rc = check_combination(o, reterr);
	if (rc == 0)
		rc = check_text("-l", o->list_name, "\"", reterr);
	if (rc == 0)
		rc = check_text("-M", o->monitor, "\"", reterr);
	if (rc == 0 && o->mode == MODE_SERVE)
		rc = check_text("-o", o->output, "'", reterr);
	if (rc == 0)
		rc = check_text("-c", o->command, "", reterr);
	if (o->output != NULL && strcmp(o->output, "-") == 0)
		o->output = NULL;
	format_from_suffix(o);
	if (o->format == FORMAT_UNSET)
		o->format = FORMAT_TEXT;
	return rc;
}
