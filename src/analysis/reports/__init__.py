"""From notebooks to pages: plan, run, check, render, publish.

`parameters`  what a notebook may be given, read from its own cell and checked before a kernel starts
`results`     what a notebook calls in its last cells: its claims, and how they were made
`listing`     a ranked list of members, for those who asked for it
`execute`     the child process that runs one notebook
`supervise`   its parent: limits, progress, and an honest verdict
`render`      one self-contained page per notebook and language
`gate`        the last look at a page: what breaks a rule is not published
`tables`      every table as CSV and XLSX; `workbook` writes the latter
`shared`      the claims, exact for the owner and rounded for everybody
`audit`       subtracts what was published before: no small cell may be worked back
`publish`     a finished folder appears at once, or not at all
`run`         all of it
"""
