#ifndef VANTAGE_PROTO_RECORD_FORMAT_H
#define VANTAGE_PROTO_RECORD_FORMAT_H

#include <stdbool.h>

#include "proto/record/zfile.h"

/* What is written to an output file. */
enum outfile_form {
	OUTFILE_WARTS = 0,
	OUTFILE_JSON,
	OUTFILE_TEXT,
};

struct outfile_format {
	enum outfile_form form;
	enum zfile_kind pack;
};

/* "warts", "json.gz" and so on. */
bool outfile_format_find(const char *word, struct outfile_format *ret);
const char *outfile_format_word(struct outfile_format);

/* Where no format is named: warts, as existing clients expect, compressed when
 * the path ends in .gz, .bz2 or .xz. */
struct outfile_format outfile_format_of_path(const char *path);

#endif
