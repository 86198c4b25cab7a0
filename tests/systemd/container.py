"""Boot a real systemd over a throw-away copy of this machine's root, with what
`meson install` puts in place, and run a script there.

The copy is an overlay on a tmpfs: it takes room for changes alone, and nothing
of it survives.  The container has a network of its own with nothing in it.
"""
import os
import re
import shutil
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VANTAGE_BUILD", os.path.join(TOP, "build"))

TARGET = """[Unit]
Description=the test's own target
AllowIsolate=yes
Requires=sysinit.target vtest.service
After=sysinit.target
Conflicts=shutdown.target
"""

# A boot of this much is all that the units need: devices, logins, disks and
# the rest of the host's services are none of theirs.
SERVICE = """[Unit]
Description=the test's script
After=sysinit.target
DefaultDependencies=no

[Service]
Type=oneshot
ExecStart=/bin/bash /vtest.sh
StandardOutput=append:/vtest.out
StandardError=append:/vtest.err
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=90
"""

MASKED = ("systemd-udevd.service", "systemd-udev-trigger.service", "systemd-timesyncd.service",
          "systemd-networkd.service", "systemd-resolved.service", "systemd-firstboot.service",
          "systemd-hwdb-update.service", "systemd-journal-catalog-update.service",
          "systemd-update-done.service", "systemd-machine-id-commit.service",
          "systemd-udevd-kernel.socket", "systemd-udevd-control.socket", "dev-hugepages.mount",
          "systemd-random-seed.service", "ldconfig.service", "systemd-pstore.service",
          "proc-sys-fs-binfmt_misc.automount", "systemd-boot-system-token.service")


def run(argv, **kw):
    return subprocess.run(argv, capture_output=True, text=True, **kw)


class Container:
    """A root to boot, while a `with` statement lasts."""

    def __enter__(self):
        self.work = tempfile.mkdtemp(prefix="vantage-systemd-")
        self.mounted = []
        try:
            self._mount()
            self._install()
            self._prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        for path in reversed(self.mounted):
            run(["umount", "-l", path])
        shutil.rmtree(self.work, ignore_errors=True)

    def _must(self, argv, **kw):
        done = run(argv, **kw)
        if done.returncode != 0:
            raise RuntimeError("%s: %s%s" % (argv[0], done.stdout, done.stderr))
        return done.stdout

    def _mount(self):
        self._must(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self.work])
        self.mounted.append(self.work)
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(self.work, name))
        self.root = os.path.join(self.work, "root")
        self._must(["mount", "-t", "overlay", "-o", "lowerdir=/,upperdir=%s/upper,workdir=%s/work"
                    % (self.work, self.work), "overlay", self.root])
        self.mounted.append(self.root)

    def _install(self):
        self._must(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", self.root])

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        if os.path.lexists(self.path(name)):
            os.unlink(self.path(name))
        with open(self.path(name), "w") as out:
            out.write(text)

    def read(self, name):
        try:
            with open(self.path(name), errors="replace") as text:
                return text.read()
        except FileNotFoundError:
            return ""

    def _prepare(self):
        # The installed sysusers and tmpfiles fragments are to make these.
        for name in ("passwd", "shadow", "group", "gshadow"):
            lines = self.read("/etc/" + name).splitlines(keepends=True)
            self.write("/etc/" + name, "".join(
                line for line in lines
                if line.split(":")[0] not in ("vantage", "vantage-priv")))
        for gone in ("/run/vantage", "/var/lib/vantage"):
            shutil.rmtree(self.path(gone), ignore_errors=True)
        self.write("/etc/machine-id", os.urandom(16).hex() + "\n")
        self.write("/etc/fstab", "")
        self.write("/etc/systemd/system/vtest.target", TARGET)
        self.write("/etc/systemd/system/vtest.service", SERVICE)
        for unit in MASKED:
            path = self.path("/etc/systemd/system/" + unit)
            if not os.path.lexists(path):
                os.symlink("/dev/null", path)

    def boot(self, script, timeout=120):
        """Boot, run the script, power off; the script's output and the
        console's, for when the first is not there."""
        self.write("/vtest.sh", script)
        done = run(["systemd-nspawn", "-D", self.root, "--register=no", "--keep-unit",
                    "--boot", "--private-network", "--console=pipe", "--quiet",
                    "--capability=all", "--system-call-filter=bpf landlock_create_ruleset "
                    "landlock_add_rule landlock_restrict_self sched_setattr", "--link-journal=no",
                    "--settings=no", "systemd.unit=vtest.target"],
                   timeout=timeout, stdin=subprocess.DEVNULL)
        return self.read("/vtest.out"), \
            self.read("/vtest.err") + "\n--- console\n" + done.stdout + done.stderr

    def sections(self, script, last):
        """The output of a script that says "@@ NAME" before each part, by name;
        "everything" is all of it. It must have come to the part named last."""
        out, err = self.boot(script)
        parts = re.split(r"^@@ (\S+)\n", out, flags=re.M)
        sections = dict(zip(parts[1::2], parts[2::2]))
        sections["everything"] = out + err
        assert last in sections, out + err
        return sections
