"""Concrete ML's gradient-boosted trees in an environment of their own: processor milliseconds a record, as JSON."""

import json
import sys
import time

import numpy as np


def main(trees: int, depth: int, features: int, cells: int) -> None:
    from concrete.ml.sklearn import XGBClassifier  # type: ignore[import-not-found]

    generator = np.random.default_rng(0)
    x = generator.integers(0, cells, (2000, features)).astype(np.float32)
    y = (x[:, :8].sum(axis=1) + generator.normal(0, 8, len(x)) > 4 * (cells - 1)).astype(int)
    model = XGBClassifier(n_estimators=trees, max_depth=depth, n_bits=4, n_jobs=1)
    model.fit(x, y)
    model.compile(x[:200])
    model.fhe_circuit.keygen()
    started = time.process_time()
    model.predict_proba(x[:1], fhe="execute")
    print(json.dumps({"milliseconds": 1000 * (time.process_time() - started)}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
