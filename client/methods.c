#include "client/methods.h"

#include <errno.h>
#include <string.h>

#include "client/input.h"

/* Blanks out, comment off: "trace.enable=0". */
static void
squeeze(char *line)
{
	char *to = line;

	for (const char *p = line; *p != '\0' && *p != '#'; p++) {
		if (*p != ' ' && *p != '\t' && *p != '\r')
			*to++ = *p;
	}
	*to = '\0';
}

static int
take_line(struct methods *m, char *line)
{
	char *dot;

	squeeze(line);
	if (line[0] == '\0')
		return 0;
	dot = strchr(line, '.');
	if (dot == NULL || dot == line || dot - line >= METHOD_NAME_MAX)
		return -EINVAL;
	*dot = '\0';
	if (strcmp(dot + 1, "enable=1") == 0)
		return 0;
	if (strcmp(dot + 1, "enable=0") != 0 || m->count == METHODS_MAX)
		return -EINVAL;
	(void)strlcpy(m->off[m->count++], line, METHOD_NAME_MAX);
	return 0;
}

int
methods_load(struct methods *m, const char *path, struct errbuf *reterr)
{
	enum input_status status = INPUT_WAIT;
	struct input in;
	char *line;
	size_t len;
	int rc = input_open(&in, path, reterr);

	m->count = 0;
	while (rc == 0 && status != INPUT_END) {
		status = input_next(&in, &line, &len);
		if (status == INPUT_WAIT)
			rc = input_fill(&in);
		else if (status == INPUT_LINE)
			rc = take_line(m, line);
		else if (status != INPUT_END)
			rc = -EINVAL;
		if (rc == -EINVAL)
			(void)errbuf_set(reterr, rc, "%s:%llu: expected '<method>.enable = 0' or '= 1'", path,
			    (unsigned long long)in.line_no);
		else if (rc < 0)
			(void)errbuf_set(reterr, rc, "cannot read '%s': %s", path, strerror(-rc));
	}
	input_close(&in);
	return rc;
}

bool
methods_allow(const struct methods *m, const char *command, size_t len)
{
	const char *blank = memchr(command, ' ', len);
	size_t n = blank == NULL ? len : (size_t)(blank - command);

	for (uint32_t i = 0; i < m->count; i++) {
		/* the service takes a command's word in any case */
		if (strlen(m->off[i]) == n && strncasecmp(m->off[i], command, n) == 0)
			return false;
	}
	return true;
}
