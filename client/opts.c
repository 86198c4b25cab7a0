#include "client/opts.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/strnum.h"

static int
set_mode(struct opts *o, enum run_mode mode, struct errbuf *err)
{
	if (o->mode != MODE_NONE)
		return errbuf_set(err, -EINVAL,
		    o->mode == MODE_SERVE || mode == MODE_SERVE ? "-i, -I and -f have no place beside -U and -P"
								: "only one of -i, -I and -f may be given");
	o->mode = mode;
	return 0;
}

static int
call_addresses(struct opts *o, const char *text, struct errbuf *err)
{
	(void)text;
	return set_mode(o, MODE_ADDRESSES, err);
}

static int
call_commands(struct opts *o, const char *text, struct errbuf *err)
{
	(void)text;
	return set_mode(o, MODE_COMMANDS, err);
}

/* Any number of both: they are one mode. */
static int
serve_mode(struct opts *o, uint32_t count, struct errbuf *err)
{
	if (count == OPTS_LISTEN_MAX)
		return errbuf_set(err, -EINVAL, "-U and -P: at most %d of each", OPTS_LISTEN_MAX);
	return o->mode == MODE_SERVE ? 0 : set_mode(o, MODE_SERVE, err);
}

static int
call_unix(struct opts *o, const char *text, struct errbuf *err)
{
	int rc = serve_mode(o, o->unix_count, err), n;
	char dir[PATH_MAX] = "";
	char *path;

	if (rc != 0)
		return rc;
	/* The pair does not run where we do. */
	if (text[0] != '/' && getcwd(dir, sizeof(dir)) == NULL)
		return errbuf_set(err, -EINVAL, "-U: '%s' is below no directory: %s", text, strerror(errno));
	path = o->unix_path[o->unix_count];
	n = snprintf(path, OPTS_UNIX_MAX, "%s%s%s", dir, dir[0] != '\0' ? "/" : "", text);
	if (n < 0 || n >= OPTS_UNIX_MAX)
		return errbuf_set(err, -EINVAL, "-U: the full path of '%s' is longer than %d bytes", text,
		    OPTS_UNIX_MAX - 1);
	o->unix_count++;
	return 0;
}

static int
call_tcp(struct opts *o, const char *text, struct errbuf *err)
{
	int rc = serve_mode(o, o->tcp_count, err);

	if (rc == 0)
		o->tcp[o->tcp_count++] = text;
	return rc;
}

static int
call_file(struct opts *o, const char *text, struct errbuf *err)
{
	(void)text;
	return set_mode(o, MODE_FILE, err);
}

static int
call_command(struct opts *o, const char *text, struct errbuf *err)
{
	if (text[strspn(text, " ")] == '\0')
		return errbuf_set(err, -EINVAL, "-c: the command is empty");
	o->command = text + strspn(text, " ");
	o->command_given = true;
	return 0;
}

static int
call_hold(struct opts *o, const char *text, struct errbuf *err)
{
	if (strnum_u32(text, 0, 60, &o->hold_s) != 0)
		return errbuf_set(err, -EINVAL, "-H: '%s' is not within 0 - 60", text);
	o->hold_given = true;
	return 0;
}

static int
call_nameserver(struct opts *o, const char *text, struct errbuf *err)
{
	struct errbuf why;

	if (addr_parse_host(text, &o->nameserver, &why) != 0)
		return errbuf_set(err, -EINVAL, "-n: %s", why.text);
	return 0;
}

static int
call_json(struct opts *o, const char *text, struct errbuf *err)
{
	(void)text;
	return opts_set_format(o, FORMAT_JSON, COMP_NONE, err);
}

static int
call_text(struct opts *o, const char *text, struct errbuf *err)
{
	(void)text;
	return opts_set_format(o, FORMAT_TEXT, COMP_NONE, err);
}

static int
call_warts(struct opts *o, const char *text, struct errbuf *err)
{
	(void)text;
	return opts_set_format(o, FORMAT_WARTS, COMP_NONE, err);
}

#define AT(member) offsetof(struct opts, member)

const struct opt_spec opt_specs[] = {
	{ 'c', "command", "COMMAND", "command to run on each target (default: trace)", OPT_CALL, 0, 0, 0,
	    call_command, false, false, true },
	{ 'p', "pps", "N", "packets per second, 0 with -w: no pace of our own (default: 20)", OPT_NUM,
	    AT(pps), 0, 1000000, NULL, false, false, true },
	{ 'w', "window", "N", "most tasks at once, 0: no limit (default: 0)", OPT_NUM, AT(window), 0, 65535,
	    NULL, false, false, true },
	{ 'i', NULL, NULL, "the operands are addresses", OPT_CALL, 0, 0, 0, call_addresses },
	{ 'I', NULL, NULL, "the operands are complete commands", OPT_CALL, 0, 0, 0, call_commands },
	{ 'f', NULL, NULL, "the operand is a file of addresses; '-' is standard input", OPT_CALL, 0, 0, 0,
	    call_file },
	{ 'o', "output", "FILE", "where results go; '-' is standard output (default)", OPT_TEXT, AT(output),
	    0, 0, NULL, false, false, true },
	{ 'O', NULL, "VALUE", "format and other settings; see vantage(1)", OPT_CALL, 0, 0, 0,
	    opts_parse_extra, true, false, true },
	{ 0, "json", NULL, "same as -O json", OPT_CALL, 0, 0, 0, call_json, true, true, true },
	{ 0, "text", NULL, "same as -O text", OPT_CALL, 0, 0, 0, call_text, true, false, true },
	{ 0, "warts", NULL, "same as -O warts", OPT_CALL, 0, 0, 0, call_warts, false, false, true },
	{ 'M', "monitor", "NAME", "monitor name in the records", OPT_TEXT, AT(monitor), 0, 0, NULL, false, false, true },
	{ 'l', "list-name", "NAME", "list name in the records (default: default)", OPT_TEXT, AT(list_name), 0,
	    0, NULL },
	{ 'L', "list-id", "N", "list number in the records", OPT_NUM, AT(list_id), 1, 2147483647, NULL },
	{ 'C', "cycle-id", "N", "cycle number in the records", OPT_NUM, AT(cycle_id), 1, 2147483647, NULL },
	{ 'd', NULL, "FILE", "debug log", OPT_TEXT, AT(debug_file), 0, 0, NULL, false, false, true },
	{ 'e', NULL, "FILE", "where to write our process id, while we run", OPT_TEXT, AT(pid_file), 0, 0,
	    NULL, false, false, true },
	{ 'g', NULL, "FILE", "which methods may run: lines '<method>.enable = 0|1'", OPT_TEXT,
	    AT(method_file), 0, 0, NULL },
	{ 'H', NULL, "SECONDS", "hold time of reply signatures, 0 - 60", OPT_CALL, 0, 0, 0, call_hold, false, false, true },
	{ 'n', NULL, "ADDRESS", "name server for PTR look-ups", OPT_CALL, 0, 0, 0, call_nameserver, false, false, true },
	{ '4', "ipv4", NULL, "ping, trace: a name's IPv4 address", OPT_FLAG, AT(ip4), 0, 0, NULL },
	{ '6', "ipv6", NULL, "ping, trace: a name's IPv6 address", OPT_FLAG, AT(ip6), 0, 0, NULL },
	{ 0, "socket", "PATH",
	    "control socket (default: $VANTAGE_SOCKET, else "
	    "/run/vantage/control.sock)",
	    OPT_TEXT, AT(socket), 0, 0, NULL, false, true },
	{ 0, "private", NULL, "as root: a private pair even if a service runs", OPT_FLAG, AT(private_pair), 0,
	    0, NULL },
	{ 0, "spoof", NULL, "private pair: allow source addresses that are not ours", OPT_FLAG, AT(spoof), 0,
	    0, NULL, false, false, true },
	{ 0, "local", NULL, "private pair: allow targets on this host", OPT_FLAG, AT(local), 0, 0, NULL, false, false, true },
	{ 'q', "quiet", NULL, "no progress line", OPT_FLAG, AT(quiet), 0, 0, NULL, false, false, true },
	{ '?', "help", NULL, "this text", OPT_FLAG, AT(help), 0, 0, NULL, true, true },
	{ 'v', "version", NULL, "the version", OPT_FLAG, AT(version), 0, 0, NULL, true, true },
	{ 'D', NULL, NULL, "with -U or -P: in the background", OPT_FLAG, AT(daemon), 0, 0, NULL, false, false,
	    true },
	{ 'P', NULL, "[IP:]PORT", "as root: serve clients that come by TCP (default: this host's)", OPT_CALL, 0,
	    0, 0, call_tcp, false, false, true },
	{ 'U', NULL, "PATH", "as root: serve clients of a UNIX socket", OPT_CALL, 0, 0, 0, call_unix, false,
	    false, true },
	{ 'R', NULL, NULL, "there is no remote controller in this client", OPT_REFUSE, 0, 0, 0, NULL },
	{ 'F', NULL, NULL, "the firewall is vantage-privd's alone (nftables table inet vantage)", OPT_REFUSE,
	    0, 0, 0, NULL },
	{ 'S', NULL, NULL, "a source address belongs to the command: -c \"ping -S ADDRESS\"", OPT_REFUSE, 0,
	    0, 0, NULL },
	{ 0 },
};

/* First words that are not a file name: the command words, and our own. */
static const struct {
	const char *word;
	enum run_mode mode;
} verbs[] = {
	{ "check-config", MODE_CHECK_CONFIG },
	{ "dump", MODE_DUMP },
	{ "ping", MODE_VERB },
	{ "reload", MODE_RELOAD },
	{ "status", MODE_STATUS },
	{ "top", MODE_TOP },
	{ "trace", MODE_VERB },
};

struct cursor {
	const char *const *argv;
	int argc;
	int at;
};

static const struct opt_spec *
find_letter(char letter)
{
	for (const struct opt_spec *s = opt_specs; s->help != NULL; s++) {
		if (s->letter == letter && letter != 0)
			return s;
	}
	return NULL;
}

static const struct opt_spec *
find_name(const char *name, size_t len)
{
	for (const struct opt_spec *s = opt_specs; s->help != NULL; s++) {
		if (s->name != NULL && strncmp(s->name, name, len) == 0 && s->name[len] == '\0')
			return s;
	}
	return NULL;
}

/* word is the option as the user wrote it. */
static int
apply(struct opts *o, const struct opt_spec *s, const char *word, const char *text, struct errbuf *err)
{
	char *base = (char *)o;

	o->given |= UINT64_C(1) << (s - opt_specs);
	switch (s->kind) {
	case OPT_FLAG:
		*(bool *)(base + s->off) = true;
		return 0;
	case OPT_NUM:
		if (strnum_u32(text, s->min, s->max, (uint32_t *)(void *)(base + s->off)) == 0)
			return 0;
		return errbuf_set(err, -EINVAL, "%s: '%s' is not within %u - %u", word, text, s->min, s->max);
	case OPT_TEXT:
		if (text[0] == '\0')
			return errbuf_set(err, -EINVAL, "%s: the value is empty", word);
		*(const char **)(void *)(base + s->off) = text;
		return 0;
	case OPT_CALL:
		return s->call(o, text, err);
	case OPT_REFUSE:
		return errbuf_set(err, -EINVAL, "%s: %s", word, s->help);
	}
	return -EINVAL;
}

static int
parse_long(struct opts *o, struct cursor *c, struct errbuf *err)
{
	const char *arg = c->argv[c->at++];
	size_t len = strcspn(arg, "=");
	const struct opt_spec *s = find_name(arg + 2, len - 2);
	const char *text = arg[len] == '=' ? arg + len + 1 : NULL;
	char word[32];

	if (s == NULL)
		return errbuf_set(err, -EINVAL, "unknown option %s", arg);
	word[0] = word[1] = '-';
	strlcpy(word + 2, s->name, sizeof(word) - 2);
	if (s->value == NULL && text != NULL)
		return errbuf_set(err, -EINVAL, "%s takes no value", word);
	if (s->value != NULL && text == NULL) {
		if (c->at >= c->argc)
			return errbuf_set(err, -EINVAL, "%s needs a value: %s", word, s->value);
		text = c->argv[c->at++];
	}
	return apply(o, s, word, text, err);
}

/* "-p20", "-p 20", and flags in a bunch. */
static int
parse_short(struct opts *o, struct cursor *c, struct errbuf *err)
{
	const char *arg = c->argv[c->at++];

	for (const char *p = arg + 1; *p != '\0'; p++) {
		const struct opt_spec *s = find_letter(*p);
		const char word[3] = { '-', *p, '\0' };
		const char *text = NULL;
		int rc;

		if (s == NULL)
			return errbuf_set(err, -EINVAL, "unknown option -%s", p);
		if (s->value != NULL && p[1] != '\0')
			text = p + 1;
		else if (s->value != NULL && c->at < c->argc)
			text = c->argv[c->at++];
		else if (s->value != NULL)
			return errbuf_set(err, -EINVAL, "%s needs a value: %s", word, s->value);
		rc = apply(o, s, word, text, err);
		if (rc != 0 || s->value != NULL)
			return rc;
	}
	return 0;
}

static enum run_mode
find_verb(const char *word)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].word, word) == 0)
			return verbs[i].mode;
	}
	return MODE_NONE;
}

/* No measurement has such options. */
static bool
is_ours(const char *arg)
{
	return strcmp(arg, "-4") == 0 || strcmp(arg, "-6") == 0 || (strncmp(arg, "--", 2) == 0 && arg[2] != '\0');
}

/* Behind a verb, some options are still ours; behind our own words, all are. */
static int
parse_verb(struct opts *o, struct cursor *c, struct errbuf *err)
{
	int rc = 0;

	if (o->mode == MODE_VERB)
		o->operands[o->operand_count++] = c->argv[c->at++];
	else
		c->at++;
	while (rc == 0 && c->at < c->argc) {
		const char *arg = c->argv[c->at];

		if (arg[0] != '-' || arg[1] == '\0' || (o->mode == MODE_VERB && !is_ours(arg)))
			o->operands[o->operand_count++] = c->argv[c->at++];
		else
			rc = arg[1] == '-' ? parse_long(o, c, err) : parse_short(o, c, err);
	}
	return rc;
}

static int
parse_words(struct opts *o, struct cursor *c, struct errbuf *err)
{
	bool options = true;
	int rc = 0;

	while (rc == 0 && c->at < c->argc) {
		const char *arg = c->argv[c->at];

		if (options && strcmp(arg, "--") == 0) {
			options = false;
			c->at++;
		} else if (options && strncmp(arg, "--", 2) == 0) {
			rc = parse_long(o, c, err);
		} else if (options && arg[0] == '-' && arg[1] != '\0') {
			rc = parse_short(o, c, err);
		} else if (options && o->mode == MODE_NONE && o->operand_count == 0 &&
			   find_verb(arg) != MODE_NONE) {
			o->mode = find_verb(arg);
			return parse_verb(o, c, err);
		} else {
			o->operands[o->operand_count++] = c->argv[c->at++];
		}
	}
	return rc;
}

int
opts_parse(int argc, const char *const *argv, struct opts *ret, struct errbuf *reterr)
{
	struct cursor c = { .argv = argv, .argc = argc, .at = 1 };

	memset(ret, 0, sizeof(*ret));
	ret->command = "trace";
	ret->list_name = "default";
	ret->pps = 20;
	ret->operands = calloc(argc > 0 ? (size_t)argc : 1, sizeof(*ret->operands));
	if (ret->operands == NULL)
		return errbuf_set(reterr, -ENOMEM, "out of memory");
	return parse_words(ret, &c, reterr);
}

void
opts_fini(struct opts *o)
{
	free(o->operands);
	o->operands = NULL;
}
