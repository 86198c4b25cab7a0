"""A real systemd boots the installed units and a measurement runs there."""
import json
import re

import pytest

SCRIPT = r"""
say() { echo "@@ $1"; }
show() { grep -E '^(Uid|Gid|Groups|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/$1/status; }
pid_of() { systemctl show -p MainPID --value $1; }
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all "$@"; }
ping() { nobody timeout 20 vantage -O json -I "ping -c 2 -o 2 -i 0.1 $1"; echo "status $?"; }
active() { for u in vantage-privd.service vantage.service; do systemctl is-active $u; done; }
wait_pid() {    # a new main process of $1 that is not $2
	for i in $(seq 100); do
		p=$(pid_of $1); [ "$p" != 0 ] && [ "$p" != "$2" ] && return; sleep 0.05
	done
}

ip link set lo up
ip netns add far
ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 netns far address 02:00:00:00:00:02
ip addr add 192.0.2.1/24 dev v0
ip addr add 2001:db8::1/64 dev v0 nodad
ip link set v0 up
ip -n far addr add 192.0.2.2/24 dev v1
ip -n far addr add 2001:db8::2/64 dev v1 nodad
ip -n far link set v1 up

say users; id -un vantage; id -un vantage-priv
say sockets
systemctl start vantage-privd.socket vantage.socket
stat -c '%n %a %U %G' /run/vantage/*.sock
say ping4; ping 192.0.2.2
say ping6; ping 2001:db8::2
say active; active
say trace; nobody timeout 20 vantage -O json -I 'trace -P icmp-paris -w 1 192.0.2.2'
w=$(pid_of vantage.service); p=$(pid_of vantage-privd.service)
say worker; show $w; echo "Dev: $(grep -c : /proc/$w/net/dev)"
say privd; show $p
say table; nft list tables
say kill-worker
[ "$w" != 0 ] && kill -9 $w; wait_pid vantage.service $w; ping 192.0.2.2; active
say kill-privd
p=$(pid_of vantage-privd.service)
[ "$p" != 0 ] && kill -9 $p; sleep 0.2; ping 192.0.2.2; ping 192.0.2.2; active
say failures; journalctl -b -u vantage.service -u vantage-privd.service -o cat --no-pager | grep Failed
say stop
systemctl stop vantage.socket vantage.service vantage-privd.socket vantage-privd.service
nft list tables; ls /run/vantage/*.sock; pgrep -l vantage; echo "end"
say again
systemctl start vantage.socket; ping 192.0.2.2
say journal; systemctl status -n 40 --no-pager vantage.service vantage-privd.service
"""


@pytest.fixture(scope="module")
def said(container):
    return container.sections(SCRIPT, "again")


def replies(text):
    """Every ping of a section ended well and was answered."""
    records = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    pings = [r for r in records if r["type"] == "ping"]
    return [p["statistics"]["replies"] for p in pings], re.findall(r"^status (\d+)", text, re.M)


def fields(text):
    return {k: v.split() for k, v in (line.split(":", 1) for line in text.splitlines()
                                      if ":" in line)}


def test_sysusers_and_tmpfiles_made_what_is_needed(said):
    assert said["users"].split() == ["vantage", "vantage-priv"]
    assert sorted(said["sockets"].splitlines()) == [
        "/run/vantage/control-id.sock 666 root root",
        "/run/vantage/control.sock 666 root root",
        "/run/vantage/privd.sock 660 root vantage"]


@pytest.mark.parametrize("section", ["ping4", "ping6"])
def test_an_ordinary_user_pings_through_the_service(section, said):
    assert replies(said[section]) == ([2], ["0"]), said["everything"]


def test_and_traces(said):
    records = [json.loads(x) for x in said["trace"].splitlines() if x.startswith("{")]
    (trace,) = [r for r in records if r["type"] == "trace"]
    assert (trace["stop_reason"], trace["hop_count"]) == ("COMPLETED", 1)


def test_both_units_are_up_and_ready(said):
    assert said["active"].split() == ["active", "active"], said["everything"]


def test_worker_unit_has_nothing(said):
    it = fields(said["worker"])
    assert it["Uid"][0] != "0" and set(it["Uid"]) == {it["Uid"][0]}
    assert int(it["CapEff"][0], 16) == int(it["CapBnd"][0], 16) == 0
    assert (it["NoNewPrivs"], it["Seccomp"]) == (["1"], ["2"])
    assert it["Dev"] == ["1"]       # lo alone, and that down


def test_privd_unit_is_not_root_and_has_two_capabilities(said):
    it = fields(said["privd"])
    assert it["Uid"][0] != "0" and it["Uid"] != fields(said["worker"])["Uid"]
    assert int(it["CapEff"][0], 16) == 1 << 12 | 1 << 13
    assert (it["NoNewPrivs"], it["Seccomp"]) == (["1"], ["2"])


def test_policy_is_in_the_kernel(said):
    assert "table inet vantage" in said["table"]


@pytest.mark.parametrize("section", ["kill-worker", "kill-privd"])
def test_service_heals(section, said):
    counts, statuses = replies(said[section])
    assert counts and counts[-1] == 2 and statuses[-1] == "0", said["everything"]
    assert said[section].split()[-2:] == ["active", "active"]


def test_a_death_is_a_failure_in_the_journal(said):
    """The worker's, the helper's, and the worker's that has no helper any more."""
    assert said["failures"].splitlines() == [
        "vantage.service: Failed with result 'signal'.",
        "vantage-privd.service: Failed with result 'signal'.",
        "vantage.service: Failed with result 'exit-code'."], said["everything"]


def test_stop_leaves_nothing(said):
    assert said["stop"].split() == ["end"], said["stop"]


def test_start_after_stop(said):
    assert replies(said["again"]) == ([2], ["0"]), said["everything"]
