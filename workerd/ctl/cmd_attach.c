#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/strnum.h"
#include "proto/line.h"
#include "workerd/ctl/args.h"
#include "workerd/ctl/attach.h"
#include "workerd/ctl/cmd.h"
#include "workerd/ctl/session.h"

enum key_kind { KEY_TEXT, KEY_NUMBER, KEY_WORD };

struct attach_key {
	const char *name;
	enum key_kind kind;
	size_t off; /* in struct attach_values */
	uint32_t min;
	uint32_t max;
	const struct word *words;
	const char *error;
};

struct attach_values {
	const char *name;
	const char *descr;
	const char *monitor;
	uint32_t list_id;
	uint32_t cycle_id;
	uint32_t priority;
	uint32_t pps;
	uint32_t window;
	uint32_t format;
	uint32_t with_id;
};

static const struct word formats[] = {
	{ "warts", SINK_WARTS },
	{ "json", SINK_JSON },
	{ NULL, 0 },
};

static const struct word data_forms[] = {
	{ "plain", CTL_FORM_PLAIN },
	{ "id", CTL_FORM_ID },
	{ NULL, 0 },
};

#define AT(field) offsetof(struct attach_values, field)

/* control.md 6.1; data, pps and window are ours: they concern this session. */
static const struct attach_key keys[] = {
	{ "cycle_id", KEY_NUMBER, AT(cycle_id), 0, UINT32_MAX, NULL, "invalid cycle_id" },
	{ "data", KEY_WORD, AT(with_id), 0, 0, data_forms, "data must be id or plain" },
	{ "descr", KEY_TEXT, AT(descr), 0, 0, NULL, NULL },
	{ "format", KEY_WORD, AT(format), 0, 0, formats, "format must be warts or json" },
	{ "list_id", KEY_NUMBER, AT(list_id), 0, UINT32_MAX, NULL, "invalid list_id" },
	{ "monitor", KEY_TEXT, AT(monitor), 0, 0, NULL, NULL },
	{ "name", KEY_TEXT, AT(name), 0, 0, NULL, NULL },
	{ "pps", KEY_NUMBER, AT(pps), 1, 1000000, NULL, "invalid pps" },
	{ "priority", KEY_NUMBER, AT(priority), 1, 100000, NULL, "invalid priority" },
	{ "window", KEY_NUMBER, AT(window), 0, 1000000, NULL, "invalid window" },
};

static const struct attach_key *
find_key(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (line_word_is(keys[i].name, name))
			return &keys[i];
	}
	return NULL;
}

static bool
store(const struct attach_key *k, struct attach_values *v, const char *text)
{
	void *to = (char *)v + k->off;

	switch (k->kind) {
	case KEY_TEXT:
		*(const char **)to = text;
		return true;
	case KEY_NUMBER:
		return strnum_u32(text, k->min, k->max, to) == 0;
	case KEY_WORD:
		return word_find(k->words, text, to);
	}
	return false;
}

static int
set_key(struct session *s, void *values, const char *key, const char *text)
{
	const struct attach_key *k = find_key(key);

	if (k == NULL)
		return -ENOENT;
	if (store(k, values, text))
		return 0;
	session_reply(s, "ERR %s", k->error);
	return -EINVAL;
}

static const struct cmd_pairs pairs = { "could not params_get", "command attach param", set_key };

void
cmd_attach(struct session *s, char *rest)
{
	const char *monitor = s->env->monitor[0] != '\0' ? s->env->monitor : s->env->cfg.hostname;
	struct attach_values v = {
		.name = s->name, .monitor = monitor, .cycle_id = 1, .priority = 1, .with_id = s->with_id
	};

	if (!cmd_pairs(s, &pairs, rest, &v))
		return;
	if (s->env->shutdown > SHUTDOWN_DONE) {
		session_reply(s, "ERR not accepted: the service is ending");
		return;
	}
	s->attach = attach_new(s, &(struct attach_options){
		.name = v.name,
		.descr = v.descr,
		/* An empty name is asked for by runs from the command line, whose
		 * records name a monitor only with -M. */
		.monitor = v.monitor[0] != '\0' ? v.monitor : NULL,
		.list_id = v.list_id,
		.cycle_id = v.cycle_id,
		.priority = v.priority,
		.pps = v.pps,
		.window = v.window,
		.format = (enum sink_format)v.format,
		.with_id = v.with_id == CTL_FORM_ID,
	});
	if (s->attach == NULL) {
		session_reply(s, "ERR internal error");
		return;
	}
	session_reply(s, "OK");
	attach_begin(s->attach);
}
