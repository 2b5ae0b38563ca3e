"""Did the incentive work: experiments by member and by group, at the looks that were planned.

Everything reads the *units frame* of :mod:`analysis.summaries.experiments`: one row per metric and group, or per
metric and arm where members were drawn, with counts and sums. No test sees a member.

===============  =================================================================================
module           holds
===============  =================================================================================
``effect``       the result that every estimator returns
===============  =================================================================================
"""
