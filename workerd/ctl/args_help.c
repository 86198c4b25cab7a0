#include <string.h>

#include "workerd/ctl/args.h"

/* Columns of "-q attempts" before the sentence. */
#define HELP_COLUMN 18

static const char *const kind_names[] = {
	[ARG_FLAG] = "flag",
	[ARG_NUM] = "number",
	[ARG_TIME] = "time",
	[ARG_U32] = "unsigned",
	[ARG_WORD] = "word",
	[ARG_WORDS] = "words",
	[ARG_ADDR] = "address",
	[ARG_STR] = "text",
	[ARG_CALL] = "text",
};

static bool
has_range(const struct arg_spec *row)
{
	return row->kind == ARG_NUM || row->kind == ARG_TIME || row->kind == ARG_U32;
}

/* A default outside the range means that leaving it out is a thing of its own. */
static bool
has_default(const struct arg_spec *row)
{
	return row->def >= row->min && row->def <= row->max;
}

static void
help_number(struct buf *b, const struct arg_spec *row, int64_t v)
{
	char text[32];

	if (row->kind == ARG_TIME)
		buf_text(b, args_time_text(v, text));
	else
		buf_printf(b, "%lld", (long long)v);
}

static void
help_range(struct buf *b, const struct arg_spec *row)
{
	buf_text(b, " (");
	help_number(b, row, row->min);
	buf_text(b, " - ");
	help_number(b, row, row->max);
	if (has_default(row)) {
		buf_text(b, ", default ");
		help_number(b, row, row->def);
	} else if (row->otherwise != NULL) {
		buf_printf(b, ", default %s", row->otherwise);
	}
	buf_text(b, ")");
}

static void
help_words(struct buf *b, const struct arg_spec *row)
{
	buf_text(b, ": ");
	for (const struct word *w = row->words; w->name != NULL; w++)
		buf_printf(b, "%s%s", w == row->words ? "" : ", ", w->name);
	if (row->kind == ARG_WORD && word_name(row->words, (uint32_t)row->def) != NULL)
		buf_printf(b, " (default %s)", word_name(row->words, (uint32_t)row->def));
}

void
args_help(struct buf *b, const struct arg_spec *rows)
{
	for (const struct arg_spec *row = rows; row->letter != '\0'; row++) {
		const char *name = row->kind == ARG_FLAG ? "" : row->name;

		buf_printf(b, "  -%c %-*s %s", row->letter, HELP_COLUMN, name, row->help);
		if (has_range(row))
			help_range(b, row);
		else if (row->otherwise != NULL)
			buf_printf(b, " (default %s)", row->otherwise);
		if (row->words != NULL)
			help_words(b, row);
		buf_text(b, "\n");
	}
}

/* Our own tables hold no control characters; quotes and backslashes they may. */
static void
json_text(struct buf *b, const char *text)
{
	buf_text(b, "\"");
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_text(b, "\\");
		buf_u8(b, (uint8_t)*text);
	}
	buf_text(b, "\"");
}

static void
describe_range(struct buf *b, const struct arg_spec *row)
{
	buf_printf(b, ",\"min\":%lld,\"max\":%lld", (long long)row->min, (long long)row->max);
	if (has_default(row))
		buf_printf(b, ",\"default\":%lld", (long long)row->def);
	if (row->kind == ARG_TIME)
		buf_printf(b, ",\"unit_us\":%u", row->unit_us);
}

static void
describe_words(struct buf *b, const struct arg_spec *row)
{
	const char *def = row->kind == ARG_WORD ? word_name(row->words, (uint32_t)row->def) : NULL;

	buf_text(b, ",\"words\":[");
	for (const struct word *w = row->words; w->name != NULL; w++) {
		if (w != row->words)
			buf_text(b, ",");
		json_text(b, w->name);
	}
	buf_text(b, "]");
	if (def != NULL) {
		buf_text(b, ",\"default\":");
		json_text(b, def);
	}
}

void
args_describe(struct buf *b, const struct arg_spec *rows)
{
	buf_text(b, "[");
	for (const struct arg_spec *row = rows; row->letter != '\0'; row++) {
		bool many = row->repeatable || row->kind == ARG_WORDS || row->kind == ARG_CALL;

		buf_printf(b, "%s{\"option\":\"-%c\",\"name\":", row == rows ? "" : ",", row->letter);
		json_text(b, row->name);
		buf_printf(b, ",\"kind\":\"%s\",\"help\":", kind_names[row->kind]);
		json_text(b, row->help);
		if (has_range(row))
			describe_range(b, row);
		if (row->words != NULL)
			describe_words(b, row);
		if (row->otherwise != NULL) {
			buf_text(b, ",\"otherwise\":");
			json_text(b, row->otherwise);
		}
		buf_printf(b, ",\"repeatable\":%s}", many ? "true" : "false");
	}
	buf_text(b, "]");
}
