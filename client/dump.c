#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/output.h"
#include "client/run.h"
#include "client/status.h"
#include "client/ui.h"
#include "proto/record/warts_rd.h"
#include "proto/record/zfile.h"

struct dump {
	struct ui ui;
	struct output output;
	enum out_format format;
	struct zfile *file;
	int fd;
	bool slow; /* a read of fd may wait */
};

/* What is ready is shown before we wait for more. */
static ssize_t
read_file(void *arg, void *p, size_t n)
{
	struct dump *d = arg;
	struct pollfd pfd = { d->fd, POLLIN, 0 };

	if (d->slow && d->output.group.len > 0 && poll(&pfd, 1, 0) == 0)
		(void)output_flush(&d->output);
	return zfile_read(d->file, p, n);
}

static int
print_item(struct dump *d, const struct warts_item *item)
{
	bool json = d->format != FORMAT_TEXT;
	struct buf *out = &d->output.group;

	switch (item->kind) {
	case WARTS_ITEM_CYCLE_START:
	case WARTS_ITEM_CYCLE_STOP:
		if (json)
			json_write_cycle(out, item->cycle, item->kind == WARTS_ITEM_CYCLE_STOP);
		return 0;
	case WARTS_ITEM_RECORD:
		return json ? json_write(out, item->type, item->rec, &item->refs)
			    : text_write(out, item->type, item->rec);
	case WARTS_ITEM_LIST:
	case WARTS_ITEM_CYCLE_DEF:
	case WARTS_ITEM_SKIPPED:
		return 0;
	}
	return 0;
}

static int
print_items(struct dump *d, struct warts_reader *reader, const char *name)
{
	struct warts_item item;
	struct errbuf err;
	int rc, printed;

	while ((rc = warts_reader_next(reader, &item, &err)) > 0) {
		printed = print_item(d, &item);
		if (printed < 0)
			ui_say(&d->ui, "%s: offset %llu: %s", name, (unsigned long long)item.offset,
			    strerror(-printed));
		if (output_is_full(&d->output) && output_flush(&d->output) < 0)
			return STATUS_CREATE;
	}
	if (output_flush(&d->output) < 0)
		return STATUS_CREATE;
	if (rc == 0)
		return STATUS_OK;
	ui_say(&d->ui, "%s: %s", name, err.text);
	return STATUS_DATA;
}

static int
dump_fd(struct dump *d, const char *name)
{
	struct warts_reader *reader = warts_reader_new(read_file, d);
	struct stat st;
	int status = STATUS_INTERNAL;

	d->slow = fstat(d->fd, &st) != 0 || !S_ISREG(st.st_mode);
	d->file = zfile_reader_new(d->fd);
	if (reader != NULL && d->file != NULL)
		status = print_items(d, reader, name);
	else
		ui_say(&d->ui, "out of memory");
	warts_reader_free(reader);
	zfile_reader_free(d->file);
	d->file = NULL;
	return status;
}

static int
dump_path(struct dump *d, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	int status;

	d->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (d->fd < 0) {
		ui_say(&d->ui, "cannot read '%s': %s", path, strerror(errno));
		return STATUS_DATA;
	}
	status = dump_fd(d, standard ? "standard input" : path);
	if (!standard)
		(void)close(d->fd);
	return status;
}

int
dump_main(const struct opts *o)
{
	struct dump d = { .format = o->format, .fd = -1 };
	struct errbuf err;
	int status = STATUS_OK;

	(void)signal(SIGPIPE, SIG_IGN);
	ui_init(&d.ui, true);
	if (output_open(&d.output, NULL, FORMAT_JSON, COMP_NONE, -1, &err) != 0) {
		ui_say(&d.ui, "%s", err.text);
		return STATUS_CREATE;
	}
	if (o->operand_count == 0)
		status = dump_path(&d, "-");
	for (uint32_t i = 0; i < o->operand_count && status != STATUS_CREATE; i++) {
		int rc = dump_path(&d, o->operands[i]);

		status = rc != STATUS_OK ? rc : status;
	}
	if (output_close(&d.output) < 0 || d.output.error != 0) {
		ui_say(&d.ui, "cannot write '-': %s", strerror(d.output.error));
		status = STATUS_CREATE;
	}
	return status;
}
