"""Launchers: which processes of a distributed job run on a node, with which variables.

One module a kind of job; each has ``tasks(job, order, meeting)``, a list of ``variables.Task``.
``meeting`` is what the nodes agreed on (``head.json``).
"""
