#include "proto/record/format.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* By form, then by zfile_kind. */
static const char *const words[][4] = {
	[OUTFILE_WARTS] = { "warts", "warts.gz", "warts.bz2", "warts.xz" },
	[OUTFILE_JSON] = { "json", "json.gz", "json.bz2", "json.xz" },
	[OUTFILE_TEXT] = { "text", "text.gz", "text.bz2", "text.xz" },
};

bool
outfile_format_find(const char *word, struct outfile_format *ret)
{
	for (int form = OUTFILE_WARTS; form <= OUTFILE_TEXT; form++) {
		for (int pack = ZFILE_NONE; pack <= ZFILE_XZ; pack++) {
			if (strcasecmp(words[form][pack], word) != 0)
				continue;
			*ret = (struct outfile_format){ (enum outfile_form)form, (enum zfile_kind)pack };
			return true;
		}
	}
	return false;
}

const char *
outfile_format_word(struct outfile_format f)
{
	return words[f.form][f.pack];
}

struct outfile_format
outfile_format_of_path(const char *path)
{
	const char *dot = strrchr(path, '.');
	struct outfile_format f = { OUTFILE_WARTS, ZFILE_NONE };

	for (int pack = ZFILE_GZIP; dot != NULL && pack <= ZFILE_XZ; pack++) {
		if (strcmp(dot, strchr(words[OUTFILE_WARTS][pack], '.')) == 0)
			f.pack = (enum zfile_kind)pack;
	}
	return f;
}
