"""Ways to damage a file: blindly, and where it hurts most."""

from __future__ import annotations

import io
import random
import re
import zipfile
import zlib
from collections.abc import Callable

LONG = 1 << 16

_INTEGERS = (0, 1, -1, 127, 255, 32767, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, 10**12)
_WORDS = (
    "-1", "0", "1e400", "nan", "inf", "-inf", "1000000000000", "9" * 5000, "1_000", "0x10",
    "null", "true", "[]", "{}", '""', "''", "../../../etc/passwd", "/dev/zero", "a" * 5000,
    "2020-13-45", "1e-320", "\u0661", "3.5", "&a [*a]", "!!python/name:os.system", "\x00",
    "!!timestamp x", "!!int x", "!!binary =", "~", "<<", "|", "@", "1@", "@x", "1@/dev/zero",
    "1@\x00", "9" * 30 + "@particles.mrcs", "1@../../../../etc/passwd", "#", "loop_", "data_",
)  # fmt: skip
_NESTED = ("[", '{"a":', "[[", "- ", "? ", "{a: ", "'", '"', "(", "{", "&a [*a, ", "!!")

Mutation = Callable[[bytes, random.Random], bytes]


def cut(content: bytes, rng: random.Random) -> bytes:
    """The beginning alone."""
    return content[: rng.randrange(len(content) + 1)]


def flipped(content: bytes, rng: random.Random) -> bytes:
    """Some bits changed."""
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 50))):
        if damaged:
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def flipped_early(content: bytes, rng: random.Random) -> bytes:
    """Some bytes of the first kilobyte replaced, where headers are."""
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 2, 4))):
        if damaged:
            damaged[rng.randrange(min(1024, len(damaged)))] = rng.randrange(256)
    return bytes(damaged)


def with_number(content: bytes, rng: random.Random) -> bytes:
    """A number of an awkward size written somewhere, in either byte order."""
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(_INTEGERS) % (1 << 8 * width)
    number = value.to_bytes(width, rng.choice(("little", "big")))
    at = rng.randrange(min(rng.choice((256, 1024, 1 << 30)), len(content)) + 1)
    at -= at % rng.choice((1, 4))
    return content[:at] + number + content[at + width :]


def without_block(content: bytes, rng: random.Random) -> bytes:
    """A stretch left out, doubled, or zeroed."""
    start, stop = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    stop = min(stop, start + rng.choice((1, 8, 64, LONG)))
    block = content[start:stop]
    instead = rng.choice((b"", block * 2, bytes(len(block)), block[::-1], b"\x00"))
    return content[:start] + instead + content[stop:]


def with_word(content: bytes, rng: random.Random) -> bytes:
    """A word or number of a text replaced."""
    words = list(re.finditer(rb"[^\s,:\[\]{}\"@]+", content[:LONG]))
    if not words:
        return content
    chosen = rng.choice(words)
    word = rng.choice(_WORDS).encode("utf-8")
    return content[: chosen.start()] + word + content[chosen.end() :]


def with_line(content: bytes, rng: random.Random) -> bytes:
    """Lines of a text moved, left out, or doubled."""
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        lines.insert(rng.randrange(len(lines) + 1), lines[at])
    elif kind == 1:
        del lines[at]
    elif kind == 2:
        lines.insert(rng.randrange(len(lines) + 1), lines.pop(at))
    else:
        lines[at] = lines[at] * rng.choice((2, 100))
    return b"\n".join(lines)


def nested(content: bytes, rng: random.Random) -> bytes:
    """Brackets within brackets, a hundred thousand times."""
    opening = rng.choice(_NESTED).encode() * rng.choice((50, 1000, 20_000))
    at = rng.choice((0, rng.randrange(len(content) + 1)))
    return content[:at] + opening + content[at:]


def repeated(content: bytes, rng: random.Random) -> bytes:
    """A line, or a few bytes, over and over, up to a megabyte."""
    lines = content.split(b"\n")
    if rng.random() < 0.5:
        piece = rng.choice(lines) + b"\n"
    else:
        start = rng.randrange(len(content) + 1)
        piece = content[start : start + rng.choice((1, 2, 3, 8, 40))] or b"\n"
    times = min(rng.choice((100, 10_000, 1_000_000)), (1 << 20) // len(piece) + 1)
    at = rng.choice((0, len(content), rng.randrange(len(content) + 1)))
    return content[:at] + piece * times + content[at:]


def encoded(content: bytes, rng: random.Random) -> bytes:
    """A text in another encoding, with a mark at its beginning, or with NUL bytes."""
    text = content.decode("latin-1")
    kind = rng.randrange(5)
    if kind == 0:
        return text.encode("utf-16")
    if kind == 1:
        return text.encode("utf-32")
    if kind == 2:
        return b"\xef\xbb\xbf" + content
    at = rng.randrange(len(content) + 1)
    if kind == 3:
        return content[:at] + b"\x00" + content[at:]
    return (
        content[:at]
        + rng.choice((b"\xff", b"\xed\xa0\x80", b"\r", b"\x85", b"\x1b"))
        + content[at:]
    )


def noise(content: bytes, rng: random.Random) -> bytes:
    """Nothing of it is left, or its beginning."""
    return content[: rng.choice((0, 0, 8, 64))] + rng.randbytes(rng.choice((0, 1, 100, 3000)))


def in_archive(content: bytes, rng: random.Random) -> bytes:
    """A part of a zip archive damaged in its turn, so that check sums hold."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [(info, archive.read(info)) for info in archive.infolist()]
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        ValueError,
        RuntimeError,
    ):
        return flipped(content, rng)
    if not parts:
        return content
    chosen = rng.randrange(len(parts))
    written = io.BytesIO()
    squeeze = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(written, "w", squeeze) as archive:
        for number, (info, data) in enumerate(parts):
            if number == chosen:
                data = rng.choice(BINARY[:-1])(data, rng)
                if rng.random() < 0.05:
                    continue
            archive.writestr(info.filename, data)
    return written.getvalue()


BINARY: tuple[Mutation, ...] = (
    cut, flipped, flipped_early, with_number, with_number, without_block, with_word, noise,
    repeated, in_archive,
)  # fmt: skip
TEXT: tuple[Mutation, ...] = (
    cut, flipped, without_block, with_word, with_word, with_word, with_line, nested, encoded, noise,
    repeated,
)  # fmt: skip
TEXT_ENDINGS = (
    ".star", ".txt", ".yaml", ".json", ".jsonl", ".csv", ".lock", ".request", ".pdb", ".cif",
)  # fmt: skip


def mutated(content: bytes, ending: str, rng: random.Random) -> bytes:
    """The content damaged in one to three ways that suit its kind."""
    ways = TEXT if ending in TEXT_ENDINGS else BINARY
    if ending in (".npz", ".pkl") and content.startswith(b"PK") and rng.random() < 0.5:
        return in_archive(content, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(ways)(content, rng)
    return content
