# SPDX-License-Identifier: BSD-2-Clause
"""Completion of plopctl in bash and zsh: every command and option that --help prints, and the processes, units, control groups and
values that plopd knows. In bash by what the function answers; in both by what comes of a TAB at a terminal."""
import fcntl
import os
import pty
import re
import select
import shlex
import shutil
import struct
import subprocess
import sys
import termios

import pytest

import host
from waiting import until

PLOPD = ("--window", 5)

COMPLETION = os.path.join(os.path.dirname(host.TESTS), "daemon", "completion")
# A name that would do something if it were taken for a command.
HOSTILE = "a;$(id) 'b "
SLEEP = "import time; print('READY', flush=True); time.sleep(300)"

ASK = """
source "$1"
COMP_LINE=$2 COMP_POINT=$3 COMP_TYPE=$4 COMP_CWORD=$5
shift 5
COMP_WORDS=("$@")
_plopctl plopctl "${COMP_WORDS[COMP_CWORD]}" x
[ "${#COMPREPLY[@]}" = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
"""


def environment():
    path = os.path.dirname(host.program("plopctl")) + ":" + os.environ["PATH"]
    return {"PATH": path, "HOME": "/nonexistent", "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def broken(line):
    """The words of a line as bash has them while it completes: also "=" and ":" are words."""
    words = re.findall(r"[^\s=:]+|[=:]+", line)
    return words + [""] if not line or line[-1].isspace() else words


def replies(line, after="", kind=9):
    """What bash would offer with the cursor behind line."""
    words = broken(line)
    whole = list(words)
    if after:
        whole[-1] += after
    done = subprocess.run(["bash", "--norc", "--noprofile", "-c", ASK, "bash", os.path.join(COMPLETION, "plopctl.bash"), line + after,
                           str(len(line)), str(kind), str(len(words) - 1)] + whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment(), timeout=60)
    assert done.returncode == 0 or not done.stdout, done
    assert not done.stderr, (line, done.stderr)
    return done.stdout.decode().splitlines()


def offers(line, expected, **options):
    got = replies(line, **options)
    assert sorted(got) == sorted(expected), "%s: %s, not %s" % (line, got, expected)


def help_of(*command):
    return subprocess.run([host.program("plopctl")] + list(command) + ["--help"], stdout=subprocess.PIPE, check=True,
                          env=dict(os.environ, LC_ALL="C")).stdout.decode()


def options_of(text):
    """[(short or None, long, whether it takes something)] of a help text."""
    found = re.findall(r"^ +(?:(-.), )?(--[a-z-]+)(=?)", text, re.MULTILINE)
    assert len(found) >= 3 and len(found) == len(re.findall(r"^ +(?:-., )?--", text, re.MULTILINE)), text
    return [(short or None, name, bool(argument)) for short, name, argument in found]


def commands():
    text = help_of()
    found = re.findall(r"^  ([a-z]+) ", text[text.index("Commands ("):].split("\n\n")[0], re.MULTILINE)
    assert {"status", "ps", "record", "export", "open"} <= set(found), found
    return found


def formats():
    said = subprocess.run([host.program("plopctl"), "export", "-f", "none"], stderr=subprocess.PIPE, check=False).stderr.decode()
    return re.search(r"there are (.*)", said).group(1).split(", ")


def keys():
    said = subprocess.run([host.program("plopctl"), "export", "none=1"], stderr=subprocess.PIPE, check=False).stderr.decode()
    return [key[:-4] if key.endswith(".NAME") else key + "=" for key in re.search(r"KEY one of (.*)", said).group(1).split(", ")]


def test_options():
    offers("plopctl ", commands())
    offers("plopctl st", ["status"])
    offers("plopctl -S /x rec", ["record", "recordings"])
    offers("plopctl --socket=/x rec", ["record", "recordings"])
    offers("plopctl -C /x --socket /y rec", ["record", "recordings"])
    n = 0
    for command in [""] + commands():
        line = "plopctl %s" % (command + " " if command else "")
        found = options_of(help_of(*filter(None, [command])))
        longs = [name + ("=" if argument else "") for _, name, argument in found]
        offers(line + "--", longs)
        # as bash would need it quoted
        shorts = [shlex.quote(short) if short != "-?" else "-\\?" for short, _, _ in found if short]
        offers(line + "-", longs + shorts)
        for short, name, argument in found:
            assert name + ("=" if argument else "") in replies(line + name[:-1]), (command, name)
        n += len(found)
    offers("plopctl record --f", ["--frequency=", "--format="])
    # the cursor may stand in a word, and what is behind it does not count
    offers("plopctl record --dur", ["--duration="], after="xyz")
    offers("plopctl no-command --", [])
    print("bash: %d commands, %d options" % (len(commands()), n))


def test_arguments(folder):
    known = formats()
    for line in ("record -f ", "record --format ", "export -f ", "record -a -f "):
        offers("plopctl " + line, known)
    # behind a "=" readline wants what follows it alone
    offers("plopctl record --format=", known)
    offers("plopctl record --format=js", ["json"])
    offers("plopctl record -fjs", ["-fjson"])
    offers("plopctl export ", keys())
    offers("plopctl export c", ["comm=", "cgroup=", "container="])
    offers("plopctl export label.x=", [])
    offers("plopctl export -g ", [key.rstrip("=") for key in keys()])
    offers("plopctl export -g unit,thread_", ["unit,thread_name"])
    offers("plopctl export --group-by=unit,thread_", ["unit,thread_name"])
    offers("plopctl export state=", [])
    offers("plopctl open ", [])
    for command in ("record", "top"):
        offers("plopctl %s " % command, keys())
    offers("plopctl ps ", keys()[:8])
    # a program to be started, and its files
    offers("plopctl record -o x -- plopct", ["plopctl"])
    offers("plopctl record service=x -- sh -c --", [])
    assert "30s" in replies("plopctl record -d 3")
    path = os.path.join(folder, "out file")
    open(path, "w").close()
    offers("plopctl record -o " + path[:-6], [path])
    offers("plopctl record --output=" + path[:-6], [path])
    offers("plopctl record -- sh " + path[:-6], [path])
    offers("plopctl -S " + path[:-6], [path])
    # without a plopd
    offers("plopctl -S /nonexistent record -p ", [])
    offers("plopctl -S /nonexistent record -u ", [])
    print("bash: %d formats, %d keys, files" % (len(known), len(keys())))


def quoted(values):
    """As "printf %q" has it."""
    if not values:
        return []
    return subprocess.run(["bash", "-c", "printf '%q\\n' \"$@\"", "bash"] + sorted(values), stdout=subprocess.PIPE,
                          check=True).stdout.decode().splitlines()


VALUES = ("comm", "exe", "cgroup", "unit", "container", "service", "version")


def values(daemon, key):
    """What the processes have as their key, and the control groups that theirs lie below, as bash quotes it."""
    found = {p[key] for p in daemon.get("/v1/processes")}
    if key == "cgroup":
        found = {"/".join(path.split("/")[:n]) for path in found for n in range(2, path.count("/") + 2)}
    return sorted(quoted(found - {"", "/"}))


def check_values(daemon, line, key):
    """What ps has before and after is offered, and nothing else but what it had at either time: others come and go meanwhile."""
    before = set(values(daemon, key))
    offered = set(replies(line))
    after = set(values(daemon, key))
    assert before & after <= offered <= before | after, (line, sorted((before & after) - offered), sorted(offered - before - after))


@pytest.fixture(scope="module")
def works(plopd):
    """Two processes that plopd knows, the second of a hostile name."""
    hostile = os.path.join(plopd.folder, HOSTILE)
    os.symlink(sys.executable, hostile)
    with host.Workload(sys.executable, "shares.py", "--seconds", 300, "--until-eof") as work, host.Workload(hostile, code=SLEEP) as named:
        for one in (work, named):
            plopd.profiled(one.pid)
        yield work, named


def test_processes(plopd, works):
    asking = "plopctl -S %s " % plopd.socket
    listed = plopd.get("/v1/processes")
    profiled = [p for p in listed if p["status"] == "profiled"]
    for work in works:
        pid = str(work.pid)
        for line in (asking + "record -p ", asking + "record --pid=", asking + "export pid=", asking + "record -p 1 -p ",
                     "plopctl record --socket=%s -p " % plopd.socket, "plopctl record -S%s -p " % plopd.socket,
                     asking + "record -d 3s --pid "):
            assert pid in replies(line), (line, pid)
            assert pid in replies(line + pid) and all(found.startswith(pid) for found in replies(line + pid)), line
        assert "-p" + pid in replies(asking + "record -p" + pid[:-1])
    comm = next(p["comm"] for p in profiled if p["pid"] == works[0].pid)
    assert "%d (%s)" % (works[0].pid, comm) in replies(asking + "record -p ", kind=63)
    assert "%d (%s)" % (works[1].pid, HOSTILE) in replies(asking + "record -p ", kind=63)
    for line, key in [("record -u ", "unit"), ("record -c ", "cgroup")] + [("export %s=" % key, key) for key in VALUES]:
        check_values(plopd, asking + line, key)
    assert quoted([HOSTILE])[0] in replies(asking + "export comm=a")
    print("bash: PIDs of %d processes, %d control groups, values of keys" % (len(profiled), len(values(plopd, "cgroup"))))


class Terminal:
    """A shell at a terminal of its own, wide enough for every list; Control-T prints what the line holds, and empties it."""

    def __init__(self, shell, setup):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 300, 200, 0, 0))
        self.process = subprocess.Popen(shell, stdin=slave, stdout=slave, stderr=slave, env=environment(), start_new_session=True)
        os.close(slave)
        # in two pieces, so that its echo is not taken for it
        self.send(setup + "\nprintf '%s%s\\n' READ Y\n")
        self.until("READY\r\n")

    def send(self, text):
        os.write(self.master, text.encode())

    def until(self, mark):
        """What is shown up to a mark."""
        seen = []

        def shown():
            while mark not in "".join(seen) and select.select([self.master], [], [], 0.02)[0]:
                seen.append(os.read(self.master, 65536).decode(errors="replace"))
            return mark in "".join(seen)

        until(lambda: "%r in %r" % (mark, "".join(seen)), shown, 60, 0)
        return "".join(seen)

    def tab(self, line, times=1):
        """What a TAB makes of a line, and what is shown meanwhile."""
        self.send(line)
        self.until(line[-1])
        self.send("\t" * times + "\x14")
        seen = self.until(">>")
        found = re.search(r"<<(.*)>>", seen, re.DOTALL)
        return found.group(1), seen[:found.start()]

    def done(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


BASH = """source %s
set +o history
bind 'set show-all-if-ambiguous on' 'set completion-query-items 0' 'set page-completions off' 'set enable-bracketed-paste off'
bind 'set completion-query-items 0'; bind 'set page-completions off'
shown() { printf '<<%%s>>\\n' "$READLINE_LINE"; READLINE_LINE= READLINE_POINT=0; }
bind -x '"\\C-t": shown'"""
ZSH = """fpath=(%s $fpath); unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; LISTMAX=1000000
shown() { zle -I; printf '<<%%s>>\\n' "$BUFFER"; BUFFER=; }
zle -N shown; bindkey '^T' shown"""


SHELLS = {"bash": (["bash", "--norc", "--noprofile", "-i"], BASH % os.path.join(COMPLETION, "plopctl.bash")),
          "zsh": (["zsh", "-f", "-i"], ZSH % COMPLETION)}


def test_recordings(plopd, works):
    """What is done with them, and which there are."""
    line = "plopctl -S %s recordings " % plopd.socket
    done = plopd.ctl("record", "--name", "every night", "-a", "-d", "100ms", "-f", "collapsed", "-o", "/dev/null")
    assert done.returncode == 0, done.err
    kept = [r["id"] for r in plopd.get("/v1/recordings")["recordings"] if r["name"]]
    offers(line, ["show", "export", "rm", "name=", "label."])
    offers(line + "ex", ["export"])
    for what in ("show", "export", "rm"):
        offers(line + what + " ", ["every\\ night"] + kept)
    offers(line + "rm x every", ["every\\ night"])
    offers(line + "export x com", ["comm="])


@pytest.mark.parametrize("name", SHELLS)
def test_terminal(plopd, works, name):
    """One of each kind, as the user has it."""
    if not shutil.which(name):
        pytest.skip("%s is not installed" % name)
    terminal = Terminal(*SHELLS[name])
    try:
        at_terminal(name, terminal, plopd, works[0])
    finally:
        terminal.done()


def at_terminal(name, terminal, daemon, work):
    asking, pid = "plopctl -S %s " % daemon.socket, str(work.pid)
    # a longer pid that begins with this one would be ambiguous
    alone = [p for p in daemon.get("/v1/processes") if str(p["pid"]).startswith(pid)]
    for line, expected in (("plopctl expo", "plopctl export "), ("plopctl export -f coll", "plopctl export -f collapsed "),
                           ("plopctl export --format=coll", "plopctl export --format=collapsed "),
                           ("plopctl record --dura", "plopctl record --duration="), ("plopctl record --al", "plopctl record --all "),
                           ("plopctl export contai", "plopctl export container="), ("plopctl top contai", "plopctl top container="),
                           ("plopctl record -a -- plopct", "plopctl record -a -- plopctl "),
                           ("plopctl export -g unit,thread_", "plopctl export -g unit,thread_name"),
                           (asking + "record -p " + pid, asking + "record -p %s " % pid),
                           (asking + "record --pid=" + pid, asking + "record --pid=%s " % pid),
                           (asking + "export pid=" + pid, asking + "export pid=%s " % pid),
                           ("plopctl record -o %s/plopd.lo" % daemon.folder, "plopctl record -o %s " % daemon.log)):
        if line.endswith(pid) and len(alone) != 1:
            continue
        got, _ = terminal.tab(line)
        # a space behind a list of keys is the shell's choice
        assert got == expected or (got.rstrip() == expected and "," in line), "%s: %r became %r, not %r" % (name, line, got, expected)
    _, shown = terminal.tab("plopctl ", 2)
    assert set(commands()) <= set(re.findall(r"[a-z]+", shown)), (name, shown)
    _, shown = terminal.tab(asking + "record -p ", 2)
    # zsh has many of one name in several lines, and the name in the last of these
    assert re.search(r"\b%s\b" % pid, shown) and "python" in shown, (name, shown)
    _, shown = terminal.tab("plopctl export ", 2)
    assert {key.rstrip("=") for key in keys()} <= {word.rstrip("=") for word in shown.split()}, (name, shown)
    _, shown = terminal.tab("plopctl export -f ", 2)
    assert set(formats()) <= set(shown.split()), (name, shown)
    n = 0
    for command in commands():
        _, shown = terminal.tab("plopctl %s --" % command, 2)
        for _, option, _ in options_of(help_of(command)):
            assert re.search(re.escape(option) + r"\b", shown), (name, command, option, shown)
            n += 1
    print("%s at a terminal: commands, PIDs, formats, keys, files, %d options" % (name, n))


def test_end(plopd):
    assert plopd.stop() == 0
