#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "common/buf.h"
#include "proto/line.h"

/* A word that splits off a line can be put on a line again, and is the same;
 * a DATA header that parses reads as it would be written. */
static void
check_words(char *line)
{
	char *words[64], *again[1];
	int n = line_split(line, words, 64);
	struct buf b;

	for (int i = 0; i < n; i++) {
		buf_init(&b, 0);
		if (line_put_word(&b, words[i]) == 0) {
			buf_u8(&b, '\0');
			must(!b.failed && line_split((char *)b.p, again, 1) == 1);
			must(strcmp(again[0], words[i]) == 0);
		}
		buf_fini(&b);
	}
}

static void
check_reply(const char *line)
{
	struct reply_line r, again;
	struct buf b;

	if (reply_parse(line, &r) != 0 || r.kind != REPLY_LINE_DATA)
		return;
	buf_init(&b, 0);
	reply_put_data(&b, r.length, r.id, r.inprogress);
	must(!b.failed && b.p[b.len - 1] == '\n');
	b.p[b.len - 1] = '\0';
	must(reply_parse((char *)b.p, &again) == 0);
	must(again.length == r.length && again.id == r.id);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size + 1), *line;
	struct lines l = { bytes, bytes + size };
	size_t len;
	int rc;

	must(bytes != NULL);
	memcpy(bytes, data, size);
	while ((rc = lines_next(&l, &line, &len)) != 0 && rc != -EMSGSIZE) {
		if (rc < 0)
			continue;
		must(strlen(line) == len && len <= LINE_MAX_BYTES);
		check_reply(line);
		check_words(line);
	}
	must(l.p <= l.end);
	free(bytes);
	return 0;
}
