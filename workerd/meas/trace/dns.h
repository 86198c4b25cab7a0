#ifndef VANTAGE_WORKERD_MEAS_TRACE_DNS_H
#define VANTAGE_WORKERD_MEAS_TRACE_DNS_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

/* Just enough of DNS (RFC 1035) to ask for the name of an address. */

#define DNS_QUERY_MAX 128
#define DNS_NAME_MAX 256 /* as text, with its NUL */

/* The query for an address's PTR record, recursion desired. Bytes written; 0
 * when cap is too small or the address is neither IPv4 nor IPv6. */
size_t dns_ptr_query(uint8_t *buf, size_t cap, uint16_t id, const struct addr *);

/*
 * The name in an answer to that query. 0; -ESRCH when it does not answer this
 * question; -ENOENT when it says that there is no name; -EBADMSG. Bytes that
 * are not printable become '?'.
 */
int dns_ptr_answer(
    const uint8_t *bytes, size_t len, uint16_t id, const struct addr *asked, char ret[DNS_NAME_MAX]);

#endif
