"""Trees on one core: ours beside the same ensemble in the clear and beside Concrete ML, in one run.

python -m tests.load.trees [trees] [depths...]          XYD_BENCH_CONCRETE=0 leaves the rival out
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from xinyidai.framing import decode_answer, encode_answer
from xinyidai.parameters import TREES_8192

from enclave.scoring.masking import expand_mask
from enclave.scoring.trees import evaluate
from tests.support.trees import active_of, bank_trees, random_cells, random_ensemble, small_catalogue

ROOT = Path(__file__).parents[2]
FEATURES, CELLS, RECORDS = 40, 16, 200


def ours(trees: int, depth: int) -> tuple[int, float, float]:
    """(exact scores of 200, median milliseconds with mask and framing, likewise in the clear); processor time."""
    catalogue, generator = small_catalogue(FEATURES, CELLS), np.random.default_rng(depth)
    bank = bank_trees(random_ensemble(catalogue, trees, depth, generator))
    bound, exact, encrypted, clear = TREES_8192.flood_bound(0), 0, [], []
    for _ in range(RECORDS):
        cells = random_cells(catalogue, generator)
        started = time.process_time()
        mask = expand_mask(generator.bytes(32), TREES_8192, bound)
        frame = encode_answer(evaluate(bank.prepared, active_of(catalogue, cells), mask))
        encrypted.append(time.process_time() - started)
        points = bank.key.decrypt_coefficient(decode_answer(frame)) + bank.model.offset
        started = time.process_time()
        exact += points == bank.model.score_cells(cells.tolist())
        clear.append(time.process_time() - started)
    return exact, 1000 * statistics.median(encrypted), 1000 * statistics.median(clear)


def concrete(trees: int, depth: int) -> float:
    """Concrete ML in an environment of its own, thrown away afterwards."""
    uv = [str(ROOT / ".tools/bin/uv"), "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
    script = [*uv, "--with", "concrete-ml", "python", str(Path(__file__).with_name("concrete_trees.py"))]
    numbers = [str(number) for number in (trees, depth, FEATURES, CELLS)]
    done = subprocess.run([*script, *numbers], check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout.splitlines()[-1])["milliseconds"])


def main(trees: int, depths: list[int]) -> None:
    print(f"{trees} trees over {FEATURES} features of {CELLS} cells, one core, medians of {RECORDS}:")
    for depth in depths:
        exact, milliseconds, clear = ours(trees, depth)
        print(f"  depth {depth}: exact {exact} of {RECORDS}   ours {milliseconds:6.1f} ms   clear {clear:.3f} ms")
    if os.environ.get("XYD_BENCH_CONCRETE") != "0":
        print(f"  Concrete ML, depth {depths[0]}: {concrete(trees, depths[0]):,.0f} ms")


if __name__ == "__main__":
    numbers = [int(number) for number in sys.argv[1:]]
    main(numbers[0] if numbers else 100, numbers[1:] or [3, 4, 5])
