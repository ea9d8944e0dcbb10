"""Merkle trees: against the published vectors of Certificate Transparency, another implementation, and a liar."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from xinyidai.merkle import (
    EMPTY_ROOT,
    MAX_PATH,
    MAX_SIZE,
    Frontier,
    ProofInvalid,
    Range,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

ENTRIES = [bytes.fromhex(e) for e in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
"""Of the test data of Certificate Transparency (RFC 6962, whose hashing RFC 9162 keeps)."""
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION_5_OF_8 = [
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]
CONSISTENCY_6_TO_8 = [
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
MANY = [leaf_hash(number.to_bytes(4, "big")) for number in range(200)]
digests = st.binary(min_size=32, max_size=32)


def path_of(leaves: list[bytes], ranges: list[Range]) -> list[bytes]:
    return [root_of(leaves[first:end]) for first, end in ranges]


def test_the_published_roots_and_paths() -> None:
    assert [root_of(LEAVES[: n + 1]).hex() for n in range(8)] == ROOTS
    assert root_of([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()
    assert [step.hex() for step in path_of(LEAVES, inclusion_ranges(5, 8))] == INCLUSION_5_OF_8
    assert [step.hex() for step in path_of(LEAVES, consistency_ranges(6, 8))] == CONSISTENCY_6_TO_8


def test_every_proof_of_every_small_tree_verifies_and_no_other() -> None:
    for size in range(1, 40):
        root = root_of(MANY[:size])
        for index in range(size):
            path = path_of(MANY, inclusion_ranges(index, size))
            verify_inclusion(index, size, MANY[index], path, root)
            for wrong in (index - 1, index + 1):
                with pytest.raises(ProofInvalid):
                    verify_inclusion(wrong, size, MANY[index], path, root)
        for old in range(size + 1):
            path = path_of(MANY, consistency_ranges(old, size))
            verify_consistency(old, size, path, root_of(MANY[:old]), root)
            with pytest.raises(ProofInvalid):
                verify_consistency(old, size, path, root_of([*MANY[: max(0, old - 1)], MANY[-1]]), root)


@given(size=st.integers(1, 200), data=st.data())
def test_roots_and_paths_are_those_of_another_implementation(size: int, data: st.DataObject) -> None:
    other = InmemoryTree(algorithm="sha256")
    for number in range(size):
        other.append_entry(number.to_bytes(4, "big"))
    assert other.get_state(size) == root_of(MANY[:size])
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    ours = path_of(MANY, inclusion_ranges(index, size))
    assert other.prove_inclusion(index + 1, size).path == [MANY[index], *ours]
    theirs = other.prove_consistency(old, size)
    assert theirs.resolve() == root_of(MANY[:size]) and theirs.retrieve_prior_state() == root_of(MANY[:old])


@given(size=st.integers(1, 200), data=st.data())
def test_a_changed_proof_proves_nothing(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = root_of(MANY[:size])
    change = data.draw(st.sampled_from(["drop", "add", "replace", "swap"]))
    for kind in ("inclusion", "consistency"):
        ranges = inclusion_ranges(index, size) if kind == "inclusion" else consistency_ranges(old, size)
        honest = path_of(MANY, ranges)
        path = changed(honest, change, data)
        if path == honest:
            continue
        with pytest.raises(ProofInvalid):
            if kind == "inclusion":
                verify_inclusion(index, size, MANY[index], path, root)
            else:
                verify_consistency(old, size, path, root_of(MANY[:old]), root)


def changed(path: list[bytes], change: str, data: st.DataObject) -> list[bytes]:
    if change == "add" or not path:
        return [*path, data.draw(digests)]
    at = data.draw(st.integers(0, len(path) - 1))
    if change == "drop":
        return path[:at] + path[at + 1 :]
    if change == "replace":
        return [*path[:at], data.draw(digests), *path[at + 1 :]]
    return [*path[:at], *reversed(path[at:])]


@given(
    index=st.integers(-1, MAX_SIZE + 1),
    size=st.integers(-1, MAX_SIZE + 1),
    path=st.lists(st.one_of(digests, st.binary(max_size=40)), max_size=MAX_PATH + 2),
    leaf=digests,
    root=digests,
)
def test_noise_is_refused_and_nothing_else_happens(
    index: int, size: int, path: list[bytes], leaf: bytes, root: bytes
) -> None:
    for verify in (verify_inclusion, verify_consistency):
        try:
            if verify is verify_inclusion:
                verify_inclusion(index, size, leaf, path, root)
            else:
                verify_consistency(index, size, path, leaf, root)
        except ProofInvalid:
            continue
        assert not path and (index, leaf) in ((0, root), (size, root)), "noise proved something"


def test_an_entry_cannot_pass_for_a_node() -> None:
    """Second preimages: the two hashes of a node as one entry give another root."""
    inner = LEAVES[0] + LEAVES[1]
    assert root_of([leaf_hash(inner)]) != root_of(LEAVES[:2])


def test_a_frontier_says_the_root_at_every_size() -> None:
    frontier = Frontier()
    for count, leaf in enumerate(MANY, 1):
        frontier.append(leaf)
        assert (frontier.size, frontier.root()) == (count, root_of(MANY[:count]))


@pytest.mark.parametrize(("old", "size"), [(3, 2), (-1, 4)])
def test_there_are_no_proofs_of_what_is_not(old: int, size: int) -> None:
    with pytest.raises(ValueError):
        consistency_ranges(old, size)
    with pytest.raises(ValueError):
        inclusion_ranges(size, size)
