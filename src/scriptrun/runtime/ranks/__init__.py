"""The ranks of a distributed job: which processes run on a node, with which variables.

There is one module per kind of job. Each has ``tasks(job, attempt, agreement)``, which returns a
list of ``variables.Task``; ``agreement`` is what the nodes agreed on (``head.json``).
"""
