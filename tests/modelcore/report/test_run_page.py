"""The pages escape generated text, load nothing, have no script and show every step and problem."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from modelcore.report.data_section import CountRow, DataSection, TextSpan
from modelcore.report.evaluation_page import EvaluationPage, render_evaluation
from modelcore.report.run_page import RunPage, StepRow, render_run
from modelcore.report.score_section import (
    Answer,
    ComparisonSection,
    Figure,
    OwnScore,
    Problem,
    PublishedScore,
    ScoreSection,
)
from modelcore.report.training_page import TrainingPage, render_training
from modelcore.report.training_section import TrainingSection

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\ud800"
HISTORY = Figure("History", "<svg></svg>", "rises")


def problem(task_id: str, *verdicts: str, hidden: int = 0) -> Problem:
    answers = [Answer(HOSTILE, verdict, "<b>no</b>") for verdict in verdicts]
    return Problem(task_id, HOSTILE, len(verdicts) + hidden, verdicts.count("passed"), answers, hidden)


def section() -> ScoreSection:
    problems = [
        problem("T/0", "passed"),
        problem("T/1", "timed out"),
        problem("T/2", "error", "passed", hidden=3),
    ]
    return ScoreSection(
        title="mine",
        headline=[("pass@1", "0.925")],
        contamination="2 of 100 share text.",
        conditions=[("template", "a & b")],
        verdicts=[("passed", 2), ("timed out", 1)],
        problems=problems,
    )


DATA = DataSection(
    headline=[("records in", "100")],
    counts=[CountRow("bad", 1, "unreadable", [7], is_loss=True)],
    notes=[HOSTILE],
    lengths_svg="<svg></svg>",
    lengths_caption="long",
    shares=[("trained", 1.0)],
    contamination=[("T/0", [3])],
    messages=[HOSTILE],
    rows=[[TextSpan("trained", 3, HOSTILE)]],
)
COMPARISON = ComparisonSection("before", "after", ["T/0"], ["T/1"], 0.5, "may well be chance", ["isolation"])
OWN, OTHERS = (
    [OwnScore("mine", 92.5, 90.0, 95.0, "base")],
    [PublishedScore("Other", 59.15, "greedy", "a paper")],
)

LOSS = Figure("Loss", "<svg></svg>", "falls")
TRAINING = TrainingSection([("training loss", "1.5")], [("a < b", "c & d")], [LOSS])


def run_page(**changes: Any) -> str:
    step = StepRow("convert", 1.25, True, "4.3 MB", {"checkpoint": "a" * 64}, "b" * 64, "store/convert/x")
    shown: dict[str, Any] = {
        "title": "demo",
        "created": "today",
        "warnings": ["5 of 9 samples < cut"],
        "score": section(),
        "comparisons": [COMPARISON],
        "training": TRAINING,
        "figures": [HISTORY],
        "data": DATA,
        "own": OWN,
        "published": OTHERS,
        "steps": [step],
        "config": "name: demo",
    }
    return render_run(RunPage(**{**shown, **changes}))


def training_page() -> str:
    step = StepRow("launch", 1.25, True, "4.3 MB", {"rows": "a" * 64}, "b" * 64, "store/launch/x")
    warnings = ["5 of 9 samples < cut"]
    return render_training(TrainingPage("tuned", "today", warnings, TRAINING, DATA, [step], "name: tuned"))


def evaluation_page(**changes: Any) -> str:
    shown: dict[str, Any] = {
        "title": "nightly",
        "created": "today",
        "warnings": ["asked < otherwise"],
        "sections": [section(), section()],
        "comparisons": [COMPARISON],
        "history": HISTORY,
        "own": OWN,
        "published": OTHERS,
        "config": "name: nightly",
    }
    return render_evaluation(EvaluationPage(**{**shown, **changes}))


def test_generated_text_is_escaped_and_can_be_encoded():
    for html in (run_page(), evaluation_page(), training_page()):
        assert "<script" not in html
        assert "<img" not in html
        assert "&lt;script&gt;" in html
        assert "<b>no</b>" not in html
        assert html.count("</pre>") == html.count("<pre>") + html.count('<pre class="row">')
        html.encode("utf-8")


def test_warnings_are_the_first_thing_on_a_page():
    for html in (run_page(), training_page()):
        assert html.index("5 of 9 samples &lt; cut") < html.index('<div class="figures">')


def test_digests_scores_and_plots_are_on_the_page_of_a_run():
    html = run_page()
    for text in ("0.925", "a" * 64, "b" * 64, "<svg></svg>", "c &amp; d", "cached"):
        assert text in html


def test_loss_facts_plots_data_and_steps_are_on_the_page_of_a_training_run():
    html = training_page()
    for text in ("1.5", "a &lt; b", "c &amp; d", "falls", "unreadable", "a" * 64, "store/launch/x", "tuned"):
        assert text in html


def test_score_contamination_history_and_comparison_are_on_the_page_of_an_evaluation():
    html = evaluation_page()
    assert html.index("<b>Warning:</b> asked &lt; otherwise") < html.index("0.925")
    texts = ("0.925", "2 of 100 share text.", "a &amp; b", "rises", "1 won", "1 lost", "may well be chance")
    for text in (*texts, "isolation", "59.15", "92.5", "template base; see above", "a paper"):
        assert text in html


def test_what_different_templates_mean_for_a_comparison_is_said_beside_it():
    assert '<p class="note">of the prompts, too</p>' in evaluation_page(
        comparisons=[replace(COMPARISON, remark="of the prompts, too")]
    )


def test_every_problem_is_on_the_page_and_can_be_filtered_by_its_verdict():
    html = evaluation_page(sections=[section()])
    assert html.count('<details class="problem') == 3
    assert "passed 2" in html and "timed out 1" in html
    assert "1 of 5" in html and "and 3 more in the results file" in html
    assert html.count('type="radio"') == 1 + 2


def test_a_benchmark_without_published_scores_has_no_such_table():
    assert "Published scores" in evaluation_page()
    assert "Published scores" not in evaluation_page(published=[])
    assert "History" not in evaluation_page(history=None)


def test_a_page_begins_with_links_to_its_sections():
    html = run_page()
    for title in ("Training", "Steps", "Problems", "Configuration"):
        (number,) = re.findall(rf'<a href="#section-(\d+)">{title}</a>', html)
        assert f'<h2 id="section-{number}">{title}</h2>' in html
    assert "<nav>" in evaluation_page() and "<nav>" in training_page()


def test_inputs_lead_to_the_step_that_made_them_and_outputs_to_their_files():
    first = StepRow("convert", 1.25, True, "4 MB", {"checkpoint": "a" * 64}, "b" * 64, "s/x", "../../x/")
    second = StepRow("shard", 1.25, True, "4 MB", {"checkpoint": "b" * 64}, "c" * 64, "s/y")
    html = run_page(steps=[first, second])
    assert f'<tr id="{"b" * 64}">' in html and f'<a href="#{"b" * 64}">' in html
    assert f'<a href="#{"a" * 64}">' not in html
    assert '<a href="../../x/">s/x</a>' in html


def test_nothing_is_loaded_from_elsewhere():
    for html in (run_page(), evaluation_page(), training_page()):
        for outside in ("http:", "https:", "<link", "<img", "@import", "url("):
            assert outside not in html
