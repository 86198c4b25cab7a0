#include "proto/priv/pp.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/rd.h"
#include "common/wr.h"

static const struct pp_msg *
msg_find(uint32_t id)
{
	return id < PP_MSG_MAX && pp_msgs[id].name != NULL ? &pp_msgs[id] : NULL;
}

static bool
fields_encode(const struct pp_layout *layout, const union pp_body *body, struct wr *w)
{
	for (uint32_t i = 0; i < layout->fields; i++) {
		const struct pp_field *f = &layout->field[i];
		uint32_t v;

		memcpy(&v, (const uint8_t *)body + f->offset, sizeof(v));
		if (v < f->min || v > f->max)
			return false;
		wr_u32(w, v);
	}
	return !w->bad;
}

static bool
fields_decode(const struct pp_layout *layout, struct rd *r, union pp_body *ret)
{
	for (uint32_t i = 0; i < layout->fields; i++) {
		const struct pp_field *f = &layout->field[i];
		uint32_t v = rd_u32(r);

		if (r->bad || v < f->min || v > f->max)
			return false;
		memcpy((uint8_t *)ret + f->offset, &v, sizeof(v));
	}
	return rd_left(r) == 0;
}

int
pp_request_encode(uint32_t id, const union pp_body *body, uint8_t *buf)
{
	const struct pp_msg *msg = msg_find(id);
	struct wr w;

	if (msg == NULL)
		return -EINVAL;
	wr_init(&w, buf, PP_WIRE_MAX);
	wr_u32(&w, id);
	return fields_encode(&msg->request, body, &w) ? (int)wr_len(&w) : -EINVAL;
}

int
pp_request_decode(const uint8_t *bytes, size_t len, uint32_t *ret_id, union pp_body *ret)
{
	union pp_body body = { 0 };
	const struct pp_msg *msg;
	struct rd r;
	uint32_t id;

	rd_init(&r, bytes, len);
	id = rd_u32(&r);
	msg = r.bad ? NULL : msg_find(id);
	if (msg == NULL || !fields_decode(&msg->request, &r, &body))
		return -EPROTO;
	*ret_id = id;
	*ret = body;
	return 0;
}

int
pp_answer_encode(uint32_t id, int error, const union pp_body *body, uint8_t *buf)
{
	const struct pp_msg *msg = msg_find(id);
	struct wr w;

	if (msg == NULL || error < 0 || error > PP_ERRNO_MAX)
		return -EINVAL;
	wr_init(&w, buf, PP_WIRE_MAX);
	wr_u32(&w, id);
	wr_u32(&w, (uint32_t)error);
	if (error != 0)
		wr_zeros(&w, 4 * (size_t)msg->answer.fields);
	else if (!fields_encode(&msg->answer, body, &w))
		return -EINVAL;
	return (int)wr_len(&w);
}

int
pp_answer_decode(uint32_t id, const uint8_t *bytes, size_t len, int *ret_error, union pp_body *ret)
{
	const struct pp_msg *msg = msg_find(id);
	union pp_body body = { 0 };
	uint32_t error;
	struct rd r;

	rd_init(&r, bytes, len);
	if (msg == NULL || rd_u32(&r) != id)
		return -EPROTO;
	error = rd_u32(&r);
	if (r.bad || error > PP_ERRNO_MAX)
		return -EPROTO;
	if (error != 0) {
		static const uint8_t zeros[PP_WIRE_MAX];
		size_t left = 4 * (size_t)msg->answer.fields;
		const uint8_t *rest = rd_take(&r, left);

		if (rest == NULL || rd_left(&r) != 0 || memcmp(rest, zeros, left) != 0)
			return -EPROTO;
	} else if (!fields_decode(&msg->answer, &r, &body)) {
		return -EPROTO;
	}
	*ret_error = (int)error;
	*ret = body;
	return 0;
}
