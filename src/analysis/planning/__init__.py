"""Scenario planning: one draw, one world, from the exports to the chance of every target.

A scenario file says what is planned and how unsure each number is. Everything unsure is drawn jointly; every draw is a
world in which tasks end, gates open, members join, age and leave, and money is spent. What is asked of the plan is
read from the worlds.
"""
