"""Who is leaving, did the incentive pay, will the plan hold: helpers behind the notebooks.

A map, from the ground up; a module imports only from floors below its own.

=====  ==================================================  ==========================================
floor  module                                              holds
=====  ==================================================  ==========================================
0      ``errors``                                          what can go wrong
0      ``labels``                                          every visible word, en and zh
1      ``schema``                                          the tables
1      ``config``                                          a community's YAML
2      ``intake``                                          exports → checked Parquet
2      ``simulate``                                        a community with its truth
3      ``sample``                                          writes the bundled community
3      ``summaries``                                       rows → counts
3      ``inference``, ``curves``                           what several methods need
3      ``disclosure``                                      what may be said of a few
4      ``survival``, ``experiments``, ``planning``,        the methods; never import one another
       ``quality``
5      ``findings``, ``plots``                             result → sentence, figure
6      ``reports``                                         run, render, publish
7      ``cli``                                             the shell
=====  ==================================================  ==========================================
"""

__version__ = "0.1.0"
