"""The main job, in a lab of its own: the pair comes up without a privilege to
spare, and an ordinary user traces and pings through it."""
import signal
import sys

import lab
import pair

SHOW = [
    ("a trace over the diamond to a target six hops away",
     "trace -w 1 -q 1 " + lab.DST[4]),
    ("the same over IPv6, by ICMP", "trace -P icmp-paris -w 1 -q 1 " + lab.DST[6]),
    ("path MTU discovery where the last link takes 1400 octets",
     "trace -M -P icmp-paris -w 1 -q 1 " + lab.SMALL_MTU[4]),
    ("a target behind a firewall", "trace -w 1 -q 1 " + lab.PROHIBITED[4]),
    ("a ping that loses every third probe", "ping -c 6 -i 0.1 " + lab.LOSSY[4]),
    ("a ping by TCP to an open port", "ping -c 2 -i 0.1 -P tcp-syn -d 80 " + lab.DST[6]),
]


def status_of(pid):
    with open("/proc/%d/status" % pid) as status:
        fields = dict(line.split(":", 1) for line in status)
    return "uid %s, capabilities %s, seccomp %s" % (
        fields["Uid"].split()[0], fields["CapEff"].strip(), fields["Seccomp"].strip())


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with lab.Lab() as net, pair.Vantage(net) as service:
        print("the lab: %d namespaces, %d links, real Linux routers; nothing of it "
              "touches this host's network" % (len(lab.NODES), len(lab.LINKS)))
        print("privd:   " + status_of(service.privd.pid))
        print("workerd: " + status_of(service.worker_pid()))
        print("client:  uid %d, no capability, no group" % pair.NOBODY)
        for what, command in SHOW:
            print("\n# %s\n$ vantage -I '%s'" % (what, command), flush=True)
            print(service.run([command], fmt="text").rstrip(), flush=True)
    print("\nThe lab is gone again.")


if __name__ == "__main__":
    main()
