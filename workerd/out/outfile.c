#include "workerd/out/outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"
#include "workerd/out/store.h"

/* ---- aliases ---- */

void
outfiles_init(struct outfiles *all, const struct dir *dir)
{
	*all = (struct outfiles){ .dir = dir };
}

static void
outfile_free(struct outfile *o)
{
	if (o->store != NULL)
		store_fini(o->store);
	free(o->store);
	free(o);
}

void
outfiles_fini(struct outfiles *all)
{
	struct outfile *o;

	while ((o = all->first) != NULL) {
		all->first = o->next;
		outfile_free(o);
	}
	all->given = NULL;
	all->count = 0;
}

struct outfile *
outfiles_find(const struct outfiles *all, const char *alias)
{
	for (struct outfile *o = all->first; o != NULL; o = o->next) {
		if (strcmp(o->alias, alias) == 0)
			return o;
	}
	return NULL;
}

/* Not yet one of them. */
static struct outfile *
outfile_new(const char *alias, const char *path, struct outfile_format format)
{
	size_t len = strlen(alias) + 1;
	struct outfile *o = calloc(1, sizeof(*o) + len);

	if (o == NULL)
		return NULL;
	memcpy(o->alias, alias, len);
	o->refs = 1;
	o->store = calloc(1, sizeof(*o->store));
	if (o->store == NULL) {
		free(o);
		return NULL;
	}
	store_init(o->store, path, format);
	return o;
}

static void
add(struct outfiles *all, struct outfile *o)
{
	o->next = all->first;
	all->first = o;
	all->count++;
}

static bool
is_open(const struct outfiles *all, const struct dir_file *f)
{
	for (const struct outfile *o = all->first; o != NULL; o = o->next) {
		if (o->store->ino == f->ino && o->store->dev == f->dev)
			return true;
	}
	return false;
}

/* Looked at before it is emptied: it may be another alias's. */
static int
file_open(struct outfiles *all, struct outfile *o, const struct outfile_options *opt, struct errbuf *reterr)
{
	struct dir_file f;
	int rc = dir_file_open(all->dir, opt->path, DIR_APPEND, &f, reterr);

	if (rc != 0)
		return rc;
	if (is_open(all, &f)) {
		rc = errbuf_set(reterr, -EEXIST, "%s: is open already", opt->path);
	} else if (opt->truncate) {
		f.size = 0;
		if (ftruncate(f.fd, 0) < 0)
			rc = errbuf_set(reterr, -errno, "%s: %s", opt->path, strerror(errno));
	}
	if (rc != 0) {
		(void)close(f.fd);
		return rc;
	}
	return store_use(o->store, &f) == 0 ? 0 : errbuf_set(reterr, -ENOMEM, "out of memory");
}

int
outfiles_open(
    struct outfiles *all, const struct outfile_options *opt, struct outfile **ret, struct errbuf *reterr)
{
	struct outfile *o;
	int rc;

	if (outfiles_find(all, opt->alias) != NULL)
		return errbuf_set(reterr, -EEXIST, "there is an outfile '%s'", opt->alias);
	if (all->count >= OUTFILES_MAX)
		return errbuf_set(reterr, -E2BIG, "at most %d outfiles", OUTFILES_MAX);
	o = outfile_new(opt->alias, opt->path, opt->format);
	if (o == NULL)
		return errbuf_set(reterr, -ENOMEM, "out of memory");
	rc = file_open(all, o, opt, reterr);
	if (rc != 0) {
		outfile_free(o);
		return rc;
	}
	add(all, o);
	*ret = o;
	return 0;
}

/* Takes it off the front. */
static bool
has_word(const char **text, const char *word)
{
	bool has = strncmp(*text, word, strlen(word)) == 0;

	*text += has ? strlen(word) : 0;
	return has;
}

int
outfiles_give(struct outfiles *all, int fd, const char *text, struct errbuf *reterr)
{
	struct outfile_format format;
	struct outfile *o;
	char word[16];
	bool empty;
	size_t len;
	int rc;

	all->copy = has_word(&text, "copy,");
	empty = has_word(&text, "new,");
	len = strcspn(text, ",");
	if (len >= sizeof(word) || text[len] == '\0')
		return errbuf_set(reterr, -EINVAL, "'%s' is not [copy,][new,]FORMAT,NAME", text);
	memcpy(word, text, len);
	word[len] = '\0';
	if (!outfile_format_find(word, &format))
		return errbuf_set(reterr, -EINVAL, "'%s' is no format", word);
	text += len + 1;
	o = outfile_new(text, text, format);
	if (o == NULL)
		return errbuf_set(reterr, -ENOMEM, "out of memory");
	rc = store_use_given(o->store, fd, empty, reterr);
	if (rc != 0) {
		outfile_free(o);
		return rc;
	}
	add(all, o);
	all->given = o;
	return 0;
}

int
outfiles_close(struct outfiles *all, struct outfile *o)
{
	struct outfile **link = &all->first;

	if (o->refs > 1)
		return -EBUSY;
	while (*link != o)
		link = &(*link)->next;
	*link = o->next;
	all->count--;
	if (all->given == o)
		all->given = NULL;
	outfile_free(o);
	return 0;
}

void
outfile_swap(struct outfile *a, struct outfile *b)
{
	struct store *d = a->store;

	a->store = b->store;
	b->store = d;
}

/* ---- files ---- */

bool
outfiles_look(struct outfiles *all)
{
	bool more = false;

	for (struct outfile *o = all->first; o != NULL; o = o->next)
		more |= store_look(o->store, OUTFILE_LOOK_BYTES) > 0;
	return more;
}

int
outfiles_pack(struct outfiles *all)
{
	int first = 0;

	for (struct outfile *o = all->first; o != NULL; o = o->next) {
		int rc = store_pack(o->store);

		first = first == 0 ? rc : first;
	}
	return first;
}

int
outfiles_flush(struct outfiles *all, bool given)
{
	int first = 0;

	for (struct outfile *o = all->first; o != NULL; o = o->next) {
		int rc = o->store->given == given ? store_flush(o->store) : 0;

		first = first == 0 ? rc : first;
	}
	return first;
}

uint64_t
outfile_written(const struct outfile *o)
{
	return o->store->size;
}

uint64_t
outfile_end(const struct outfile *o)
{
	return store_end(o->store);
}

int
outfile_cut(struct outfile *o, uint64_t size, struct errbuf *reterr)
{
	return store_cut(o->store, size, reterr);
}

const char *
outfile_path(const struct outfile *o)
{
	return o->store->path;
}

struct outfile_format
outfile_format(const struct outfile *o)
{
	return o->store->format;
}

bool
outfile_given(const struct outfile *o)
{
	return o->store->given;
}

bool
outfile_ready(const struct outfile *o)
{
	return store_ready(o->store);
}

bool
outfile_waits(const struct outfile *o)
{
	return store_waiting(o->store) > 0;
}

bool
outfile_full(const struct outfile *o)
{
	return !store_ready(o->store) || store_waiting(o->store) > OUTFILE_WAIT_MARK;
}

bool
outfile_failed(const struct outfile *o, struct errbuf *ret)
{
	if (o->store->lost)
		*ret = o->store->why;
	return o->store->lost;
}

bool
outfile_trouble(const struct outfile *o, struct errbuf *ret)
{
	const struct store *d = o->store;

	if (outfile_failed(o, ret))
		return true;
	if (d->scan != NULL)
		(void)errbuf_set(ret, 0, "it is being looked through");
	else if (d->why.text[0] != '\0')
		(void)errbuf_set(ret, 0, "%zu bytes wait: %s", store_waiting(d), d->why.text);
	return d->scan != NULL || d->why.text[0] != '\0';
}

/* ---- records ---- */

/* What gets a copy; NULL: nothing, perhaps because nobody reads it any more. */
static struct store *
copy_of(const struct outfiles *all, const struct outfile *o)
{
	if (!all->copy || all->given == NULL || all->given == o)
		return NULL;
	return store_ready(all->given->store) ? all->given->store : NULL;
}

int
outfile_cycle_start(struct outfiles *all, struct outfile *o, const struct cycle_record *cycle)
{
	struct store *copy = copy_of(all, o);
	int rc = o == NULL ? 0 : store_cycle_start(o->store, cycle);

	return copy == NULL || rc != 0 ? rc : store_cycle_start(copy, cycle);
}

int
outfile_cycle_stop(struct outfiles *all, struct outfile *o, const struct cycle_record *cycle)
{
	struct store *copy = copy_of(all, o);
	int rc = o == NULL ? 0 : store_cycle_stop(o->store, cycle);

	return copy == NULL || rc != 0 ? rc : store_cycle_stop(copy, cycle);
}

int
outfile_record(struct outfiles *all, struct outfile *o, const struct record_type *type, const void *rec,
    const struct cycle_record *cycle)
{
	struct store *copy = copy_of(all, o);
	int rc = o == NULL ? 0 : store_record(o->store, type, rec, cycle);

	return copy == NULL || rc != 0 ? rc : store_record(copy, type, rec, cycle);
}
