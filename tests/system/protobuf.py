# SPDX-License-Identifier: BSD-2-Clause
"""A reader of protobuf messages that needs no schema, by protobuf.dev/programming-guides/encoding; and of pprof's profile.proto."""
import gzip


def varint(data, at):
    """(value, where the next byte is) of the number at data[at]."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def message(data):
    """{field: [value, ...]}: integers, and bytes for what has a length. All of data is a message."""
    fields, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 != 1:
            value, at = varint(data, at)
        if key & 7 == 2:
            assert at + value <= len(data), "a field of %d bytes, %d are left" % (value, len(data) - at)
            value, at = data[at:at + value], at + value
        elif key & 7 == 1:
            value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
        else:
            assert key & 7 == 0, "wire type %d" % (key & 7)
        fields.setdefault(key >> 3, []).append(value)
    return fields


def packed(values):
    """The numbers of a repeated field, packed or not."""
    numbers = []
    for value in values:
        at = 0
        while isinstance(value, bytes) and at < len(value):
            number, at = varint(value, at)
            numbers.append(number)
        if not isinstance(value, bytes):
            numbers.append(value)
    return numbers


class Profile:
    """
    A gzip'd profile.proto of github.com/google/pprof. .samples: [([(function, file, line), ...] root first, [value, ...],
    {label: text}), ...]; .comments: [text, ...]; .start_ns, .duration_ns.
    """

    def __init__(self, data):
        profile = message(gzip.decompress(data))
        self.strings = [s.decode("utf-8") for s in profile[6]]
        assert self.strings[0] == "" and len(set(self.strings)) == len(self.strings), "a string is there twice"
        functions = {}
        for f in map(message, profile.get(5, [])):
            functions[f[1][0]] = (self.text(f, 2), self.text(f, 4))
        locations = {}
        for location in map(message, profile.get(4, [])):
            line = message(location[4][0])
            locations[location[1][0]] = functions[line[1][0]] + (line.get(2, [0])[0],)
        self.samples = []
        for sample in map(message, profile.get(2, [])):
            frames = [locations[i] for i in reversed(packed(sample.get(1, [])))]
            pairs = [message(label) for label in sample.get(3, [])]
            labels = {self.text(pair, 1): self.text(pair, 2) for pair in pairs}
            assert len(labels) == len(pairs), "a label is there twice: %s" % labels
            self.samples.append((frames, packed(sample[2]), labels))
        self.start_ns, self.duration_ns = (profile.get(number, [0])[0] for number in (9, 10))
        self.comments = [self.strings[i] for i in packed(profile.get(13, []))]

    def text(self, fields, number):
        return self.strings[fields.get(number, [0])[0]]
