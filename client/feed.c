#include "client/feed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/names.h"
#include "client/status.h"

static enum target_form
form_of(const struct opts *o)
{
	if (o->tsps)
		return TARGET_TSPS;
	return o->cmdfile ? TARGET_COMMAND : TARGET_ADDRESS;
}

int
feed_init(struct feed *f, const struct opts *o, struct ui *ui, struct errbuf *reterr)
{
	int rc = 0;

	memset(f, 0, sizeof(*f));
	f->opts = o;
	f->ui = ui;
	f->form = form_of(o);
	f->from_file = o->mode == MODE_FILE;
	f->input.fd = -1;
	for (uint32_t i = 0; rc == 0 && i < o->dnp_count; i++)
		rc = prefix_set_load(&f->dnp, o->dnp[i], reterr);
	if (rc == 0 && o->method_file != NULL)
		rc = methods_load(&f->methods, o->method_file, reterr);
	if (rc != 0)
		return STATUS_CONFIG;
	prefix_set_seal(&f->dnp);
	if (f->from_file && input_open(&f->input, o->operands[0], reterr) != 0)
		return STATUS_DATA;
	return 0;
}

void
feed_fini(struct feed *f)
{
	input_close(&f->input);
	prefix_set_fini(&f->dnp);
}

static const char *
file_name(const struct feed *f)
{
	const char *path = f->opts->operands[0];

	return strcmp(path, "-") == 0 ? "standard input" : path;
}

static void
complain(struct feed *f, uint64_t line, const char *what, const char *reason)
{
	f->bad++;
	if (f->from_file && what == NULL)
		ui_say(f->ui, "%s:%llu: %s", file_name(f), (unsigned long long)line, reason);
	else if (f->from_file)
		ui_say(f->ui, "%s:%llu: '%s': %s", file_name(f), (unsigned long long)line, what, reason);
	else if (what != NULL)
		ui_say(f->ui, "'%s': %s", what, reason);
	else
		ui_say(f->ui, "%s", reason);
}

void
feed_refused(struct feed *f, uint64_t line, const char *command, const char *reason)
{
	complain(f, line, command, reason);
}

/* The command at out's end may run? Taken back and reported if not. */
static bool
permitted(struct feed *f, struct buf *out, size_t from, const struct addr *dst, uint64_t line)
{
	const char *command = (const char *)out->p + from, *reason = NULL;
	char text[160];

	if (out->failed)
		return false;
	if (out->len - from > INPUT_LINE_MAX)
		reason = "the command is longer than 8190 bytes";
	else if (prefix_set_has(&f->dnp, dst))
		reason = "destination in do-not-probe list";
	else if (!methods_allow(&f->methods, command, out->len - from - 1))
		reason = "the method is disabled";
	if (reason == NULL)
		return true;
	(void)snprintf(text, sizeof(text), "%.*s",
	    (int)(out->len - from - 1 > 150 ? 150 : out->len - from - 1), command);
	out->len = from;
	complain(f, line, text, reason);
	return false;
}

/* Once: of the others the same is true. */
static void
tell_nameless(struct feed *f, const char *command)
{
	if (!f->nameless || !names_wanted(command))
		return;
	f->nameless = false;
	ui_say(f->ui, "-O ptr: there is no name server to ask for names: 'nameserver ADDRESS' in vantage.conf "
		      "names the service's, -n a private pair's");
}

/* 1: a command was appended; 0: not, and if it should have been, it has been
 * reported. */
static int
take_text(struct feed *f, enum target_form form, char *text, size_t len, struct buf *out, uint64_t line)
{
	size_t from = out->len;
	struct errbuf err;
	struct addr dst;
	int rc = target_command(form, f->opts->command, text, len, out, &dst, &err);

	if (rc < 0) {
		out->len = from;
		complain(f, line, NULL, err.text);
		return 0;
	}
	if (rc == 0 || !permitted(f, out, from, &dst, line))
		return 0;
	f->commands++;
	tell_nameless(f, (const char *)out->p + from);
	return 1;
}

/* All operands of a verb are one command; a word with blanks is quoted, as the
 * measurement language wants it. */
static int
join_operands(struct feed *f, char *text, size_t cap)
{
	size_t n = 0;

	for (; f->operand < f->opts->operand_count && n < cap; f->operand++) {
		const char *word = f->opts->operands[f->operand];
		bool quote = word[0] == '\0' || strchr(word, ' ') != NULL;

		n += (size_t)snprintf(text + n, cap - n, "%s%s%s%s", n > 0 ? " " : "", quote ? "\"" : "",
		    word, quote ? "\"" : "");
	}
	f->operand = f->opts->operand_count;
	return n < cap ? 0 : -E2BIG;
}

static int
take_operand(struct feed *f, struct buf *out, uint64_t *ret_line)
{
	enum target_form form = f->opts->mode == MODE_ADDRESSES ? TARGET_ADDRESS : TARGET_OPERAND;
	char text[INPUT_LINE_MAX + 1];
	int rc = 0;

	if (f->opts->mode == MODE_VERB)
		rc = join_operands(f, text, sizeof(text));
	else if (strlcpy(text, f->opts->operands[f->operand++], sizeof(text)) >= sizeof(text))
		rc = -E2BIG;
	*ret_line = f->operand;
	if (rc == 0)
		rc = take_text(f, form, text, strlen(text), out, f->operand);
	else
		complain(f, f->operand, NULL, "a command longer than 8190 bytes");
	return rc > 0;
}

static enum feed_status
next_operand(struct feed *f, struct buf *out, uint64_t *ret_line)
{
	while (f->operand < f->opts->operand_count) {
		if (take_operand(f, out, ret_line) > 0)
			return FEED_COMMAND;
	}
	f->ended = true;
	return FEED_END;
}

int
feed_fill(struct feed *f)
{
	int rc = input_fill(&f->input);

	if (rc < 0) {
		complain(f, f->input.line_no, NULL, strerror(-rc));
		f->ended = true;
	}
	return rc;
}

static enum feed_status
next_line(struct feed *f, struct buf *out, uint64_t *ret_line)
{
	char *line;
	size_t len;

	while (!f->ended) {
		enum input_status status = input_next(&f->input, &line, &len);

		*ret_line = f->input.line_no;
		switch (status) {
		case INPUT_LINE:
			if (take_text(f, f->form, line, len, out, *ret_line) > 0)
				return FEED_COMMAND;
			break;
		case INPUT_TOO_LONG:
			complain(f, *ret_line, NULL, "longer than 8191 bytes");
			break;
		case INPUT_NUL:
			complain(f, *ret_line, NULL, "a NUL byte in the line");
			break;
		case INPUT_WAIT:
			if (!f->input.regular)
				return FEED_WAIT;
			(void)feed_fill(f);
			break;
		case INPUT_END:
			f->ended = true;
			break;
		}
	}
	return FEED_END;
}

enum feed_status
feed_next(struct feed *f, struct buf *out, uint64_t *ret_line)
{
	return f->from_file ? next_line(f, out, ret_line) : next_operand(f, out, ret_line);
}

uint64_t
feed_total(const struct feed *f, bool *ret_estimated)
{
	uint64_t rest;

	*ret_estimated = false;
	if (f->ended)
		return f->commands;
	if (!f->from_file)
		return f->opts->mode == MODE_VERB ? 1 : f->opts->operand_count;
	if (!f->input.regular || f->input.consumed == 0 || f->input.size <= f->input.consumed)
		return 0;
	*ret_estimated = true;
	rest = f->input.size - f->input.consumed;
	return f->commands + (uint64_t)((double)f->commands * (double)rest / (double)f->input.consumed);
}
