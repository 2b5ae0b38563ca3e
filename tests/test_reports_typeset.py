"""What belongs together stays on one line, and the text stays the same."""

from __future__ import annotations

import re

import pytest

from analysis.reports.typeset import keep_whole


def spans(html: str) -> list[str]:
    return re.findall(r'<span class="whole">(.*?)</span>', html)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("41 [38–44] had left", ["[38–44]"]),
        ("+3.9 points [+3.5 to +4.4]", ["[+3.5 to +4.4]"]),
        ("11 人 [6–15]，占 14% 至今", ["11 人", "[6–15]", "14% 至"]),
        ("915,216 [848,497–970,603]", ["[848,497–970,603]"]),
        ("2026年11月1日前，8 批", ["2026年", "11月1日", "8 批"]),
        ("先去看wechat-03和douyin-02。", ["wechat-03", "douyin-02"]),
        ("Visit wechat-03.", ["wechat-03"]),
        ("a [note] and [a long remark of somebody]", []),
        ("138 1234 5678 打", []),
        ("ab-12-34 x-1@y.cn a.b-12 b-1.cn", []),
    ],
)
def test_what_belongs_together_is_kept_and_nothing_is_cut_in_two(text: str, whole: list[str]) -> None:
    html = keep_whole(f"<p>{text}</p>")
    assert spans(html) == whole
    assert re.sub(r"<[^>]*>", "", html) == text


def test_attributes_captions_and_code_are_left_alone() -> None:
    html = '<a title="wechat-03" href="#a-1">x</a><pre tabindex="0">a-1 [1–2]</pre><code>a-1</code><caption>30 天</caption>'
    assert keep_whole(html) == html
