#include "client/target.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define TSPS_ADDRS 5

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char *
skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* A byte that the service would end the session for. */
static const char *
find_unprintable(const char *p)
{
	for (; *p != '\0'; p++) {
		if (*p < 0x20 || *p > 0x7e)
			return p;
	}
	return NULL;
}

static int
address_command(const char *command, char *line, struct buf *out, struct addr *ret_dst, struct errbuf *err)
{
	char *word = skip_blanks(line);
	size_t n = strcspn(word, " \t\r#");

	if (n == 0)
		return 0;
	word[n] = '\0';
	if (addr_parse_host(word, ret_dst, err) != 0)
		return -EINVAL;
	buf_text(out, command);
	buf_u8(out, ' ');
	buf_bytes(out, word, n);
	buf_u8(out, '\n');
	return 1;
}

static int
whole_command(char *line, const char *ends, struct buf *out, struct addr *ret_dst, struct errbuf *err)
{
	char *text = skip_blanks(line);
	size_t n = strcspn(text, ends);
	char *target;

	while (n > 0 && is_blank(text[n - 1]))
		n--;
	if (n == 0)
		return 0;
	text[n] = '\0';
	for (char *p = text; (p = strchr(p, '\t')) != NULL;)
		*p = ' ';
	if (find_unprintable(text) != NULL)
		return errbuf_set(err, -EINVAL, "a character that cannot be sent: \\x%02x",
		    (unsigned char)*find_unprintable(text));
	target = strrchr(text, ' ');
	if (target == NULL || addr_parse(target + 1, ret_dst) != 0)
		ret_dst->family = ADDR_NONE;
	buf_bytes(out, text, n);
	buf_u8(out, '\n');
	return 1;
}

static int
tsps_words(char *line, char *words[TSPS_ADDRS], struct errbuf *err)
{
	int count = 0;
	struct addr a;

	for (char *p = line; p != NULL;) {
		if (count == TSPS_ADDRS)
			return errbuf_set(err, -EINVAL, "more than %d addresses", TSPS_ADDRS);
		words[count++] = strsep(&p, " ");
	}
	for (int i = 0; i < count; i++) {
		if (addr_parse(words[i], &a) != 0 || a.family != ADDR_IP4)
			return errbuf_set(err, -EINVAL, "'%.64s' is no IPv4 address", words[i]);
	}
	return count;
}

static int
tsps_command(char *line, size_t len, struct buf *out, struct addr *ret_dst, struct errbuf *err)
{
	char *words[TSPS_ADDRS];
	int count;

	while (len > 0 && is_blank(line[len - 1]))
		line[--len] = '\0';
	if (*skip_blanks(line) == '\0' || line[0] == '#')
		return 0;
	count = tsps_words(line, words, err);
	if (count < 0)
		return count;
	(void)addr_parse(words[0], ret_dst);
	buf_text(out, count > 1 ? "ping -T tsprespec=" : "ping ");
	for (int i = 1; i < count; i++) {
		buf_text(out, words[i]);
		buf_u8(out, i + 1 < count ? ',' : ' ');
	}
	buf_text(out, words[0]);
	buf_u8(out, '\n');
	return 1;
}

int
target_command(enum target_form form, const char *command, char *line, size_t len, struct buf *out,
    struct addr *ret_dst, struct errbuf *reterr)
{
	ret_dst->family = ADDR_NONE;
	switch (form) {
	case TARGET_ADDRESS:
		return address_command(command, line, out, ret_dst, reterr);
	case TARGET_COMMAND:
		return whole_command(line, "#\r", out, ret_dst, reterr);
	case TARGET_OPERAND:
		return whole_command(line, "", out, ret_dst, reterr);
	case TARGET_TSPS:
		return tsps_command(line, len, out, ret_dst, reterr);
	}
	return -EINVAL;
}
