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

enum attr {
	A_FLOW, A_PACKET, A_DELAY, A_JITTER, A_LOSS, A_DROP, A_DUP, A_RATE, A_MTU, A_NHMTU, A_UNREACH, A_MPLS,
	A_QUOTE, A_QTTL, A_TTL, A_UDP, A_TCP, A_ECHO, A_TIME, A_HOPS,
};

static const char *const attr_names[] = {
	[A_FLOW] = "flow", [A_PACKET] = "packet", [A_DELAY] = "delay", [A_JITTER] = "jitter", [A_LOSS] = "loss",
	[A_DROP] = "drop", [A_DUP] = "dup", [A_RATE] = "rate", [A_MTU] = "mtu", [A_NHMTU] = "nhmtu",
	[A_UNREACH] = "unreach", [A_MPLS] = "mpls", [A_QUOTE] = "quote", [A_QTTL] = "qttl", [A_TTL] = "ttl",
	[A_UDP] = "udp", [A_TCP] = "tcp", [A_ECHO] = "echo", [A_TIME] = "time", [A_HOPS] = "hops",
};

static void
set_in_list(struct topo_hop *h, enum attr a, const char *text)
{
	if (a == A_FLOW || a == A_PACKET) {
		add_address(h, text);
		h->pick = a == A_FLOW ? PICK_FLOW : PICK_PACKET;
	} else if (a == A_DROP) {
		h->drop |= 1ULL << number(text, 63);
	} else {
		if (h->label_count == TOPO_LABELS)
			fail_msg("topology: too many labels");
		h->labels[h->label_count++] = number(text, 0xfffff);
	}
}

static void
set_list(struct topo_hop *h, enum attr a, char *text)
{
	char *save = NULL;

	for (char *one = strtok_r(text, ",", &save); one != NULL; one = strtok_r(NULL, ",", &save))
		set_in_list(h, a, one);
}

static void
set_attr(struct topo_hop *h, enum attr a, char *v)
{
	switch (a) {
	case A_FLOW:
	case A_PACKET:
	case A_DROP:
	case A_MPLS: set_list(h, a, v); break;
	case A_DELAY: h->delay = duration(v); break;
	case A_JITTER: h->jitter = duration(v); break;
	case A_LOSS: h->loss = number(v, 100); break;
	case A_DUP: h->dup = number(v, 100000); break;
	case A_RATE: h->rate = number(v, 1000000); break;
	case A_MTU: h->mtu = number(v, 65535); break;
	case A_NHMTU: h->nhmtu = (int32_t)number(v, 65535); break;
	case A_UNREACH: h->unreach = (int32_t)number(v, 255); break;
	case A_QUOTE: h->quote = (int32_t)number(v, 65535); break;
	case A_QTTL: h->qttl = (int32_t)number(v, 255); break;
	case A_TTL: h->ttl = (uint8_t)number(v, 255); break;
	case A_UDP: h->udp = answer(v); break;
	case A_TCP: h->tcp = answer(v); break;
	case A_ECHO: h->echo = answer(v); break;
	case A_TIME: h->time = answer(v); break;
	case A_HOPS: h->hops = number(v, 255); break;
	}
}

static void
take_word(struct topo_hop *h, char *word)
{
	char *eq = strchr(word, '=');

	if (eq != NULL) {
		*eq = '\0';
		for (size_t i = 0; i < sizeof(attr_names) / sizeof(attr_names[0]); i++) {
			if (strcmp(word, attr_names[i]) == 0) {
				set_attr(h, (enum attr)i, eq + 1);
				return;
			}
		}
		fail_msg("topology: no attribute '%s'", word);
	}
	if (strcmp(word, "silent") == 0)
		h->silent = true;
	else if (strcmp(word, "nobig") == 0)
		h->nobig = true;
	else if (strcmp(word, "block") == 0)
		h->block = true;
	else if (strcmp(word, "badid") == 0)
		h->badid = true;
	else if (strcmp(word, "noptb") == 0)
		h->noptb = true;
	else if (strcmp(word, "echoid") == 0)
		h->echoid = true;
	else if (strcmp(word, "answers") != 0)
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

static void
take_refusal(struct topo *t, const char *nth, const char *name)
{
	static const int known[] = { EPERM, ENETUNREACH, EMSGSIZE, EAGAIN, ENOBUFS, EINVAL, EHOSTUNREACH, ENETDOWN };

	for (size_t i = 0; name != NULL && i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(strerrorname_np(known[i]), name) == 0 && t->refusal_count < TOPO_REFUSALS) {
			t->refusal[t->refusal_count].nth = number(nth, 1000000);
			t->refusal[t->refusal_count++].err = known[i];
			return;
		}
	}
	fail_msg("topology: bad refusal");
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
		t->noroute = true;
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
