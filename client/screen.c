#include "client/screen.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Another screen than the shell's, no cursor; and back. */
static const char enter_text[] = "\033[?1049h\033[?25l\033[2J";
static const char leave_text[] = "\033[m\033[?25h\033[?1049l";

static int
put(const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int
screen_enter(struct screen *s)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &s->before) != 0)
		return -errno;
	raw = s->before;
	/* Keys as they are pressed, and unseen; ^C and ^Z stay signals. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
		return -errno;
	s->on = true;
	screen_measure(s);
	return put(enter_text, sizeof(enter_text) - 1);
}

void
screen_leave(struct screen *s)
{
	if (!s->on)
		return;
	s->on = false;
	(void)put(leave_text, sizeof(leave_text) - 1);
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &s->before);
}

void
screen_measure(struct screen *s)
{
	struct winsize w = { 0 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
	s->rows = w.ws_row >= 8 && w.ws_row <= 500 ? w.ws_row : 24;
	s->cols = w.ws_col >= 20 && w.ws_col <= 500 ? w.ws_col : 80;
}

int
screen_draw(const struct screen *s, const struct buf *lines)
{
	const char *p = (const char *)lines->p, *end = p + lines->len, *nl;
	struct buf out;
	uint32_t row = 1;
	int rc;

	buf_init(&out, 0);
	for (; p < end && row <= s->rows && (nl = memchr(p, '\n', (size_t)(end - p))) != NULL; p = nl + 1, row++) {
		buf_printf(&out, "\033[%u;1H", row);
		buf_bytes(&out, p, (size_t)(nl - p));
		buf_text(&out, "\033[K");
	}
	buf_text(&out, "\033[J");
	rc = out.failed ? -ENOMEM : put(out.p, out.len);
	buf_fini(&out);
	return rc;
}

int
screen_key(void)
{
	unsigned char c[3];
	ssize_t n = read(STDIN_FILENO, c, 1);

	/* Without a wait, nothing to read and the end look alike: poll has said
	 * that there is something. */
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? KEY_NONE : KEY_END;
	if (c[0] != '\033')
		return c[0];
	if (read(STDIN_FILENO, c + 1, 2) != 2 || c[1] != '[')
		return KEY_NONE;
	return c[2] == 'A' ? KEY_UP : (c[2] == 'B' ? KEY_DOWN : KEY_NONE);
}
