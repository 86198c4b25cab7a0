#ifndef VANTAGE_WORKERD_OUT_DIR_H
#define VANTAGE_WORKERD_OUT_DIR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/*
 * The service's data directory: the only files that the worker ever opens.
 * Names are relative to it, or absolute and begin with its name; the kernel
 * keeps the look-up beneath the directory and follows no link. Regular files
 * only. Names that begin with a dot are the service's own.
 */
#define DIR_PATH_MAX 256

struct dir {
	int fd; /* -1: there is none */
	char path[DIR_PATH_MAX];
};

enum dir_mode {
	DIR_READ,
	DIR_APPEND,   /* made if it is not there; writes go to its end */
	DIR_TRUNCATE, /* the same, and what was in it goes */
	DIR_OWN,      /* read and write at any place, made if it is not there; name begins with a dot */
};

/* path NULL: a directory that is not there. Before the sandbox. */
int dir_open(struct dir *, const char *path, struct errbuf *reterr);
void dir_close(struct dir *);

/* What it is, for telling whether two names are one file. */
struct dir_file {
	int fd;
	uint64_t size;
	uint64_t ino;
	uint64_t dev;
};

/* The sentence says what is wrong with the name or the file. */
int dir_file_open(const struct dir *, const char *name, enum dir_mode, struct dir_file *ret, struct errbuf *reterr);

#endif
