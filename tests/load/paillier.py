"""Rival: a scorecard under Paillier (phe), encrypted weights times integer features. Runs in a throwaway environment.

Prints one JSON object of milliseconds a score at the median. 2048-bit keys, the library's default size for 112 bits.
"""

import json
import random
import statistics
import sys
import time

from phe import paillier


def main(features: int, rounds: int) -> None:
    public, private = paillier.generate_paillier_keypair(n_length=2048)
    generator = random.Random(0)
    weights = [generator.randrange(1024) for _ in range(features)]
    encrypted = [public.encrypt(w) for w in weights]
    plain, randomised = [], []
    for _ in range(rounds):
        record = [generator.randrange(1, 64) for _ in range(features)]
        start = time.perf_counter()
        total = encrypted[0] * record[0]
        for ciphertext, value in zip(encrypted[1:], record[1:], strict=True):
            total = total + ciphertext * value
        plain.append(time.perf_counter() - start)
        total.obfuscate()
        randomised.append(time.perf_counter() - start)
        if private.decrypt(total) != sum(w * x for w, x in zip(weights, record, strict=True)):
            raise SystemExit("Paillier rival computed a wrong score")
    medians = {"dot": statistics.median(plain), "dot_rerandomised": statistics.median(randomised)}
    print(json.dumps({name: 1000 * seconds for name, seconds in medians.items()}))


main(int(sys.argv[1]), int(sys.argv[2]))
