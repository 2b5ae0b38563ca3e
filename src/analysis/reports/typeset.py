"""What a line may not be broken in: an interval, a number and its measure word, a day, a name that ends in a number."""

from __future__ import annotations

import re

_INTERVAL = r"\[[-+]?[\d.,]+%?(?:–|, | to | 至 )[-+]?[\d.,]+%?\]"
_MEASURED = r"(?<![\w.,-])(?<!\d )\d[\d,.]{0,6}%? [\u4e00-\u9fff]"
_DAY = r"(?<!\d)\d{4}年|(?<!\d)\d{1,2}月\d{1,2}日"
_NAME = r"(?<![\w@.-])[A-Za-z]{1,12}-\d{1,6}(?![\w@-]|\.\w)"
_WHOLE = re.compile("|".join((_INTERVAL, _MEASURED, _DAY, _NAME)), re.ASCII)
_MARKUP = re.compile(r"(<caption\b.*?</caption>|<pre\b.*?</pre>|<code\b.*?</code>|<[^>]*>)", re.DOTALL)


def keep_whole(html: str) -> str:
    """Return clean markup with what belongs together kept on one line; its text stays the same.

    A caption, which names its table to those who hear the page, and code are left as they are. Whole tokens alone are taken, so that whoever looks for an address or an id still finds it in one piece.

    Examples
    --------
    >>> keep_whole("<p>48 人 [37–59] 退群</p>")
    '<p><span class="whole">48 人</span> <span class="whole">[37–59]</span> 退群</p>'
    >>> keep_whole('<b title="a-1">wechat-03</b>')
    '<b title="a-1"><span class="whole">wechat-03</span></b>'
    """
    return "".join(
        part if part.startswith("<") else _WHOLE.sub(r'<span class="whole">\g<0></span>', part)
        for part in _MARKUP.split(html)
    )
