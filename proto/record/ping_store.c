#include <stdlib.h>
#include <string.h>

#include "proto/record/ping.h"

#define FIRST_REPLIES 1 /* most pings send one probe */

void
ping_record_fini(struct ping_record *p)
{
	for (uint32_t i = 0; i < p->reply_count; i++)
		free(p->replies[i].extra);
	free(p->replies);
	free(p->probes);
	if (p->rare != NULL) {
		free(p->rare->data);
		free(p->rare->errmsg);
		free(p->rare);
	}
	memset(p, 0, sizeof(*p));
}

struct ping_probe *
ping_record_add_probe(struct ping_record *p)
{
	uint32_t cap;
	struct ping_probe *more;

	if (p->sent == UINT16_MAX)
		return NULL;
	if (p->sent == p->probes_cap) {
		cap = p->probes_cap == 0 ? 1 : p->probes_cap * 2u;
		if (cap > UINT16_MAX)
			cap = UINT16_MAX;
		more = realloc(p->probes, cap * sizeof(*more));
		if (more == NULL)
			return NULL;
		p->probes = more;
		p->probes_cap = (uint16_t)cap;
	}
	memset(&p->probes[p->sent], 0, sizeof(*p->probes));
	return &p->probes[p->sent++];
}

struct ping_reply *
ping_record_add_reply(struct ping_record *p)
{
	uint32_t cap;
	struct ping_reply *more;

	if (p->reply_count == UINT16_MAX)
		return NULL;
	if (p->reply_count == p->replies_cap) {
		cap = p->replies_cap == 0 ? FIRST_REPLIES : p->replies_cap * 2;
		more = realloc(p->replies, cap * sizeof(*more));
		if (more == NULL)
			return NULL;
		p->replies = more;
		p->replies_cap = cap;
	}
	memset(&p->replies[p->reply_count], 0, sizeof(*p->replies));
	return &p->replies[p->reply_count++];
}

struct ping_rare *
ping_record_rare(struct ping_record *p)
{
	if (p->rare == NULL)
		p->rare = calloc(1, sizeof(*p->rare));
	return p->rare;
}
