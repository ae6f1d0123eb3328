"""Completions whose answers are meant to block, overload or break their reader."""

from __future__ import annotations

from .attack import Attack

__all__ = ["CLOGGING"]

CLOGGING = (
    Attack(
        name="slow_answer",
        what="announces an answer and sends one byte of it at a time",
        completion="""\
    import os, time
    os.write(3, (1000).to_bytes(4, 'big'))
    while True:
        os.write(3, b' ')
        time.sleep(0.2)
""",
    ),
    Attack(
        name="huge_prefix",
        what="announces an answer of 4 GB",
        completion=r"""    import os
    os.write(3, b'\xff' * 100)
    return x + y
""",
    ),
    Attack(
        name="deep_json",
        what="sends 100,000 nested lists as its answer",
        completion="""\
    import os
    body = b'[' * 100000 + b']' * 100000
    os.write(3, len(body).to_bytes(4, 'big') + body)
    return x + y
""",
    ),
    Attack(
        name="not_json",
        what="sends bytes that are not JSON",
        completion=r"""    import os
    os.write(3, b'\x00\x00\x00\x02\xff\xfe')
    return x + y
""",
    ),
    Attack(
        name="odd_tags",
        what="sends tags that do not exist, and odd content under those that do",
        completion="""\
    import os
    for body in (b'{"value":{"object":[]}}', b'{"value":{"set":[[1]]}}', b'{"error":5}'):
        os.write(3, len(body).to_bytes(4, 'big') + body)
    return x - y
""",
    ),
    Attack(
        name="text_of_commas",
        what="sends a text of 16 million commas, which look like values to one who counts without parsing",
        completion=r"""    import os
    body = b'{"value": "' + b',' * 16_000_000 + b'"}'
    body = len(body).to_bytes(4, 'big') + body
    while body:
        body = body[os.write(3, body):]
    return x - y
""",
    ),
    Attack(
        name="huge_integer",
        what="returns an integer of 80 million bits",
        completion="""\
    return 1 << 80_000_000
""",
    ),
    Attack(
        name="nested_answer",
        what="returns a list nested 5,000 deep",
        completion="""\
    import sys
    sys.setrecursionlimit(10**6)
    a = []
    for _ in range(5000): a = [a]
    return a
""",
    ),
    Attack(
        name="cyclic_answer",
        what="returns a list that contains itself",
        completion="""\
    a = []
    a.append(a)
    return a
""",
    ),
    Attack(
        name="endless_iterator",
        what="returns an endless generator to a test that may read it",
        completion="""\
    import itertools
    return itertools.count()
""",
    ),
    Attack(
        name="many_references",
        what="makes the other process hold a million references",
        completion="""\
    return [object() for _ in range(10**6)]
""",
    ),
    Attack(
        name="giant_range",
        what="returns a range of 10**18",
        completion="""\
    return range(10 ** 18)
""",
    ),
    Attack(
        name="giant_decimal",
        what="returns a Decimal with an exponent of 999999",
        completion="""\
    import decimal
    return decimal.Decimal('1E+999999')
""",
    ),
    Attack(
        name="colliding_hashes",
        what="returns a set of 60,000 integers with the same hash",
        completion="""\
    return {i * (2**61 - 1) for i in range(60000)} if not getattr(add, 'd', 0) else 0
""",
    ),
    Attack(
        name="huge_change",
        what="makes its argument a hundred million times longer",
        completion="""\
    result = [n + 1 for n in l]
    l *= 10**8
    return result
""",
        task_id="HumanEval/42",
    ),
    Attack(
        name="endless_message",
        what="raises an error whose text never ends",
        completion="""\
    class Endless(Exception):
        def __str__(self):
            while True:
                pass
    raise Endless
""",
    ),
    Attack(
        name="half_an_answer",
        what="sends half an answer and waits",
        completion="""\
    import os, time
    os.write(3, (1000).to_bytes(4, 'big') + b'{"value": ')
    time.sleep(1000)
""",
    ),
    Attack(
        name="a_million_lists",
        what="returns 8 MB of empty lists, which would take seconds and hundreds of MB to read",
        completion="""\
    return [[] for _ in range(2_000_000)]
""",
    ),
)
