#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/input.h"
#include "client/prefix.h"
#include "client/target.h"
#include "tests/fuzz/fuzz.h"

/*
 * A target file as a stranger made it. Property: every line of it is handed out
 * or reported, under its number; what becomes a command is one printable line.
 */
static uint64_t
count_lines(const uint8_t *data, size_t size)
{
	uint64_t n = size > 0 && data[size - 1] != '\n';

	for (size_t i = 0; i < size; i++)
		n += data[i] == '\n';
	return n;
}

static void
try_forms(const char *line, size_t len, struct prefix_set *set)
{
	char copy[INPUT_LINE_MAX + 1];
	struct errbuf err;
	struct addr dst;
	struct buf out;

	for (int form = TARGET_ADDRESS; form <= TARGET_TSPS; form++) {
		int rc;

		buf_init(&out, 0);
		memcpy(copy, line, len + 1);
		rc = target_command((enum target_form)form, "trace", copy, len, &out, &dst, &err);
		for (size_t i = 0; rc > 0 && i < out.len; i++)
			must(i + 1 == out.len ? out.p[i] == '\n' : out.p[i] >= 0x20 && out.p[i] < 0x7f);
		must(rc <= 0 || out.len > 1);
		buf_fini(&out);
	}
	(void)prefix_set_add(set, line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("list", MFD_CLOEXEC);
	enum input_status status = INPUT_WAIT;
	struct prefix_set set = { 0 };
	struct input in;
	struct errbuf err;
	char path[32], *line;
	size_t len;

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(input_open(&in, path, &err) == 0);
	while (status != INPUT_END) {
		status = input_next(&in, &line, &len);
		if (status == INPUT_WAIT)
			must(input_fill(&in) == 0);
		else if (status == INPUT_LINE)
			try_forms(line, len, &set);
	}
	must(in.line_no == count_lines(data, size));
	must(in.consumed == size);
	prefix_set_seal(&set);
	input_close(&in);
	prefix_set_fini(&set);
	(void)close(fd);
	return 0;
}
