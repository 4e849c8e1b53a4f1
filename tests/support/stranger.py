#!/usr/bin/env python3
"""A client of a storage node by a stranger: written from storage-node/protocol/README.md alone, with
nothing but Python's standard library. Knows no AES, so what it stores are bytes of its own making.

usage: stranger.py PORT CLUSTER-KEY-HEX USER PASSWORD

Prints one JSON object with what it saw; any surprise ends it with an exception and exit code 1.
"""
import hashlib
import hmac
import json
import os
import socket
import struct
import sys
import time
import unicodedata
import zlib

GREETING, REQUEST, RESPONSE, ERROR = range(4)
TIMEOUT_S = 20
WORD = 0xFFFFFFFF


# CBOR (section 3, "Header"): unsigned numbers, bytes, text, arrays, maps, false, true, null.

def cbor_head(major, n):
    for limit, code, layout in ((24, None, ""), (2**8, 24, ">B"), (2**16, 25, ">H"), (2**32, 26, ">I"),
                                (2**64, 27, ">Q")):
        if n < limit:
            if code is None:
                return bytes([major << 5 | n])
            return bytes([major << 5 | code]) + struct.pack(layout, n)
    raise ValueError("number too great")


def cbor(value):
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, int):
        return cbor_head(0, value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        data = value.encode()
        return cbor_head(3, len(data)) + data
    if isinstance(value, (list, tuple)):
        return cbor_head(4, len(value)) + b"".join(cbor(item) for item in value)
    pairs = sorted((cbor(key), cbor(item)) for key, item in value.items())
    return cbor_head(5, len(pairs)) + b"".join(key + item for key, item in pairs)


def uncbor(data, at=0):
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return {20: False, 21: True, 22: None}[info], at
    n = info
    if info >= 24:
        size = 1 << (info - 24)
        n, at = int.from_bytes(data[at:at + size], "big"), at + size
    if major == 0:
        return n, at
    if major in (2, 3):
        part = data[at:at + n]
        return (part if major == 2 else part.decode()), at + n
    items = []
    for _ in range(n if major == 4 else 2 * n):
        item, at = uncbor(data, at)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2]))), at


class NodeError(Exception):
    def __init__(self, header):
        super().__init__(f"{header['code']}: {header['message']}")
        self.code = header["code"]
        self.detail = header.get("detail", {})


class Node:
    """One connection (section 4)."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.counter = 0
        self.id = 0
        kind, id_, greeting, _ = self.receive()
        assert kind == GREETING and id_ == 0, "the node greets first"
        assert set(greeting) == {"node", "nonce", "epoch"}, greeting
        self.node, self.nonce = greeting["node"], greeting["nonce"]

    def read(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError("the node closed the connection")
            data += more
        return data

    def receive(self):
        prelude = self.read(24)
        magic, version, kind, id_, header, body, proof, zero, checksum = struct.unpack(
            ">2sBBIIIHHI", prelude)
        assert magic == b"4F" and version == 1 and zero == 0 and proof == 0, prelude.hex()
        assert header <= 65536 and body <= 1048576
        head = self.read(header)
        assert zlib.crc32(prelude[:20] + head) == checksum, "the checksum of a head"
        fields, end = uncbor(head)
        assert end == len(head) and cbor(fields) == head, "deterministic CBOR"
        sections = []
        for length, crc in fields.pop("body", []):
            sections.append(self.read(length))
            assert zlib.crc32(sections[-1]) == crc, "the checksum of a section"
        assert sum(map(len, sections)) == body
        return kind, id_, fields, sections

    def send(self, op, fields=None, prover=None, body=()):
        """`prover`: None, ('user', name, salted password) or ('cluster', name, key)."""
        fields = {"op": op, **(fields or {})}
        if body:
            fields["body"] = [[len(part), zlib.crc32(part)] for part in body]
        header, proof = cbor(fields), b""
        if prover is not None:
            proof = self.prove(header, *prover)
        self.id += 1
        length = sum(map(len, body))
        prelude = struct.pack(">2sBBIIIHH", b"4F", 1, REQUEST, self.id, len(header), length,
                              len(proof), 0)
        checksum = zlib.crc32(prelude + header + proof)
        data = prelude + struct.pack(">I", checksum) + header + proof + b"".join(body)
        self.socket.sendall(data)
        return self.id

    def answer(self, id_):
        kind, answered, fields, sections = self.receive()
        assert answered == id_, f"an answer to {answered} came for {id_}"
        if kind == ERROR:
            raise NodeError(fields)
        assert kind == RESPONSE
        return fields, sections

    def ask(self, *request, **more):
        return self.answer(self.send(*request, **more))

    def prove(self, header, by, user, secret):
        """Section 7."""
        self.counter += 1
        name, is_cluster = user.encode(), by == "cluster"
        fixed = struct.pack(">BBQB", self.node, is_cluster, self.counter, len(name))
        message = b"fourfold proof 1" + self.nonce + fixed + name + header
        if is_cluster:
            proof = mac(secret, message)
        else:
            key = client_key(secret, self.node)
            proof = xor(key, mac(hashlib.sha256(key).digest(), message))
        return struct.pack(">BQ", is_cluster, self.counter) + proof + name


# Keys (section 6).

def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def xor(one, other):
    return bytes(a ^ b for a, b in zip(one, other))


def fold(name):
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).lower())


def salted_password(password, salt, rounds):
    password = unicodedata.normalize("NFC", password).encode()
    return hashlib.pbkdf2_hmac("sha256", password, salt, rounds, 32)


def client_key(salted, node):
    return mac(salted, b"Client Key" + bytes([node]))


# Placement and pieces (sections 9 and 10).

def lanes_of(node, first):
    return [(node - 1 - first) % 4, (node - first) % 4]


def part_of(lane, first, x):
    return (lane + first - x) % 4 + 1


def cut(sealed):
    small, long = divmod(len(sealed), 4)
    at, pieces = 0, []
    for lane in range(4):
        size = small + (lane < long)
        pieces.append(sealed[at:at + size])
        at += size
    return pieces


def new_version(after=b"\0" * 16):
    now = max(time.time_ns() // 10**6, int.from_bytes(after[:8], "big") + 1)
    return now.to_bytes(8, "big") + os.urandom(8)


def refused(code, act):
    try:
        act()
    except NodeError as error:
        assert error.code == code, f"{error.code} where {code} was to come"
        return error
    raise AssertionError(f"{code} was to come")


def make_account(node, cluster_key, user, password):
    """Section 11. What wraps the user key is opaque to a node: 60 bytes of ours."""
    salt, rounds = os.urandom(16), 4096
    salted = salted_password(password, salt, rounds)
    keys = [hashlib.sha256(client_key(salted, n)).digest() for n in (1, 2, 3, 4)]
    record = {"user": user, "change": 1, "salt": salt, "rounds": rounds,
              "storedKeys": keys, "wrappedKey": os.urandom(60)}
    prover = ("cluster", user, cluster_key)
    refused("ACCOUNT_UNKNOWN", lambda: node.ask("account", prover=prover))
    node.ask("account-prepare", {"account": record}, prover=prover)
    node.ask("account-commit", {"change": 1}, prover=prover)
    return record


def sign_in(node, user, password):
    answer, _ = node.ask("salt", {"user": user})
    return ("user", user, salted_password(password, answer["salt"], answer["rounds"]))


def store_small(node, me, file):
    """One row: store, seen as prepared, then commit, seen with its parts, and read."""
    sealed, x, version = os.urandom(16 + 5), 2, new_version()
    pieces = cut(sealed)
    lanes = lanes_of(node.node, x)
    body = [pieces[lane] for lane in lanes]
    fields = {"file": file, "version": version, "x": x, "sealed": os.urandom(50), "condition": None}
    answer, _ = node.ask("store", fields, prover=me, body=body)
    assert answer == {"replaced": False}, answer
    found, sections = node.ask("lookup", {"file": file, "withParts": True}, prover=me)
    assert [entry["state"] for entry in found["entries"]] == ["prepared"] and sections == []
    node.ask("commit", {"file": file, "version": version}, prover=me)
    found, sections = node.ask("lookup", {"file": file, "withParts": True}, prover=me)
    (entry,) = found["entries"]
    parts = [part_of(lane, x, x) for lane in lanes]
    assert entry == {"file": file, "version": version, "state": "committed", "x": x, "first": x,
                     "rows": 1, "parts": sum(1 << (part - 1) for part in parts),
                     "sealed": fields["sealed"]}, entry
    assert dict(zip(found["parts"], sections)) == dict(zip(parts, body))
    again = {**fields, "condition": None, "version": new_version(version)}
    refused("PRECONDITION_FAILED", lambda: node.ask("store", again, prover=me, body=body))
    stale = {**fields, "version": b"\0" * 16}
    del stale["condition"]
    error = refused("STALE_VERSION", lambda: node.ask("store", stale, prover=me, body=body))
    assert error.detail["newest"] == version.hex(), error.detail
    return version


def store_large(node, me, file):
    """Three rows, sent without waiting; prepared with their sums; read back in part."""
    upload, first, x, version = os.urandom(16), 1, 3, new_version()
    node.ask("open", {"upload": upload, "first": first, "size": 2500}, prover=me)
    rows = [cut(os.urandom(1000 + 16)) for _ in range(2)] + [cut(os.urandom(501 + 16))]
    lanes = lanes_of(node.node, first)
    sums = [{"bytes": 0, "checksum": 0} for _ in lanes]
    for row, pieces in enumerate(rows):
        body = [pieces[lane] for lane in lanes]
        node.send("append", {"upload": upload, "row": row}, prover=me, body=body)
        for total, piece in zip(sums, body):
            total["bytes"] += len(piece)
            crc = struct.pack(">I", zlib.crc32(piece))
            total["checksum"] = zlib.crc32(crc, total["checksum"])
    staged, _ = node.ask("staged", {"upload": upload}, prover=me)
    assert staged == {"rows": 3}, staged
    fields = {"upload": upload, "file": file, "version": version, "x": x, "rows": 3,
              "lanes": sums, "sealed": os.urandom(60)}
    wrong = {**fields, "lanes": [{**sums[0], "checksum": sums[0]["checksum"] ^ 1}, sums[1]]}
    refused("COUNT_MISMATCH", lambda: node.ask("prepare", wrong, prover=me))
    node.ask("prepare", fields, prover=me)
    node.ask("commit", {"file": file, "version": version}, prover=me)
    for lane in lanes:
        part = part_of(lane, first, x)
        fields = {"file": file, "version": version, "part": part, "from": 1, "to": 3}
        id_ = node.send("read", fields, prover=me)
        for row in (1, 2):
            answer, (piece,) = node.answer(id_)
            assert answer == {"row": row, "more": row == 1}, answer
            assert piece == rows[row][lane]
    mine = {part_of(lane, first, x) for lane in lanes}
    other = min({1, 2, 3, 4} - mine)
    absent = {"file": file, "version": version, "part": other, "from": 0, "to": 1}
    refused("PART_MISSING", lambda: node.ask("read", absent, prover=me))


def list_all(node, me):
    entries, since, more = [], 0, True
    while more:
        fields = {"since": since, "limit": 1, "brief": False}
        page, (body,) = node.ask("changes", fields, prover=me)
        while body:
            state = ("prepared", "committed", "deleted")[body[32] >> 4]
            ids = {"file": body[:16], "version": body[16:32]}
            entries.append({**ids, "state": state, "first": body[:33]})
            body = body[35 + int.from_bytes(body[33:35], "big") :]
        since, more = page["next"], page["more"]
    return entries


def murmur3(data, seed):
    def rotated(word, bits):
        return (word << bits | word >> (32 - bits)) & WORD

    def scrambled(word):
        return rotated(word * 0xCC9E2D51 & WORD, 15) * 0x1B873593 & WORD

    hash_, whole = seed, len(data) - len(data) % 4
    for at in range(0, whole, 4):
        hash_ ^= scrambled(int.from_bytes(data[at : at + 4], "little"))
        hash_ = rotated(hash_, 13) * 5 + 0xE6546B64 & WORD
    hash_ ^= scrambled(int.from_bytes(data[whole:], "little")) ^ len(data)
    hash_ = (hash_ ^ hash_ >> 16) * 0x85EBCA6B & WORD
    hash_ = (hash_ ^ hash_ >> 13) * 0xC2B2AE35 & WORD
    return hash_ ^ hash_ >> 16


def digest_of(entries):
    firsts = [entry["first"] for entry in entries if entry["state"] != "prepared"]
    return sum(murmur3(one, 0) + (murmur3(one, 1) % 2**21 << 32) for one in firsts) % 2**53


def main():
    port, key, name, password = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), *sys.argv[3:]
    user = fold(name)
    node = Node(port)
    pong, _ = node.ask("ping")
    assert abs(pong["timeMs"] - time.time() * 1000) < 60_000 and pong["isFull"] is False, pong

    unknown, _ = node.ask("salt", {"user": user})
    assert node.ask("salt", {"user": user})[0] == unknown, "a made-up salt stays"
    record = make_account(node, key, user, password)
    me = sign_in(node, user, password)
    account, _ = node.ask("account", prover=me)
    assert account["account"] == record, account

    small, large = os.urandom(16), os.urandom(16)
    nothing, _ = node.ask("lookup", {"file": small, "withParts": True}, prover=me)
    assert nothing == {"entries": [], "parts": []}, nothing
    version = store_small(node, me, small)
    store_large(node, me, large)
    assert {entry["file"] for entry in list_all(node, me)} == {small, large}
    grave = {"file": small, "version": new_version(version), "condition": version}
    gone, _ = node.ask("delete", grave, prover=me)
    assert gone == {"existed": True}, gone
    states = {entry["file"]: entry["state"] for entry in list_all(node, me)}
    assert states == {small: "deleted", large: "committed"}, states
    total, _ = node.ask("digest", prover=me)
    assert total["digest"] == digest_of(list_all(node, me)), total

    refused("AUTH_REQUIRED", lambda: node.ask("account"))
    refused("FORBIDDEN", lambda: node.ask("status", prover=me))
    wrong = ("user", user, salted_password(password + "x", record["salt"], record["rounds"]))
    refused("AUTH_FAILED", lambda: node.ask("account", prover=wrong))
    refused("BAD_MESSAGE", lambda: node.ask("lookup", {"file": small}, prover=me))
    status, _ = node.ask("status", prover=("cluster", "", key))
    node.socket.sendall(b"GET / HTTP/1.1\r\n\r\n" + b" " * 8)
    kind, id_, lost, _ = node.receive()
    assert (kind, id_, lost["code"]) == (ERROR, 0, "BAD_FRAME"), lost
    assert node.socket.recv(1) == b"", "the node closes when framing is lost"
    print(json.dumps({"node": node.node, "users": status["users"], "files": status["files"]}))


if __name__ == "__main__":
    main()
