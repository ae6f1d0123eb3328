"""The page escapes what a model wrote, fetches nothing and shows every step."""

from modelcore.report.run_page import Answer, Figure, RunPage, StepRow, render_run


def page(**changes):
    step = StepRow("convert", 1.25, True, "4.3 MB", {"checkpoint": "a" * 64}, "b" * 64, "store/convert/x")
    answer = Answer("T/0", "def f():", "<script>alert(1)</script>", False, "failed: <b>no</b>")
    shown = {
        "title": "demo",
        "created": "today",
        "scores": [("pass@1", "0.925")],
        "facts": ["a & b"],
        "figures": [Figure("Loss", "<svg></svg>", "falls")],
        "steps": [step],
        "passed": [],
        "failed": [answer],
        "config": "name: demo",
    }
    return render_run(RunPage(**{**shown, **changes}))


def test_what_a_model_wrote_cannot_run_in_the_page():
    html = page()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "<b>no</b>" not in html


def test_digests_scores_and_plots_are_on_it():
    html = page()
    for told in ("0.925", "a" * 64, "b" * 64, "<svg></svg>", "a &amp; b", "from the store"):
        assert told in html


def test_nothing_is_fetched_from_elsewhere():
    html = page()
    for outside in ("http:", "https:", "<link", "<img", "@import"):
        assert outside not in html
