"""A scoring process: reads messages on an inherited socket, computes, answers. It holds no key but each answer's own.

Messages are length-prefixed (4 bytes, little endian). From the parent, by the first byte:

    L  32-byte model id, weights frame, zero frame    keep this model
    T  32-byte model id, path of a folder             keep the tree ensemble stored there
    D  32-byte model id                               forget it
    C  weights frame, zero frame                      answer K, or R and a reason
    B  path of a folder                               expand the tree ensemble uploaded there; answer likewise
    E  32-byte model id, 2-byte count, then for each job: 32-byte mask key, 2-byte precision, 2-byte length, indices
                                                      answer A and the frames, all of one length
"""

import logging
import os
import resource
import socket
import struct
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xinyidai.framing import (
    AnswerCiphertext,
    FrameError,
    FrameKind,
    decode_seeded,
    encode_answer,
    frame_bytes,
)
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.seal import SealError, expand

from enclave.environment import EnclaveEnvironmentError
from enclave.hardening import die_with_parent, harden
from enclave.scoring import trees
from enclave.scoring.linear import PreparedModel, evaluate, prepare
from enclave.scoring.masking import Mask, expand_mask, nothing_key
from enclave.scoring.tree_files import expand_upload, open_trees

LENGTH: Final = struct.Struct("<I")
JOB: Final = struct.Struct("<32sHH")
ADDRESS_SPACE: Final = 4 << 30
_FRAME: Final = frame_bytes(FrameKind.WEIGHTS, LINEAR_4096_T1024)
_NOTHING: Final = np.empty(0, np.int64)
Model = PreparedModel | trees.PreparedTrees
log = logging.getLogger("enclave.scoring")


def _models_from(body: bytes) -> PreparedModel:
    weights = decode_seeded(body[:_FRAME], FrameKind.WEIGHTS)
    zero = decode_seeded(body[_FRAME:], FrameKind.ZERO)
    return prepare(weights.parameters, expand(weights), expand(zero))


def _check(work: Callable[[], object]) -> bytes:
    try:
        work()
    except FrameError as error:
        return b"R" + error.reason.encode()
    except SealError:
        return b"RCIPHERTEXT_REFUSED"
    return b"K"


def _with_record(model: Model, active: NDArray[np.int64], mask: Mask) -> AnswerCiphertext:
    return evaluate(model, active, mask) if isinstance(model, PreparedModel) else trees.evaluate(model, active, mask)


def _without_record(model: Model, mask: Mask) -> AnswerCiphertext:
    if isinstance(model, PreparedModel):
        return evaluate(model, _NOTHING, mask)
    return trees.evaluate_nothing(model, mask)


def _answer(model: Model, mask_key: bytes, precision: int, indices: bytes) -> bytes:
    parameters = model.parameters
    mask = expand_mask(mask_key, parameters, parameters.flood_bound(precision))
    try:
        active = np.frombuffer(indices, "<u2").astype(np.int64)
        return encode_answer(_with_record(model, active, mask))
    except Exception:
        # After the charge every outcome is an answer of the same size: an error would tell the bank something about the
        # record. Mask and flood alone hold nothing. This is the process edge of an evaluation. The mask is another one:
        # the same question evaluated later must not share it.
        log.exception("evaluation failed; answered without the record")
        other = expand_mask(nothing_key(mask_key), parameters, parameters.flood_bound(precision))
        return encode_answer(_without_record(model, other))


def _evaluate(models: dict[bytes, Model], body: bytes) -> bytes:
    model = models[body[:32]]
    (count,) = struct.unpack_from("<H", body, 32)
    at, frames = 34, []
    for _ in range(count):
        mask_key, precision, length = JOB.unpack_from(body, at)
        at += JOB.size
        frames.append(_answer(model, mask_key, precision, body[at : at + 2 * length]))
        at += 2 * length
    return b"A" + b"".join(frames)


def _receive(channel: socket.socket, count: int) -> bytes:
    parts, left = [], count
    while left:
        part = channel.recv(min(left, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def serve(channel: socket.socket) -> None:
    """Until the parent closes its end."""
    models: dict[bytes, Model] = {}
    while True:
        try:
            message = _receive(channel, LENGTH.unpack(_receive(channel, LENGTH.size))[0])
        except EOFError:
            return
        kind, body = message[:1], message[1:]
        reply = None
        if kind == b"L":
            models[body[:32]] = _models_from(body[32:])
        elif kind == b"T":
            models[body[:32]] = open_trees(Path(os.fsdecode(body[32:])))
        elif kind == b"D":
            models.pop(body, None)
        elif kind == b"C":
            reply = _check(partial(_models_from, body))
        elif kind == b"B":
            reply = _check(partial(expand_upload, Path(os.fsdecode(body))))
        else:
            reply = _evaluate(models, body)
        if reply is not None:
            channel.sendall(LENGTH.pack(len(reply)) + reply)


def main() -> None:
    harden()
    try:
        die_with_parent(int(sys.argv[2]))
    except EnclaveEnvironmentError:
        # The enclave gave up before this process began: nobody is left to tell.
        os._exit(0)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)


if __name__ == "__main__":
    main()
