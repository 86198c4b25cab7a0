#include "common/sandbox/sc.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#ifdef VANTAGE_SANDBOX_TRAP
#include <sys/ucontext.h>
#endif

/* Distinct names. */
static uint32_t
count_names(const struct sc_rule *rules)
{
	uint32_t n = 0;

	for (const struct sc_rule *r = rules; r->name != NULL; r++) {
		bool seen = false;

		for (const struct sc_rule *before = rules; before < r; before++)
			seen = seen || before->nr == r->nr;
		n += seen ? 0 : 1;
	}
	return n;
}

static void
print_args(FILE *out, const struct sc_rule *r)
{
	for (uint32_t i = 0; i < SC_ARGS_MAX && r->arg[i].cmp != SC_NONE; i++) {
		const struct sc_arg *a = &r->arg[i];

		if (a->cmp == SC_EQ)
			fprintf(out, " arg%u=%llu", a->index, (unsigned long long)a->value);
		else
			fprintf(out, " arg%u&0x%llx=0x%llx", a->index, (unsigned long long)a->mask,
			    (unsigned long long)a->value);
	}
}

void
sc_print(FILE *out, const struct sc_rule *rules)
{
	for (const struct sc_rule *r = rules; r->name != NULL; r++) {
		fprintf(out, "allow %s", r->name);
		print_args(out, r);
		fprintf(out, "\t# %s\n", r->why);
	}
	fprintf(out, "%u names; everything else kills the process\n", count_names(rules));
}

#ifdef VANTAGE_SANDBOX_TRAP
static void
trapped(int sig, siginfo_t *info, void *context)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, info->si_syscall);
	char line[128];
	int n = snprintf(line, sizeof(line), "sandbox: forbidden call %s (%d)\n", name == NULL ? "?" : name,
	    info->si_syscall);

	(void)sig;
	(void)context;
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		_exit(71);
	_exit(70);
}

static uint32_t
default_action(void)
{
	const struct sigaction sa = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO };

	(void)sigaction(SIGSYS, &sa, NULL);
	return SCMP_ACT_TRAP;
}
#else
static uint32_t
default_action(void)
{
	return SCMP_ACT_KILL_PROCESS;
}
#endif

static int
rule_add(scmp_filter_ctx ctx, const struct sc_rule *r)
{
	struct scmp_arg_cmp cmp[SC_ARGS_MAX];
	unsigned n = 0;

	for (; n < SC_ARGS_MAX && r->arg[n].cmp != SC_NONE; n++) {
		const struct sc_arg *a = &r->arg[n];

		if (a->cmp == SC_EQ)
			cmp[n] = SCMP_CMP(a->index, SCMP_CMP_EQ, a->value);
		else
			cmp[n] = SCMP_CMP(a->index, SCMP_CMP_MASKED_EQ, a->mask, a->value);
	}
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, r->nr, n, cmp);
}

int
sc_load(const struct sc_rule *rules, struct errbuf *reterr)
{
	scmp_filter_ctx ctx = seccomp_init(default_action());
	int rc = ctx == NULL ? -ENOMEM : 0;

	for (const struct sc_rule *r = rules; rc == 0 && r->name != NULL; r++) {
		rc = rule_add(ctx, r);
		if (rc != 0)
			(void)errbuf_set(reterr, rc, "sandbox: row %s: %s", r->name, strerror(-rc));
	}
	/* The busiest calls are few and early in the table anyway; a tree keeps
	 * the rest from costing by its place. */
	if (rc == 0)
		(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0) {
		rc = seccomp_load(ctx);
		if (rc != 0)
			(void)errbuf_set(
			    reterr, rc, "the kernel refuses the system call filter: %s", strerror(-rc));
	}
	if (ctx != NULL)
		seccomp_release(ctx);
	return rc;
}
