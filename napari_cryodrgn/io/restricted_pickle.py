"""Pickles read as data: numpy arrays and plain containers, and no code ever.

A pickle is a program. Ours is run by the pure-Python unpickler of the standard
library with three restrictions: opcodes that no table of numbers needs are
taken away, only the handful of names that numpy writes for its arrays can be
looked up, and these names stand for stand-ins of ours, never for the real
functions. An array's state is checked against the bytes that are there before
numpy sees it, so neither a giant shape nor an object array can do harm.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import numpy as np
import numpy.typing as npt

# The pure-Python class: its opcode table can be restricted, and its memo is a
# dictionary, where the C one allocates whatever index a hostile file names.
_Unpickler: Any = pickle._Unpickler

_OPCODES = (
    "PROTO FRAME STOP MARK POP POP_MARK DUP MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET "
    "NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 "
    "EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS "
    "EMPTY_DICT DICT SETITEM SETITEMS EMPTY_SET ADDITEMS FROZENSET "
    "GLOBAL STACK_GLOBAL REDUCE BUILD"
)

_COSTLY = (
    "EMPTY_LIST EMPTY_DICT EMPTY_SET LIST DICT FROZENSET TUPLE TUPLE1 TUPLE2 TUPLE3 MARK REDUCE "
    "MEMOIZE PUT BINPUT LONG_BINPUT GLOBAL STACK_GLOBAL BUILD"
)
_COST, _COSTLY_COST, _SHARE, _ALWAYS = 40, 250, 10, 300 << 20
"""Bytes of memory that an operation, and one that makes a container, takes at most beside the
bytes it reads; the share of the file's size that all of them may take, and what they may take at
any rate. A hundred million empty lists are a file of a hundred megabytes, and six gigabytes."""

_PLAIN_DTYPE = re.compile(r"[<>=|]?([?biufcSU])\d*")


class UnsafePickleError(pickle.UnpicklingError):
    """The pickle holds something other than arrays, numbers, text and containers."""


class _Name:
    """Stands for a name of numpy's; can be called, and nothing else."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *args: object) -> object:
        return self._function(*args)

    def __setstate__(self, state: object) -> NoReturn:
        raise UnsafePickleError("it tries to change a function")


class _PickledDtype:
    """A data type while its state is still to come."""

    __slots__ = ("dtype",)

    def __init__(self, spec: object, *_flags: object) -> None:
        if not isinstance(spec, str) or not _PLAIN_DTYPE.fullmatch(spec):
            raise UnsafePickleError(f"it holds an array of type {spec!r}")
        self.dtype: np.dtype[Any] = np.dtype(spec)

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or any(state[2:5]):
            raise UnsafePickleError("it holds an array with fields")
        if state[1] not in ("<", ">", "=", "|"):
            raise UnsafePickleError("it holds an array of unknown byte order")
        self.dtype = self.dtype.newbyteorder(state[1])


class _PickledArray:
    """An array while its state is still to come."""

    __slots__ = ("array",)

    def __init__(self, array: npt.NDArray[Any] | None = None) -> None:
        self.array = array

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise UnsafePickleError("it holds an array in an unknown layout")
        _version, shape, dtype, fortran, raw = state
        # Python 2 wrote the bytes as a string.
        raw = raw.encode("latin-1") if isinstance(raw, str) else raw
        self.array = _array(raw, dtype, shape, "F" if fortran else "C")


def _array(raw: object, dtype: object, shape: object, order: str) -> npt.NDArray[Any]:
    """An array over `raw`, without a copy; raises where sizes disagree."""
    if not isinstance(raw, bytes) or not isinstance(dtype, _PickledDtype):
        raise UnsafePickleError("it holds an array of objects")
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise UnsafePickleError("it holds an array without a proper shape")
    size = dtype.dtype.itemsize
    for length in shape:
        size *= length
    if size != len(raw) or dtype.dtype.itemsize == 0:
        raise UnsafePickleError(f"it holds an array of shape {shape} in {len(raw)} bytes")
    flat: npt.NDArray[Any] = np.frombuffer(raw, dtype.dtype)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _reconstruct(*_args: object) -> _PickledArray:
    return _PickledArray()


def _from_buffer(raw: object, dtype: object, shape: object, order: object) -> _PickledArray:
    return _PickledArray(_array(raw, dtype, shape, str(order)))


def _scalar(dtype: object, raw: object) -> object:
    raw = raw.encode("latin-1") if isinstance(raw, str) else raw
    return _array(raw, dtype, (), "C")[()]


def _encode(text: object, encoding: object = None) -> bytes:
    # How protocols 0 to 2 write bytes.
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnsafePickleError("it encodes text in an unknown way")
    return text.encode("latin-1")


def _bytes(*args: object) -> bytes:
    # How protocols 0 to 2 write empty bytes.
    if args:
        raise UnsafePickleError("it makes bytes in an unknown way")
    return b""


def _no_array(*_args: object) -> NoReturn:
    raise UnsafePickleError("it makes an array in an unknown way")


_NAMES: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "ndarray"): _no_array,
    ("numpy", "dtype"): _PickledDtype,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _bytes,
    ("__builtin__", "bytes"): _bytes,
}
for _package in ("numpy.core", "numpy._core"):
    _NAMES[_package + ".multiarray", "_reconstruct"] = _reconstruct
    _NAMES[_package + ".multiarray", "scalar"] = _scalar
    _NAMES[_package + ".numeric", "_frombuffer"] = _from_buffer


def _charged(run: Callable[[Any], None], cost: int) -> Callable[[Any], None]:
    """An operation that is refused where those before have taken the memory there is for all."""

    def charge(unpickler: Any) -> None:
        unpickler.memory_left -= cost
        if unpickler.memory_left < 0:
            raise UnsafePickleError("it holds far more objects than any table of numbers")
        run(unpickler)

    return charge


class _Opcodes(dict[int, Callable[..., None]]):
    """The opcodes that are run; any other is an error in words."""

    def __missing__(self, opcode: int) -> NoReturn:
        raise UnsafePickleError(f"it holds the operation {chr(opcode)!r}, which no data needs")


class RestrictedUnpickler(_Unpickler):
    """Reads one pickle of arrays, numbers, text and plain containers.

    Parameters
    ----------
    file : BytesIO
        Open at the pickle's beginning; left open behind its end, where another
        pickle may follow. In memory, so that no length written in the pickle
        makes more be allocated than is there.
    """

    dispatch: ClassVar[_Opcodes] = _Opcodes(
        {
            getattr(pickle, name)[0]: _Unpickler.dispatch[getattr(pickle, name)[0]]
            for name in _OPCODES.split()
        }
    )

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding="latin-1")
        self._file_bytes = file.getbuffer().nbytes
        self.memory_left = _SHARE * self._file_bytes + _ALWAYS

    def find_class(self, module: str, name: str, /) -> object:
        """Stand-in for one of numpy's names; refuses all others."""
        if (module, name) not in _NAMES:
            raise UnsafePickleError(f"it asks for {module}.{name}")
        return _Name(_NAMES[module, name])

    def load(self) -> object:
        """The object, with arrays of its own.

        Raises
        ------
        UnsafePickleError
            Where something else than data is found.
        Exception
            Of almost any kind, where the pickle is damaged.
        """
        return _Realiser(self._file_bytes)(super().load())

    def _load_bytearray(self) -> None:
        # The standard one allocates the length that the file claims.
        (length,) = struct.unpack("<Q", self.read(8))
        data = self.read(length)
        if len(data) < length:
            raise pickle.UnpicklingError("the pickle is truncated")
        self.append(bytes(data))

    dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray

    def _load_reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack.pop()
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise UnsafePickleError("it calls something that is no function")
        self.append(function(*arguments))

    dispatch[pickle.REDUCE[0]] = _load_reduce

    def _load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, (_PickledArray, _PickledDtype)):
            raise UnsafePickleError("it sets attributes of an object")
        target.__setstate__(state)

    dispatch[pickle.BUILD[0]] = _load_build

    # Where it ends costs nothing.
    for _code in set(dispatch) - {pickle.STOP[0], pickle.PROTO[0]}:
        _costly = _code in {getattr(pickle, name)[0] for name in _COSTLY.split()}
        dispatch[_code] = _charged(dispatch[_code], _COSTLY_COST if _costly else _COST)
    del _code, _costly


class _Realiser:
    """Replaces stand-ins by arrays; each object once, however often it is referred to."""

    def __init__(self, file_bytes: int) -> None:
        self._known: dict[int, Any] = {}
        # Honest arrays hold no more bytes than their file; a hostile file would copy the same
        # bytes into thousands of arrays.
        self._bytes_left = file_bytes

    def __call__(self, found: Any) -> Any:
        if id(found) not in self._known:
            self._known[id(found)] = self._make(found)
        return self._known[id(found)]

    def _make(self, found: Any) -> Any:
        if isinstance(found, _PickledArray):
            return self._own_array(found)
        if isinstance(found, (_Name, _PickledDtype)):
            raise UnsafePickleError("it holds a type, not data")
        if isinstance(found, dict):
            return {self(key): self(value) for key, value in found.items()}
        if isinstance(found, (list, tuple, set, frozenset)):
            return type(found)(self(item) for item in found)
        return found

    def _own_array(self, found: _PickledArray) -> npt.NDArray[Any]:
        array = found.array
        if array is None:
            raise UnsafePickleError("it holds an array without content")
        self._bytes_left -= array.nbytes
        if self._bytes_left < 0:
            raise UnsafePickleError("its arrays are larger than the file")
        # The bytes of the file are read-only and may be of foreign order; torch wants neither.
        return np.array(array, dtype=array.dtype.newbyteorder("="), order="K")
