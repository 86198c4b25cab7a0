#ifndef VANTAGE_COMMON_ERR_H
#define VANTAGE_COMMON_ERR_H

/*
 * A sentence for a person, filled by the function that knows what went wrong.
 * The caller owns it and decides where it goes. Functions that take one return
 * a negative errno beside it; passing NULL is fine.
 */
struct errbuf {
	char text[256];
};

/* Formats the sentence (cut at the end of the buffer) and returns code, so
 * that a refusal is one line: return errbuf_set(err, -EINVAL, "..."). */
int errbuf_set(struct errbuf *, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
