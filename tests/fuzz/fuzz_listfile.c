#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/limits.h"
#include "workerd/ctl/listfile.h"
#include "workerd/ctl/place.h"

/*
 * A list file, and the place in it. Properties: targets are printable words;
 * the lines' lengths add up to the file's, on which a restart relies; and a
 * place that was written down and read again goes on with the same lines.
 */

static void
check_target(const char *target)
{
	must(strlen(target) <= LIST_LINE_MAX);
	for (; *target != '\0'; target++)
		must(*target > ' ' && *target < 127 && *target != '#');
}

/* Written down and read again: the same lines are finished. */
static void
carry_over(const struct place *p)
{
	char *word[3], *rest = NULL;
	struct place again;
	struct buf b;

	buf_init(&b, 0);
	place_put(&b, p);
	buf_u8(&b, '\0');
	must(!b.failed);
	for (int i = 0; i < 3; i++)
		word[i] = strtok_r(i == 0 ? (char *)b.p : NULL, " ", &rest);
	place_init(&again);
	must(place_get(&again, word[0], word[1], word[2]) == 0);
	must(again.offset == p->offset && again.first == p->first);
	for (uint32_t i = 0; i < p->count; i++) {
		bool finished = (p->ring[(p->head + i) & (p->cap - 1)] & 1) != 0;

		must(place_was_done(&again, p->first + i) == finished);
	}
	place_fini(&again);
	buf_fini(&b);
}

/* What the state file says may be anything. */
static void
read_state(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), *rest = NULL, *word[3];
	struct place p;

	must(text != NULL);
	place_init(&p);
	for (int i = 0; i < 3; i++)
		word[i] = strtok_r(i == 0 ? text : NULL, " ", &rest);
	if (word[2] != NULL && place_get(&p, word[0], word[1], word[2]) == 0)
		carry_over(&p);
	place_fini(&p);
	free(text);
}

static void
read_all(struct listfile *l, size_t size, uint8_t pattern)
{
	struct place p;
	uint64_t bytes = 0, number, done = 0;
	const char *target;
	uint32_t n;
	int rc;

	place_init(&p);
	while ((rc = listfile_next(l, &target, &n)) != 0) {
		if (rc == -EAGAIN)
			continue;
		must(rc == 1 || rc == -EINVAL);
		if (rc == 1)
			check_target(target);
		bytes += n;
		if (place_reserve(&p) != 0)
			break;
		number = place_take(&p, n);
		/* Some of the lines end, out of order. */
		if ((pattern >> (number % 8) & 1) != 0) {
			place_done(&p, number);
			done++;
		}
	}
	must(rc != 0 || bytes == size);
	must(p.offset <= bytes && p.first <= done);
	carry_over(&p);
	place_fini(&p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct listfile l;
	int fd = memfd_create("list", MFD_CLOEXEC);

	if (size == 0 || fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1)) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	listfile_init(&l);
	listfile_use(&l, fd);
	must(listfile_seek(&l, 0) == 0);
	read_all(&l, size - 1, data[0]);
	listfile_fini(&l);
	read_state(data, size);
	return 0;
}
