#ifndef VANTAGE_WORKERD_CTL_LISTFILE_H
#define VANTAGE_WORKERD_CTL_LISTFILE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A list file, a line at a time and never held whole (control.md 1.5): the
 * target ends at the first blank, tab or '#'.
 */
#define LISTFILE_CHUNK 16384

struct listfile {
	int fd; /* -1: none */
	uint32_t at;
	uint32_t have;
	uint32_t skipped; /* bytes of a line that is too long */
	bool eof;
	char buf[LISTFILE_CHUNK + 1];
};

void listfile_init(struct listfile *);
/* Takes the descriptor; closes the one before. */
void listfile_use(struct listfile *, int fd);
void listfile_fini(struct listfile *);
/* Go on at this byte. 0 or a negative errno. */
int listfile_seek(struct listfile *, uint64_t offset);

/*
 * 1: a line of *ret_bytes in the file; *ret_target is its target, "" for none
 * (a blank, a comment). 0: the end. -EINVAL: a line that holds something else
 * than text, or too much of it; taken all the same, *ret_bytes long. -EAGAIN:
 * it is so long that others come first. Else: reading failed.
 */
int listfile_next(struct listfile *, const char **ret_target, uint32_t *ret_bytes);

#endif
