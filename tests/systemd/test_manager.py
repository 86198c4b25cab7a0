"""systemctl reload, the watchdog and the start limit, on a real systemd."""
import json
import re

import pytest

SCRIPT = r"""
say() { echo "@@ $1"; }
pid_of() { systemctl show -p MainPID --value $1; }
pids() { echo pids $(pid_of vantage.service) $(pid_of vantage-privd.service); }
pps() { vantage status --json | grep -o '"operator":true,"pps":[0-9]*'; }
said() { journalctl -b -u vantage.service -u vantage-privd.service -o cat --no-pager; }
ping() { setpriv --reuid=65534 --regid=65534 --clear-groups timeout 20 vantage -O json -I "ping -c 1 192.0.2.2"; }
wait_pid() {    # a new main process of $1 that is not $2
	for i in $(seq 200); do
		p=$(pid_of $1); [ "$p" != 0 ] && [ "$p" != "$2" ] && return; sleep 0.05
	done
}
restarts() { systemctl show -p NRestarts --value vantage.service vantage-privd.service | xargs; }

ctl() {    # lines for the control socket; what it answers
	printf '%s\n' "$@" exit | python3 -c "
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect('/run/vantage/control.sock')
s.sendall(sys.stdin.read().encode())
print(s.makefile().read(), end='')"
}

ip link set lo up
ip netns add far
ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 netns far address 02:00:00:00:00:02
ip addr add 192.0.2.1/24 dev v0
ip link set v0 up
ip -n far addr add 192.0.2.2/24 dev v1
ip -n far link set v1 up
conf=$(vantage check-config | cut -d: -f1)
mkdir -p $(dirname $conf)

say start
systemctl start vantage.socket vantage-privd.socket; ping; pps; pids
say good
printf 'pps 123\nslice daemons gid daemon\n' > $conf
systemctl reload vantage; echo "status $?"; pps; pids
vantage status --json | grep -o '"name":"daemons"'
say restart-word
printf 'pps 123\nmark 90\n' > $conf
systemctl reload vantage; echo "status $?"; said | grep 'takes effect'
say bad
printf 'pps 5\npps zero\n' > $conf
systemctl reload vantage; echo "status $?"; pps; pids; ping
said | grep 'vantage.conf:'
systemctl is-active vantage.service
say hangup
rm $conf
kill -HUP $(pid_of vantage.service) $(pid_of vantage-privd.service); sleep 0.3; pids
said | grep SIGHUP
say restart
printf 'pps 321\nmark 90\n' > $conf
w=$(pid_of vantage.service)
systemctl restart vantage-privd.service; wait_pid vantage.service $w; ping; pps; pids
nft list table inet vantage | grep -o 'meta mark 0x[0-9a-f/]*'; vantage reload; echo "status $?"
say restart-worker
printf 'max-pps 4000\nspoof yes\npps 321\nmark 90\n' > $conf
w=$(pid_of vantage.service); systemctl restart vantage.service; wait_pid vantage.service $w; ping
vantage reload 2>&1; echo "status $?"
rm $conf
say stop
said | grep -c 'Failed with result'
systemctl stop vantage-privd.service
for u in vantage vantage-privd; do systemctl show -p ActiveState,Result,NRestarts $u.service | xargs; done
ping; said | grep -c 'Failed with result'
say files
mkdir -p /var/lib/vantage
printf '192.0.2.2\n192.0.2.2\n192.0.2.2\n' > /var/lib/vantage/three
ctl 'outfile open name out file out.warts mode truncate' \
	'source add name three file three outfile out command "ping -c 1"'
for i in $(seq 100); do vantage dump /var/lib/vantage/out.warts 2>/dev/null | grep -q cycle-stop && break; sleep 0.1; done
vantage dump /var/lib/vantage/out.warts
w=$(pid_of vantage.service); systemctl restart vantage.service; wait_pid vantage.service $w; ping
ctl 'outfile list'
stat -c '%n %a %U' /var/lib/vantage /var/lib/vantage/out.warts
r=/proc/$(pid_of vantage.service)/root
echo etc $(ls $r/etc); echo home $(find $r/home $r/root $r/srv -mindepth 1 2>/dev/null); echo lib $(ls $r/var/lib)
said | grep -c 'state file cannot be read'
say watched
for u in vantage vantage-privd; do
	mkdir -p /etc/systemd/system/$u.service.d
	printf '[Service]\nWatchdogSec=1\n' > /etc/systemd/system/$u.service.d/test.conf
done
systemctl daemon-reload; systemctl restart vantage-privd.service vantage.service; ping
sleep 3; systemctl show -p StatusText vantage.service; restarts
say stuck-worker
w=$(pid_of vantage.service)
kill -STOP $w; wait_pid vantage.service $w; ping; pids
said | grep -c 'vantage.service: Watchdog timeout'
say stuck-privd
w=$(pid_of vantage.service); p=$(pid_of vantage-privd.service)
kill -STOP $p; wait_pid vantage-privd.service $p; wait_pid vantage.service $w; ping; pids
said | grep -c 'vantage-privd.service: Watchdog timeout'
say limit
printf '[Unit]\nStartLimitBurst=2\n[Service]\nRestartSec=0\n' > /etc/systemd/system/vantage.service.d/test.conf
systemctl daemon-reload; systemctl reset-failed; systemctl restart vantage.service
for i in 1 2 3; do
	w=$(pid_of vantage.service)
	[ "$w" != 0 ] && kill -9 $w; sleep 0.5
done
systemctl is-active vantage.service
said | grep -c 'Start request repeated too quickly'
vantage status; echo "status $?"
rm -r /etc/systemd/system/vantage*.service.d
say end
said
"""


@pytest.fixture(scope="module")
def said(container):
    return container.sections(SCRIPT, "end")


def pids(text):
    return re.findall(r"^pids (\d+) (\d+)$", text, re.M)[-1]


def pps(text):
    return int(re.search(r'"pps":(\d+)', text).group(1))


def replies(text):
    records = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [r["statistics"]["replies"] for r in records if r["type"] == "ping"]


def test_reload_takes_a_good_file(said):
    assert pps(said["start"]) == 20 and replies(said["start"]) == [1], said["everything"]
    assert "status 0" in said["good"] and pps(said["good"]) == 123, said["everything"]
    assert '"name":"daemons"' in said["good"]
    assert pids(said["good"]) == pids(said["start"])


def test_reload_says_what_takes_a_restart(said):
    assert "status 0" in said["restart-word"]
    assert "mark: changed; takes effect after: systemctl restart vantage-privd" in said["restart-word"]


def test_reload_refuses_a_bad_file_and_the_service_goes_on(said):
    assert "status 1" in said["bad"], said["everything"]
    assert "vantage.conf:2:5: pps: 'zero' is not a number from 1 to 1000000" in said["bad"]
    assert pps(said["bad"]) == 123 and replies(said["bad"]) == [1]
    assert pids(said["bad"]) == pids(said["start"])
    assert said["bad"].split()[-1] == "active"


def test_hangup_ends_neither(said):
    assert pids(said["hangup"]) == pids(said["start"])
    assert said["hangup"].count("to reload: vantage reload") == 2


def test_a_restart_of_the_helper_restarts_both_with_the_whole_file(said):
    assert replies(said["restart"]) == [1] and pps(said["restart"]) == 321, said["everything"]
    assert not set(pids(said["restart"])) & set(pids(said["start"]))
    # Now there is nothing left to say.
    assert said["restart"].splitlines()[-2:] == ["meta mark 0x5a000000/8", "status 0"], said["everything"]


def test_a_worker_that_came_later_knows_what_the_helper_holds(said):
    assert replies(said["restart-worker"]) == [1]
    assert "status 0" in said["restart-worker"]
    for word in "max-pps", "spoof":
        assert "vantage: %s: changed; takes effect after: systemctl restart vantage-privd\n" % word \
            in said["restart-worker"], said["everything"]
    assert said["restart-worker"].count("changed") == 2


def test_the_helper_stops_in_order_and_takes_the_worker_with_it(said):
    """Neither a restart of it nor a stop is a failure, and the next client starts both."""
    lines = said["stop"].splitlines()
    assert (lines[0], lines[-1]) == ("0", "0"), said["everything"]
    for line in lines[1:3]:
        assert set(line.split()) == {"ActiveState=inactive", "Result=success", "NRestarts=0"}, said["everything"]
    assert replies(said["stop"]) == [1]


def test_the_worker_has_its_files(said):
    """openat2 works within the unit; a state outlives the service."""
    lines = said["files"].splitlines()
    assert lines[:2] == ["OK", "OK source added"], said["everything"]
    records = [json.loads(line) for line in lines if line.startswith("{")]
    assert [r["type"] for r in records] == ["cycle-start", "ping", "ping", "ping", "cycle-stop",
                                            "cycle-start", "ping", "cycle-stop"]
    assert "INFO 'out' file 'out.warts' refcnt 1" in said["files"]
    assert "/var/lib/vantage 700 vantage" in lines and "/var/lib/vantage/out.warts 600 vantage" in lines
    assert lines[-1] == "0"


def test_the_worker_has_nothing_else(said):
    """Its root is not the host's, also where there is no Landlock."""
    lines = said["files"].splitlines()
    assert set(lines[-4].split()) <= {"etc", "group", "ld.so.cache", "localtime", "nsswitch.conf", "passwd", "vantage"}
    assert lines[-3] == "home" and set(lines[-2].split()) <= {"lib", "vantage", "sss"}


def test_who_is_well_is_left_alone(said):
    assert replies(said["watched"]) == [1], said["everything"]
    assert said["watched"].splitlines()[-1] == "0 0", said["everything"]
    assert re.search(r"^StatusText=\d+ measurements under way, [1-9]\d* packets sent so far$",
                     said["watched"], re.M), said["watched"]


@pytest.mark.parametrize("section", ["stuck-worker", "stuck-privd"])
def test_who_is_stuck_is_started_anew(section, said):
    assert replies(said[section]) == [1], said["everything"]
    assert int(said[section].splitlines()[-1]) >= 1, said["everything"]
    assert "0" not in pids(said[section])


def test_who_ends_again_and_again_stays_down_and_it_is_said(said):
    assert said["limit"].splitlines()[0] == "failed", said["everything"]
    assert int(said["limit"].splitlines()[1]) >= 1
    assert "status 69" in said["limit"], said["everything"]
