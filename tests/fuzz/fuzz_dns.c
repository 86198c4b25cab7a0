#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "workerd/meas/trace/dns.h"

/* What a name server may send. The input is a message as it is, and again what
 * follows a question of ours, so that the fuzzer need not find that first. */

static const struct addr asked = { ADDR_IP4, { 192, 0, 2, 9 } };

static void
check(const uint8_t *msg, size_t len, uint16_t id)
{
	char name[DNS_NAME_MAX];

	if (dns_ptr_answer(msg, len, id, &asked, name) != 0)
		return;
	must(name[0] != '\0');
	must(memchr(name, '\0', sizeof(name)) != NULL);
	for (const char *p = name; *p != '\0'; p++)
		must(*p > ' ' && *p <= '~');
}

/* The first byte counts the records. */
static void
check_behind_question(const uint8_t *data, size_t size)
{
	uint8_t query[DNS_QUERY_MAX], *msg;
	size_t n = dns_ptr_query(query, sizeof(query), 7, &asked);

	if (size == 0)
		return;
	msg = malloc(n + size - 1);
	if (msg == NULL)
		return;
	memcpy(msg, query, n);
	memcpy(msg + n, data + 1, size - 1);
	msg[2] |= 0x80; /* a response */
	msg[7] = data[0];
	check(msg, n + size - 1, 7);
	free(msg);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= 2)
		check(data, size, (uint16_t)(data[0] << 8 | data[1]));
	check_behind_question(data, size);
	return 0;
}
