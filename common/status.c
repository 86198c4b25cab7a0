#include "common/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define AT(name) offsetof(struct status, name)

static const struct status_line {
	const char *key;
	uint32_t base;
	uint32_t numbers;
	size_t offset;
} lines[] = {
	{ "\nUid:", 10, 4, AT(uid) },
	{ "\nGid:", 10, 4, AT(gid) },
	{ "\nCapInh:", 16, 1, AT(cap_inh) },
	{ "\nCapPrm:", 16, 1, AT(cap_prm) },
	{ "\nCapEff:", 16, 1, AT(cap_eff) },
	{ "\nCapBnd:", 16, 1, AT(cap_bnd) },
	{ "\nCapAmb:", 16, 1, AT(cap_amb) },
	{ "\nNoNewPrivs:", 10, 1, AT(no_new_privs) },
	{ "\nSeccomp:", 10, 1, AT(seccomp) },
};

/* The number at *at, which moves behind it; false when there is none. */
static bool
number_take(const char **at, uint32_t base, uint64_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = *at + strspn(*at, " \t"), *digit;
	uint64_t value = 0;
	bool any = false;

	for (; *p != '\0' && (digit = strchr(digits, *p)) != NULL && digit < digits + base; p++, any = true)
		value = value * base + (uint64_t)(digit - digits);
	*at = p;
	*ret = value;
	return any;
}

static uint64_t
count_words(const char *text)
{
	uint64_t n = 0;

	for (text += strspn(text, " \t"); *text != '\0' && *text != '\n'; n++) {
		text += strcspn(text, " \t\n");
		text += strspn(text, " \t");
	}
	return n;
}

int
status_parse(const char *text, struct status *ret)
{
	struct status status = { 0 };
	const char *groups = strstr(text, "\nGroups:");

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *at = strstr(text, lines[i].key);
		uint64_t *numbers = (uint64_t *)(void *)((uint8_t *)&status + lines[i].offset);

		if (at == NULL)
			return -ENODATA;
		at += strlen(lines[i].key);
		for (uint32_t n = 0; n < lines[i].numbers; n++) {
			if (!number_take(&at, lines[i].base, &numbers[n]))
				return -ENODATA;
		}
	}
	if (groups == NULL)
		return -ENODATA;
	status.groups = count_words(groups + strlen("\nGroups:"));
	*ret = status;
	return 0;
}

int
status_open(struct errbuf *reterr)
{
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? errbuf_set(reterr, -errno, "/proc/self/status: %s", strerror(errno)) : fd;
}

int
status_read(int fd, struct status *ret, struct errbuf *reterr)
{
	char text[8192];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return errbuf_set(reterr, -errno, "/proc/self/status: %s", strerror(errno));
	text[n] = '\0';
	if (status_parse(text, ret) != 0)
		return errbuf_set(reterr, -ENODATA, "/proc/self/status lacks what must be checked");
	return 0;
}
