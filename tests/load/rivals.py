"""Compute per score on one core: ours beside the usual ways of doing it with a library."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tenseal as ts
from xinyidai.catalogue import builtin_catalogue
from xinyidai.framing import encode_answer
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.seal import SecretKey, expand

from enclave.scoring.linear import evaluate, prepare
from enclave.scoring.masking import MaskFields, expand_mask, mask_key

ROOT = Path(__file__).parents[2]
FEATURES = len(builtin_catalogue().features)
CELLS = builtin_catalogue().layout.size


def median_ms(rounds: int, run: Callable[[], object]) -> float:
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def ours(rounds: int = 400) -> float:
    """Mask, evaluation and framing of one answer: all the enclave computes for a score."""
    parameters = LINEAR_4096_T1024
    generator = np.random.default_rng(0)
    points = generator.integers(0, parameters.plain_modulus // FEATURES, CELLS)
    key = SecretKey.generate(parameters)
    model = prepare(parameters, expand(key.encrypt_weights(points)), expand(key.encrypt_zero()))
    active = np.sort(generator.choice(CELLS, FEATURES, replace=False))
    bound = parameters.flood_bound(0)

    def score() -> bytes:
        fields = MaskFields("e", parameters.name, "m", "x", "c", active, "total", "", 0, bound)
        mask = expand_mask(mask_key(bytes(32), fields), parameters, bound)
        answer = evaluate(model, active, mask)
        return encode_answer(answer)

    return median_ms(rounds, score)


def ckks(weights: int, rounds: int = 60) -> float:
    """The usual TenSEAL way: an encrypted CKKS vector, a plaintext vector, `dot`."""
    context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 40, 60], n_threads=1)
    context.global_scale = 2**40
    context.generate_galois_keys()
    generator = np.random.default_rng(0)
    encrypted = ts.ckks_vector(context, generator.integers(0, 11, weights).astype(float).tolist())
    record = np.zeros(weights)
    record[generator.choice(weights, min(weights, FEATURES), replace=False)] = 1.0
    values = record.tolist()
    return median_ms(rounds, lambda: encrypted.dot(values).serialize())


def paillier(rounds: int = 15) -> dict[str, float]:
    """`phe` in an environment of its own, thrown away afterwards."""
    uv = [str(ROOT / ".tools/bin/uv"), "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
    script = [*uv, "--with", "phe==1.5.0", "python", str(Path(__file__).with_name("paillier.py"))]
    done = subprocess.run([*script, str(FEATURES), str(rounds)], check=True, capture_output=True, text=True)
    values: dict[str, float] = json.loads(done.stdout)
    return values


def report() -> None:
    mine = ours()
    print(f"enclave compute for one score ({FEATURES} features, {CELLS} cells), one core, medians:")
    print(f"  ours, exact, flooded, capped             {mine:8.2f} ms   1.0 x")
    by_library = {
        f"TenSEAL CKKS dot, {FEATURES} weights": ckks(FEATURES),
        f"TenSEAL CKKS dot, {CELLS} weights": ckks(CELLS),
    }
    by_library |= {f"phe Paillier {name}": value for name, value in paillier().items()}
    for name, value in by_library.items():
        print(f"  {name:40s} {value:8.2f} ms {value / mine:5.1f} x")
