# SPDX-License-Identifier: BSD-2-Clause
"""
The packages that cpack makes of what was built: what is in them, what Debian's and rpm's own checkers say, that they come out the same
again, and what installing, upgrading and removing them does to this machine's system, of which they get a copy-on-write layer. Neither
starts a service there: PID 1 of a chroot is nobody's. tests/boot has that.
"""
import filecmp
import glob
import os
import re
import shutil
import subprocess

import pytest

import host
import ports

TOP = os.path.dirname(host.TESTS)
PACKAGE = os.path.join(TOP, "systemd", "package")
PROGRAMS = {"plopd": "usr/sbin", "plop-gateway": "usr/sbin", "plopctl": "usr/bin", "plop-perf": "usr/libexec/plop"}
USERS = ("plop", "plop-gateway")
# A layer over / for the commands of $2, with a /run of its own; what is left of it is listed, and accounts that differ are told.
LAYER = r"""
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o lowerdir=/,upperdir="$1/upper",workdir="$1/work" "$1/root"
mount -t proc none "$1/root/proc"
mount --rbind /sys "$1/root/sys"
mount -t tmpfs none "$1/root/run"
cp "$3"/* "$1/root/run"
chroot "$1/root" /bin/sh -ec "$2"
echo "== left"
cd "$1/upper"
find . -not -type c -printf '%P\n'
cd "$1/root"
find run -name '*plop*' -not -name '*.deb' -not -name '*.rpm'
for file in passwd group shadow gshadow; do
    cmp -s "/etc/$file" "etc/$file" || echo "accounts of plop in $file"
done
"""


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100, **options)
    return done.returncode, done.stdout.decode(errors="replace")


def output(*command, **options):
    status, said = run(*command, **options)
    assert status == 0, said
    return said


def need(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        assert os.environ.get("CI") != "true", "tests/run installs them"
        pytest.skip("%s is not installed" % ", ".join(missing))


def packed(folder, kind, *options, **environment):
    folder.mkdir(parents=True)
    environ = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    output("cpack", "-G", kind.upper(), "--config", os.path.join(host.BUILD, "CPackConfig.cmake"), *options, cwd=folder, env=dict(environ, **environment))
    return glob.glob(str(folder / ("*." + kind)))[0]


@pytest.fixture(scope="module")
def deb(tmp_path_factory):
    need("dpkg-shlibdeps")
    return packed(tmp_path_factory.mktemp("deb") / "out", "deb")


@pytest.fixture(scope="module")
def rpm(tmp_path_factory):
    need("rpmbuild")
    return packed(tmp_path_factory.mktemp("rpm") / "out", "rpm")


@pytest.fixture(scope="module")
def version():
    return subprocess.run([host.program("plopd"), "--version"], stdout=subprocess.PIPE, check=True).stdout.decode().split()[1]


def test_the_same_again(deb, rpm, tmp_path):
    """Whatever the time, the time zone, the folder and the umask are."""
    for made, kind in ((deb, "deb"), (rpm, "rpm")):
        mask = os.umask(0o077)
        try:
            again = packed(tmp_path / "elsewhere" / kind, kind, TZ="Asia/Kathmandu", LC_ALL="C")
        finally:
            os.umask(mask)
        assert os.path.basename(again) == os.path.basename(made)
        assert filecmp.cmp(again, made, shallow=False), kind


def test_where_it_was_built_is_in_no_program():
    """So that a build elsewhere makes the same; before they are stripped, too, as build ids are of all that is there then."""
    for name in PROGRAMS:
        with open(host.program(name), "rb") as f:
            data = f.read()
        found = data.find(TOP.encode() + b"/")
        assert found < 0, (name, data[found:found + 100])
        # what a build folder in the tree is called is not in it either
        folders = set(re.findall(r"DW_AT_comp_dir *: .*: (.*)", output("readelf", "--debug-dump=info", "--dwarf-depth=1", host.program(name))))
        assert folders == {"build"}, name


def test_what_is_in_it(deb, version):
    fields = dict(line.split(": ", 1) for line in output("dpkg-deb", "--field", deb).splitlines() if re.match(r"\S+: ", line))
    assert fields["Package"] == "plop" and fields["Version"] == version
    listed = {}
    for line in output("dpkg-deb", "--contents", deb).splitlines():
        mode, owner, _, _, _, path = line.split(None, 5)
        assert owner == "root/root", line
        listed[path[2:] or "/"] = mode
    pages = {os.path.basename(path) for path in glob.glob(os.path.join(TOP, "daemon", "man", "*"))}
    assert {name[:-2] for name in pages} >= {name for name, folder in PROGRAMS.items() if folder.endswith("bin")} | {"plop.conf"}
    wanted = {"usr/share/man/man%s/%s.gz" % (name[-1], name) for name in pages} | {"%s/%s" % (b, a) for a, b in PROGRAMS.items()} | {
        "etc/plop/plop.conf", "etc/plop/plop.conf.d/", "usr/lib/sysusers.d/plop.conf", "usr/lib/tmpfiles.d/plop.conf",
        "usr/share/bash-completion/completions/plopctl", "usr/share/zsh/site-functions/_plopctl", "usr/share/doc/plop/copyright",
        "usr/share/doc/plop/changelog.gz", "usr/share/doc/plop/plop.conf", "usr/share/doc/plop/plop.rules.yml", "usr/share/lintian/overrides/plop"} | {
        "usr/lib/systemd/system/" + name for name in units()}
    assert {path for path in listed if not path.endswith("/")} | {"etc/plop/plop.conf.d/"} == wanted
    for path, mode in listed.items():
        program = PROGRAMS.get(os.path.basename(path)) == os.path.dirname(path)
        assert mode == ("drwxr-xr-x" if path.endswith("/") else "-rwxr-xr-x" if program else
                        "-rw-r-----" if path == "etc/plop/plop.conf" else "-rw-r--r--"), path
    assert output("dpkg-deb", "--info", deb, "conffiles") == "/etc/plop/plop.conf\n"
    for script in ("postinst", "prerm", "postrm"):
        assert "units='%s'\n" % " ".join(units("plop_units_enabled")) in output("dpkg-deb", "--info", deb, script)


def units(which="plop_units"):
    """One of the lists of systemd/CMakeLists.txt. Who has an [Install] section is enabled, and nobody else."""
    with open(os.path.join(TOP, "systemd", "CMakeLists.txt"), encoding="utf-8") as f:
        body = f.read()
    listed, enabled = [re.search(r"^set\(%s ([^)]*)\)$" % name, body, re.M).group(1).split() for name in ("plop_units", "plop_units_enabled")]
    there, wanted = set(), set()
    for path in glob.glob(os.path.join(TOP, "systemd", "*.in")):
        name = os.path.basename(path)[:-3]
        there.add(name)
        with open(path, encoding="utf-8") as f:
            if "\n[Install]\n" in f.read():
                wanted.add(name)
    assert there == set(listed) and wanted == set(enabled)
    return {"plop_units": listed, "plop_units_enabled": enabled}[which]


def test_lintian(deb):
    need("lintian")
    _, said = run("lintian", "--show-overrides", "--display-info", "--pedantic", "--allow-root", deb)
    # Of Debian 12's lintian alone, so that nothing can override it: what plopd may do and cost is bounded by its unit, and whoever has
    # another init starts it by hand, and knows.
    known = "I: plop: package-supports-alternative-init-but-no-init.d-script ["
    lines = [line for line in said.splitlines() if not line.startswith(("N: ", known))]
    assert lines and all(line.startswith("O: ") for line in lines), said
    # what is overridden is still there: an override without its tag is gone from the file, too
    with open(os.path.join(PACKAGE, "deb", "lintian-overrides"), encoding="utf-8") as f:
        tags = {line.split()[1] for line in f if line.startswith("plop:")}
    assert tags == {line.split()[2] for line in lines}


def test_rpmlint(rpm, version):
    need("rpmlint")
    said = output("rpmlint", "--config", os.path.join(PACKAGE, "rpm", "rpmlint.toml"), rpm)
    assert re.search(r"\b0 errors, 0 warnings", said), said
    assert output("rpm", "-qp", "--queryformat", "%{NAME} %{VERSION} %{RELEASE}", rpm) == "plop %s 1" % version
    assert output("rpm", "-qp", "--configfiles", rpm) == "/etc/plop/plop.conf\n"
    assert output("rpm", "-qp", "--changelog", rpm).startswith("* ")


@pytest.fixture(scope="module")
def layer(root, tmp_path_factory):
    """layer(folder, script): what script printed, and what was left, as paths; see LAYER."""
    def inside(folder, script):
        place = str(tmp_path_factory.mktemp("layer"))
        environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
        said = output("unshare", "--mount", "--propagation", "private", "sh", "-c", LAYER, "layer", place, script, str(folder), env=environ)
        printed, _, left = said.partition("== left\n")
        return printed, left.splitlines()

    need("unshare")
    if os.path.exists("/etc/plop") or os.path.exists("/usr/sbin/plopd"):
        pytest.skip("plop is installed on this machine")
    status, said = run("unshare", "--mount", "--propagation", "private", "sh", "-c", LAYER, "layer", str(tmp_path_factory.mktemp("layer")), "true",
                       os.path.dirname(host.program("plopd")) + "/../systemd/package/deb")
    if status:
        pytest.skip("this machine lets nobody have an overlay of /: %s" % said.strip())
    return inside


LOOK = """
stat -c '%A %U %G %n' /etc/plop/plop.conf /var/lib/plop /run/plop
id plop-gateway
find /etc/systemd/system -name 'plop*' | sort
plopd --version; plop-gateway --version; plopctl --version
"""


def test_install_upgrade_purge(deb, layer, version, tmp_path):
    need("dpkg", "systemd-sysusers")
    later = packed(tmp_path / "later", "deb", "-D", "CPACK_PLOP_VERSION=" + version + "+later")
    both = tmp_path / "both"
    both.mkdir()
    for path, name in ((deb, "plop.deb"), (later, "later.deb")):
        shutil.copy(path, str(both / name))
    said, left = layer(both, "dpkg --force-unsafe-io --no-triggers -i /run/plop.deb" + LOOK + r"""
        echo "== upgraded"
        printf '[gateway]\ntoken = 0123456789abcdef\n' >/etc/plop/plop.conf
        systemctl disable plop-gateway.service
        dpkg --force-unsafe-io --no-triggers -i /run/later.deb
        cat /etc/plop/plop.conf
        """ + LOOK + r"""
        echo "== purged"
        echo database >/var/lib/plop/plop.db
        mkdir -p /var/lib/plop-gateway
        echo hz=10 >/etc/plop/plop.conf.d/more.conf
        usermod -aG plop nobody
        dpkg --no-triggers --remove plop
        ls /var/lib/plop /etc/plop
        dpkg --no-triggers --purge plop""")
    first, rest = said.split("== upgraded\n")
    upgraded, purged = rest.split("== purged\n")
    for text in (first, upgraded):
        assert re.search(r"^-rw-r----- root plop /etc/plop/plop.conf\ndrwxr-x--- plop plop /var/lib/plop\ndrwxr-xr-x plop plop /run/plop$", text, re.M), text
        assert re.search(r"^uid=\d+\(plop-gateway\) gid=\d+\(plop-gateway\) groups=.*\(plop\)", text, re.M), text
        assert all("%s %s\n" % (name, version) in text for name, folder in PROGRAMS.items() if folder.endswith("bin")), text
    wants = "/etc/systemd/system/multi-user.target.wants/"
    assert wants + "plopd.service\n" in first and wants + "plop-gateway.service\n" in first
    # who has changed plop.conf, or disabled a service, has decided
    assert "token = 0123456789abcdef\n" in upgraded
    assert wants + "plopd.service\n" in upgraded.partition("-rw-r-----")[2] and wants + "plop-gateway.service\n" not in upgraded.partition("-rw-r-----")[2]
    assert "plop.db\n" in purged and "plop.conf\n" in purged
    assert [path for path in left if "plop" in path] == []


def test_runs_as_a_container_of_it_does(deb, layer, tmp_path):
    """With the capabilities of systemd/container, in a root that was made by the package, as its Containerfile leaves it."""
    need("dpkg", "systemd-sysusers", "setpriv")
    with open(os.path.join(TOP, "systemd", "container", "README.md"), encoding="utf-8") as f:
        capabilities = re.search(r"--cap-add=(\S+)", f.read()).group(1).lower().split(",")
    with open(os.path.join(TOP, "systemd", "container", "Containerfile"), encoding="utf-8") as f:
        owners, = re.findall(r"^RUN (chown .*)", f.read(), re.M)
    shutil.copy(deb, str(tmp_path / "plop.deb"))
    said, _ = layer(tmp_path, "dpkg --force-unsafe-io --no-triggers -i /run/plop.deb; " + owners + r"""
        trap 'kill $all' EXIT
        as() { exec setpriv --inh-caps=-all --no-new-privs "$@"; }
        unshare --net setpriv --inh-caps=-all --no-new-privs --regid plop --clear-groups --bounding-set=%s plopd 2>&1 & all=$!
        python3 -c 'while True: pass' & busy=$!; all="$all $busy"
        timeout 30 sh -c 'until plopctl status >/dev/null 2>&1; do sleep 0.1; done'
        as --reuid plop-gateway --regid plop-gateway --init-groups --bounding-set=-all plop-gateway --listen 127.0.0.1:%d >/run/said 2>&1 & all="$all $!"
        plopctl record -p $busy -d 2s -o /run/busy.collapsed
        cat /run/busy.collapsed
        timeout 30 sh -c 'until [ -e /var/lib/plop/plop.db ] && grep "plopd answers" /run/said; do sleep 0.1; done'
        stat -c '%%U %%G %%n' /var/lib/plop/plop.db""" % (",".join(["-all"] + ["+" + name for name in capabilities]), ports.free_port()))
    assert re.search(r"<module> .* \d+$", said, re.M) and "plop-gateway: plopd answers" in said, said
    assert said.endswith("root plop /var/lib/plop/plop.db\n"), said


def test_rpm_install_upgrade_erase(rpm, layer, version, tmp_path):
    need("rpm", "systemd-sysusers")
    later = packed(tmp_path / "later", "rpm", "-D", "CPACK_PLOP_VERSION=" + version + "+later")
    both = tmp_path / "both"
    both.mkdir()
    for path, name in ((rpm, "plop.rpm"), (later, "later.rpm")):
        shutil.copy(path, str(both / name))
    # what it requires are packages of this machine, of which rpm knows nothing
    said, left = layer(both, "rpm -i --nodeps /run/plop.rpm" + LOOK + r"""
        echo "== upgraded"
        printf '[gateway]\ntoken = 0123456789abcdef\n' >/etc/plop/plop.conf
        systemctl disable plop-gateway.service
        rpm -U --nodeps /run/later.rpm
        cat /etc/plop/plop.conf
        """ + LOOK + r"""
        rpm -V --nodeps plop || true
        echo "== erased"
        rpm -e plop""")
    first, rest = said.split("== upgraded\n")
    upgraded, _ = rest.split("== erased\n")
    for text in (first, upgraded):
        assert re.search(r"^-rw-r----- root plop /etc/plop/plop.conf\ndrwxr-x--- plop plop /var/lib/plop\ndrwxr-xr-x plop plop /run/plop$", text, re.M), text
        assert all("%s %s\n" % (name, version) in text for name, folder in PROGRAMS.items() if folder.endswith("bin")), text
    assert "token = 0123456789abcdef\n" in upgraded
    assert "multi-user.target.wants/plop-gateway.service\n" not in upgraded.partition("-rw-r-----")[2]
    # as rpm does it, what was changed and what was collected stay, and so do the users
    assert {path for path in left if "plop" in path} == {"var/lib/plop", "etc/plop", "etc/plop/plop.conf.rpmsave", "run/plop"} | {
        "accounts of plop in " + name for name in ("passwd", "group", "shadow", "gshadow")}


def said_version(tree, *definitions):
    made = os.path.join(str(tree), "..", "made")
    output("cmake", "-DTOP=%s" % tree, "-DHEADER=%s/version.h" % made, "-DVALUES=%s/version.cmake" % made, *definitions, "-P",
           os.path.join(PACKAGE, "version.cmake"))
    with open(made + "/version.h", encoding="utf-8") as f:
        version = re.search(r'#define PLOP_VERSION "(.*)"', f.read()).group(1)
    with open(made + "/version.cmake", encoding="utf-8") as f:
        values = dict(re.findall(r"set\((\w+) (.*)\)", f.read()))
    assert values["PLOP_VERSION"] == version
    return version, int(values["PLOP_EPOCH"])


def test_version(tmp_path):
    """Of a release, before and after it, with changes, out of git archive, and of files alone; what is later is newer to dpkg."""
    need("git", "dpkg")
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("VERSION", ".gitattributes"):
        shutil.copy(os.path.join(TOP, name), str(tree / name))
    release = (tree / "VERSION").read_text().splitlines()[0]

    def git(*words, at=None):
        return output("git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=a@b", *words,
                      env=dict(os.environ, GIT_COMMITTER_DATE="%s +0500" % at, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1")).strip()

    def archived():
        unpacked = tmp_path / ("archive%d" % len(list(tmp_path.iterdir()))) / "tree"
        unpacked.mkdir(parents=True)
        output("sh", "-c", 'git -C "$1" archive HEAD | tar -x -C "$2"', "sh", str(tree), str(unpacked))
        return said_version(unpacked)

    assert said_version(tree)[0] == release + "~unknown"
    git("init", "-q")
    git("add", ".")
    seen = []
    for at, tag, said in ((1796040631, None, "~git20261130121031"), (1796040691, None, "~git20261130121131"), (1796126400, "v" + release, ""),
                          (1796126401, None, r"\+git20261201120001"), (1796126402, None, r"\+git20261201120002")):
        git("commit", "-q", "--allow-empty", "-m", "x", at=at)
        if tag:
            git("tag", "-a", "-m", "x", tag, at=at)
        found = said_version(tree)
        name = git("rev-parse", "HEAD")[:12]
        assert re.fullmatch(re.escape(release) + (said + "[.]" + name if said else ""), found[0]) and found[1] == at
        assert archived() == found
        seen.append(found[0])
    for older, newer in zip(seen, seen[1:]):
        output("dpkg", "--compare-versions", older, "lt", newer)
    (tree / "VERSION").write_text((tree / "VERSION").read_text() + "\n")
    assert said_version(tree)[0] == seen[-1] + ".dirty"
    assert said_version(tree, "-DSUFFIX=~dev")[0] == release + "~dev"


def test_changelog(deb, version, tmp_path):
    """Each section of CHANGELOG.md, each of its points, by dpkg's own reader."""
    need("dpkg-parsechangelog")
    log = tmp_path / "CHANGELOG.md"
    log.write_text("# Changes\n\nWhat users see.\n\n## Unreleased\n\n### Added\n\n- One `thing` of [many](there.md),\n  in two lines.\n- Another.\n\n"
                   "### Fixed\n\n- A fault.\n\n## 0.1.0 - 2024-02-29\n\n### Added\n\n- All.\n")
    options = ["-v", "version=0.2.0", "-v", "now=2026-11-30 12:10:31", "-v", "who=A Name <a@b>", "-f", os.path.join(PACKAGE, "changelog.awk"), str(log)]
    made = tmp_path / "changelog"
    made.write_text(output("awk", "-v", "form=deb", *options))
    said = output("dpkg-parsechangelog", "-l", str(made), "--all", "--format", "rfc822")
    assert re.findall(r"^Version: (.*)", said, re.M) == ["0.2.0", "0.1.0"]
    assert re.findall(r"^Date: (.*)", said, re.M) == ["Mon, 30 Nov 2026 12:10:31 +0000", "Thu, 29 Feb 2024 00:00:00 +0000"]
    assert "\n   * One `thing` of many, in two lines.\n   * Another.\n .\n   [ Fixed ]\n   * A fault.\n" in said
    assert output("awk", "-v", "form=rpm", *options) == (
        "* Mon Nov 30 2026 A Name <a@b> - 0.2.0-1\n- One `thing` of many, in two lines.\n- Another.\n- A fault.\n\n"
        "* Thu Feb 29 2024 A Name <a@b> - 0.1.0-1\n- All.\n")
    # of the package: as many points as there are
    output("dpkg-deb", "-x", deb, str(tmp_path / "x"))
    with open(os.path.join(TOP, "CHANGELOG.md"), encoding="utf-8") as f:
        points = len(re.findall(r"^- ", f.read(), re.M))
    text = output("zcat", str(tmp_path / "x/usr/share/doc/plop/changelog.gz"))
    assert len(re.findall(r"^  \* ", text, re.M)) == points and text.startswith("plop (%s) " % version)
