#include "client/name.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "client/status.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool
name_is_host(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < NI_MAXHOST && text[0] != '-' &&
	       strspn(text, LETTERS "0123456789.-_") == len && strpbrk(text, LETTERS) != NULL;
}

static struct addr
addr_of(const struct addrinfo *ai)
{
	bool ip6 = ai->ai_family == AF_INET6;
	size_t at = ip6 ? offsetof(struct sockaddr_in6, sin6_addr) : offsetof(struct sockaddr_in, sin_addr);

	return addr_make(ip6 ? ADDR_IP6 : ADDR_IP4, (const uint8_t *)ai->ai_addr + at);
}

static int
check_family(const struct opts *o, const char *text, uint8_t family, struct errbuf *err)
{
	char kind = o->ip4 ? '4' : '6';

	if ((!o->ip4 || family == ADDR_IP4) && (!o->ip6 || family == ADDR_IP6))
		return 0;
	return errbuf_set(
	    err, STATUS_USAGE, "'%.64s' is no IPv%c address, which -%c wants", text, kind, kind);
}

int
name_resolve(struct opts *o, struct errbuf *reterr)
{
	const struct addrinfo want = { .ai_socktype = SOCK_DGRAM,
		.ai_family = o->ip4   ? AF_INET
			     : o->ip6 ? AF_INET6
				      : AF_UNSPEC };
	const char **last = &o->operands[o->operand_count - 1];
	struct addrinfo *found = NULL;
	struct addr a;
	int rc;

	if (addr_parse(*last, &a) == 0)
		return check_family(o, *last, a.family, reterr);
	rc = getaddrinfo(*last, NULL, &want, &found);
	if (rc != 0)
		return errbuf_set(reterr, rc == EAI_AGAIN ? STATUS_LIMIT : STATUS_USAGE,
		    "'%.64s': %s; give an address", *last, gai_strerror(rc));
	a = addr_of(found);
	freeaddrinfo(found);
	*last = addr_format(&a, o->target);
	return 0;
}
