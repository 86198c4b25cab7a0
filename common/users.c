#include "common/users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

int
users_find(const char *user, const char *group, struct ids *ret, struct errbuf *reterr)
{
	const struct passwd *pw = getpwnam(user);
	const struct group *gr = getgrnam(group);

	if (pw == NULL || gr == NULL)
		return errbuf_set(reterr, -ENOENT,
		    "no %s '%s': run 'systemd-sysusers' or './start' to create it",
		    pw == NULL ? "user" : "group", pw == NULL ? user : group);
	if (pw->pw_uid == 0 || gr->gr_gid == 0)
		return errbuf_set(
		    reterr, -EINVAL, "user '%s' and group '%s' must not be root's", user, group);
	*ret = (struct ids){ pw->pw_uid, gr->gr_gid };
	return 0;
}
