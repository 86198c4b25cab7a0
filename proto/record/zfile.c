#include "proto/record/zfile.h"

#include <bzlib.h>
#include <errno.h>
#include <limits.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define INPUT_BYTES 65536
#define GZIP_WINDOW (15 + 16) /* zlib: the largest window, gzip header and trailer */
#define BZIP2_BLOCK 9         /* in 100 kB */
#define XZ_PRESET 6
#define XZ_MEMORY (256u << 20) /* of a decoder: a hostile file may ask for 4 GB */

static int
pack_gzip(const void *bytes, unsigned int n, struct buf *out)
{
	z_stream z = { 0 };
	uLong bound;
	uint8_t *p;
	int r;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	bound = deflateBound(&z, n);
	p = bound > UINT_MAX ? NULL : buf_room(out, bound);
	if (p == NULL) {
		(void)deflateEnd(&z);
		return -ENOMEM;
	}
	z.next_in = (Bytef *)(uintptr_t)bytes;
	z.avail_in = n;
	z.next_out = p;
	z.avail_out = (uInt)bound;
	r = deflate(&z, Z_FINISH);
	out->len -= z.avail_out;
	(void)deflateEnd(&z);
	return r == Z_STREAM_END ? 0 : -EIO;
}

static int
pack_bzip2(const void *bytes, unsigned int n, struct buf *out)
{
	unsigned int bound = n + n / 50 + 1024; /* bzip2's manual: 1% and 600 bytes */
	unsigned int len = bound;
	uint8_t *p = bound < n ? NULL : buf_room(out, bound);
	int r;

	if (p == NULL)
		return -ENOMEM;
	r = BZ2_bzBuffToBuffCompress((char *)p, &len, (char *)(uintptr_t)bytes, n, BZIP2_BLOCK, 0, 0);
	if (r == BZ_MEM_ERROR)
		return -ENOMEM;
	if (r != BZ_OK)
		return -EIO;
	out->len -= bound - len;
	return 0;
}

/* No dictionary longer than its text: the preset's takes 94 MB of memory, which
 * has to be made and cleared for each stream. */
static int
pack_xz(const void *bytes, size_t n, struct buf *out)
{
	size_t bound = lzma_stream_buffer_bound(n);
	uint8_t *p = bound == 0 ? NULL : buf_room(out, bound);
	lzma_options_lzma how;
	lzma_filter filters[] = { { LZMA_FILTER_LZMA2, &how }, { LZMA_VLI_UNKNOWN, NULL } };
	size_t len = 0;
	lzma_ret r;

	if (p == NULL || lzma_lzma_preset(&how, XZ_PRESET))
		return -ENOMEM;
	if (n < how.dict_size)
		how.dict_size = n < LZMA_DICT_SIZE_MIN ? LZMA_DICT_SIZE_MIN : (uint32_t)n;
	r = lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC64, NULL, bytes, n, p, &len, bound);
	if (r != LZMA_OK)
		return r == LZMA_MEM_ERROR ? -ENOMEM : -EIO;
	out->len -= bound - len;
	return 0;
}

int
zfile_pack(enum zfile_kind kind, const void *bytes, size_t n, struct buf *out)
{
	size_t before = out->len;
	int r = 0;

	if (n > INT_MAX)
		return -EIO; /* nobody has so much in memory */
	switch (kind) {
	case ZFILE_NONE:
		buf_bytes(out, bytes, n);
		r = out->failed ? -ENOMEM : 0;
		break;
	case ZFILE_GZIP:
		r = pack_gzip(bytes, (unsigned int)n, out);
		break;
	case ZFILE_BZIP2:
		r = pack_bzip2(bytes, (unsigned int)n, out);
		break;
	case ZFILE_XZ:
		r = pack_xz(bytes, n, out);
		break;
	}
	if (r < 0) {
		out->len = before;
		out->failed = false;
	}
	return r;
}

struct zfile {
	int fd;
	enum zfile_kind kind;
	bool known;  /* kind is */
	bool eof;    /* the descriptor is at its end */
	bool inside; /* a compressed stream has begun and not ended */
	int failed;
	z_stream gz;
	bz_stream bz;
	lzma_stream xz;
	bool open; /* the kind's decoder is */
	size_t at; /* what of in is used */
	size_t have;
	uint64_t base; /* of in, in the file */
	uint64_t made; /* bytes handed out */
	struct zfile_mark mark;
	uint8_t in[INPUT_BYTES];
};

struct zfile *
zfile_reader_new(int fd)
{
	struct zfile *z = calloc(1, sizeof(*z));

	if (z != NULL)
		z->fd = fd;
	return z;
}

static void
decoder_close(struct zfile *z)
{
	if (!z->open)
		return;
	if (z->kind == ZFILE_GZIP)
		(void)inflateEnd(&z->gz);
	if (z->kind == ZFILE_BZIP2)
		(void)BZ2_bzDecompressEnd(&z->bz);
	if (z->kind == ZFILE_XZ)
		lzma_end(&z->xz);
	z->open = false;
}

void
zfile_reader_free(struct zfile *z)
{
	if (z == NULL)
		return;
	decoder_close(z);
	free(z);
}

enum zfile_kind
zfile_reader_kind(const struct zfile *z)
{
	return z->kind;
}

struct zfile_mark
zfile_reader_mark(const struct zfile *z)
{
	return z->mark;
}

/* More input behind what is there. */
static int
fill(struct zfile *z)
{
	ssize_t n;

	if (z->at > 0) {
		memmove(z->in, z->in + z->at, z->have - z->at);
		z->have -= z->at;
		z->base += z->at;
		z->at = 0;
	}
	do
		n = read(z->fd, z->in + z->have, sizeof(z->in) - z->have);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	z->eof = n == 0;
	z->have += (size_t)n;
	return 0;
}

static const struct magic {
	enum zfile_kind kind;
	size_t len;
	char bytes[6];
} magics[] = {
	{ ZFILE_GZIP, 2, "\x1f\x8b" }, /* RFC 1952 section 2.3.1 */
	{ ZFILE_BZIP2, 3, "BZh" },
	{ ZFILE_XZ, 6,
	    "\xfd"
	    "7zXZ" },
};

static int
find_kind(struct zfile *z)
{
	while (z->have < sizeof(magics[0].bytes) && !z->eof) {
		int r = fill(z);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		if (z->have >= magics[i].len && memcmp(z->in, magics[i].bytes, magics[i].len) == 0)
			z->kind = magics[i].kind;
	}
	z->known = true;
	return 0;
}

/* One step of each decoder: uses input, makes output. 1: the stream ended. */
static int
step_gzip(struct zfile *z, uint8_t *p, size_t n, size_t *ret_made)
{
	int r;

	if (!z->open && inflateInit2(&z->gz, GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	z->open = true;
	z->gz.next_in = z->in + z->at;
	z->gz.avail_in = (uInt)(z->have - z->at);
	z->gz.next_out = p;
	z->gz.avail_out = (uInt)n;
	r = inflate(&z->gz, Z_NO_FLUSH);
	z->at = z->have - z->gz.avail_in;
	*ret_made = n - z->gz.avail_out;
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	return r == Z_STREAM_END ? 1 : r == Z_OK || r == Z_BUF_ERROR ? 0 : -EBADMSG;
}

static int
step_bzip2(struct zfile *z, uint8_t *p, size_t n, size_t *ret_made)
{
	int r;

	if (!z->open && BZ2_bzDecompressInit(&z->bz, 0, 0) != BZ_OK)
		return -ENOMEM;
	z->open = true;
	z->bz.next_in = (char *)z->in + z->at;
	z->bz.avail_in = (unsigned int)(z->have - z->at);
	z->bz.next_out = (char *)p;
	z->bz.avail_out = (unsigned int)n;
	r = BZ2_bzDecompress(&z->bz);
	z->at = z->have - z->bz.avail_in;
	*ret_made = n - z->bz.avail_out;
	if (r == BZ_MEM_ERROR)
		return -ENOMEM;
	return r == BZ_STREAM_END ? 1 : r == BZ_OK ? 0 : -EBADMSG;
}

static int
step_xz(struct zfile *z, uint8_t *p, size_t n, size_t *ret_made)
{
	lzma_ret r;

	if (!z->open) {
		z->xz = (lzma_stream)LZMA_STREAM_INIT;
		if (lzma_stream_decoder(&z->xz, XZ_MEMORY, 0) != LZMA_OK)
			return -ENOMEM;
	}
	z->open = true;
	z->xz.next_in = z->in + z->at;
	z->xz.avail_in = z->have - z->at;
	z->xz.next_out = p;
	z->xz.avail_out = n;
	r = lzma_code(&z->xz, LZMA_RUN);
	z->at = z->have - z->xz.avail_in;
	*ret_made = n - z->xz.avail_out;
	if (r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	return r == LZMA_STREAM_END ? 1 : r == LZMA_OK || r == LZMA_BUF_ERROR ? 0 : -EBADMSG;
}

static int
step(struct zfile *z, uint8_t *p, size_t n, size_t *ret_made)
{
	int r = -EBADMSG;

	z->inside = true;
	if (z->kind == ZFILE_GZIP)
		r = step_gzip(z, p, n, ret_made);
	else if (z->kind == ZFILE_BZIP2)
		r = step_bzip2(z, p, n, ret_made);
	else if (z->kind == ZFILE_XZ)
		r = step_xz(z, p, n, ret_made);
	if (r != 0)
		decoder_close(z);
	if (r == 1) {
		z->inside = false; /* the next bytes, if any, begin another */
		z->mark = (struct zfile_mark){ .packed = z->base + z->at, .plain = z->made + *ret_made };
	}
	return r;
}

/* Bytes, 0 at a clean end, or an error. */
static ssize_t
unpack(struct zfile *z, uint8_t *p, size_t n)
{
	for (;;) {
		size_t made = 0, before;
		int r = z->at == z->have && !z->eof ? fill(z) : 0;

		if (r < 0)
			return r;
		if (z->at == z->have && z->eof && !z->inside)
			return 0;
		before = z->at;
		r = step(z, p, n, &made);
		if (r < 0)
			return r;
		if (made > 0)
			return (ssize_t)made;
		/* No progress: cut short, or a decoder that is stuck. */
		if (r == 0 && z->at == before && (z->eof || z->at < z->have))
			return -EBADMSG;
	}
}

static ssize_t
copy(struct zfile *z, uint8_t *p, size_t n)
{
	size_t left;
	int r;

	if (z->at == z->have && !z->eof) {
		r = fill(z);
		if (r < 0)
			return r;
	}
	left = z->have - z->at;
	if (n > left)
		n = left;
	memcpy(p, z->in + z->at, n);
	z->at += n;
	z->eof = false; /* a growing file may have more next time */
	return (ssize_t)n;
}

ssize_t
zfile_read(void *zfile, void *p, size_t n)
{
	struct zfile *z = zfile;
	ssize_t r = z->known ? 0 : find_kind(z);

	if (z->failed != 0 || n == 0)
		return z->failed;
	if (n > INT_MAX)
		n = INT_MAX;
	if (r == 0)
		r = z->kind == ZFILE_NONE ? copy(z, p, n) : unpack(z, p, n);
	if (r < 0)
		z->failed = (int)r;
	else
		z->made += (uint64_t)r;
	return r;
}
