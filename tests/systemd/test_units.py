"""What the units promise before anything runs."""
import glob
import os
import subprocess

import pytest

UNIT_DIRS = ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
UNITS = ("vantage.service", "vantage.socket", "vantage-privd.service", "vantage-privd.socket")


@pytest.fixture(scope="session")
def unit_dir(container):
    for folder in UNIT_DIRS:
        if os.path.exists(container.path(folder + "/vantage.service")):
            return container.path(folder)
    pytest.fail("meson install put no units in place")


def analyze(*argv):
    return subprocess.run(["systemd-analyze", "--no-pager", *argv], capture_output=True,
                          text=True)


def test_all_units_are_installed(unit_dir):
    assert all(os.path.exists(os.path.join(unit_dir, u)) for u in UNITS)


# The threshold is in tenths: 0.4 for the worker, 2.0 for privd.
@pytest.mark.parametrize("unit,tenths", [("vantage.service", 4), ("vantage-privd.service", 20)])
def test_exposure(unit, tenths, unit_dir):
    done = analyze("security", "--offline=true", "--threshold=%d" % tenths,
                   os.path.join(unit_dir, unit))
    assert done.returncode == 0, done.stdout[-600:]


def test_units_verify(container):
    """As systemd in the container reads them: every program and page is there."""
    done = analyze("verify", "--root=" + container.root, "--man=no", *UNITS)
    said = [line for line in done.stderr.splitlines() if "vantage" in line]
    assert said == [], said


def test_programs_of_the_units_exist(container, unit_dir):
    for unit in ("vantage.service", "vantage-privd.service"):
        with open(os.path.join(unit_dir, unit)) as text:
            (line,) = [x for x in text if x.startswith("ExecStart=")]
        program = line.split("=", 1)[1].split()[0]
        assert os.access(container.path(program), os.X_OK), program


def test_manual_pages_of_the_units_exist(container, unit_dir):
    for unit in UNITS:
        with open(os.path.join(unit_dir, unit)) as text:
            for line in text:
                if not line.startswith("Documentation="):
                    continue
                for page in line.strip().split("=", 1)[1].split():
                    name, section = page[len("man:"):-1].split("(")
                    found = [f for base in ("/usr/local/share/man", "/usr/share/man")
                             for f in glob.glob(container.path(
                                 "%s/man%s/%s.%s*" % (base, section, name, section)))]
                    assert found, page


def test_nothing_installed_is_setuid(container):
    upper = os.path.join(container.work, "upper")
    for folder, _, files in os.walk(os.path.join(upper, "usr")):
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                assert os.stat(path).st_mode & 0o6000 == 0, path
                assert "security.capability" not in os.listxattr(path), path
