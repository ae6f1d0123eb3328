"""Finds samples that are equal or nearly equal to an earlier one.

Exact duplicates are found by digests of 16 bytes per sample; near duplicates by datasketch's MinHash and LSH
over shingles of words, with about half a kilobyte per sample. Memory thus grows with the source.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["ExactDuplicates", "NearDuplicates", "content_digest", "signatures"]

SHINGLE = 5  # words
PERMUTATIONS = 128
SCHEME = "affine32"
WORD = re.compile(r"\w+|[^\w\s]")

Signature = npt.NDArray[np.uint32]


def content_digest(texts: Sequence[str]) -> bytes:
    """Return a digest of 16 bytes of these texts in this order."""
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()


class ExactDuplicates:
    """Remembers the digests of earlier samples."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def is_new(self, digest: bytes) -> bool:
        """Return whether this digest is new, and remember it."""
        before = len(self._seen)
        self._seen.add(digest)
        return len(self._seen) > before


def signatures(texts: Sequence[str]) -> npt.NDArray[np.uint32]:
    """Return the MinHash signature of each text's word shingles: uint32 [texts, PERMUTATIONS]."""
    from datasketch import MinHash

    shingles = [[shingle.encode() for shingle in _shingles(text)] for text in texts]
    sketches = MinHash.bulk(shingles, num_perm=PERMUTATIONS, seed=1, scheme=SCHEME)
    return np.array([sketch.hashvalues for sketch in sketches], np.uint32).reshape(len(texts), PERMUTATIONS)


def _shingles(text: str) -> set[str]:
    words = WORD.findall(text.lower())
    return {" ".join(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1))}


class NearDuplicates:
    """Remembers the signatures of earlier samples.

    Args:
        threshold: the share of common word shingles, estimated by MinHash, from which two samples are nearly
            equal.
    """

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHashLSH

        self._threshold = threshold
        self._index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
        self._kept: dict[int, Signature] = {}

    def earlier(self, number: int, signature: Signature) -> int | None:
        """Return the first earlier sample that is nearly equal; if there is none, remember this one."""
        from datasketch import MinHash

        sketch = MinHash(num_perm=PERMUTATIONS, seed=1, hashvalues=signature, scheme=SCHEME)
        for candidate in sorted(self._index.query(sketch)):
            if float(np.mean(self._kept[candidate] == signature)) >= self._threshold:
                return int(candidate)
        self._index.insert(number, sketch)
        self._kept[number] = signature
        return None
