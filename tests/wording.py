"""What a published report says wrongly, whichever community it is of: for the sample's report and for real ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

TERMS = ("仍在群", "仍活跃", "日留存")
SPECIFIC = re.compile(r"第 ?(?:\d+|N|\{[^}]*\}) ?日留存")
METHOD = {
    "en": r"Kaplan|Meier|bootstrap|log-rank|\bCox\b|hazard|p-value|\bp [0-9<]|confidence|credible|regression|Monte Carlo|Holm|"
    r"variance|likelihood|standard error|significan|sigma|quantile|estimator|randomi[sz]|Bayes|simulat",
    "zh": r"Kaplan|置信|显著|检验|p ?值|风险比|秩|回归|蒙特卡洛|自助法|方差|似然|标准误|分位|随机化|贝叶斯|模拟误差|Holm",
}
"""Words of method, which come after the answer."""

GAP = re.compile(r"\[–|–\]|[,，有] ?–|– (?:had|of 100|人)")
"""A dash where a number should stand."""

_HEADLINE = re.compile(r'<p class="headline[^"]*">(.*?)</p>', re.DOTALL)


def find_faults(report: Path) -> list[tuple[str, str]]:
    """Return what is said wrongly, each with where it stands: claims in both languages, and the first sentence of every page."""
    claims = json.loads((report / "results.json").read_text("utf-8"))
    said = [(f"{claim['id']} {claim['group']}", claim["sentence"][locale]) for claim in claims for locale in METHOD]
    opened = [
        (page.name, headline)
        for page in sorted(report.glob("0*.html"))
        for headline in _HEADLINE.findall(page.read_text("utf-8"))[:1]
        if re.search(METHOD[page.stem.rpartition(".")[2]], headline, re.IGNORECASE)
    ]
    return [*opened, *((where, text) for where, text in said if any(_faults(text)))]


def _faults(text: str) -> Iterator[bool]:
    yield sum(term in text for term in TERMS) > 1  # in a group, active and retained are three things
    yield "留存" in SPECIFIC.sub("", text)  # retained: on which day?
    yield GAP.search(text) is not None
