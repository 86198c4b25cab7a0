#include "client/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights of Landlock's first version: open for reading or writing, run, make
 * and remove. What later ones add (link across, truncate by path, ioctl) needs
 * an open that these refuse. */
#define ALL_RIGHTS ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static int
permit_removal(int ruleset, const char *path)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = LANDLOCK_ACCESS_FS_REMOVE_FILE };
	char copy[PATH_MAX];
	int rc = 0;

	if (strlcpy(copy, path, sizeof(copy)) >= sizeof(copy))
		return -ENAMETOOLONG;
	rule.parent_fd = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0u) != 0)
		rc = -errno;
	(void)close(rule.parent_fd);
	return rc;
}

static int
close_file_system(const char *removable)
{
	const struct landlock_ruleset_attr attr = { .handled_access_fs = ALL_RIGHTS };
	int rc = 0, fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0u);

	/* EPERM is how the filters of some containers say that there is none. */
	if (fd < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -errno;
	if (removable != NULL)
		rc = permit_removal(fd, removable);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, fd, 0u) != 0)
		rc = -errno;
	(void)close(fd);
	return rc;
}

/* Root without capabilities is an owner of files like any other. */
static int
drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2], keep[2] = { { 0 } };

	if (syscall(SYS_capget, &head, data) != 0)
		return -errno;
	/* To end a pair that does not end by itself: its uid is not ours. */
	keep[0].permitted = keep[0].effective = data[0].permitted & 1u << CAP_KILL;
	return syscall(SYS_capset, &head, keep) == 0 ? 0 : -errno;
}

int
confine_self(const char *removable, struct errbuf *reterr)
{
	int rc;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return errbuf_set(reterr, -errno, "cannot give up privileges: %s", strerror(errno));
	rc = close_file_system(removable);
	if (rc == 0)
		rc = drop_capabilities();
	return rc == 0 ? 0 : errbuf_set(reterr, rc, "cannot give up privileges: %s", strerror(-rc));
}
