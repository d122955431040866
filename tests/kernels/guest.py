# SPDX-License-Identifier: BSD-2-Clause
"""What runs as the first process of a kernel that matrix.py boots: plopd, on Pythons that know what their profile must be. The second
serial port is given a line of JSON for each thing that was looked at, {"what": ..., ...}, with "failed" where it was not as it must be.

PLOP_SYSTEM, from the kernel's command line, is the folder of the system tests, whose classes these are."""
import ctypes
import os
import subprocess
import sys
import time
import traceback

SYSTEM = os.environ["PLOP_SYSTEM"]
sys.path[:0] = [SYSTEM, os.path.join(SYSTEM, "ctl"), os.path.join(SYSTEM, "..", "kernels")]
import looks  # noqa: E402

MOUNTS = (("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/tmp"), ("tmpfs", "/run"), ("bpf", "/sys/fs/bpf"),
          ("cgroup2", "/sys/fs/cgroup"), ("tracefs", "/sys/kernel/tracing"))
POWER_OFF = 0x4321fedc  # LINUX_REBOOT_CMD_POWER_OFF (linux/reboot.h)
HZ = 499
# Of stacks beyond what loops without bpf_loop() reach, see PLOP_BOUNDED_DEPTH.
BOUNDED_DEPTH = 96
TASKS = """
import asyncio, time
def burns():
    n = 0
    for i in range(20000): n += i
def blocks(): time.sleep(0.02)
async def works():
    while True:
        burns()
        blocks()
        await asyncio.sleep(0.01)
async def main(): await asyncio.create_task(works(), name='worker')
print('READY', flush=True)
asyncio.run(main())
"""

libc = ctypes.CDLL(None, use_errno=True)


class Guest(looks.Looks):
    def __init__(self, report):
        super().__init__(report)
        self.daemon = None

    def check(self):
        """What plopd --check says is not there."""
        done = subprocess.run([host.program("plopd"), "--check"], stdout=subprocess.PIPE, check=False)
        said = done.stdout.decode()
        print(said, flush=True)
        assert done.returncode == 0, said
        self.missing = [line.split("  ")[0] for line in said.splitlines() if "  no (" in line]
        return {"missing": self.missing, "loop": "bpf_loop()" not in self.missing}

    def start(self):
        self.daemon = host.Plopd("--hz", HZ)

    def shares(self, work):
        said = truth.repeated([], lambda length: shares.compare_run(*truth.run_of(self.daemon, work)) if length == 1 else
                              shares.compare(self.daemon, sys.executable, 1, length))
        return {"said": said}

    def lines(self):
        return {"said": truth.repeated([], lambda length: known.compare(self.daemon, sys.executable, [], length))}

    def deep(self):
        """A stack of 150 frames: whole, or, without bpf_loop(), its innermost."""
        want = BOUNDED_DEPTH if "bpf_loop()" in self.missing else 150
        with host.Workload(sys.executable, "deep.py", "--depth", 150, "--seconds", 60) as work:
            self.daemon.profiled(work.pid)
            recording = host.Recording(self.daemon, work.pid)
            until("samples", lambda: recording.state()["samples"] > 100)
            stacks = recording.stop()
        depths = truth.add_up((sum(1 for frame in stack if not frame[0].startswith("[")), count) for stack, count in stacks)
        whole = depths.get(want, 0)
        # the clock is asked for now and then, and burn() calls others
        assert whole > 0.9 * sum(depths.values()), depths
        return {"frames": want}

    def recordings(self):
        """With a rate of its own, tasks and time off CPU; where the kernel has not what that takes, the refusal."""
        with host.Workload(sys.executable, code=TASKS) as work:
            self.daemon.profiled(work.pid)
            ask = {"pid": [work.pid], "hz": 997, "wall": True, "async": True, "duration_s": 60}
            if "recordings at a rate of their own" in self.missing:
                status, said = client.ask(self.daemon.socket, "POST", "/v1/recordings", ask)
                assert status >= 400 and b"Linux 5.17" in said, (status, said)
                return {"refused": said.decode()}
            recording = host.Recording(self.daemon, work.pid, hz=997, wall=True, **{"async": True})
            until("samples", lambda: recording.state()["samples"] > 100, 60)
            stacks = recording.stop()
        names = {frame[0] for stack, _ in stacks for frame in stack}
        assert {"[task worker]", "burns", "blocks"} <= names, names
        asleep = [stack for stack, _ in stacks if stack[-1][0].startswith("[sleeping") and any(f[0] == "blocks" for f in stack)]
        assert asleep, names
        return {"stacks": len(stacks)}

    def tally(self):
        """Every tick is accounted for, and none is lost but the few that come between two stores of CPython's."""
        status = self.daemon.status()
        samples = status["samples"]
        assert host.accounted(samples), samples
        assert host.hardly_lost(samples), samples
        named = status["symbols"]
        # processes end here in the middle of a second, and one has stacks of 150 frames
        assert named["unresolved"] <= 0.01 * (named["resolved"] + named["captured"]), named
        return {"samples": samples, "symbols": named, "ns": status["cost"]["bpf_ns_per_sample"]}

    def stop(self):
        assert self.daemon.stop() == 0, self.daemon.said()

    def run(self):
        self.say("up", seconds=round(time.clock_gettime(time.CLOCK_BOOTTIME), 2), release=os.uname().release)
        self.look("check", self.check)
        with host.Workload(sys.executable, "shares.py", "--wait", "--seconds", shares.SECONDS) as before:
            self.look("start", self.start)
            if not self.daemon:
                return
            self.look("before", lambda: self.shares(before))
        with host.Workload(sys.executable, "shares.py", "--wait", "--seconds", shares.SECONDS) as after:
            self.look("after", lambda: self.shares(after))
        self.look("lines", self.lines)
        self.look("deep", self.deep)
        self.look("recordings", self.recordings)
        self.look("tally", self.tally)
        print(self.daemon.said(), flush=True)
        self.look("stop", self.stop)
        self.say("done")


def main():
    for kind, folder in MOUNTS:
        if libc.mount(kind.encode(), folder.encode(), kind.encode(), 0, None):
            print("%s: %s" % (folder, os.strerror(ctypes.get_errno())), flush=True)
    os.environ.update(PATH="/usr/bin", HOME="/root")
    with open(looks.REPORT, "w", encoding="utf-8") as report:
        Guest(report).run()


if __name__ == "__main__":
    try:
        import client
        import host
        import known
        import shares
        import truth
        from waiting import until
        main()
    except BaseException:
        # the first process must not end
        traceback.print_exc()
    sys.stdout.flush()
    os.sync()
    libc.reboot(POWER_OFF)
