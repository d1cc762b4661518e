"""What a job's script imports: its run, its metrics, its artifacts (Python 3.6+, standard library).

Empty on purpose: ``run`` holds the run, ``errors`` the errors, and each is imported when needed.
"""
