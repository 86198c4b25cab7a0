#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/record/scan.h"
#include "tests/fuzz/fuzz.h"

/*
 * A file that is appended to, in the format that the first byte chooses.
 * Property: cut back to where it is said to be whole, it is whole.
 */
static int
scan(int fd, struct outfile_format format, uint64_t *ret_whole)
{
	struct warts_stream stream;
	struct errbuf err;
	struct scan *s;
	int rc;

	must(lseek(fd, 0, SEEK_SET) == 0);
	warts_stream_init(&stream);
	s = scan_new(fd, format, &stream);
	must(s != NULL);
	while ((rc = scan_step(s, 100, &err)) > 0)
		continue;
	*ret_whole = scan_whole(s);
	scan_free(s);
	warts_stream_fini(&stream);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outfile_format format;
	uint64_t whole, again;
	int fd, rc;

	if (size == 0)
		return 0;
	format = (struct outfile_format){ data[0] % 3, data[0] / 3 % 4 };
	fd = memfd_create("scan", MFD_CLOEXEC);
	must(fd >= 0 && write(fd, data + 1, size - 1) == (ssize_t)(size - 1));
	rc = scan(fd, format, &whole);
	must(rc != 0 || whole == size - 1);
	must(whole <= size - 1);
	if (rc == 0 || rc == -EBADMSG) {
		must(ftruncate(fd, (off_t)whole) == 0);
		must(scan(fd, format, &again) == 0 && again == whole);
	}
	(void)close(fd);
	return 0;
}
