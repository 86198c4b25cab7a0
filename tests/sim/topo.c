#include "topo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/strnum.h"

#define STATEMENT_MAX 1024

static uint32_t
number(const char *text, uint32_t max)
{
	uint32_t v = 0;

	if (text == NULL || strnum_u32(text, 0, max, &v) != 0)
		fail_msg("topology: '%s' is not a number up to %u", text != NULL ? text : "", max);
	return v;
}

static struct addr
address(const char *text)
{
	struct addr a = { 0 };

	if (text == NULL || addr_parse(text, &a) != 0)
		fail_msg("topology: '%s' is not an address", text != NULL ? text : "");
	return a;
}

static nsec_t
duration(const char *text)
{
	uint64_t us = 0;

	if (strnum_time_us(text, 1000, &us) != 0)
		fail_msg("topology: '%s' is not a time", text);
	return (nsec_t)us * NSEC_PER_USEC;
}

static void
add_address(struct topo_hop *h, const char *text)
{
	struct addr a = address(text);
	int f = topo_family(a.family);

	if (h->count[f] == TOPO_ADDRS)
		fail_msg("topology: too many addresses");
	h->addrs[f][h->count[f]++] = a;
	h->there = true;
}

static uint8_t
answer(const char *text)
{
	static const char *const names[] = {
		[ANSWER_SILENT] = "silent",
		[ANSWER_REPLY] = "reply",
		[ANSWER_UNREACH] = "unreach",
		[ANSWER_RST] = "rst",
		[ANSWER_SYNACK] = "synack",
	};

	if (strcmp(text, "no") == 0)
		return ANSWER_SILENT;
	for (uint8_t i = ANSWER_SILENT; i <= ANSWER_SYNACK; i++) {
		if (strcmp(text, names[i]) == 0)
			return i;
	}
	fail_msg("topology: '%s' is no answer", text);
	return 0;
}

/* ---- attributes of a hop ---- */

struct attr {
	const char *name;
	void (*set)(struct topo_hop *, const struct attr *, char *value);
	size_t off;
	uint32_t max;
};

static void
set_number(struct topo_hop *h, const struct attr *a, char *value)
{
	uint32_t v = number(value, a->max);

	memcpy((char *)h + a->off, &v, sizeof(v)); /* uint32_t or int32_t, and small */
}

static void
set_byte(struct topo_hop *h, const struct attr *a, char *value)
{
	*((uint8_t *)h + a->off) = (uint8_t)number(value, a->max);
}

static void
set_time(struct topo_hop *h, const struct attr *a, char *value)
{
	nsec_t v = duration(value);

	memcpy((char *)h + a->off, &v, sizeof(v));
}

static void
set_answer(struct topo_hop *h, const struct attr *a, char *value)
{
	*((uint8_t *)h + a->off) = answer(value);
}

/* max is the way to pick one of them */
static void
set_addresses(struct topo_hop *h, const struct attr *a, char *value)
{
	char *save = NULL;

	h->pick = (uint8_t)a->max;
	for (char *one = strtok_r(value, ",", &save); one != NULL; one = strtok_r(NULL, ",", &save))
		add_address(h, one);
}

static void
set_drops(struct topo_hop *h, const struct attr *a, char *value)
{
	char *save = NULL;

	for (char *one = strtok_r(value, ",", &save); one != NULL; one = strtok_r(NULL, ",", &save))
		h->drop |= 1ULL << number(one, a->max);
}

static void
set_labels(struct topo_hop *h, const struct attr *a, char *value)
{
	char *save = NULL;

	for (char *one = strtok_r(value, ",", &save); one != NULL; one = strtok_r(NULL, ",", &save)) {
		if (h->label_count == TOPO_LABELS)
			fail_msg("topology: too many labels");
		h->labels[h->label_count++] = number(one, a->max);
	}
}

#define AT(field) offsetof(struct topo_hop, field)
static const struct attr attrs[] = {
	{ "flow", set_addresses, 0, PICK_FLOW },
	{ "packet", set_addresses, 0, PICK_PACKET },
	{ "drop", set_drops, 0, 63 },
	{ "mpls", set_labels, 0, 0xfffff },
	{ "delay", set_time, AT(delay), 0 },
	{ "jitter", set_time, AT(jitter), 0 },
	{ "loss", set_number, AT(loss), 100 },
	{ "dup", set_number, AT(dup), 100000 },
	{ "rate", set_number, AT(rate), 1000000 },
	{ "mtu", set_number, AT(mtu), 65535 },
	{ "nhmtu", set_number, AT(nhmtu), 65535 },
	{ "unreach", set_number, AT(unreach), 255 },
	{ "quote", set_number, AT(quote), 65535 },
	{ "qttl", set_number, AT(qttl), 255 },
	{ "hops", set_number, AT(hops), 255 },
	{ "ttl", set_byte, AT(ttl), 255 },
	{ "udp", set_answer, AT(udp), 0 },
	{ "tcp", set_answer, AT(tcp), 0 },
	{ "echo", set_answer, AT(echo), 0 },
	{ "time", set_answer, AT(time), 0 },
};

struct flag {
	const char *name;
	size_t off;
};

static const struct flag flags[] = {
	{ "silent", AT(silent) },
	{ "nobig", AT(nobig) },
	{ "block", AT(block) },
	{ "badid", AT(badid) },
	{ "noptb", AT(noptb) },
	{ "echoid", AT(echoid) },
};

static bool
take_attr(struct topo_hop *h, const char *name, char *value)
{
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		if (strcmp(name, attrs[i].name) == 0) {
			attrs[i].set(h, &attrs[i], value);
			return true;
		}
	}
	return false;
}

static void
take_word(struct topo_hop *h, char *word)
{
	char *eq = strchr(word, '=');

	if (eq != NULL) {
		*eq = '\0';
		if (!take_attr(h, word, eq + 1))
			fail_msg("topology: no attribute '%s'", word);
		return;
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(word, flags[i].name) == 0) {
			*((bool *)((char *)h + flags[i].off)) = true;
			return;
		}
	}
	if (strcmp(word, "answers") != 0)
		add_address(h, word);
}

static void
hop_init(struct topo_hop *h, uint8_t ttl)
{
	*h = (struct topo_hop){ .nhmtu = -1, .unreach = -1, .quote = -1, .qttl = -1, .ttl = ttl };
	h->last_answer = -NSEC_PER_SEC * 1000;
}

/* ---- statements ---- */

static void
take_ttl(struct topo *t, char **save)
{
	char *range = strtok_r(NULL, " \t:", save), *dash, *word;
	uint32_t first, last;
	struct topo_hop h;

	if (range == NULL)
		fail_msg("topology: ttl without a number");
	dash = strchr(range, '-');
	if (dash != NULL)
		*dash = '\0';
	first = number(range, 255);
	last = dash != NULL ? number(dash + 1, 255) : first;
	hop_init(&h, 255);
	while ((word = strtok_r(NULL, " \t", save)) != NULL) {
		if (strcmp(word, ":") != 0)
			take_word(&h, word);
	}
	for (uint32_t i = first; i <= last; i++)
		t->hop[i] = h;
	if (last > t->last_ttl)
		t->last_ttl = last;
}

static int
errno_of(const char *name)
{
	static const int known[] = { EPERM, ENETUNREACH, EMSGSIZE, EAGAIN, ENOBUFS, EINVAL, EHOSTUNREACH,
		ENETDOWN, EACCES };

	for (size_t i = 0; name != NULL && i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(strerrorname_np(known[i]), name) == 0)
			return known[i];
	}
	fail_msg("topology: no errno '%s'", name == NULL ? "" : name);
	return 0;
}

static void
take_refusal(struct topo *t, const char *nth, const char *name)
{
	assert_true(t->refusal_count < TOPO_REFUSALS);
	t->refusal[t->refusal_count].nth = number(nth, 1000000);
	t->refusal[t->refusal_count++].err = errno_of(name);
}

static void
take_setting(struct topo *t, const char *word, char **save)
{
	char *value = strtok_r(NULL, " \t", save);

	if (strcmp(word, "mtu") == 0) {
		t->mtu = number(value, 65535);
	} else if (strcmp(word, "pps") == 0) {
		t->pps = number(value, 1000000);
	} else if (strcmp(word, "hold") == 0) {
		t->hold_s = number(value, 3600);
	} else if (strcmp(word, "seed") == 0) {
		t->seed = number(value, UINT32_MAX);
	} else if (strcmp(word, "busy") == 0 && t->busy_count < TOPO_BUSY) {
		t->busy[t->busy_count++] = (uint16_t)number(value, 65535);
	} else if (strcmp(word, "nameserver") == 0) {
		t->nameserver = address(value);
	} else if (strcmp(word, "here") == 0) {
		struct addr a = address(value);

		t->here[topo_family(a.family)] = a;
	} else if (strcmp(word, "refuse") == 0) {
		take_refusal(t, value, strtok_r(NULL, " \t", save));
	} else {
		fail_msg("topology: no statement '%s'", word);
	}
}

static void
take_statement(struct topo *t, char *text)
{
	char *save = NULL, *word = strtok_r(text, " \t:", &save);

	if (word == NULL)
		return;
	if (strcmp(word, "ttl") == 0) {
		take_ttl(t, &save);
	} else if (strcmp(word, "dst") == 0) {
		while ((word = strtok_r(NULL, " \t", &save)) != NULL) {
			if (strcmp(word, ":") != 0)
				take_word(&t->dst, word);
		}
	} else if (strcmp(word, "noroute") == 0) {
		word = strtok_r(NULL, " \t", &save);
		t->noroute = word == NULL ? ENETUNREACH : errno_of(word);
	} else if (strcmp(word, "notx") == 0) {
		t->notx = true;
	} else {
		take_setting(t, word, &save);
	}
}

void
topo_parse(struct topo *t, const char *text)
{
	*t = (struct topo){ .mtu = 1500, .pps = 10000, .hold_s = 5, .seed = 1 };
	t->here[0] = address("192.0.2.100");
	t->here[1] = address("2001:db8::100");
	hop_init(&t->dst, 64);
	for (int i = 0; i < 256; i++)
		hop_init(&t->hop[i], 255);
	while (*text != '\0') {
		char statement[STATEMENT_MAX];
		size_t n = strcspn(text, ";\n");

		if (n >= sizeof(statement))
			fail_msg("topology: statement too long");
		memcpy(statement, text, n);
		statement[n] = '\0';
		take_statement(t, statement);
		text += n + (text[n] != '\0');
	}
	t->dst.there = true;
	if (t->dst.hops == 0)
		t->dst.hops = t->last_ttl + 1;
}
