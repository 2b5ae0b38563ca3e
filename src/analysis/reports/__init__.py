"""From notebooks to pages: plan, run, check, render, publish.

`order`       the plan file: parameters, days, limits, thresholds, hooks
`plan`        everything that a run will do, checked whole before anything starts; `key` signs what a page depends on
`parameters`  what a notebook may be given, read from its own cell and checked before a kernel starts
`results`     what a notebook calls in its last cells: its claims, and how they were made
`listing`     a ranked list of members, for those who asked for it
`execute`     the child process that runs one notebook
`supervise`   its parent: limits, progress, and an honest verdict
`render`      one self-contained page per notebook and language
`gate`        the last look at a page: what breaks a rule is not published
`tables`      every table as CSV and XLSX; `workbook` writes the latter
`shared`      the claims, exact for the owner and rounded for everybody
`actions`     what to do this week, from the claims
`counted`     which reports still count somebody who was erased
`audit`       subtracts what was published before: no small cell may be worked back
`manifest`    how a run came about
`reuse`       what has not changed is taken over
`publish`     a finished folder appears at once, or not at all; `exchange` lets two folders change names in one step
`history`     earlier runs: their list, and how long they stay
`alerts`      claims beyond thresholds, and a page's own family of alarms; `news` says what changed, in a line
`series`      the compared figures week by week, revised and marked where definitions change; `restate` reads them again
`notify`      tells people how a run ended; `schedule` what a scheduler needs; `signals` what ends a run
`past`        what lies behind a claim, what differs between runs; `doctor` whether all is well; `skeleton` a new notebook
`run`         all of it
"""
