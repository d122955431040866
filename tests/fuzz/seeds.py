# SPDX-License-Identifier: BSD-2-Clause
"""seeds.py FOLDER ELF...: the inputs that the fuzz targets begin with, one folder each."""
import gzip
import os
import shutil
import struct
import sys

HEX = "0123456789abcdef" * 4


def table(size, rows):
    t = bytearray(size)
    t[0:8] = b"xdebugpy"
    for at, value in rows.items():
        struct.pack_into("<Q", t, at, value)
    return bytes(t)


# By number of layout in hostile.h: where a code object keeps its type, first line, file, name, qualified name and line table; a str
# its length, state and characters; bytes their size and content.
LAYOUTS = {
    0: (8, 96, 80, 88, 0, 104, 16, 32, 36, 16, 36),
    2: (8, 36, 96, 104, 0, 112, 16, 32, 48, 16, 32),
    5: (8, 40, 104, 112, 0, 120, 16, 32, 48, 16, 32),
    7: (8, 68, 112, 120, 128, 136, 16, 32, 40, 16, 32),
    9: (24, 84, 128, 136, 144, 152, 32, 48, 56, 32, 48),
}
BASE = 0x4000


def code_memory(which, file=b"/srv/a.py", name=b"Shop.sell"):
    """A code object, its names and its table, as they lie in memory from BASE on."""
    kind, first, at_file, at_name, qualname, table, length, state, text, size, content = LAYOUTS[which]
    memory = bytearray(0x300)

    def put(at, value):
        struct.pack_into("<Q", memory, at, value)

    for at, value in ((at_file, 0x100), (at_name, 0x180), (qualname or at_name, 0x180), (table, 0x200)):
        put(at, BASE + value)
    put(kind, 0x4444)
    struct.pack_into("<i", memory, first, 30)
    for at, value in ((0x100, file), (0x180, name)):
        put(at + kind, 0x5555)
        put(at + length, len(value))
        struct.pack_into("<I", memory, at + state, 1 if which == 0 else 1 << 2 | 3 << 5)
        memory[at + text:at + text + len(value)] = value
    put(0x200 + size, 4)
    memory[0x200 + content:0x200 + content + 4] = bytes([0xf0, 0, 0xe9, 2])
    # twenty code units; copies of them at 0x8000 and 0x9000
    if which == 9:
        put(kind + 8, 20)
        put(table + 16, BASE + 0x280)
        for i, value in enumerate((3, 0, BASE + 0x8000, BASE + 0x9000)):
            put(0x280 + 8 * i, value)
    return bytes(memory)


def code_record(file, name, table, cut=0):
    """A struct plop_record_code of ASCII names, behind its size as fuzz_record.c takes it."""
    state = 1 << 2 | 3 << 5
    r = struct.pack("<IIQQIIiIQQHHHHII", 5, 5, 1, BASE, 7, 0, 30, len(table) + cut, len(file) + cut, len(name) + cut, len(file), len(name),
                    len(table), 0, state, state) + file + name + table
    return struct.pack("<H", len(r)) + r


def record_steps(which):
    """Two records, a stack of the last one's frame and another, a half's stack, the table begun anew, and a task's name in a stack."""
    frames = struct.pack("<QIIQII", 1, 250, 0, BASE, 250, 0)
    return (b"\0" + code_record(b"/srv/a.py", b"Shop.sell", b"\xe9\2") + b"\1" + code_record(b"<string>", b"f", b"", 3) +
            b"\3" + struct.pack("<BBB", 6, which, 2) + frames + b"\5" + struct.pack("<IIH", 3, 100, 5) + b"\6" +
            b"\4" + struct.pack("<BBB", 7, 0, 2) + frames + b"\0" + struct.pack("<HIIQ", 16, 1, 5, 1) +
            b"\0" + struct.pack("<HIIQQQII", 45, 8, 5, 1, 1 << 63 | 1 << 55 | 1 << 52 | 9, 5, 0x64, 5) + b"crawl" +
            b"\3" + struct.pack("<BBB", 6, which, 2) + frames)


# As above: where the runtime keeps its interpreters, an interpreter its threads, a thread state its successor (the interpreter comes
# next), its thread's address, its frame, its status; where the frame is kept if not there; a frame its predecessor, code, place, owner.
STATES = {
    0: (0, 8, 0, 144, 16, None, None, 24, 32, 120, None),
    2: (24, 8, 8, 176, 24, None, None, 24, 32, 104, None),
    5: (32, 8, 8, 176, 24, None, None, 24, 32, 96, None),
    7: (40, 72, 8, 136, 56, 24, 0, 8, 0, 56, 70),
    9: (40, 72, 8, 136, 56, 24, 0, 8, 0, 56, 70),
}


def process_memory(which):
    """A code object, and behind it an interpreter with two threads, of which one has two frames, at 0x600 and 0x700."""
    heads, threads, following, thread, frame, status, indirect, previous, code, place, owner = STATES[which]
    memory = bytearray(code_memory(which)) + bytearray(0xd00)

    def put(at, value):
        struct.pack_into("<Q", memory, at, BASE + value)

    put(0x300 + heads, 0x380)
    put(0x380 + threads, 0x400)
    for at, following_at in ((0x400, 0x500), (0x500, None)):
        if following_at:
            put(at + following, following_at)
        put(at + following + 8, 0x380)
        put(at + thread, 0x900 + at - 0x400)
        struct.pack_into("<I", memory, 0x900 + at - 0x400 + 720, 4711 + at // 0x500)
        if status:
            struct.pack_into("<I", memory, at + status, 8)
    put(0x400 + frame, 0x600)
    if indirect is not None:
        put(0x400 + frame, 0x880)
        put(0x880 + indirect, 0x600)
    for at, previous_at in ((0x600, 0x700), (0x700, 0x800 if owner else None)):
        struct.pack_into("<Q", memory, at, 1)
        if previous_at:
            put(at + previous, previous_at)
        put(at + code, 0)
        struct.pack_into("<Q", memory, at + place, 2 if owner is None else BASE + 210)
    if owner:
        memory[0x800 + owner] = 3
    return bytes(memory)


def walk_seeds(which):
    head = struct.pack("<HH4I", 0x300, 0x400, 4711, 4712, 0, 0)
    memory = process_memory(which)
    # true, over and over, and torn now and then
    yield "walk", struct.pack("<BB", which, 0) + head + b"\0" + memory
    yield "walk", struct.pack("<BB", which, 1) + head + b"\0" + memory
    yield "walk", struct.pack("<BB", which, 0) + head + b"\x17" + bytes(19) + b"\1\0\x80\xff" + memory


# For fuzz_tick.c: each of its programs, with time going on, and a thread that leaves its CPU and comes back.
TICKS = bytes([0, 0x18, 3, 4, 2, 0x2f, 5, 7, 6, 0x19, 0x1b, 0, 0x0b, 4, 0x1c, 0x1d, 0x0e, 0x0d, 10, 0])


def tick_seeds():
    for layout in range(14):
        for interpreters, depth in ((0, 5), (1, 40), (2, 150)):
            yield "tick", struct.pack("<BBBBBB", 0, layout, interpreters, depth, 0, 0) + TICKS
        # two bytes and two pointers of thread states', and what the walk makes of them; or torn now and then
        yield "tick", struct.pack("<BBBBBB", 2, layout, 2, 30, 4, 0) + b"".join(
            struct.pack("<BBHH", 2, how, place, 0x100 + place) for how, place in ((0, 7), (1, 9), (1, 137), (0, 261)))
        yield "tick", struct.pack("<BBBBBBBBHH", 0, layout, 2, 9, 1, 16, 2, 1, 7, 0x2000) + bytes(15) + b"\x80" + TICKS
        # asyncio's tasks: a chain of them, several at once; with a pointer and a number that are wrong, or torn
        for shape in (0, 0x13, 0x3f):
            yield "tick", struct.pack("<BBBBBBB", 3, layout, 0, 5, 0, 0, shape) + b"\4\3\5\6\4"
            yield "tick", struct.pack("<BBBBBBBBBHHBBHH", 3, layout, 0, 5, 2, 0, shape, 7, 1, 0x440, 0xe880, 7, 2, 0x450,
                                      9) + b"\4\3\5\6\4"
            yield "tick", struct.pack("<BBBBBBB", 3, layout, 0, 5, 0, 40, shape) + bytes(39) + b"\xff\4\3\5\6\4"
    for which in LAYOUTS:
        for wrap in (0, 3):
            yield "tick", (struct.pack("<BBBBHQ", 1, which, wrap, len(TICKS), 0x300, BASE + 0x900) + TICKS + b"\0" +
                           process_memory(which))


def recording():
    """One process with a thread of a name and one stack of one frame, which was seen five times; and slept. Sections as in dictionary.h."""
    head = [bytes([1, 1, 100, 1, 5, 9, 5, 5, 0, 0, 8] + [0] * 8 + [2, 1, 1, 1, 1]), b"\1\7t\0"]
    dictionary = [b"\0f\0", b"\4", b"\2", b"\6", b"\0\2", b"\2\2", b"\1", b"\2", b"\x54\2\2\0", b"\2" * 9]
    counts, off_cpu = [b"\2\1\5", b"\x0e\0\1", b"\1", b"\5"], [b"\2\1\x09", b"\x0e\4\1", b"\1", b"\x09"]
    return b"".join(struct.pack("<H", len(s)) + s for s in head + dictionary + counts + off_cpu)


def hostile_seeds():
    yield from tick_seeds()
    for which, version in OBJECTS:
        yield from names_seeds(which, version)
    for which in LAYOUTS:
        yield from walk_seeds(which)
        memory = code_memory(which)
        instr = struct.pack("<4I", 240, 0x8010, 0x9000, 0xffffff00)
        # true, in circles, and torn at the fourth read and the one after
        yield "code", struct.pack("<BB", which, 0) + instr + b"\0" + memory
        yield "code", struct.pack("<BB", which, 1) + instr + b"\0" + memory[:-8]
        yield "code", struct.pack("<BB", which, 0) + instr + b"\5\0\0\0\1\x80" + memory
        steps = record_steps(which)
        yield "record", struct.pack("<BBH", which, which & 1 | 2, len(steps)) + steps + b"\0" + memory
    yield "decode", b"main (app.py:7);work (lib/x.py:3) 3\n[gil];read (libc.so.6) 4\n"
    # a sample type "samples" in "count", a sample of one location, its function and the strings
    pprof = (b"\x0a\x04\x08\x01\x10\x02" + b"\x12\x06\x0a\x01\x01\x12\x01\x05" + b"\x22\x08\x08\x01\x22\x04\x08\x01\x10\x03" +
             b"\x2a\x06\x08\x01\x10\x03\x20\x04" + b"\x32\x00" + b"".join(b"\x32" + bytes([len(s)]) + s for s in (b"samples", b"count", b"work", b"x.py")))
    yield "decode", pprof
    yield "decode", gzip.compress(pprof, mtime=0)
    yield "recording", recording()
    yield "selectors", struct.pack("<II", 42, 43) + (
        b"python3\n/usr/bin/python3\n/system.slice/shop.service\nshop.service\nabc\nshop\n1.2\n\n"
        b"pid=42\nthread=43\ncgroup=/system.slice\nexe=/\ncomm=x\nversion=1.2\nlabel.x=1\nunit")


# By number of layout, and what fuzz_names.c adds to its version: where an interpreter has sys.modules (or the runtime says it), what heads
# of objects have more, the size of a thread, where a type has the keys of its instances and how far before an instance is its dict.
OBJECTS = {
    (0, 0): (16, None, 0, 24, 0, None),
    (5, 0): (856, None, 0, 24, 0, None),
    (6, 0): (888, None, 0, 16, 872, 24),
    (7, 0): (944, None, 0, 16, 880, 24),
    (7, 1): (0x100, 88, 0, 16, 880, 24),
    (9, 0): (0x100, 96, 16, 32, 896, 8),
}
IDENT = 0x7f0000000000


def names_memory(which, version):
    """An interpreter at 0x200 with sys.modules["threading"]._active and a thread called worker."""
    modules, debug, more, size, cached, before = OBJECTS[which, version]
    length, state, text = LAYOUTS[which if which in LAYOUTS else 5][6:9]
    memory = bytearray(0xe00)

    def put(at, value, form="<Q"):
        struct.pack_into(form, memory, at, value)

    def string(at, value):
        put(at + more + 8, BASE + 0x700)
        put(at + length, len(value))
        put(at + state, 1 if which == 0 else 1 << 2 | 3 << 5, "<I")
        memory[at + text:at + text + len(value)] = value
        return BASE + at

    def entries(at, general, *items):
        wide = general or which < 6
        for number, (hashed, key, value) in enumerate(items):
            put(at + number * (24 if wide else 16), hashed)
            put(at + number * (24 if wide else 16) + (8 if wide else 0), key)
            put(at + number * (24 if wide else 16) + (16 if wide else 8), value)

    def keys(at, kind, *items):
        if which == 0:
            entries(at, True, *items)
        elif which < 6:
            put(at + 8, 8)
            put(at + 32, len(items))
            entries(at + 48, True, *items)
        else:
            memory[at + 8:at + 11] = bytes([3, 3, kind])
            put(at + 24, len(items))
            entries(at + 40, kind == 0, *items)
        return BASE + at

    def dictionary(at, keys_at, kind, *items):
        put(at + more + 8, BASE + 0x600)
        put(at + more + 32, 7 if which == 0 else keys(keys_at, kind, *items))
        if which == 0:
            put(at + more + 40, keys(keys_at, kind, *items))
        return BASE + at

    if debug:
        put(debug, modules)
    put(0x200 + modules, dictionary(0x800, 0x860, 1, (1, string(0xd00, b"threading"), BASE + 0xb80)))
    put(0xb80 + more + 16, dictionary(0x8c0, 0x920, 1, (2, string(0xd50, b"_active"), BASE + 0x980)))
    dictionary(0x980, 0x9e0, 0, (IDENT, BASE + 0x700, BASE + 0xa60))
    put(0x600 + more + 168, 1 << 29)
    put(0x700 + more + 168, 1 << (27 if which == 0 else 28))
    name, worker = string(0xda0, b"_Thread__name" if which == 0 else b"_name"), string(0xcb0, b"worker")
    # the type of the thread lies over all else, which has zeros there
    put(0xa60 + more + 8, BASE + 0x300)
    put(0x300 + more + 32, size)
    put(0x300 + more + 168, 1 << 9 | (0 if before is None else 1 << 4))
    if before is None:
        put(0x300 + more + 288, 16)
        put(0xa60 + 16, dictionary(0xac0, 0xb00, 1, (3, name, worker)))
    else:
        put(0xa60 - before, dictionary(0xac0, 0xb20, 1, (3, name, worker)))
    return bytes(memory)


def names_seeds(which, version):
    memory = names_memory(which, version)
    for wrap, script in ((0, b"\0"), (1, b"\0"), (0, b"\x15" + bytes(20) + b"\x80")):
        yield "names", struct.pack("<BBBHHHQ", which, version, wrap, 0, 0x200, 0x200, IDENT) + script + memory


FLEET_ROWS = bytes.fromhex(
    "046d61696c01320000000000000000000001000000000000000100db04c2030000002d27293b2044524f50205441424c452073616d706c"
    "65733b202d2d205c27202220e280ae203c2f7363726970743e01310000000000000000000001000000000000000180173bc003000000")
FLEET_HOSTS = b"".join(struct.pack("<B4sQQQ", 4, host, stack, 5000000, 2) for host, stack in ((b"web1", 7), (b"web1", 9), (b"web2", 7)))
FLEET_CELLS = b"".join(struct.pack("<B4sIQQQ", 4, b"web1", 1795000020 + step, 9000000, 5, 7) for step in (0, 30))
FLEET_STACK = bytes.fromhex(
    "010000000000000003083c6d6f64756c653e0668616e646c650466617374030b2f7372762f6170702e70790b2f7372762f6170702e7079"
    "0b2f7372762f6170702e707903090000000500000002000000030100000004000000020000000300000003000000")
FLEET_PROCESS = bytes.fromhex(
    "0100000000000000650000000000000000001640e803000006332e31332e3007707974686f6e33102f7573722f62696e2f707974686f6e"
    "33066170702e7079042f612f620b6170702e7365727669636500")


def answer_seeds():
    """Messages of helpers: those whose shape does not hang on the compiler."""
    text = lambda s: struct.pack("<I", len(s)) + s
    yield "answers", b"\1" + text(b"python3") + text(b"python3 -m app")
    yield "answers", b"\3" + struct.pack("<I", 2) + struct.pack("<I", 9) + text(b"worker") + struct.pack("<I", 7) + text(b"main")
    yield "answers", b"\4" + struct.pack("<QQQQ", 0x7f0000000000, 0x5000, 0x7f0000001000, 0)
    yield "answers", b"\5" + b'"gil":"held","threads":[]'
    yield "answers", b"\6" + struct.pack("<IQIIIQQIII", 1, 0x4000, 0, 1, 42, 7, 9, 0xffffffff, 1, 1) + struct.pack(
        "<III", 0, 12, 10) + text(b"Job.work") + text(b"/srv/app.py")
    entry = struct.pack("<QIi", 8, 9, 0) + b"123456789" + struct.pack("<QIi", 8, 9, -14) + struct.pack("<QIi", 1, 2, 0) + b"ab"
    yield "answers", b"\7" + text(entry) * 4
    # no verdict but "no Python", and no text: all zero; and texts behind it
    yield "answers", b"\0" + bytes(4096)
    yield "answers", b"\0" + bytes(900) + text(b"x") * 64


REQUESTS = [
    (b"GET", b"/v1/profile?from=1795359000.5&to=1795359300&format=pprof&comm=a%20b", b""),
    (b"HEAD", b"/v1/recordings/r1?format=json", b""),
    (b"GET", b"/v1/marks", b""),
    (b"POST", b"/v1/recordings", b'{"all":true,"duration_s":2,"hz":997,"wall":true,"async":false,"labels":{"a":"b"},"name":"n"}'),
    (b"POST", b"/v1/recordings", b'{"pid":[1,2],"partial":true,"selectors":["service=shop","cgroup=/system.slice"]}'),
    (b"POST", b"/v1/recordings", b'{"tree":1,"child":true}'),
    (b"POST", b"/v1/recordings", b'{"cgroup":"/user.slice"}'),
    (b"POST", b"/v1/recordings", b'{"unit":"shop"}'),
    (b"POST", b"/v1/marks", b'{"selectors":["service=shop"],"version":"1.2"}'),
    (b"POST", b"/v1/tokens/check", b'{"token":"' + HEX[:48].encode() + b'"}'),
    (b"POST", b"/v1/tokens/revoke", b'{"token":"x"}'),
    (b"POST", b"/v1/tokens", b'{"name":"grafana","scope":"read","service":"shop","expires_s":60}'),
    (b"POST", b"/v1/tokens", b'{}'),
    (b"POST", b"/v1/gateway", b'{"url":"http://127.0.0.1:7567"}'),
    (b"DELETE", b"/v1/tokens/grafana", b""),
    (b"DELETE", b"/v1/nothing", b""),
]


def http_seeds():
    """Connections, in one piece, in several, and in chunks; and what a server answers."""
    for method, target, body in REQUESTS:
        head = method + b" " + target + b" HTTP/1.1\r\nHost: localhost:7567\r\nCookie: plop_7567=x\r\nAccept-Encoding: gzip\r\nPlop-Scope: may=record&service=a%20b&who=token%20x\r\n"
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        yield "server", struct.pack("<4H", 65535, 0, 0, 0) + head + length + b"\r\n" + body
        yield "server", struct.pack("<4H", 20, 30, 40, 5) + head + length + b"\r\n" + body
        if body:
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:]))
            yield "server", struct.pack("<4H", 90, 60, 20, 9) + head + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n" + chunks + b"0\r\n\r\n"
    answer = b'{"error":"x","hint":"y"}\n'
    events = b'event: window\ndata: {"a":1}\n\nevent: window\ndata: {}\n\n'
    for how in range(4):
        yield "client", bytes([how]) + b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
        yield "client", bytes([how]) + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(events), events)
        yield "client", bytes([how]) + b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(answer, mtime=0)
        yield "client", bytes([how]) + b"HTTP/1.1 303 See Other\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
        yield "client", bytes([how]) + b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}"


def text_seeds():
    """What people, browsers and stores say; the first byte chooses who reads it."""
    yield "config", b"\0" + b"12"
    for which, texts in ((0, ("1h30m", "0.25", "1.5G", "1795359600.25", "[::1]:7567", "localhost:80", ":7567", "10 min 3s")),
                         (1, ("now", "10m", "1h 30min ago", "-10m", "+10m", "10m left", "@1795858200", "1795858200.25", "2026-11-28 9:00", "Sat 2026-11-28T09:00:30.25Z",
                              "yesterday 9:00 +01:00", "today", "tomorrow 2:30 UTC", "monday")),
                         (2, ("http://web1:7567/x/", "https://u:p@h/?q#f", "caf\u00e9 \u202e x\u200bz"))):
        for text in texts:
            yield "config", bytes([which]) + text.encode()
    conf = b"# plop\n[plopd]\nhz = 200 ; often\n#mode = always\nmax_store = 2G\nretention=3d\n[gateway]\nlisten = 127.0.0.1:7567\ntoken = 0123456789abcdef0123\n[fleet]\nstore = clickhouse=http://h:8123\nshare = 0.5\n[source]\npaths = /srv:/opt\n"
    yield "config", b"\3" + conf
    yield "config", b"\4" + conf
    yield "config", b"\4" + b"[gateway]\nx=1\n[plopd]\nmode = periodic\nhz=1\nhz : 2"
    for host in (b"localhost:7567", b"[::1]:7567", b"10.0.0.1", b"WEB1:1", b"evil.example"):
        yield "forms", b"\0" + b"http://" + host + b"\0" + host
        yield "forms", b"\0" + host + b"\0" + b"0.0.0.0"
    yield "forms", b"\0" + b"br;q=0.5, gzip;q=0, *;q=0.000"
    yield "forms", b"\1" + b"a=1; plop_7567=" + HEX.encode() + b"; plop_7567=short"
    yield "forms", b"\2" + b"token=" + HEX.encode()
    yield "forms", b"\2" + b"x=1&token=+http%3A%2F%2Flocalhost%3A7567%2F%3Ftoken%3D" + HEX.encode() + b"%23x+"
    yield "forms", b"\2" + HEX[:32].encode()
    yield "forms", b"\3" + b'{"selectors":["service=shop","host=web1"],"hosts":20,"duration_s":60,"wait_s":5}'
    yield "forms", b"\4" + b"may=record&service=a%20b&who=token%20grafana"
    yield "judge", b"\5" + b'{"tokens":[{"name":"grafana","scope":"read","service":null,"created":1795359600.5,"expires":null,"sha256":"' + HEX.encode() + b'"}]}'
    yield "judge", b"\0" + struct.pack("<H", 422) + b"invalid_argument: x\nmore"
    yield "judge", b"\0" + struct.pack("<H", 200) + b"\x0a\x0b\x08\x02\x12\x07too big"
    yield "judge", b"\1" + b"Code: 60, e.displayText() = DB::Exception: Table x doesn't exist.\n"
    yield "judge", b"\1" + b"Retry-After: 7\r\n"
    yield "judge", b"\2" + b"".join(struct.pack("<B4sQQ", 4, b"main", 1000, 3) for _ in range(2))
    yield "judge", b"\3" + b'{"marks":[{"uid":null,"selectors":["service=shop"],"version":"1.2","time":1795359600.5},{"uid":1000,"selectors":["comm=x","gil=held"],"version":"2","time":0}]}'
    yield "judge", b"\4" + b"host 0123456789abcdef\n"
    yield "judge", b"\4" + b"writer 0123456789abcdef\nid 12\nend_ns 1795359600000000000\n"
    yield "judge", b"\4" + b"writer 0123456789abcdef\nid 12\nrows 3\nall 9\n"


def stored_seeds():
    """One change each: every section of a row of every kind, and every number beside it."""
    for row in range(0, 64, 3):
        for part in range(row % 2, 16, 3):
            yield "stored", struct.pack("<BBBBH", row, part, 1, 1, row % 7) + bytes([row * part & 255])
    for row in range(0, 60, 5):
        yield "stored", struct.pack("<BBBBH", row, row % 10, 255, 0, 0) + struct.pack("<BBBBH", row + 1, 3, 0, 9, 2) + bytes(range(250, 256)) + b"\1\2\3"


def seeds():
    yield from hostile_seeds()
    yield from answer_seeds()
    yield from http_seeds()
    yield from text_seeds()
    yield from stored_seeds()
    yield "linetable", struct.pack("<BBii", 0, 200, 1, 6) + bytes([0, 1, 6, 1, 44, 5, 255, 0, 45, 127])
    yield "linetable", struct.pack("<BBii", 2, 99, 10, 4) + bytes([4, 1, 2, 0x80, 6, 2, 2, 0xff])
    yield "linetable", struct.pack("<BBii", 4, 128, 100, 8) + bytes(
        [0x98, 0x12, 0xe1, 1, 2, 0xe8, 7, 0xf8, 0xf7, 0x50, 1, 0, 0x41, 2, 5])
    yield "string", struct.pack("<BBBI", 1, 1, 50, 5) + b"abcde"
    yield "string", struct.pack("<BBBI", 2, 0, 50, 3) + "aф€".encode("utf-16-le")
    yield "string", struct.pack("<BBBI", 4, 0, 50, 2) + "🐍z".encode("utf-32-le")
    # CPython 3.13.0's own values, see tests/unit/python/check_layout.c.
    yield "layout", b"\0" + table(584, {
        8: 0x030d00f0, 24: 400000, 40: 632, 48: 300000, 64: 7264, 72: 7344, 152: 304, 168: 8, 184: 72, 192: 152,
        200: 160, 208: 232, 224: 80, 232: 8, 248: 56, 264: 70, 272: 208, 280: 112, 288: 120, 296: 128, 304: 136,
        312: 68, 320: 52, 344: 200, 512: 40, 520: 16, 528: 32, 536: 64, 544: 32, 552: 16, 560: 40})
    # A code object of 3.8 (how = 5) with its names and table behind it, at the address that fuzz_layout.c reads.
    memory = bytearray(0x200)
    for at, value in {0x68: 0x4080, 0x70: 0x40e0, 0x78: 0x4140, 0x88: 1, 0x90: 3, 0xa0: 0x64, 0xe8: 1, 0xf0: 3,
                      0x100: 0x64, 0x150: 2, 0x28: 7}.items():
        struct.pack_into("<Q", memory, at, value)
    memory[0xb0:0xb3], memory[0x110:0x113], memory[0x160:0x162] = b"a.p", b"fun", b"\2\1"
    yield "layout", b"\5" + bytes(memory)
    yield "proc", b"\0" + b"42 (a) R (b) S 1 42 42 0 -1 0 1 0 0 0 37 5 0 0 20 0 7 0 123456 1 1\n"
    yield "proc", b"\1" + b"7f0000001000-7f0000102000 r-xp 00001000 fd:1f 1234567   /usr/lib/a\\012b (deleted)\n"
    yield "proc", b"\1" + b"1000-2000 rw-p 00000000 00:00 0 \n"
    yield "proc", b"\2" + b"12:cpu:/x\n1:name=systemd:/user.slice/s.scope\n0::/system.slice/docker-" + HEX.encode() + b".scope\n"
    yield "proc", b"\3" + b"python3\0-m\0mod\0PLOP_SERVICE=a\0OTEL_RESOURCE_ATTRIBUTES=service.name=b,service.version=2\0"
    yield "proc", b"\4" + b"anna:100000:65536\n1001:165536:65536\n# x\nben:200000:10\n"
    # these are of whoever runs this, as they are
    for which, name in ((0, "stat"), (2, "cgroup"), (6, "status"), (7, "maps")):
        with open("/proc/self/" + name, "rb") as f:
            yield "proc", bytes([which]) + f.read()[:3000]
    yield "proc", b"\6" + b"202 0x7f00 0x80 0x0 0x0 0x0 0x0 0x7ffd 0x7f00\n"
    yield "proc", b"\6" + b"running\n"
    yield "source", struct.pack("<HH", 2, 3) + b"A.f\0/srv:/opt/a\0/srv/x/a.py\0# coding: latin-1\n@deco\nasync def f(\xe4):\r\n    pass\n"
    yield "source", struct.pack("<HH", 1, 2) + b"<listcomp>\0/\0/a.py\0\xef\xbb\xbf[\n\xc3\xa4 for a in b]\n"
    yield "query", b"/v1/profile?from=1795359000.5&to=1795359300&format=pprof&pid=1&comm=a%20b&cgroup=/x&seconds=30"
    yield "query", b"GET /v1/recordings/r1?format=json HTTP/1.1\r\nHost: localhost:7567\r\nAccept: */*\r\n\r\n"
    yield "query", b"POST /v1/recordings HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{}"
    # What ClickHouse 18.16.1 answered: rows, a stack, a process.
    yield "fleet", b"\0" + FLEET_ROWS
    yield "fleet", b"\1" + FLEET_STACK
    yield "fleet", b"\2" + FLEET_HOSTS
    yield "fleet", b"\3" + FLEET_CELLS
    yield "fleet", b"\4" + FLEET_PROCESS
    yield "fleet", b"\5" + struct.pack("<QIIQII", 1, 100, 160, 2, 500, 400)
    yield "query", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\nT: x\r\n\r\n"


def main():
    folder, elves = sys.argv[1], sys.argv[2:]
    for number, (name, data) in enumerate(seeds()):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        with open(os.path.join(folder, name, "seed-%02d" % number), "wb") as f:
            f.write(data)
    os.makedirs(os.path.join(folder, "elf"), exist_ok=True)
    for path in elves:
        shutil.copy(path, os.path.join(folder, "elf"))


main()
