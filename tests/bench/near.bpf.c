/* Takes everything. veth delivers what its peer sends by XDP_TX only to an end
 * that has an XDP program of its own. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int
near(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char near_license[] SEC("license") = "GPL";
