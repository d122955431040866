# SPDX-License-Identifier: BSD-2-Clause
"""Boots Debian 12 and 13, which fetch brings, in qemu without KVM, with their own kernels and systemd as the first process, and has
guest.py install plop's package there and look at what systemd makes of its units.

    boot.py [--seconds S] [--previous OLD.deb] [SUITE...]     S: for each boot of them at most

The package is made of what was built. The one that it takes the place of is OLD.deb, or else the same with another version. The table of
what was found goes to standard output and to boot.md in $PLOP_ARTEFACTS, beside the consoles, which have what every command said. Exits
with 1 when something failed, with 77 where there is no qemu, no kernel or no system."""
import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "kernels")]
import host  # noqa: E402
import machine  # noqa: E402

SKIPPED = 77  # SKIP_RETURN_CODE of ctest
HEAD = ("Debian", "installs, starts", "watchdog: ended after, gap", "kill -9: gap", "memory at its limit: gap", "1 % of a CPU: lost of ticks",
        "upgrade under load: gap, not in a window", "order", "purge", "all in")


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, **options).stdout.decode()


def there(folder, script):
    """{suite: what it has} by one of the scripts called fetch."""
    return dict(line.split(None, 1) for line in run(os.path.join(TESTS, folder, script)).splitlines())


def pack(folder, previous):
    """old.deb and new.deb."""
    run("cpack", "-G", "DEB", "--config", os.path.join(host.BUILD, "CPackConfig.cmake"), "-B", os.path.join(folder, "cpack"))
    made, = [name for name in os.listdir(os.path.join(folder, "cpack")) if name.endswith(".deb")]
    made = os.path.join(folder, "cpack", made)
    packages = os.path.join(folder, "packages")
    os.mkdir(packages)
    if previous:
        shutil.copy(previous, os.path.join(packages, "old.deb"))
        shutil.copy(made, os.path.join(packages, "new.deb"))
        return packages
    shutil.copy(made, os.path.join(packages, "old.deb"))
    tree = os.path.join(folder, "tree")
    run("dpkg-deb", "-R", made, tree)
    control = os.path.join(tree, "DEBIAN", "control")
    with open(control, encoding="utf-8") as f:
        lines = f.readlines()
    with open(control, "w", encoding="utf-8") as f:
        f.writelines(line.rstrip("\n") + "+again\n" if line.startswith("Version:") else line for line in lines)
    run("dpkg-deb", "--root-owner-group", "-b", tree, os.path.join(packages, "new.deb"))
    return packages


def index(folder):
    """What apt reads of a folder of packages."""
    with open(os.path.join(folder, "Packages"), "w", encoding="utf-8") as f:
        for name in sorted(name for name in os.listdir(folder) if name.endswith(".deb")):
            path = os.path.join(folder, name)
            with open(path, "rb") as package:
                content = package.read()
            f.write("%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n" % (
                run("dpkg-deb", "-f", path), name, len(content), hashlib.sha256(content).hexdigest()))


def second_disk(folder, system, packages):
    """The image of what the guest has at /mnt."""
    content, image = os.path.join(folder, "mnt"), os.path.join(folder, "mnt.ext4")
    shutil.copytree(os.path.join(system, "debs"), os.path.join(content, "debs"))
    index(os.path.join(content, "debs"))
    shutil.copytree(packages, os.path.join(content, "packages"))
    for name in ("boot", "kernels", "system", "workloads"):
        shutil.copytree(os.path.join(TESTS, name), os.path.join(content, name),
                        ignore=lambda at, names: [n for n in names if not n.endswith(".py")])
    run("mkfs.ext4", "-q", "-d", content, image, "128M")
    return image


def look(suite, kernel, system, packages, options):
    """What guest.py said in two boots, by what it looked at; "failed" has what is not as it must be."""
    said, failed, began = {}, [], time.monotonic()
    console = os.path.join(options.artefacts, "boot-%s-%%d.log" % suite)
    with tempfile.TemporaryDirectory(prefix="plop-boot-") as folder:
        report, root, disks = os.path.join(folder, "report"), os.path.join(folder, "root.ext4"), []
        run("cp", "--sparse=always", os.path.join(system, "root.ext4"), root)
        for i, path in enumerate((root, second_disk(folder, system, packages))):
            disks += ["-drive", "file=%s,if=none,id=d%d,format=raw" % (path, i), "-device", "nvme,drive=d%d,serial=d%d" % (i, i)]
        for boot in (1, 2):
            # whose login would hang up the console that guest.py writes to
            line = "root=/dev/nvme0n1 rw systemd.mask=serial-getty@ttyS0.service"
            ended = machine.boot(kernel, line, report, console % boot, options.seconds, ["-no-reboot", "-rtc", "clock=vm"] + disks, "on")
            more, wrong = machine.reported(report, ended, options.seconds)
            said.update(more)
            failed += wrong
    return dict(said, suite=suite, seconds=time.monotonic() - began, failed=failed, console=console % 1)


def row(said):
    def told(what, form="yes"):
        return machine.told(said, what, form.format(**said.get(what, {})) if "failed" not in said.get(what, {"failed": 1}) else "")

    several = {told(what) for what in ("install", "who", "record", "gateway", "log", "reload")}
    up = said.get("up", {})
    return ("%s: systemd %s, Linux %s" % (said["suite"], up.get("systemd", "?"), up.get("release", "?")),
            "yes" if several == {"yes"} else "NO",
            told("watchdog", "{noticed_s} s, {gap_s} s"), told("crash", "{gap_s} s"), told("memory", "{gap_s} s"),
            told("quota", "{lost} of {ticks}"), told("upgrade", "{gap_s} s, {load_not_in_a_window_s} s"),
            told("order"), told("purge"), "%.0f s" % said["seconds"])


def main():
    parser = argparse.ArgumentParser(description="plop's package on Debian's systemd, in qemu")
    parser.add_argument("--seconds", type=float, default=1200.0, help="for each boot at most")
    parser.add_argument("--previous", help="the package that is upgraded from")
    parser.add_argument("suites", nargs="*")
    options = parser.parse_args()
    options.artefacts = os.environ.get("PLOP_ARTEFACTS") or os.path.join(host.BUILD, "artefacts")
    os.makedirs(options.artefacts, exist_ok=True)
    kernels, systems = there("kernels", "fetch"), there("boot", "fetch")
    suites = [suite for suite in options.suites or systems if suite in systems and suite in kernels]
    if not shutil.which(machine.QEMU) or not suites:
        print("SKIP: " + ("no such system is here: tests/run -L boot fetches them" if shutil.which(machine.QEMU) else machine.QEMU + " is not here"))
        return SKIPPED
    found = []
    with tempfile.TemporaryDirectory(prefix="plop-boot-") as folder:
        packages = pack(folder, options.previous)
        for suite in suites:
            found.append(look(suite, kernels[suite], systems[suite], packages, options))
            print(" | ".join(row(found[-1])), flush=True)
            for failed in found[-1]["failed"]:
                print("    " + failed + "; its console: " + found[-1]["console"], flush=True)
    text = machine.table(HEAD, [row(said) for said in found])
    with open(os.path.join(options.artefacts, "boot.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print(text, end="", flush=True)
    return 1 if any(said["failed"] for said in found) else 0


if __name__ == "__main__":
    sys.exit(main())
