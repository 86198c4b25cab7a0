#include "common/conf.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "common/conf_words.h"

typedef void conf_putter(struct buf *, const char *word, const void *);

static void
put_u32(struct buf *b, const char *word, const void *at)
{
	buf_printf(b, "%s %" PRIu32 "\n", word, *(const uint32_t *)at);
}

static void
put_yesno(struct buf *b, const char *word, const void *at)
{
	buf_printf(b, "%s %s\n", word, *(const bool *)at ? "yes" : "no");
}

static void
put_name(struct buf *b, const char *word, const void *at)
{
	const char *name = at;

	if (name[0] != '\0')
		buf_printf(b, "%s %s\n", word, name);
}

static void
put_addr(struct buf *b, const char *word, const void *at)
{
	const struct addr *a = at;
	char text[ADDR_STRLEN];

	if (a->family != ADDR_NONE)
		buf_printf(b, "%s %s\n", word, addr_format(a, text));
}

static void
put_paths(struct buf *b, const char *word, const void *at)
{
	const struct conf_paths *all = at;

	for (uint32_t i = 0; i < all->count; i++)
		buf_printf(b, "%s %s\n", word, all->path[i]);
}

static void
put_ports(struct buf *b, const char *word, const void *at)
{
	const struct conf_ports *all = at;

	for (uint32_t i = 0; i < all->count; i++)
		buf_printf(b, "%s %s/%u\n", word, all->port[i].ipproto == IPPROTO_TCP ? "tcp" : "udp",
		    all->port[i].port);
}

static void
put_listens(struct buf *b, const char *word, const void *at)
{
	const struct conf_listens *all = at;
	char text[ADDR_STRLEN];

	for (uint32_t i = 0; i < all->count; i++) {
		bool ip6 = all->at[i].addr.family == ADDR_IP6;

		buf_printf(b, "%s %s%s%s:%u\n", word, ip6 ? "[" : "", addr_format(&all->at[i].addr, text),
		    ip6 ? "]" : "", all->at[i].port);
	}
}

static void
put_slices(struct buf *b, const char *word, const void *at)
{
	conf_slices_put(at, word, b);
}

static const struct {
	conf_putter *put;
	size_t bytes;
} kinds[CONF_KINDS] = {
	[CONF_U32] = { put_u32, sizeof(uint32_t) },
	[CONF_YESNO] = { put_yesno, sizeof(bool) },
	[CONF_NAME] = { put_name, CONF_NAME_MAX },
	[CONF_ADDR] = { put_addr, sizeof(struct addr) },
	[CONF_PATHS] = { put_paths, sizeof(struct conf_paths) },
	[CONF_PORT] = { put_ports, sizeof(struct conf_ports) },
	[CONF_LISTEN] = { put_listens, sizeof(struct conf_listens) },
	[CONF_SLICE] = { put_slices, sizeof(struct conf_slices) },
};

static void
put_word(const struct conf *conf, const struct conf_word *w, struct buf *b)
{
	kinds[w->kind].put(b, w->word, conf_at_const(conf, w));
}

void
conf_put(const struct conf *conf, struct buf *b)
{
	for (size_t i = 0; i < CONF_WORDS; i++)
		put_word(conf, &conf_words[i], b);
}

void
conf_take_live(struct conf *conf, const struct conf *from)
{
	for (size_t i = 0; i < CONF_WORDS; i++) {
		const struct conf_word *w = &conf_words[i];

		if (w->live)
			memcpy(conf_at(conf, w), conf_at_const(from, w), kinds[w->kind].bytes);
	}
}

/* As text: what lies behind the names in memory says nothing. Without memory
 * they count as different, which is the lesser lie. */
void
conf_diff(const struct conf *a, const struct conf *b, void (*differs)(void *ctx, const char *word), void *ctx)
{
	struct buf text[2];

	buf_init(&text[0], 0);
	buf_init(&text[1], 0);
	for (size_t i = 0; i < CONF_WORDS; i++) {
		const struct conf_word *w = &conf_words[i];

		if (w->live)
			continue;
		buf_reset(&text[0]);
		buf_reset(&text[1]);
		put_word(a, w, &text[0]);
		put_word(b, w, &text[1]);
		if (text[0].failed || text[1].failed || text[0].len != text[1].len ||
		    (text[0].len > 0 && memcmp(text[0].p, text[1].p, text[0].len) != 0))
			differs(ctx, w->word);
	}
	buf_fini(&text[0]);
	buf_fini(&text[1]);
}
