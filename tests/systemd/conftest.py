"""The units as installed, and a systemd of our own to run them."""
import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import container as container_module    # noqa: E402


@pytest.fixture(scope="session")
def container():
    if os.geteuid() != 0:
        pytest.exit("a container needs root: sudo ./start test", returncode=77)
    if shutil.which("systemd-nspawn") is None:
        pytest.fail("systemd-nspawn is missing: apt-get install systemd-container")
    with container_module.Container() as it:
        yield it
