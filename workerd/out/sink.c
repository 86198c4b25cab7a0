#include "workerd/out/sink.h"

#include <errno.h>

#include "proto/line.h"
#include "proto/uu.h"

/* A connection's stream has one list, and its cycles are numbered from here too. */
#define STREAM_ID 1

/* The record in scratch, as one block. */
static int
put_block(struct sink *k, uint32_t id, bool inprogress)
{
	const struct buf *rec = k->scratch;
	uint32_t shown = k->with_id ? id : 0;
	uint8_t *p;

	if (rec->failed)
		return -ENOMEM;
	if (k->format == SINK_JSON) {
		reply_put_data(k->out, rec->len, shown, inprogress);
		buf_bytes(k->out, rec->p, rec->len);
		return k->out->failed ? -ENOMEM : 0;
	}
	reply_put_data(k->out, uu_encoded_len(rec->len), shown, inprogress);
	p = buf_room(k->out, uu_encoded_len(rec->len));
	if (p == NULL)
		return -ENOMEM;
	uu_encode(p, rec->p, rec->len);
	return 0;
}

int
sink_begin(struct sink *k, const struct cycle_record *cycle)
{
	int rc;

	buf_reset(k->scratch);
	if (k->format == SINK_JSON) {
		json_write_cycle(k->scratch, cycle, false);
		return put_block(k, 0, false);
	}
	k->refs.list_id = k->refs.cycle_id = STREAM_ID;
	warts_write_list(k->scratch, cycle->list, STREAM_ID);
	rc = put_block(k, 0, false);
	if (rc != 0)
		return rc;
	buf_reset(k->scratch);
	warts_write_cycle_start(k->scratch, cycle, STREAM_ID, STREAM_ID);
	return put_block(k, 0, false);
}

int
sink_cycle(struct sink *k, const struct cycle_record *cycle)
{
	buf_reset(k->scratch);
	if (k->format == SINK_JSON) {
		json_write_cycle(k->scratch, cycle, false);
		return put_block(k, 0, false);
	}
	k->refs.cycle_id++;
	warts_write_cycle_start(k->scratch, cycle, k->refs.cycle_id, k->refs.list_id);
	return put_block(k, 0, false);
}

int
sink_result(struct sink *k, const struct record_type *type, const void *rec, uint32_t id, bool inprogress)
{
	int rc;

	buf_reset(k->scratch);
	rc = k->format == SINK_JSON ? json_write(k->scratch, type, rec, &k->refs) :
	    warts_write(k->scratch, type, rec, &k->refs);
	return rc != 0 ? rc : put_block(k, id, inprogress);
}

int
sink_end(struct sink *k, const struct cycle_record *cycle)
{
	buf_reset(k->scratch);
	if (k->format == SINK_JSON)
		json_write_cycle(k->scratch, cycle, true);
	else
		warts_write_cycle_stop(k->scratch, cycle, k->refs.cycle_id);
	return put_block(k, 0, false);
}
