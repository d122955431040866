# SPDX-License-Identifier: BSD-2-Clause
"""What boot-test.service runs in a Debian of boot.py's, twice: installs the package and looks at what systemd makes of it, boots again to
see in which order things start, and takes the package away. boot.py says what the lines on the second serial port are."""
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "system"), os.path.join(HERE, "..", "kernels")]
import client  # noqa: E402
import looks  # noqa: E402
from waiting import until  # noqa: E402

PACKAGES = os.path.join(HERE, "..", "packages")
BEFORE = "/root/before.json"  # what was there before the package
DROP_IN = "/etc/plop/plop.conf.d/50-boot.conf"
LOAD = "load.service"
LATE = "192.0.2.7"  # of nobody (RFC 5737)
SLOW = """[Unit]
DefaultDependencies=no
Before=network.target network-online.target
[Service]
Type=oneshot
ExecStart=/bin/sleep 40
[Install]
WantedBy=multi-user.target
"""
# What this test makes itself, and what Debian keeps of packages that were there.
NOT_PLOP = re.compile(r"^(/root|/proc|/sys|/dev|/mnt|/tmp|/var/(log|tmp|cache)|/var/lib/(apt|dpkg|systemd)/(?!deb-systemd-helper)|"
                      r"/run/(systemd|udev|log|dbus|mount)(/|$))")


def run(*command, fine=(0,)):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env=dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C"))
    said = done.stdout.decode(errors="replace")
    print("$ %s\n%s" % (" ".join(command), said), flush=True)
    assert done.returncode in fine, (command, done.returncode, said[-2000:])
    return said


def show(unit, what):
    return subprocess.run(["systemctl", "show", unit, "--value", "-p", what], stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def main_pid(unit="plopd.service"):
    return int(show(unit, "MainPID"))


def active(unit):
    return show(unit, "ActiveState") == "active"


def journal(unit, *more):
    said = subprocess.run(["journalctl", "-q", "-b", "-o", "json", "-u", unit] + list(more), stdout=subprocess.PIPE, check=True).stdout.decode()
    return [json.loads(line) for line in said.splitlines()]


def ask(path):
    try:
        status, said = client.ask("/run/plop/plopd-trusted.sock", "GET", path)
    except OSError:
        return None
    return json.loads(said.decode()) if status == 200 else None


def answers(seconds=180):
    """Until plopd is up and answers: its status."""
    return until("plopd answers", lambda: active("plopd.service") and ask("/v1/status"), seconds, 0.2)


def windows():
    return sorted((w for w in ask("/v1/windows?from=0")["windows"]), key=lambda w: w["start"])


def ended():
    return [w for w in windows() if not w["running"]]


def gaps(since=0):
    """How long nothing was sampled between two windows, in seconds, of those that began since then."""
    all_of_them = [w for w in windows() if w["start"] >= since]
    return [round(later["start"] - w["end"], 2) for w, later in zip(all_of_them, all_of_them[1:])]


def load():
    """The process that works all the time, and how much CPU time it has had."""
    pid = main_pid(LOAD)
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return pid, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def files():
    """All that is on the disk and in /run."""
    there = []
    for top in ("/", "/run", "/dev/shm"):
        for at, folders, names in os.walk(top):
            folders[:] = [name for name in folders if os.path.ismount(os.path.join(at, name)) is False]
            there += [os.path.join(at, name) for name in folders + names if not NOT_PLOP.match(os.path.join(at, name))]
    return there


def facts_of(pid):
    """Nothing, of a process that has ended."""
    try:
        with open("/proc/%s/status" % pid, encoding="ascii") as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        return {}


def capabilities(facts):
    return {n for n in range(41) if int(facts["CapEff"], 16) >> n & 1}


class Guest(looks.Looks):
    def install(self):
        with open(BEFORE, "w", encoding="utf-8") as f:
            json.dump(files(), f)
        run("apt-get", "-q", "update")
        said = run("apt-get", "-q", "-y", "install", "--no-install-recommends", os.path.join(PACKAGES, "old.deb"))
        bad = [line for line in said.splitlines() if re.search(r"(?i)warning|could not|cannot|fail", line)]
        assert not bad, bad
        status = answers()
        assert active("plop-gateway.service")
        assert show("plopd.service", "NRestarts") == "0", journal("plopd.service")
        with open("/proc/sys/kernel/perf_event_paranoid", encoding="ascii") as f:
            return {"version": status["version"], "paranoid": int(f.read())}

    def who(self):
        """plopd has the capabilities of its unit, and none that are root's alone."""
        fields = facts_of(main_pid())
        held = capabilities(fields)
        # PERFMON, BPF, CHECKPOINT_RESTORE, SYS_PTRACE, DAC_READ_SEARCH (linux/capability.h)
        assert held == {38, 39, 40, 19, 2} and fields["Seccomp"] == "2" and fields["NoNewPrivs"] == "1", fields
        assert "0" not in fields["Uid"].split(), fields["Uid"]
        # what the unit lets helpers and plop-gateway give up by themselves
        helpers = [facts for facts in map(facts_of, filter(str.isdigit, os.listdir("/proc"))) if facts.get("Name") == "plopd-helper"]
        assert helpers and all(capabilities(facts) == {40, 19, 2} for facts in helpers), helpers
        assert not any("Helpers may make all" in line["MESSAGE"] for line in journal("plopd.service"))
        said = [line["MESSAGE"] for line in journal("plop-gateway.service")]
        assert any(re.match(r"confined to its files \(Landlock \d+\) and its system calls$", line) for line in said), said
        return {"memory": int(show("plopd.service", "MemoryCurrent"))}

    def record(self):
        """The load has a profile, also by events on its threads, which plop-perf opens here."""
        run("systemd-run", "--unit=" + LOAD, "/usr/bin/python3", os.path.join(HERE, "..", "workloads", "shares.py"), "--seconds", "100000")
        pid = load()[0]
        until("it is profiled", lambda: [p for p in ask("/v1/processes") if p["pid"] == pid and p["status"] == "profiled"], 60, 0.2)
        said = run("plopctl", "record", "-p", str(pid), "-F", "997", "-d", "2s", "-f", "collapsed", "-o", "-")
        assert re.search(r"half \S*shares\.py.* \d+$", said, re.M), said[-2000:]
        until("plop-perf has ended", lambda: show("plop-perf.service", "ActiveState") == "inactive", 60, 1)

    def gateway(self):
        said = run("plopctl", "open")
        url = re.search(r"http://\S+", said).group()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with browser.open(url, timeout=30) as page:
            assert page.status == 200 and b"<html" in page.read()

    def log(self):
        said = journal("plopd.service", "_SYSTEMD_UNIT=plopd.service")
        lines = [line for line in said if line["MESSAGE"].startswith("sampling at")]
        assert len(lines) == 1, said
        assert lines[0]["SYSLOG_IDENTIFIER"] == "plopd" and lines[0]["PRIORITY"] == "6", lines
        assert all("<" not in line["MESSAGE"][:1] for line in said), said

    def reload(self):
        """What the configuration says anew holds from then on; nothing is lost, and what is wrong in it changes nothing."""
        pid, before = main_pid(), ask("/v1/status")
        for content, hz in (("[plopd]\nhz = 200\n", 200), ("[plopd]\nhz = many\n", 200), ("", 100)):
            with open(DROP_IN, "w", encoding="ascii") as f:
                f.write(content)
            run("systemctl", "reload", "plopd")
            until("it samples at %d Hz" % hz, lambda: ask("/v1/status")["hz"] == hz, 30, 0.2)
        os.unlink(DROP_IN)
        after = ask("/v1/status")
        assert main_pid() == pid and active("plopd.service")
        assert any("many" in line["MESSAGE"] for line in journal("plopd.service"))
        lost = sum(after["samples"]["lost"].values()) - sum(before["samples"]["lost"].values())
        ticks = after["samples"]["ticks"] - before["samples"]["ticks"]
        assert lost <= 0.001 * ticks and max(gaps()) < 0.05, (lost, ticks, gaps())
        return {"lost": lost, "ticks": ticks}

    def restarted(self, how, seconds):
        """How long it takes until systemd has plopd run again after how(), and the gap in its windows."""
        saved = len(ended())
        until("it has saved a window", lambda: len(ended()) > saved, 120, 1)
        restarts, began = int(show("plopd.service", "NRestarts")), time.monotonic()
        before, since = len(ended()), ended()[-1]["start"]
        how()
        until("systemd starts it again", lambda: int(show("plopd.service", "NRestarts")) > restarts, seconds, 0.2)
        noticed = time.monotonic() - began
        answers()
        assert len(ended()) >= before, (before, windows())
        run("plopctl", "fsck")
        return {"noticed_s": round(noticed, 1), "up_again_s": round(time.monotonic() - began, 1), "gap_s": max(gaps(since))}

    def watchdog(self):
        found = self.restarted(lambda: os.kill(main_pid(), signal.SIGSTOP), 90)
        assert any("Watchdog timeout" in line["MESSAGE"] for line in journal("plopd.service"))
        return found

    def crash(self):
        return self.restarted(lambda: os.kill(main_pid(), signal.SIGKILL), 30)

    def memory(self):
        """At its limit of memory it is plopd that ends, and is started again; who works beside goes on."""
        pid = load()[0]

        def limit(size):
            run("systemctl", "set-property", "--runtime", "plopd.service", "MemoryMax=" + size)

        def take():
            limit("4M")
            until("the kernel ends it", lambda: show("plopd.service", "ActiveState") != "active", 60, 0.1)
            limit("256M")

        found = self.restarted(take, 30)
        killed = [line for line in run("journalctl", "--no-pager", "-k").splitlines() if "Memory cgroup out of memory" in line]
        assert killed and all("(plopd" in line for line in killed), killed
        assert load()[0] == pid
        return found

    def quota(self):
        """With hardly any CPU time plopd is late, but it is there, and counts what it loses."""
        def throttled():
            with open("/sys/fs/cgroup/system.slice/plopd.service/cpu.stat", encoding="ascii") as f:
                return int(dict(line.split() for line in f)["nr_throttled"])

        with open("/sys/fs/cgroup/system.slice/plopd.service/cpu.max", encoding="ascii") as f:
            assert f.read().split() == ["50000", "100000"]
        pid, before, often = main_pid(), ask("/v1/status")["samples"], throttled()
        run("systemctl", "set-property", "--runtime", "plopd.service", "CPUQuota=1%")
        time.sleep(60)
        run("systemctl", "set-property", "--runtime", "plopd.service", "CPUQuota=50%")
        after = answers()["samples"]
        assert main_pid() == pid and throttled() > often
        assert after["ticks"] == after["python"] + after["other"] + sum(after["lost"].values()), after
        return {"throttled": throttled() - often, "ticks": after["ticks"] - before["ticks"],
                "lost": sum(after["lost"].values()) - sum(before["lost"].values())}

    def upgrade(self):
        """Of what the load did, what is in no window is at most what one window has."""
        step = ask("/v1/status")["window_s"]
        until("a window begins", lambda: time.time() - windows()[-1]["start"] < step / 2, 60, 0.2)
        since, worked = windows()[-1]["start"], load()[1] - (time.time() - windows()[-1]["start"])
        pid = main_pid()
        run("apt-get", "-q", "-y", "install", "--no-install-recommends", os.path.join(PACKAGES, "new.deb"))
        status = answers()
        assert main_pid() != pid and active("plop-gateway.service") and active("plop-perf.socket")
        until("a window has ended since", lambda: sum(1 for w in windows() if w["start"] > since and not w["running"]) >= 2, 200, 1)
        lost = gaps(since)
        samples = sum(w["samples"] / w["hz"] for w in windows() if w["start"] >= since)
        missing = load()[1] - worked - samples
        assert missing <= step, (lost, missing)
        return {"version": status["version"], "gap_s": max(lost), "load_not_in_a_window_s": round(missing, 1)}

    def before_reboot(self):
        """For the second time: a network that takes 40 s, and an address that comes when it likes."""
        with open("/etc/systemd/system/slow-network.service", "w", encoding="ascii") as f:
            f.write(SLOW)
        run("systemctl", "enable", "slow-network.service")
        with open(DROP_IN, "w", encoding="ascii") as f:
            f.write("[gateway]\nlisten = %s:7567\n" % LATE)
        os.makedirs("/etc/systemd/system/plop-gateway.service.d", exist_ok=True)
        with open("/etc/systemd/system/plop-gateway.service.d/listen.conf", "w", encoding="ascii") as f:
            f.write("[Service]\nIPAddressAllow=%s\n" % LATE)
        return {"windows": len(windows())}

    def order(self):
        """plopd does not wait for the network; plop-gateway does, and for its address as well."""
        answers()
        assert show("slow-network.service", "ActiveState") == "activating", "the network was there before plopd"
        assert not active("plop-gateway.service")
        assert len(windows()) > 3
        until("the gateway was refused its address", lambda: int(show("plop-gateway.service", "NRestarts")) >= 2, 120, 1)
        name = b"lo:1".ljust(16, b"\0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            # SIOCSIFADDR (linux/sockios.h)
            fcntl.ioctl(s, 0x8916, name + struct.pack("<HH4s8x", socket.AF_INET, 0, socket.inet_aton(LATE)))

        def connects():
            try:
                socket.create_connection((LATE, 7567), 5).close()
            except OSError:
                return False
            return True

        until("it listens there", connects, 60, 1)
        return {"restarts": int(show("plop-gateway.service", "NRestarts"))}

    def purge(self):
        for path in ("/etc/systemd/system/slow-network.service", "/etc/systemd/system/plop-gateway.service.d/listen.conf"):
            os.unlink(path)
        os.rmdir("/etc/systemd/system/plop-gateway.service.d")
        run("systemctl", "disable", "slow-network.service", fine=(0, 1))
        run("apt-get", "-q", "-y", "purge", "plop")
        with open(BEFORE, encoding="utf-8") as f:
            before = set(json.load(f))
        owned = set()
        for name in os.listdir("/var/lib/dpkg/info"):
            if name.endswith(".list"):
                with open(os.path.join("/var/lib/dpkg/info", name), encoding="utf-8") as f:
                    owned |= {os.path.realpath(line.rstrip("\n")) for line in f}
        left = [path for path in files() if path not in before and os.path.realpath(path) not in owned]
        assert not [path for path in left if "plop" in path], left
        for path in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"):
            with open(path, encoding="utf-8") as f:
                assert "plop" not in f.read(), path
        units = subprocess.run(["systemctl", "list-units", "--all", "--no-legend", "plop*"], stdout=subprocess.PIPE, check=True).stdout.decode()
        assert not units.strip(), units
        assert not subprocess.run(["sh", "-c", "grep -l '^Name:.plop' /proc/[0-9]*/status"], stdout=subprocess.PIPE, check=False).stdout
        return {"left": left}

    def first(self):
        version = run("systemctl", "--version").split()[1]
        until("multi-user.target is reached", lambda: active("multi-user.target"), 300, 1)
        self.say("up", seconds=round(time.clock_gettime(time.CLOCK_BOOTTIME), 1), release=os.uname().release, systemd=version)
        for what in ("install", "who", "record", "gateway", "log", "reload", "watchdog", "crash", "memory", "quota", "upgrade", "before_reboot"):
            self.look(what, getattr(self, what))
        for unit in ("plopd", "plop-gateway", "plop-perf"):
            run("journalctl", "--no-pager", "-b", "-u", unit)
        self.say("done")
        run("systemctl", "poweroff")

    def second(self):
        self.look("order", self.order)
        self.look("purge", self.purge)
        for unit in ("plopd", "plop-gateway"):
            run("journalctl", "--no-pager", "-b", "-u", unit)
        self.say("done")
        run("systemctl", "poweroff")


def main():
    with open(looks.REPORT, "a", encoding="utf-8") as report:
        guest = Guest(report)
        if os.path.exists(BEFORE):
            guest.second()
        else:
            guest.first()


if __name__ == "__main__":
    main()
