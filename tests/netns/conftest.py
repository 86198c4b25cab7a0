"""Fixtures: one lab and one pair for the whole run, since both come up clean
and stay so; tests that kill or starve a pair make their own."""
import os
import pathlib
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module    # noqa: E402
import pair as pair_module  # noqa: E402
import wire                 # noqa: E402


def pytest_configure(config):
    # SIGTERM unwinds like ^C, so that the namespaces go in any case.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@pytest.fixture(scope="session")
def lab():
    if os.geteuid() != 0:
        pytest.exit("the lab needs root: sudo ./start test", returncode=77)
    with lab_module.Lab() as the_lab:
        yield the_lab


@pytest.fixture(scope="session")
def scamper(lab):
    return pair_module.Scamper(lab)


@pytest.fixture(scope="session")
def pair(lab):
    with pair_module.Vantage(lab) as the_pair:
        yield the_pair


@pytest.fixture(scope="session")
def prober(request, lab):
    """Who is under test.  VANTAGE_LAB_PROBER=scamper runs the same claims
    against the yardstick, which shows that the lab itself is right."""
    if os.environ.get("VANTAGE_LAB_PROBER") == "scamper":
        return pair_module.Scamper(lab)
    return request.getfixturevalue("pair")


@pytest.fixture
def fresh_pair(lab):
    """One for this test alone, on T: a host has one pair."""
    with pair_module.Vantage(lab, node="t") as the_pair:
        yield the_pair


@pytest.fixture
def recorder(lab):
    with wire.Recorder(lab) as rec:
        yield rec


@pytest.fixture
def recorder_t(lab):
    with wire.Recorder(lab, ifname="l10") as rec:
        yield rec


@pytest.fixture
def tmp_path():
    """A folder in which ordinary users can read and write; pytest's own is
    root's alone."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="vl-test-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(params=[4, 6], ids=["ip4", "ip6"])
def af(request):
    return request.param
