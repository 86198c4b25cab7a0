#include "common/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf_words.h"
#include "common/strnum.h"

#define AT(name) offsetof(struct conf, name)

const struct conf_word conf_words[CONF_WORDS] = {
	/* word, kind, where, min, max, preset, name; live */
	{ "user", CONF_NAME, AT(user), 0, 0, 0, "vantage", false },
	{ "group", CONF_NAME, AT(group), 0, 0, 0, "vantage", false },
	{ "privd-user", CONF_NAME, AT(privd_user), 0, 0, 0, "vantage-priv", false },
	{ "privd-group", CONF_NAME, AT(privd_group), 0, 0, 0, "vantage-priv", false },
	{ "mark", CONF_U32, AT(mark), 1, 255, 0x56, NULL, false },
	{ "max-pps", CONF_U32, AT(max_pps), 1, 10000000, 12000, NULL, false },
	{ "pps", CONF_U32, AT(pps), 1, 1000000, 20, NULL, true },
	{ "window", CONF_U32, AT(window), 0, 1000000, 0, NULL, true },
	{ "holdtime", CONF_U32, AT(hold_s), 0, 3600, 10, NULL, true },
	{ "nameserver", CONF_ADDR, AT(nameserver), 0, 0, 0, NULL, true },
	{ "spoof", CONF_YESNO, AT(spoof), 0, 1, 0, NULL, false },
	{ "local", CONF_YESNO, AT(local), 0, 1, 0, NULL, false },
	{ "dnp", CONF_PATHS, AT(dnp), 0, CONF_DNP_MAX, 0, NULL, false },
	{ "control", CONF_PATHS, AT(control), 0, CONF_CONTROLS_MAX, 0, NULL, false },
	{ "port", CONF_PORT, AT(ports), 1, 65535, 0, NULL, false },
	{ "listen", CONF_LISTEN, AT(listens), 1, 65535, 0, NULL, false },
	{ "operators", CONF_NAME, AT(operators), 0, 0, 0, "", true },
	{ "tcp-slice", CONF_NAME, AT(tcp_slice), 0, 0, 0, CONF_SLICE_DEFAULT, true },
	{ "slice", CONF_SLICE, AT(slices), 0, 0, 0, NULL, true },
};

void
conf_init(struct conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf_slices_init(&conf->slices);
	for (size_t i = 0; i < CONF_WORDS; i++) {
		if (conf_words[i].kind == CONF_U32)
			*(uint32_t *)conf_at(conf, &conf_words[i]) = conf_words[i].preset;
		else if (conf_words[i].kind == CONF_NAME)
			memcpy(
			    conf_at(conf, &conf_words[i]), conf_words[i].preset_name, strlen(conf_words[i].preset_name) + 1);
	}
}

static int
set_u32(void *at, const struct conf_word *w, const char *value, struct errbuf *reterr)
{
	int rc = strnum_u32(value, w->min, w->max, at);

	if (rc == 0)
		return 0;
	return errbuf_set(
	    reterr, rc, "%s: '%s' is not a number from %u to %u", w->word, value, w->min, w->max);
}

static int
set_yesno(void *at, const struct conf_word *w, const char *value, struct errbuf *reterr)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return errbuf_set(reterr, -EINVAL, "%s: '%s' is neither yes nor no", w->word, value);
	*(bool *)at = yes;
	return 0;
}

static int
set_name(void *at, const struct conf_word *w, const char *value, struct errbuf *reterr)
{
	size_t len = strlen(value);

	if (len >= CONF_NAME_MAX)
		return errbuf_set(
		    reterr, -ERANGE, "%s: a name has at most %d characters", w->word, CONF_NAME_MAX - 1);
	memcpy(at, value, len + 1);
	return 0;
}

static int
set_addr(void *at, const struct conf_word *w, const char *value, struct errbuf *reterr)
{
	struct errbuf why;

	if (addr_parse_host(value, at, &why) != 0)
		return errbuf_set(reterr, -EINVAL, "%s: %s", w->word, why.text);
	return 0;
}

static int
add_path(void *at, const struct conf_word *w, const char *value, struct errbuf *reterr)
{
	struct conf_paths *paths = at;
	size_t len = strlen(value);

	if (value[0] != '/')
		return errbuf_set(reterr, -EINVAL, "%s: '%s' does not start with /", w->word, value);
	if (len >= CONF_PATH_MAX)
		return errbuf_set(
		    reterr, -ERANGE, "%s: a path has at most %d characters", w->word, CONF_PATH_MAX - 1);
	if (paths->count == w->max)
		return errbuf_set(reterr, -E2BIG, "%s: at most %u of them", w->word, w->max);
	memcpy(paths->path[paths->count++], value, len + 1);
	return 0;
}

static int
add_port(void *at, const struct conf_word *w, const char *value, struct errbuf *reterr)
{
	struct conf_ports *ports = at;
	uint8_t ipproto = 0;
	uint32_t port;

	if (strncmp(value, "tcp/", 4) == 0)
		ipproto = IPPROTO_TCP;
	else if (strncmp(value, "udp/", 4) == 0)
		ipproto = IPPROTO_UDP;
	if (ipproto == 0 || strnum_u32(value + 4, w->min, w->max, &port) != 0)
		return errbuf_set(reterr, -EINVAL,
		    "%s: '%s' is not tcp/ or udp/ and a number from 1 to 65535", w->word, value);
	if (ports->count == CONF_PORTS_MAX)
		return errbuf_set(reterr, -E2BIG, "%s: at most %d of them", w->word, CONF_PORTS_MAX);
	ports->port[ports->count++] = (struct conf_port){ ipproto, (uint16_t)port };
	return 0;
}

/* "[ip:]port", an IPv6 address in brackets; without one, this host alone. */
static int
add_listen(void *at, const struct conf_word *w, const char *value, struct errbuf *reterr)
{
	struct conf_listens *all = at;
	const char *colon = strrchr(value, ':');
	char ip[ADDR_STRLEN] = "127.0.0.1";
	size_t len = colon == NULL ? 0 : (size_t)(colon - value);
	struct conf_listen l;
	uint32_t port;

	if (all->count == CONF_LISTENS_MAX)
		return errbuf_set(reterr, -E2BIG, "%s: at most %d of them", w->word, CONF_LISTENS_MAX);
	if (len >= 2 && value[0] == '[' && value[len - 1] == ']' && len < sizeof(ip) + 2)
		(void)strlcpy(ip, value + 1, len - 1);
	else if (len < sizeof(ip) && memchr(value, ':', len) == NULL && colon != NULL)
		(void)strlcpy(ip, value, len + 1);
	else if (colon != NULL)
		ip[0] = '\0';
	if (addr_parse(ip, &l.addr) != 0 ||
	    strnum_u32(colon == NULL ? value : colon + 1, w->min, w->max, &port) != 0)
		return errbuf_set(reterr, -EINVAL,
		    "%s: '%s' is not [ip:]port, such as 31337, 192.0.2.1:31337 or [2001:db8::1]:31337", w->word,
		    value);
	l.port = (uint16_t)port;
	all->at[all->count++] = l;
	return 0;
}

static int
add_slice(void *at, const struct conf_word *w, const char *value, struct errbuf *reterr)
{
	(void)w;
	return conf_slice_set(at, value, reterr);
}

typedef int conf_setter(void *, const struct conf_word *, const char *, struct errbuf *);

static conf_setter *const setters[] = {
	[CONF_U32] = set_u32,
	[CONF_YESNO] = set_yesno,
	[CONF_NAME] = set_name,
	[CONF_ADDR] = set_addr,
	[CONF_PATHS] = add_path,
	[CONF_PORT] = add_port,
	[CONF_LISTEN] = add_listen,
	[CONF_SLICE] = add_slice,
};

int
conf_set(struct conf *conf, const char *word, const char *value, struct errbuf *reterr)
{
	for (size_t i = 0; i < CONF_WORDS; i++) {
		if (strcmp(conf_words[i].word, word) != 0)
			continue;
		if (value[0] == '\0')
			return errbuf_set(reterr, -EINVAL, "%s: needs a value", word);
		return setters[conf_words[i].kind](conf_at(conf, &conf_words[i]), &conf_words[i], value, reterr);
	}
	return errbuf_set(reterr, -ENOENT, "'%s' is no word of this file", word);
}

#define BLANKS " \t"

struct reading {
	struct conf *conf;
	const char *path;
	conf_visit *visit; /* NULL: nobody else looks */
	void *ctx;
};

/* line is cut into its words in place. */
static int
line_read(const struct reading *r, char *line, uint32_t number, struct errbuf *reterr)
{
	struct errbuf why = { "" };
	struct conf_line l;
	char *word, *value, *end;
	int rc;

	line[strcspn(line, "#\r")] = '\0';
	word = line + strspn(line, BLANKS);
	if (*word == '\0')
		return 0;
	value = word + strcspn(word, BLANKS);
	if (*value != '\0')
		*value++ = '\0';
	value += strspn(value, BLANKS);
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	l = (struct conf_line){ word, value, number, (uint32_t)(value - line) + 1 };
	rc = conf_set(r->conf, word, value, &why);
	/* An unknown word is the word's fault, the rest the value's. */
	if (rc == -ENOENT)
		l.column = (uint32_t)(word - line) + 1;
	if (rc == 0 && r->visit != NULL)
		rc = r->visit(r->ctx, r->conf, &l, &why);
	if (rc == 0)
		return 0;
	return errbuf_set(
	    reterr, rc == -ENOENT ? -EINVAL : rc, "%s:%u:%u: %s", r->path, number, l.column, why.text);
}

static int
text_read(const struct reading *r, char *text, size_t len, struct errbuf *reterr)
{
	uint32_t number = 1;

	if (memchr(text, '\0', len) != NULL)
		return errbuf_set(reterr, -EINVAL, "%s: contains a NUL byte: not a text file", r->path);
	for (char *line = text, *next; line != NULL; line = next, number++) {
		int rc;

		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		rc = line_read(r, line, number, reterr);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
file_open(const char *path, struct errbuf *reterr)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return errbuf_set(reterr, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return errbuf_set(reterr, -EINVAL, "%s: not a regular file", path);
	}
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0) {
		(void)close(fd);
		return errbuf_set(reterr, -EPERM,
		    "%s: must belong to root and be writable by nobody else (chown root, chmod go-w)", path);
	}
	return fd;
}

int
conf_read_each(struct conf *conf, const char *path, conf_visit *visit, void *ctx, struct errbuf *reterr)
{
	struct reading r = { conf, path, visit, ctx };
	char *text = malloc(CONF_FILE_MAX + 1);
	size_t len = 0;
	ssize_t n = 0;
	int fd, rc;

	if (text == NULL)
		return errbuf_set(reterr, -ENOMEM, "%s: out of memory", path);
	fd = file_open(path, reterr);
	if (fd < 0) {
		free(text);
		return fd;
	}
	while (len < CONF_FILE_MAX && (n = read(fd, text + len, CONF_FILE_MAX - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	if (n < 0)
		rc = errbuf_set(reterr, -errno, "%s: %s", path, strerror(errno));
	else if (len == CONF_FILE_MAX)
		rc = errbuf_set(reterr, -E2BIG, "%s: longer than %d bytes", path, CONF_FILE_MAX - 1);
	else
		rc = text_read(&r, text, len, reterr);
	(void)close(fd);
	free(text);
	return rc;
}

int
conf_read(struct conf *conf, const char *path, struct errbuf *reterr)
{
	return conf_read_each(conf, path, NULL, NULL, reterr);
}
