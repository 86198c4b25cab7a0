#include "client/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/jsonrd.h"
#include "client/service.h"
#include "client/status.h"
#include "client/ui.h"
#include "client/view.h"

#define ANSWER_TIMEOUT (10 * NSEC_PER_SEC)
#define PREFIX "status "

int
watch_open(struct watch *w, const struct opts *o, struct errbuf *reterr)
{
	int fd, rc;

	memset(w, 0, sizeof(*w));
	w->session.fd = -1;
	rc = service_reach(o, &fd, reterr);
	if (rc != 0)
		return rc;
	w->reply = malloc(WATCH_REPLY_MAX);
	rc = session_init(&w->session, fd, NULL, NULL, reterr);
	if (w->reply == NULL)
		return errbuf_set(reterr, STATUS_INTERNAL, "out of memory");
	return rc == 0 ? 0 : STATUS_INTERNAL;
}

void
watch_close(struct watch *w)
{
	session_fini(&w->session);
	free(w->reply);
}

int
watch_status(struct watch *w, const char **ret, struct errbuf *reterr)
{
	int rc = session_ask(&w->session, "status", ANSWER_TIMEOUT, w->reply, WATCH_REPLY_MAX, reterr);

	if (rc != 0)
		return rc == -EPROTO ? STATUS_CONFIG : STATUS_AWAY;
	if (strncmp(w->reply, PREFIX, strlen(PREFIX)) != 0 || !json_valid(w->reply + strlen(PREFIX)))
		return errbuf_set(reterr, STATUS_AWAY, "the service's status cannot be read");
	*ret = w->reply + strlen(PREFIX);
	return 0;
}

int
watch_halt(struct watch *w, const char *source, char *reply, size_t cap)
{
	char line[VIEW_NAME_MAX + 8];
	struct errbuf err = { "" };
	int rc;

	(void)snprintf(line, sizeof(line), "halt %s", source);
	rc = session_ask(&w->session, line, ANSWER_TIMEOUT, reply, cap, &err);
	if (rc != 0)
		(void)snprintf(reply, cap, "%s", err.text);
	return rc;
}

static int
print_status(const struct opts *o, const char *json)
{
	struct view v = { .cols = 200, .filter = "", .message = "" };
	char name[VIEW_NAME_MAX];
	struct buf text;
	int status = STATUS_OK;

	buf_init(&text, 0);
	if (o->format == FORMAT_JSON)
		buf_printf(&text, "%s\n", json);
	else
		view_screen(&text, &v, json, name);
	if (text.failed)
		status = STATUS_INTERNAL;
	else if (fwrite(text.p, 1, text.len, stdout) != text.len || fflush(stdout) != 0)
		status = STATUS_CREATE;
	buf_fini(&text);
	return status;
}

int
status_main(const struct opts *o)
{
	const char *json = NULL;
	struct errbuf err = { "" };
	struct watch w;
	struct ui ui;
	int status;

	ui_init(&ui, true);
	status = watch_open(&w, o, &err);
	if (status == 0)
		status = watch_status(&w, &json, &err);
	if (status != 0)
		ui_say(&ui, "%s", err.text);
	else
		status = print_status(o, json);
	watch_close(&w);
	return status;
}
